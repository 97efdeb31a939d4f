package app

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/techmart/techmart/platform/telemetry"
)

const (
	longestChore = 5 * time.Minute     // of one run, which the next one continues
	keysKept     = 30 * 24 * time.Hour // idempotency keys of payments
	purgeBatch   = 5000                // rows of one statement
	// emailsLost is more than any delay between two attempts to send an e-mail.
	emailsLost = 2 * time.Hour
)

// chore is something to do from time to time. Any number of processes may do it at once.
type chore struct {
	name  string
	every time.Duration
	do    func(context.Context) error
}

// chores is the upkeep of a worker. Orders have theirs among their jobs.
func (a *App) chores() []chore {
	s := a.Services
	return []chore{
		{"purge carts", time.Hour, func(ctx context.Context) error {
			_, err := s.Carts.Purge(ctx)
			return err
		}},
		{"purge sessions and tokens", time.Hour, untilNone(func(ctx context.Context) (int, error) {
			return s.Users.PurgeExpired(ctx, purgeBatch)
		})},
		{"purge idempotency keys of payments", time.Hour, untilNone(func(ctx context.Context) (int, error) {
			return s.Payments.PurgeKeys(ctx, keysKept, purgeBatch)
		})},
		{"purge idempotency keys of promotions", time.Hour, untilNone(s.Promotions.Purge)},
		{"purge notices of payment providers", time.Hour, untilNone(func(ctx context.Context) (int, error) {
			return s.Payments.PurgeNotices(ctx, noticesKept, purgeBatch)
		})},
		{"purge the log of webhooks", time.Hour, untilNone(func(ctx context.Context) (int, error) {
			return s.Webhooks.Purge(ctx, a.config.WebhookRetention, purgeBatch)
		})},
		a.reconciliation(),
		a.auditing(),
		{"give back what carts held for too long", 5 * time.Second, untilNone(s.Products.ExpireHolds)},
		{"resolve payments without an answer", time.Minute, func(ctx context.Context) error {
			_, err := s.Payments.ResolvePending(ctx, time.Minute, 100)
			return err
		}},
		{"request forgotten e-mails anew", 10 * time.Minute, func(ctx context.Context) error {
			_, err := s.Notifications.ResumeEmails(ctx, emailsLost)
			return err
		}},
		{"report events that have not come", 10 * time.Second, func(ctx context.Context) error {
			_, err := s.Notifications.ReportGaps(ctx)
			return err
		}},
		{"purge what is known of old events", time.Hour, untilNone(s.Notifications.PurgeReceipts)},
		{"finish what was cut off in the stock", 5 * time.Minute, s.Products.EnsureInventory},
		{"bring ratings up to date", 5 * time.Minute, s.Products.EnsureRatings},
	}
}

// untilNone repeats what deals with a bounded number of things, and gives how many there were.
func untilNone(f func(context.Context) (int, error)) func(context.Context) error {
	return func(ctx context.Context) error {
		for {
			if n, err := f(ctx); n == 0 || err != nil {
				return err
			}
		}
	}
}

// keep does a chore at once and then each time its interval has passed, until ctx ends. A run has until the next one, and
// not longer than longestChore. A failure is logged, and tried again the next time.
func (a *App) keep(ctx context.Context, c chore) error {
	ctx = telemetry.WithPart(asProgram(ctx), telemetry.PartUpkeep)
	ticker := time.NewTicker(c.every)
	defer ticker.Stop()
	for {
		run, cancel := context.WithTimeout(ctx, min(c.every, longestChore))
		err := c.do(run)
		cancel()
		if err != nil && ctx.Err() == nil {
			a.log.ErrorContext(ctx, "a chore failed", "chore", c.name, "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// keepAll does chores until ctx ends.
func (a *App) keepAll(ctx context.Context, group *errgroup.Group, chores ...chore) {
	for _, c := range chores {
		group.Go(func() error { return a.keep(ctx, c) })
	}
}
