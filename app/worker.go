package app

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/techmart/techmart/platform/outbox"
	"github.com/techmart/techmart/platform/rabbitmq"
	"github.com/techmart/techmart/platform/telemetry"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	notificationsrabbitmq "github.com/techmart/techmart/services/notifications/rabbitmq"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/orders/jobs"
	orderspostgres "github.com/techmart/techmart/services/orders/postgres"
	"github.com/techmart/techmart/services/payments"
	"github.com/techmart/techmart/services/webhooks"
)

// refundsQueue takes what the payments say of refunds, and of answers that were out of the usual, for the orders.
const refundsQueue = "orders.refunds"

// queues are all work queues. They are declared before anything is published: an event that no
// queue takes is gone.
func (a *App) queues() []rabbitmq.Queue {
	delays := a.config.RetryDelays
	if len(delays) == 0 {
		delays = notificationsrabbitmq.DefaultRetryDelays()
	}
	return append(notificationsrabbitmq.Queues(delays),
		rabbitmq.Queue{Name: refundsQueue, Bindings: []string{payments.EventRefunded, payments.EventAnsweredLate, payments.EventAnsweredTwice}, RetryDelays: delays},
		rabbitmq.Queue{Name: webhooksQueue, Unbound: webhooks.Types(), RetryDelays: delays})
}

// work does what is queued until ctx ends: it relays events, handles them, settles orders, and
// cleans up.
func (a *App) work(ctx context.Context) error {
	queues := a.queues()
	if err := a.persist(ctx, "declare the queues", func(ctx context.Context) error { return a.broker.Declare(ctx, queues...) }); err != nil {
		return nil // told to end
	}
	ctx = asProgram(ctx)
	group, ctx := errgroup.WithContext(ctx)
	for domain, every := range map[string]time.Duration{"users": 0, "orders": 0, "payments": unhurriedRelay, "webhooks": unhurriedRelay} {
		group.Go(func() error {
			return a.relay(domain, every, a.publish).Run(telemetry.WithPart(ctx, telemetry.PartOutbox))
		})
	}
	group.Go(func() error {
		return a.relay("notifications", unhurriedRelay, notificationsrabbitmq.Publish(a.broker)).Run(telemetry.WithPart(ctx, telemetry.PartNotifications))
	})
	group.Go(func() error {
		w := &notificationsrabbitmq.Worker{
			Broker: a.broker, Service: a.Services.Notifications, RetryDelays: queues[0].RetryDelays,
			Events: a.config.EventWorkers, Emails: a.config.EmailWorkers, Log: a.log,
		}
		return w.Run(telemetry.WithPart(ctx, telemetry.PartNotifications))
	})
	group.Go(func() error { return a.broker.Consume(ctx, refundsQueue, a.config.EventWorkers, a.refunded) })
	group.Go(func() error {
		return a.broker.Consume(telemetry.WithPart(ctx, telemetry.PartWebhooks), webhooksQueue, a.config.EventWorkers, a.happened)
	})
	group.Go(func() error { return a.callOut(ctx) })
	group.Go(func() error { return a.settle(ctx) })
	a.keepAll(ctx, group, a.chores()...)
	return group.Wait()
}

// unhurriedRelay is the least time between two passes over an outbox whose events nobody waits for.
const unhurriedRelay = 100 * time.Millisecond

func (a *App) relay(domain string, every time.Duration, publish func(context.Context, []outbox.Event) error) *outbox.Relay {
	return &outbox.Relay{Pool: a.pool(domain), Schema: domain, Every: every, Publish: publish, Log: a.log}
}

// settle drives orders until ctx ends, and then lets those under way end.
func (a *App) settle(ctx context.Context) error {
	var w *jobs.Worker
	err := a.persist(ctx, "take in jobs", func(ctx context.Context) (err error) {
		w, err = jobs.NewWorker(a.pool("orders"), a.Services.Orders, jobs.Config{Settlers: a.config.OrderWorkers, Shippers: a.config.OrderWorkers, Log: a.log})
		if err != nil {
			return err
		}
		// Its own context: the end of ctx must not cut jobs off.
		return w.Start(telemetry.WithPart(context.WithoutCancel(ctx), telemetry.PartJobs))
	})
	if ctx.Err() != nil && err != nil {
		return nil // told to end
	}
	<-ctx.Done()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.config.ShutdownGrace)
	defer cancel()
	return w.Stop(closing)
}

// publish sends events to whoever is bound to them, and to the webhooks those that their endpoints ask for. Then it tells
// the subscribers of orders.
func (a *App) publish(ctx context.Context, events []outbox.Event) error {
	wanted := a.Services.Webhooks.Wanted(ctx) // asked after the events were written
	messages := make([]rabbitmq.Message, 0, len(events))
	for _, e := range events {
		body, err := json.Marshal(e)
		if err != nil {
			return err
		}
		m := rabbitmq.Message{
			ID: e.ID.String(), Type: e.Type, RoutingKey: e.Type, ContentType: outbox.ContentType, Body: body, Time: e.Time,
		}
		messages = append(messages, m)
		if wanted[e.Type] {
			m.Queue = webhooksQueue
			messages = append(messages, m)
		}
	}
	if err := errors.Join(a.broker.PublishBatch(ctx, messages)...); err != nil {
		return err
	}
	var changes [][]byte
	for _, e := range events {
		if e.Source == orderspostgres.Source {
			changes = append(changes, e.Data)
		}
	}
	if err := a.Services.Orders.Announce(ctx, changes...); err != nil { // lost signals lose no data
		a.log.WarnContext(ctx, "subscribers were not told", "events", len(changes), "error", err)
	}
	return nil
}

// answered tells the orders of an answer that was out of the usual.
func (a *App) answered(ctx context.Context, e outbox.Event, data payments.EventData) error {
	entry := map[string]map[payments.Kind]string{
		payments.EventAnsweredLate:  {payments.Capture: orders.EntryCaptureRecovered, payments.Refund: orders.EntryRefundRecovered},
		payments.EventAnsweredTwice: {payments.Refund: orders.EntryRefundAnsweredTwice},
	}[e.Type][data.Kind]
	err := a.Services.Orders.PaymentAnswered(asProgram(ctx), orders.PaymentAnswer{
		// However often it is answered, it is told of once.
		EventID: uuid.NewSHA1(data.TransactionID, []byte(e.Type)), OrderID: data.OrderID, Entry: entry,
		Amount: money.New(data.Amount.Amount, money.Currency(data.Amount.Currency)),
	})
	if errs.Is(err, errs.NotFound) {
		return rabbitmq.Permanent(err)
	}
	return err
}

// refunded tells the orders of a refund.
func (a *App) refunded(ctx context.Context, d rabbitmq.Delivery) error {
	var e outbox.Event
	var data payments.EventData
	if json.Unmarshal(d.Body, &e) != nil || json.Unmarshal(e.Data, &data) != nil {
		return rabbitmq.Permanent(errors.New("the message is not an event of a payment"))
	}
	if e.Type != payments.EventRefunded {
		return a.answered(ctx, e, data)
	}
	err := a.Services.Orders.PaymentRefunded(asProgram(ctx), orders.PaymentRefund{
		EventID: e.ID, OrderID: data.OrderID, Reason: data.Reason,
		Amount: money.New(data.Amount.Amount, money.Currency(data.Amount.Currency)),
		Total:  money.New(data.Refunded.Amount, money.Currency(data.Refunded.Currency)),
	})
	if errs.Is(err, errs.NotFound) {
		return rabbitmq.Permanent(err)
	}
	return err
}
