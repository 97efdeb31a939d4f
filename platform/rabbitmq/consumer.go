package rabbitmq

import (
	"context"
	"errors"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// errConsumerLost ends one connection's worth of consuming.
var errConsumerLost = errors.New("rabbitmq: the server ended the consumer")

const (
	consumerTag   = "consumer"
	retryConsume  = time.Second // after a consumer was lost
	retryTransfer = time.Second // before a message that could not be moved is returned
)

func (b *amqpBroker) Consume(ctx context.Context, queue string, prefetch int, h Handler) error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return ErrClosed
	}
	b.using.Add(1)
	b.mu.Unlock()
	defer b.using.Done()
	if _, err := b.queue(queue); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.ctx, cancel)()
	handling, release := graceful(ctx, b.opts.Grace)
	defer release()

	for {
		conn, err := b.consuming.connection(ctx)
		if err == nil {
			err = b.consumeOn(ctx, handling, conn, queue, max(prefetch, 1), h)
		}
		if ctx.Err() != nil || errors.Is(err, ErrClosed) {
			return nil
		}
		b.opts.Log.Warn("rabbitmq: consumer lost, will start again", "queue", queue, "error", err)
		pause(ctx, retryConsume)
	}
}

// consumeOn consumes until ctx ends or the channel breaks, and then waits for
// the handlers under way.
func (b *amqpBroker) consumeOn(ctx, handling context.Context, conn *amqp.Connection, queue string, prefetch int, h Handler) error {
	q, err := b.queue(queue)
	if err != nil {
		return err
	}
	// A server that lost its data, or let the queue expire, gets it again.
	if err := b.declare(conn, q); err != nil {
		return err
	}
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	defer ch.Close()
	if err := ch.Qos(prefetch, 0, false); err != nil {
		return err
	}
	deliveries, err := ch.Consume(b.work(queue), consumerTag, false, false, false, false, nil)
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	defer running.Wait() // before the channel, which their acknowledgements need, is closed
	for {
		select {
		case d, ok := <-deliveries:
			if !ok {
				return errConsumerLost
			}
			running.Go(func() { b.handle(handling, q, d, h) })
		case <-ctx.Done():
			// What was delivered but not begun goes back as the channel closes.
			return ch.Cancel(consumerTag, false)
		}
	}
}

// handle makes one attempt and settles it. An acknowledgement that fails means
// that the channel is gone; the server then delivers the message again.
func (b *amqpBroker) handle(ctx context.Context, q Queue, d amqp.Delivery, h Handler) {
	attempt := attempts(d) + 1
	err := safely(ctx, h, Delivery{Message: messageOf(d), Attempt: attempt, Redelivered: d.Redelivered})
	if err == nil {
		_ = d.Ack(false)
		return
	}
	out := judge(q, attempt, err)
	extra := amqp.Table{headerAttempts: int64(out.failed), headerReason: out.reason}
	to := b.retry(q.Name, out.delay)
	if out.dead {
		to = b.dead(q.Name)
		extra[headerDiedAt] = time.Now().UnixNano()
		b.opts.Log.Error("rabbitmq: dead letter", "queue", q.Name, "id", d.MessageId, "attempts", attempt, "error", out.reason)
	}
	// The message is moved even if the handler's time is up: it has its own.
	moved := b.send(context.WithoutCancel(ctx), []parcel{{key: to, mandatory: true, message: again(d, extra)}})[0]
	if moved == nil {
		_ = d.Ack(false)
		return
	}
	b.opts.Log.Error("rabbitmq: cannot move a failed message, it stays in its queue", "queue", q.Name, "id", d.MessageId, "error", moved)
	pause(ctx, retryTransfer)
	_ = d.Nack(false, true)
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
