package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Bounds of a connection.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	responseTimeout   = time.Minute // event streams have one for each write
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// Serve answers requests on the listener until ctx ends. Then it takes no more, tells subscribers
// that it is closing, and finishes what is running, for grace at most.
func (g *Gateway) Serve(ctx context.Context, l net.Listener, grace time.Duration) error {
	server := &http.Server{
		Handler:           g.handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      responseTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(g.log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("gateway: %w", err)
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	g.streams.close()
	err := server.Shutdown(closing)
	g.streams.wait(closing)
	if errors.Is(err, context.DeadlineExceeded) {
		g.log.WarnContext(ctx, "requests were cut off at shutdown", "after", grace)
		return server.Close()
	}
	return err
}

// streams are the event streams that are open: a server's shutdown does not wait for them by itself.
type streams struct {
	ctx    context.Context
	cancel context.CancelFunc
	mu     sync.Mutex
	open   int
	empty  chan struct{} // closed when closing and none is open
	closed bool
}

func (s *streams) init() {
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.empty = make(chan struct{})
}

// enter counts a stream in; its context ends with the request's or when the edge closes. It is
// false when the edge is closing.
func (s *streams) enter(ctx context.Context) (context.Context, func(), bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, false
	}
	s.open++
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.ctx, cancel)
	return ctx, func() {
		stop()
		cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.open--; s.closed && s.open == 0 {
			close(s.empty)
		}
	}, true
}

// closing tells whether the edge takes no more requests.
func (s *streams) closing() bool { return s.ctx.Err() != nil }

func (s *streams) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	s.cancel()
	if s.open == 0 {
		close(s.empty)
	}
}

func (s *streams) wait(ctx context.Context) {
	select {
	case <-s.empty:
	case <-ctx.Done():
	}
}
