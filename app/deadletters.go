package app

import (
	"cmp"
	"context"
	"slices"

	notificationsrabbitmq "github.com/techmart/techmart/services/notifications/rabbitmq"
)

// DeadLetter is a message that was given up.
type DeadLetter = notificationsrabbitmq.DeadLetter

// DeadLetters gives the dead letters of a queue, the oldest first, at most limit; of every queue
// for "".
func (a *App) DeadLetters(ctx context.Context, queue string, limit int) ([]DeadLetter, error) {
	if err := a.broker.Declare(ctx, a.queues()...); err != nil {
		return nil, err
	}
	var list []DeadLetter
	if queue != refundsQueue {
		found, err := a.notificationLetters().List(asProgram(ctx), queue, limit)
		if err != nil {
			return nil, err
		}
		list = found
	}
	if queue == "" || queue == refundsQueue {
		found, err := a.broker.DeadLetters(ctx, refundsQueue, limit)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			list = append(list, DeadLetter{Queue: refundsQueue, ID: f.ID, Type: f.Type, Attempts: f.Attempts, Reason: f.Reason, DiedAt: f.DiedAt})
		}
	}
	slices.SortFunc(list, func(x, y DeadLetter) int { return cmp.Or(x.DiedAt.Compare(y.DiedAt), cmp.Compare(x.ID, y.ID)) })
	return list[:min(limit, len(list))], nil
}

// ReplayDeadLetters moves dead letters of a queue back to work: those with the ids, or all without.
func (a *App) ReplayDeadLetters(ctx context.Context, queue string, ids ...string) (int, error) {
	if err := a.broker.Declare(ctx, a.queues()...); err != nil {
		return 0, err
	}
	if queue == refundsQueue {
		return a.broker.Replay(ctx, queue, ids...)
	}
	return a.notificationLetters().Replay(asProgram(ctx), queue, ids...)
}

// DiscardDeadLetters deletes dead letters of a queue: those with the ids, or all without.
func (a *App) DiscardDeadLetters(ctx context.Context, queue string, ids ...string) (int, error) {
	if err := a.broker.Declare(ctx, a.queues()...); err != nil {
		return 0, err
	}
	if queue == refundsQueue {
		return a.broker.Discard(ctx, queue, ids...)
	}
	return a.notificationLetters().Discard(asProgram(ctx), queue, ids...)
}

func (a *App) notificationLetters() *notificationsrabbitmq.DeadLetters {
	return notificationsrabbitmq.NewDeadLetters(a.broker, a.Services.Notifications)
}
