package rabbitmq_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/platform/rabbitmq"
)

// proxy forwards TCP connections, until it is told to cut them.
type proxy struct {
	target   string
	listener net.Listener

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	down  bool
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{target: target, listener: l, conns: make(map[net.Conn]struct{})}
	t.Cleanup(func() { l.Close(); p.cut(true) })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.forward(c)
		}
	}()
	return p
}

func (p *proxy) forward(c net.Conn) {
	defer c.Close()
	s, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer s.Close()
	p.mu.Lock()
	if p.down {
		p.mu.Unlock()
		return
	}
	p.conns[c] = struct{}{}
	p.mu.Unlock()
	go func() { _, _ = io.Copy(s, c); s.Close() }()
	_, _ = io.Copy(c, s)
}

// cut breaks all connections, and refuses new ones while down.
func (p *proxy) cut(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
	for c := range p.conns {
		c.Close()
		delete(p.conns, c)
	}
}

func TestReconnects(t *testing.T) {
	t.Parallel()
	address, namespace := stacktest.RabbitMQ(t)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(t, u.Host)
	u.Host = p.listener.Addr().String()
	b, err := rabbitmq.Open(t.Context(), u.String(), rabbitmq.Options{
		Namespace: namespace, PublishTimeout: 20 * time.Second, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	declare(t, b, rabbitmq.Queue{Name: "q"})
	deliveries := make(chan rabbitmq.Delivery, 9)
	consume(t, b, "q", 1, into(deliveries, succeed))
	publish(t, b, rabbitmq.Message{ID: "before", Queue: "q"})
	next(t, deliveries)

	p.cut(true)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	// The first one may still be written to the dying connection; none succeeds.
	for ctx.Err() == nil {
		if err := b.Publish(ctx, rabbitmq.Message{ID: "lost", Queue: "q"}); err == nil {
			t.Fatal("published without a connection")
		}
	}
	p.cut(false)
	publish(t, b, rabbitmq.Message{ID: "after", Queue: "q"})
	d := next(t, deliveries)
	for d.ID == "before" { // its acknowledgement may have been lost with the connection
		d = next(t, deliveries)
	}
	if d.ID != "after" {
		t.Errorf("delivered %s", d.ID)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// beside gives a broker, and a connection of another client to its server.
func beside(t *testing.T) (b rabbitmq.Broker, namespace string, conn *amqp.Connection, ch *amqp.Channel) {
	t.Helper()
	address, namespace := stacktest.RabbitMQ(t)
	b, err := rabbitmq.Open(t.Context(), address, rabbitmq.Options{Namespace: namespace, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if conn, err = amqp.Dial(address); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if ch, err = conn.Channel(); err != nil {
		t.Fatal(err)
	}
	return b, namespace, conn, ch
}

// While somebody looks at the dead letters others do not see them; who asks for one by its id finds it all the same.
func TestLettersThatAnotherLooksAt(t *testing.T) {
	t.Parallel()
	b, namespace, conn, ch := beside(t)
	declare(t, b, rabbitmq.Queue{Name: "q", Bindings: []string{"k"}})
	deliveries := make(chan rabbitmq.Delivery, 9)
	consume(t, b, "q", 1, into(deliveries, func(rabbitmq.Delivery) error { return errors.New("down") }))
	for _, id := range []string{"0", "1"} {
		publish(t, b, rabbitmq.Message{ID: id, RoutingKey: "k"})
		next(t, deliveries)
	}
	deadLetters(t, b, "q", 2)
	for taken := 0; taken < 2; {
		_, ok, err := ch.Get(namespace+".q.dead", false)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			taken++
		}
	}
	time.AfterFunc(300*time.Millisecond, func() { _ = conn.Close() }) // which puts them back
	if n, err := b.Discard(t.Context(), "q", "1"); n != 1 || err != nil {
		t.Errorf("discarded %d, %v; want 1", n, err)
	}
	if got := ids(deadLetters(t, b, "q", 1)); !slices.Equal(got, []string{"0"}) {
		t.Errorf("left are %v", got)
	}
	if n, err := b.Discard(t.Context(), "q", "1"); n != 0 || err != nil {
		t.Errorf("discarded %d once more, %v", n, err)
	}
}

// A server that lost a queue gets it again from its consumer.
func TestConsumerRestoresItsQueue(t *testing.T) {
	t.Parallel()
	b, namespace, _, ch := beside(t)
	declare(t, b, rabbitmq.Queue{Name: "q", Bindings: []string{"k"}})
	deliveries := make(chan rabbitmq.Delivery, 9)
	consume(t, b, "q", 1, into(deliveries, succeed))
	publish(t, b, rabbitmq.Message{ID: "0", RoutingKey: "k"})
	next(t, deliveries)
	if _, err := ch.QueueDelete(namespace+".q", false, false, false); err != nil {
		t.Fatal(err)
	}
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(patience)
	for {
		err := b.Publish(t.Context(), rabbitmq.Message{ID: "1", RoutingKey: "k", Mandatory: true})
		if err == nil {
			break
		}
		if !errors.Is(err, rabbitmq.ErrUnroutable) {
			t.Fatal(err)
		}
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatal("the queue did not come back")
		}
	}
	if d := next(t, deliveries); d.ID != "1" {
		t.Errorf("delivered %s", d.ID)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
