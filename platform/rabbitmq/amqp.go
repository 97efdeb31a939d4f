package rabbitmq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/techmart/techmart/platform/fault"
	"github.com/techmart/techmart/platform/telemetry"
)

// amqpBroker is the Broker over RabbitMQ.
type amqpBroker struct {
	opts       Options
	guard      *fault.Guard  // of publishing; consumers wait for the server by themselves
	idleExpiry time.Duration // 0: queues stay
	publishing publishing
	consuming  *link
	ctx        context.Context // ended by Close
	cancel     context.CancelFunc
	using      sync.WaitGroup // consumers

	mu     sync.Mutex
	closed bool
	queues map[string]Queue
}

// deliveryLimit is how often a consumer may vanish with a message before the
// server gives the message up.
const deliveryLimit = 20

// maxPublishing bounds the batches that are published at a time.
const maxPublishing = 256

func openAMQP(ctx context.Context, address string, o Options) (*amqpBroker, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("rabbitmq: the URL cannot be parsed") // the error would quote its password
	}
	query := u.Query()
	var idle time.Duration
	if s := query.Get("queue_idle_expiry"); s != "" {
		if idle, err = time.ParseDuration(s); err != nil || idle < time.Second {
			return nil, fmt.Errorf("rabbitmq: queue_idle_expiry %q is not a duration of a second or more", s)
		}
	}
	query.Del("queue_idle_expiry")
	u.RawQuery = query.Encode()

	name := cmp.Or(o.ConnectionName, o.Namespace)
	b := &amqpBroker{
		opts:       o,
		guard:      fault.New(fault.Config{Server: string(telemetry.RabbitMQ), Limit: maxPublishing, Metrics: o.Metrics}),
		idleExpiry: idle,
		publishing: publishing{link: newLink(u.String(), name+" publisher", o.Log)},
		consuming:  newLink(u.String(), name+" consumer", o.Log),
		queues:     make(map[string]Queue),
	}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := b.Ping(ctx); err != nil {
		if o.Away != nil && fault.Lost(err) {
			o.Away(err)
			return b, nil
		}
		return nil, errors.Join(err, b.Close(ctx))
	}
	return b, nil
}

func (b *amqpBroker) exchange() string         { return b.opts.Namespace + ".events" }
func (b *amqpBroker) work(queue string) string { return b.opts.Namespace + "." + queue }
func (b *amqpBroker) dead(queue string) string { return b.work(queue) + ".dead" }
func (b *amqpBroker) retry(queue string, delay time.Duration) string {
	return b.work(queue) + ".retry." + delay.String()
}

func (b *amqpBroker) Declare(ctx context.Context, queues ...Queue) error {
	ctx, cancel := context.WithTimeout(ctx, b.opts.PublishTimeout)
	defer cancel()
	conn, err := b.consuming.connection(ctx)
	if err != nil {
		return err
	}
	for _, q := range queues {
		if err := b.declare(conn, q); err != nil {
			return err
		}
		b.mu.Lock()
		b.queues[q.Name] = q
		b.mu.Unlock()
	}
	return nil
}

func (b *amqpBroker) declare(conn *amqp.Connection, q Queue) error {
	if err := b.declareDead(conn, q.Name); err != nil {
		return fmt.Errorf("rabbitmq: declare %s: %w", b.dead(q.Name), err)
	}
	ch, err := conn.Channel()
	if err != nil {
		return fmt.Errorf("rabbitmq: declare %s: %w", b.work(q.Name), err)
	}
	defer ch.Close()
	if err := b.declareOn(ch, q); err != nil {
		return fmt.Errorf("rabbitmq: declare %s: %w", b.work(q.Name), err)
	}
	return nil
}

func (b *amqpBroker) declareOn(ch *amqp.Channel, q Queue) error {
	if err := ch.ExchangeDeclare(b.exchange(), amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
		return err
	}
	work := b.arguments(b.dead(q.Name))
	work["x-delivery-limit"] = int64(deliveryLimit)
	if _, err := ch.QueueDeclare(b.work(q.Name), true, false, false, false, work); err != nil {
		return err
	}
	for _, delay := range q.RetryDelays {
		retry := b.arguments(b.work(q.Name))
		retry["x-message-ttl"] = delay.Milliseconds()
		if _, err := ch.QueueDeclare(b.retry(q.Name, delay), true, false, false, false, retry); err != nil {
			return err
		}
	}
	for _, pattern := range q.Bindings {
		if err := ch.QueueBind(b.work(q.Name), pattern, b.exchange(), false, nil); err != nil {
			return err
		}
	}
	for _, pattern := range q.Unbound {
		if err := ch.QueueUnbind(b.work(q.Name), pattern, b.exchange(), nil); err != nil {
			return err
		}
	}
	return nil
}

// arguments are those of a quorum queue that moves what it gives up to another
// queue, without losing it on the way: that needs the strategy at-least-once,
// and the strategy needs this overflow behaviour.
func (b *amqpBroker) arguments(deadTo string) amqp.Table {
	t := b.quorum()
	t["x-dead-letter-exchange"] = ""
	t["x-dead-letter-routing-key"] = deadTo
	t["x-dead-letter-strategy"] = "at-least-once"
	t["x-overflow"] = "reject-publish"
	return t
}

func (b *amqpBroker) quorum() amqp.Table {
	t := amqp.Table{"x-queue-type": "quorum"}
	if b.idleExpiry > 0 {
		t["x-expires"] = b.idleExpiry.Milliseconds()
	}
	return t
}

// declareDead declares the dead-letter queue. From version 4 on RabbitMQ drops
// a message that was looked at 20 times, unless told otherwise by an argument
// that older versions refuse. A queue made by an older version is used as it is.
func (b *amqpBroker) declareDead(conn *amqp.Connection, queue string) error {
	args := b.quorum()
	if majorVersion(conn) >= 4 {
		args["x-delivery-limit"] = int64(-1)
	}
	err := onChannel(conn, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(b.dead(queue), true, false, false, false, args)
		return err
	})
	if !isChannelError(err, amqp.PreconditionFailed) {
		return err
	}
	b.opts.Log.Warn("rabbitmq: the dead-letter queue exists with other arguments", "queue", b.dead(queue), "error", err)
	return onChannel(conn, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclarePassive(b.dead(queue), true, false, false, false, nil)
		return err
	})
}

func onChannel(conn *amqp.Connection, fn func(*amqp.Channel) error) error {
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	defer ch.Close()
	return fn(ch)
}

func majorVersion(conn *amqp.Connection) int {
	version, _ := conn.Properties["version"].(string)
	major, _, _ := strings.Cut(version, ".")
	n, _ := strconv.Atoi(major) // 0, as an old one, where it is not a number
	return n
}

func (b *amqpBroker) queue(name string) (Queue, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return Queue{}, ErrClosed
	}
	q, ok := b.queues[name]
	if !ok {
		return Queue{}, fmt.Errorf("%w: %s", ErrUnknownQueue, name)
	}
	return q, nil
}

func (b *amqpBroker) Ping(ctx context.Context) error {
	if _, err := b.publishing.link.connection(ctx); err != nil {
		return err
	}
	_, err := b.consuming.connection(ctx)
	return err
}

func (b *amqpBroker) Close(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel()
	err := waitFor(ctx, &b.using)
	return errors.Join(err, b.consuming.close(), b.publishing.link.close())
}
