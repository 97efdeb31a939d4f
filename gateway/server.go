package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
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
	return g.serve(ctx, l, g.handler, grace)
}

// ServeStatus answers /healthz, /readyz and /metrics alone, of a process that takes no other requests, until ctx ends.
func (g *Gateway) ServeStatus(ctx context.Context, l net.Listener, grace time.Duration) error {
	mux := http.NewServeMux()
	g.status(mux)
	mux.Handle("/", route("other", http.HandlerFunc(notFound)))
	return g.serve(ctx, l, g.observed(g.recovered(g.secured(mux))), grace)
}

func (g *Gateway) serve(ctx context.Context, l net.Listener, handler http.Handler, grace time.Duration) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      responseTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(g.log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() {
		if c := g.config.TLS; c != nil {
			server.TLSConfig = c.Config()
			failed <- server.ServeTLS(l, "", "")
			return
		}
		failed <- server.Serve(l)
	}()
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
