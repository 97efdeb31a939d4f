package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/techmart/techmart/platform/fault"
	"github.com/techmart/techmart/platform/telemetry"
)

// publisher is one channel in confirm mode.
type publisher struct {
	ch     *amqp.Channel
	tokens atomic.Uint64
	asks   chan ask
	gone   chan struct{} // closed when the channel is
}

// ask asks whether the server returned the message with this token.
type ask struct {
	token  string
	answer chan bool
}

func newPublisher(conn *amqp.Connection, exchange string) (*publisher, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	if err := ch.ExchangeDeclare(exchange, amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
		return nil, err
	}
	if err := ch.Confirm(false); err != nil {
		return nil, err
	}
	p := &publisher{ch: ch, asks: make(chan ask), gone: make(chan struct{})}
	go p.collect(ch.NotifyReturn(make(chan amqp.Return, 64)))
	return p, nil
}

// collect keeps the tokens of returned messages. The server returns a message
// before it confirms it, and the library queues the return before it resolves
// the confirm: so whoever asks after the confirm finds the return either
// recorded or still queued, and queued ones are recorded before answering.
func (p *publisher) collect(returns <-chan amqp.Return) {
	defer close(p.gone)
	returned := make(map[string]struct{})
	record := func(r amqp.Return) { returned[r.CorrelationId] = struct{}{} }
	for {
		select {
		case r, ok := <-returns:
			if !ok {
				return
			}
			record(r)
		case a := <-p.asks:
			for more := true; more; {
				select {
				case r, ok := <-returns:
					if more = ok; ok {
						record(r)
					}
				default:
					more = false
				}
			}
			_, was := returned[a.token]
			delete(returned, a.token)
			a.answer <- was
		}
	}
}

func (p *publisher) returned(token string) bool {
	a := ask{token: token, answer: make(chan bool, 1)}
	select {
	case p.asks <- a:
		return <-a.answer
	case <-p.gone:
		return false // its messages are not confirmed either
	}
}

// pending is a message on its way.
type pending struct {
	confirm *amqp.DeferredConfirmation
	token   string // non-empty for mandatory messages
}

func (p *publisher) send(ctx context.Context, exchange, key string, mandatory bool, m amqp.Publishing) (pending, error) {
	var out pending
	if mandatory {
		out.token = strconv.FormatUint(p.tokens.Add(1), 36)
		m.CorrelationId = out.token
	}
	confirm, err := p.ch.PublishWithDeferredConfirmWithContext(ctx, exchange, key, mandatory, false, m)
	if err != nil {
		return out, fmt.Errorf("%w: %w", ErrNotConfirmed, err)
	}
	out.confirm = confirm
	return out, nil
}

func (p *publisher) wait(ctx context.Context, w pending) error {
	acked, err := w.confirm.WaitContext(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrNotConfirmed, err)
	case !acked:
		return ErrNotConfirmed
	case w.token != "" && p.returned(w.token):
		return ErrUnroutable
	}
	return nil
}

// publishing holds the current publisher of a Broker.
type publishing struct {
	link *link

	mu      sync.Mutex
	current *publisher
}

