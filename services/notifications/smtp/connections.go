package smtp

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// Bounds of the connections that are kept for the next message.
const (
	maxIdle     = 16              // connections
	idleTime    = 4 * time.Second // less than mail servers wait for the next command
	maxMessages = 100             // over one connection, as mail servers bound them, too
)

// errClosed is what a Sender answers that was closed.
var errClosed = errors.New("smtp: the sender is closed")

// connection is a session with the mail server.
type connection struct {
	client   *mail.Client
	session  *smtp.Client
	messages int // that were begun on it
	expiry   *time.Timer
}

func (c *connection) send(m *mail.Msg) error {
	c.messages++
	return c.client.SendWithSMTPClient(c.session, m)
}

// answers tells whether the server still does, and leaves what it was told before.
func (c *connection) answers() bool { return c.client.ResetWithSMTPClient(c.session) == nil }

// end says goodbye, or hangs up where nobody listens.
func (c *connection) end() {
	if c.client.CloseWithSMTPClient(c.session) != nil {
		_ = c.session.Close() // nothing is under way on it
	}
}

// connections keeps those that may send another message.
type connections struct {
	mu     sync.Mutex
	idle   []*connection // the latest used is the last
	closed bool
}

// take gives the latest used connection, if the server still answers on it; nil without one.
func (p *connections) take() (*connection, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, errClosed
	}
	if len(p.idle) == 0 {
		p.mu.Unlock()
		return nil, nil
	}
	c := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	p.mu.Unlock()
	c.expiry.Stop()
	if c.answers() {
		return c, nil
	}
	_ = c.session.Close()
	p.clear(false) // the others are older
	return nil, nil
}

// keep lets the next message have a connection, for a while.
func (p *connections) keep(c *connection) {
	p.mu.Lock()
	if p.closed || len(p.idle) >= maxIdle || c.messages >= maxMessages {
		p.mu.Unlock()
		c.end()
		return
	}
	p.idle = append(p.idle, c)
	c.expiry = time.AfterFunc(idleTime, func() { p.expire(c) })
	p.mu.Unlock()
}

// expire ends a connection that nobody has taken.
func (p *connections) expire(c *connection) {
	p.mu.Lock()
	i := slices.Index(p.idle, c)
	if i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
	}
	p.mu.Unlock()
	if i >= 0 {
		c.end()
	}
}

// clear ends what is idle, and for good also what comes back later.
func (p *connections) clear(forGood bool) {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, p.closed || forGood
	p.mu.Unlock()
	for _, c := range idle {
		c.expiry.Stop()
		_ = c.session.Close() // nothing is under way on it
	}
}

// connect gives a connection on which the server answers: one of before, or a new one.
func (s *Sender) connect(ctx context.Context, timeout time.Duration) (*connection, error) {
	if c, err := s.connections.take(); c != nil || err != nil {
		return c, err
	}
	client, err := mail.NewClient(s.host, append(slices.Clip(s.options), mail.WithTimeout(max(timeout/phases, time.Millisecond)))...)
	if err != nil {
		return nil, err
	}
	if err := s.Guard.Enter(); err != nil {
		return nil, err
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err := s.Guard.Leave(err); err != nil {
		return nil, err
	}
	return &connection{client: client, session: session}, nil
}
