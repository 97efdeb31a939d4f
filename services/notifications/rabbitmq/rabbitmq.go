// Package rabbitmq connects the notifications to the message broker: the queues, the consumers of
// a worker, the publication of requests to send, and what staff does with dead letters.
package rabbitmq

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/platform/outbox"
	"github.com/techmart/techmart/platform/rabbitmq"
	"github.com/techmart/techmart/services/notifications"
	"github.com/techmart/techmart/services/viewer"
)

// The queues, without the namespace.
const (
	EventsQueue = "notifications.events" // events of other domains
	EmailQueue  = "notifications.email"  // requests to send; a message's id is that of its delivery
)

// DefaultRetryDelays are the waits before the second, third, ... attempt.
func DefaultRetryDelays() []time.Duration {
	return []time.Duration{10 * time.Second, time.Minute, 10 * time.Minute, time.Hour}
}

// Queues gives the two queues with these waits; nil means DefaultRetryDelays.
func Queues(delays []time.Duration) []rabbitmq.Queue {
	if delays == nil {
		delays = DefaultRetryDelays()
	}
	return []rabbitmq.Queue{
		{Name: EventsQueue, Bindings: notifications.Bindings(), Unbound: []string{"orders.#"}, RetryDelays: delays},
		{Name: EmailQueue, RetryDelays: delays},
	}
}

// Publish gives the function by which the relay of this domain's outbox sends requests to the
// EmailQueue, which has to be declared. All events of that outbox are such requests.
func Publish(b rabbitmq.Broker) func(context.Context, []outbox.Event) error {
	return func(ctx context.Context, events []outbox.Event) error {
		messages := make([]rabbitmq.Message, len(events))
		for i, e := range events {
			body, err := json.Marshal(e)
			if err != nil {
				return err
			}
			messages[i] = rabbitmq.Message{ID: e.Subject, Type: e.Type, RoutingKey: e.Type, Queue: EmailQueue,
				ContentType: outbox.ContentType, Body: body, Time: e.Time}
		}
		return errors.Join(b.PublishBatch(ctx, messages)...)
	}
}

// Worker handles both queues. Broker and Service are needed.
type Worker struct {
	Broker      rabbitmq.Broker
	Service     *notifications.Service
	RetryDelays []time.Duration // nil means DefaultRetryDelays; the same in every process
	Events      int             // events handled at once; 0 means 16
	Emails      int             // e-mails sent at once; 0 means 8
	Log         *slog.Logger    // nil means slog.Default()
}

// Run handles the messages of the queues, which have to be declared to the Broker, until ctx ends, waits for the messages
// under way, and returns nil. It fails when the Broker does not know the queues, or was closed.
func (w *Worker) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	attempts := len(Queues(w.RetryDelays)[1].RetryDelays) + 1
	consumers := []func() error{
		func() error { return w.Broker.Consume(ctx, EventsQueue, cmp.Or(w.Events, 16), w.handleEvent) },
		func() error {
			return w.Broker.Consume(ctx, EmailQueue, cmp.Or(w.Emails, 8), func(ctx context.Context, d rabbitmq.Delivery) error {
				return w.sendEmail(ctx, d, attempts)
			})
		},
	}
	failures := make([]error, len(consumers))
	var group sync.WaitGroup
	for i, consume := range consumers {
		group.Go(func() {
			failures[i] = consume()
			cancel() // one without the other is no worker
		})
	}
	group.Wait()
	return errors.Join(failures...)
}

// errNotAnEvent never quotes the body, which may hold a secret.
var errNotAnEvent = errors.New("the message is not an event")

func (w *Worker) handleEvent(ctx context.Context, d rabbitmq.Delivery) error {
	var e outbox.Event
	if json.Unmarshal(d.Body, &e) != nil {
		return rabbitmq.Permanent(errNotAnEvent)
	}
	ctx = viewer.NewContext(ctx, viewer.System)
	err := w.Service.HandleEvent(ctx, notifications.Event{ID: e.ID, Type: e.Type, Subject: e.Subject, Sequence: e.Sequence, Time: e.Time, Data: e.Data})
	return w.judge(ctx, d, err)
}

func (w *Worker) sendEmail(ctx context.Context, d rabbitmq.Delivery, attempts int) error {
	id, err := requested(d.Message)
	if err != nil {
		return rabbitmq.Permanent(err)
	}
	ctx = viewer.NewContext(ctx, viewer.System)
	err = w.Service.SendEmail(ctx, id, d.Attempt >= attempts)
	var busy *notifications.BusyError
	if errors.As(err, &busy) {
		// A second request for the same e-mail, or one whose worker was lost. It waits in a queue: here it would keep others
		// from being sent, and be given up by the broker should workers go on to be lost.
		return rabbitmq.Later(err, time.Until(busy.Until))
	}
	return w.judge(ctx, d, err)
}

// requested reads which delivery a message of the EmailQueue is about.
func requested(m rabbitmq.Message) (uuid.UUID, error) {
	var e outbox.Event
	if json.Unmarshal(m.Body, &e) != nil || e.Type != notifications.EmailRequested {
		return uuid.Nil, errNotAnEvent
	}
	id, err := uuid.Parse(e.Subject)
	if err != nil {
		return uuid.Nil, errNotAnEvent
	}
	return id, nil
}

func (w *Worker) judge(ctx context.Context, d rabbitmq.Delivery, err error) error {
	if err == nil {
		return nil
	}
	cmp.Or(w.Log, slog.Default()).WarnContext(ctx, "notifications: an attempt failed",
		"type", d.Type, "id", d.ID, "attempt", d.Attempt, "error", err)
	if errors.Is(err, notifications.ErrPermanent) {
		return rabbitmq.Permanent(err)
	}
	return err
}