func (s *publishing) publisher(ctx context.Context, exchange string) (*publisher, error) {
	conn, err := s.link.connection(ctx)
	if err != nil {
		return nil, err
	}
	if reason := s.link.blocked.Load(); reason != nil {
		return nil, fmt.Errorf("rabbitmq: the server refuses publications: %s", *reason)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && !s.current.ch.IsClosed() {
		return s.current, nil
	}
	p, err := newPublisher(conn, exchange)
	if err != nil {
		return nil, fmt.Errorf("rabbitmq: %w", err)
	}
	s.current = p
	return p, nil
}

// parcel is a message with its address.
type parcel struct {
	exchange, key string
	mandatory     bool
	message       amqp.Publishing
}

func (b *amqpBroker) Publish(ctx context.Context, m Message) error {
	return b.PublishBatch(ctx, []Message{m})[0]
}

func (b *amqpBroker) PublishBatch(ctx context.Context, messages []Message) []error {
	if len(messages) == 0 {
		return nil
	}
	parcels := make([]parcel, len(messages))
	for i, m := range messages {
		parcels[i] = b.parcel(m)
	}
	return b.send(ctx, parcels)
}

func (b *amqpBroker) parcel(m Message) parcel {
	p := parcel{exchange: b.exchange(), key: m.RoutingKey, mandatory: m.Mandatory, message: publishingOf(m)}
	if m.Queue != "" {
		p.exchange, p.key, p.mandatory = "", b.work(m.Queue), true
		p.message.Headers[headerKey] = m.RoutingKey
	}
	return p
}

// lost marks that the server did not take a message: any other failure is an answer of it.
func (b *amqpBroker) lost(err error) error {
	if errors.Is(err, ErrNotConfirmed) || errors.Is(err, amqp.ErrClosed) {
		return &fault.Error{Server: string(telemetry.RabbitMQ), Err: err}
	}
	return err
}

// send publishes all parcels before it waits for the first confirm.
func (b *amqpBroker) send(ctx context.Context, parcels []parcel) []error {
	began := time.Now()
	errs := make([]error, len(parcels))
	if err := b.guard.Enter(); err != nil {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	defer func() { _ = b.guard.Leave(b.lost(firstError(errs))) }() // the errors are given each by itself
	ctx, cancel := context.WithTimeout(ctx, b.opts.PublishTimeout)
	defer cancel()
	p, err := b.publishing.publisher(ctx, b.exchange())
	if err != nil {
		for i := range errs {
			errs[i] = err
		}
		b.opts.Metrics.Observe(ctx, telemetry.RabbitMQ, "publish", time.Since(began), err)
		return errs
	}
	sent := make([]pending, len(parcels))
	for i, c := range parcels {
		sent[i], errs[i] = p.send(ctx, c.exchange, c.key, c.mandatory, c.message)
	}
	for i := range parcels {
		if errs[i] == nil {
			errs[i] = p.wait(ctx, sent[i])
		}
	}
	b.opts.Metrics.Observe(ctx, telemetry.RabbitMQ, "publish", time.Since(began), firstError(errs))
	b.opts.Metrics.Worked(ctx, telemetry.Messages, len(parcels))
	return errs
}

// The headers that carry what AMQP has no property for.
const (
	headerAttempts = "x-attempts"    // int64: attempts that failed so far
	headerReason   = "x-reason"      // text of the last error
	headerDiedAt   = "x-died-at"     // int64: when it was given up, in Unix nanoseconds
	headerKey      = "x-routing-key" // routing key it was first published with
)

func publishingOf(m Message) amqp.Publishing {
	headers := amqp.Table{}
	for name, value := range m.Headers {
		headers[name] = value
	}
	return amqp.Publishing{
		MessageId: m.ID, Type: m.Type, ContentType: contentType(m), Timestamp: m.Time.UTC(),
		DeliveryMode: amqp.Persistent, Headers: headers, Body: m.Body,
	}
}

// messageOf reads a message as it was published, without the headers that the
// server or this package added.
func messageOf(d amqp.Delivery) Message {
	m := Message{ID: d.MessageId, Type: d.Type, RoutingKey: d.RoutingKey, ContentType: d.ContentType,
		Body: d.Body, Headers: make(map[string]string)}
	if !d.Timestamp.IsZero() {
		m.Time = d.Timestamp.UTC()
	}
	if key, ok := d.Headers[headerKey].(string); ok {
		m.RoutingKey = key
	}
	for name, value := range d.Headers {
		if s, ok := value.(string); ok && !strings.HasPrefix(name, "x-") {
			m.Headers[name] = s
		}
	}
	return m
}

func attempts(d amqp.Delivery) int {
	n, _ := d.Headers[headerAttempts].(int64)
	return int(n)
}

// again returns the message with its routing key and, beside its own headers,
// the extra ones.
func again(d amqp.Delivery, extra amqp.Table) amqp.Publishing {
	m := messageOf(d)
	p := publishingOf(m)
	p.Headers[headerKey] = m.RoutingKey
	maps.Copy(p.Headers, extra)
	return p
}

// isChannelError tells whether err is the server's refusal with this code.
func isChannelError(err error, code int) bool {
	var e *amqp.Error
	return errors.As(err, &e) && e.Code == code
}
