package app

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	firstWait   = 200 * time.Millisecond
	longestWait = 10 * time.Second
)

// persist does what needs a server until it succeeds or ctx ends, with growing waits. Each failure is logged.
func (a *App) persist(ctx context.Context, what string, do func(context.Context) error) error {
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		err := do(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
		a.log.WarnContext(ctx, "a server is away, will try again", "to", what, "wait", wait, "error", err)
		timer := time.NewTimer(wait/2 + rand.N(wait/2))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(ctx.Err(), err)
		}
	}
}

// reach opens every server, and waits for those that are away where it is to.
func (a *App) reach(ctx context.Context, wait bool) error {
	if !wait {
		return a.connect(ctx)
	}
	return a.persist(ctx, "connect", func(ctx context.Context) error {
		err := a.connect(ctx)
		if err == nil {
			return nil
		}
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.config.ShutdownGrace)
		defer cancel()
		err = errors.Join(err, a.Close(closing)) // what was reached is opened anew with the rest
		clear(a.pools)
		return err
	})
}
