package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	dialTimeout  = 5 * time.Second
	heartbeat    = 10 * time.Second
	firstRedial  = 100 * time.Millisecond
	longestDial  = 10 * time.Second
	closeTimeout = 5 * time.Second
)

// link is one connection that is made anew whenever it breaks. Publishing and
// consuming have a link each, as the server slows down connections that
// publish too fast, and must not delay their acknowledgements by that.
type link struct {
	url     string
	name    string
	log     *slog.Logger
	blocked atomic.Pointer[string] // the server's reason, while it refuses publications

	mu      sync.Mutex
	conn    *amqp.Connection
	ready   chan struct{} // non-nil while dialling; closed when that ends
	lastErr error         // of the latest dial
	ctx     context.Context
	cancel  context.CancelFunc
}

func newLink(url, name string, log *slog.Logger) *link {
	ctx, cancel := context.WithCancel(context.Background())
	return &link{url: url, name: name, log: log, ctx: ctx, cancel: cancel}
}

// connection returns the open connection, waiting for one until ctx ends.
func (l *link) connection(ctx context.Context) (*amqp.Connection, error) {
	for {
		l.mu.Lock()
		if l.ctx.Err() != nil {
			l.mu.Unlock()
			return nil, ErrClosed
		}
		if l.conn != nil && !l.conn.IsClosed() {
			conn := l.conn
			l.mu.Unlock()
			return conn, nil
		}
		if l.ready == nil {
			l.ready = make(chan struct{})
			go l.redial(l.ready)
		}
		ready := l.ready
		l.mu.Unlock()
		select {
		case <-ready:
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("rabbitmq: no connection: %w", ctx.Err()), l.dialError())
		}
	}
}

func (l *link) dialError() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lastErr
}

// redial dials with growing waits until it has a connection or the link is
// closed.
func (l *link) redial(ready chan struct{}) {
	wait := firstRedial
	for {
		conn, err := l.dial()
		l.mu.Lock()
		l.lastErr = err
		if err == nil {
			l.conn = conn
		}
		if err == nil || l.ctx.Err() != nil {
			closed := l.ctx.Err() != nil
			l.ready = nil
			close(ready)
			l.mu.Unlock()
			if closed && conn != nil {
				_ = conn.CloseDeadline(time.Now().Add(closeTimeout)) // nobody will use it
			}
			return
		}
		l.mu.Unlock()
		l.log.Warn("rabbitmq: cannot connect, will try again", "connection", l.name, "wait", wait, "error", err)
		timer := time.NewTimer(wait/2 + rand.N(wait))
		select {
		case <-timer.C:
		case <-l.ctx.Done():
			timer.Stop()
		}
		wait = min(2*wait, longestDial)
	}
}

func (l *link) dial() (*amqp.Connection, error) {
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName(l.name)
	conn, err := amqp.DialConfig(l.url, amqp.Config{
		Heartbeat:  heartbeat,
		Dial:       amqp.DefaultDial(dialTimeout),
		Properties: properties,
	})
	if err != nil {
		return nil, fmt.Errorf("rabbitmq: %w", err)
	}
	l.blocked.Store(nil)
	go l.watch(conn.NotifyBlocked(make(chan amqp.Blocking, 1)), conn.NotifyClose(make(chan *amqp.Error, 1)))
	return conn, nil
}

// watch ends with the connection.
func (l *link) watch(blocked <-chan amqp.Blocking, closed <-chan *amqp.Error) {
	for {
		select {
		case b, ok := <-blocked:
			if !ok {
				blocked = nil
				continue
			}
			if !b.Active {
				l.blocked.Store(nil)
				continue
			}
			l.blocked.Store(&b.Reason)
			l.log.Warn("rabbitmq: the server refuses publications", "reason", b.Reason)
		case err := <-closed: // nil after an orderly close
			if err != nil {
				l.log.Warn("rabbitmq: lost the connection", "connection", l.name, "error", err)
			}
			return
		}
	}
}

// close disconnects, and ends dialling and every wait for a connection.
func (l *link) close() error {
	l.cancel()
	l.mu.Lock()
	conn := l.conn
	l.mu.Unlock()
	if conn == nil || conn.IsClosed() {
		return nil
	}
	err := conn.CloseDeadline(time.Now().Add(closeTimeout))
	if errors.Is(err, amqp.ErrClosed) {
		return nil
	}
	return err
}
