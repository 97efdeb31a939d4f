package rabbitmq

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// browseAtLeast is how many dead letters are looked at to find the oldest.
	browseAtLeast = 1000
	// browseAll stands for all of them.
	browseAll = -1
)

// errDelivery is the reason shown for messages that the server gave up.
var errDelivery = fmt.Errorf("its consumers vanished with it more than %d times", deliveryLimit)

func deadLetterOf(d amqp.Delivery) DeadLetter {
	l := DeadLetter{Message: messageOf(d), Attempts: attempts(d), Reason: errDelivery.Error()}
	if nanos, ok := d.Headers[headerDiedAt].(int64); ok {
		l.DiedAt = time.Unix(0, nanos).UTC()
		l.Reason, _ = d.Headers[headerReason].(string)
	}
	return l
}

func (b *amqpBroker) DeadLetters(ctx context.Context, queue string, limit int) ([]DeadLetter, error) {
	var letters []DeadLetter
	err := b.browse(ctx, queue, max(limit, browseAtLeast), func(_ amqp.Delivery, l DeadLetter) (bool, error) {
		if len(letters) < limit {
			letters = append(letters, l)
		}
		return false, nil
	})
	return letters, err
}

func (b *amqpBroker) Replay(ctx context.Context, queue string, ids ...string) (n int, err error) {
	return b.settle(ctx, queue, ids, func(d amqp.Delivery) error {
		return b.send(ctx, []parcel{{key: b.work(queue), mandatory: true, message: again(d, nil)}})[0]
	})
}

func (b *amqpBroker) Discard(ctx context.Context, queue string, ids ...string) (n int, err error) {
	return b.settle(ctx, queue, ids, func(amqp.Delivery) error { return nil })
}

// What another look has taken, or this caller's own a moment ago, is back in the queue a little later: letters that are
// asked for by their ids are looked for again.
const (
	mostLooks = 15
	lookPause = 100 * time.Millisecond
)

// settle does something with the dead letters with these ids, or with all without ids, and deletes them. It gives how many
// there were.
func (b *amqpBroker) settle(ctx context.Context, queue string, ids []string, do func(amqp.Delivery) error) (n int, err error) {
	missing := make(map[string]bool, len(ids))
	for _, id := range ids {
		missing[id] = true
	}
	for look := 1; ; look++ {
		err := b.browse(ctx, queue, browseAll, func(d amqp.Delivery, l DeadLetter) (bool, error) {
			if look > 1 && !missing[l.ID] || !selected(ids, l.ID) { // what was found before may have died again
				return false, nil
			}
			if err := do(d); err != nil {
				return false, err
			}
			n++
			delete(missing, l.ID)
			return true, nil
		})
		if err != nil || len(missing) == 0 || look == mostLooks {
			return n, err
		}
		pause(ctx, lookPause)
	}
}

// browse takes the dead letters off their queue, at most limit of them, visits
// them from the oldest to the newest, deletes those for which visit says done,
// and puts the others back. The queue itself forgets the order of what was put
// back, hence the sorting. Closing the channel puts back what an error leaves.
func (b *amqpBroker) browse(ctx context.Context, queue string, limit int, visit func(amqp.Delivery, DeadLetter) (done bool, err error)) error {
	if _, err := b.queue(queue); err != nil {
		return err
	}
	conn, err := b.consuming.connection(ctx)
	if err != nil {
		return err
	}
	err = onChannel(conn, func(ch *amqp.Channel) error {
		taken, err := take(ctx, ch, b.dead(queue), limit)
		if err != nil || len(taken) == 0 {
			return err
		}
		last, kept := taken[len(taken)-1].DeliveryTag, 0
		slices.SortStableFunc(taken, func(x, y amqp.Delivery) int { return cmp.Compare(diedAt(x), diedAt(y)) })
		for _, d := range taken {
			done, err := visit(d, deadLetterOf(d))
			if err != nil {
				return err
			}
			if !done {
				kept++
				continue
			}
			if err := d.Ack(false); err != nil {
				return err
			}
		}
		if kept == 0 {
			return nil
		}
		return ch.Nack(last, true, true) // all up to the last that are not settled
	})
	if err != nil {
		return fmt.Errorf("rabbitmq: %s: %w", b.dead(queue), err)
	}
	return nil
}

// take gets what is in the queue now, without settling it. It does not ask for
// the number of messages first, as that lags behind what was just put back.
func take(ctx context.Context, ch *amqp.Channel, queue string, limit int) ([]amqp.Delivery, error) {
	var taken []amqp.Delivery
	for limit == browseAll || len(taken) < limit {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		d, ok, err := ch.Get(queue, false)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		taken = append(taken, d)
	}
	return taken, nil
}

func diedAt(d amqp.Delivery) int64 {
	nanos, _ := d.Headers[headerDiedAt].(int64)
	return nanos
}
