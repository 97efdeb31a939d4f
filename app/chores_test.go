package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/techmart/techmart/services/viewer"
)

// A chore that hangs is cut off in time, one that fails is told of, and both are tried again.
func TestKeep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		a := &App{log: slog.New(slog.NewTextHandler(&log, nil))}
		begin, ran := time.Now(), 0
		ctx, stop := context.WithCancel(t.Context())
		c := chore{"sweep the floor", time.Hour, func(ctx context.Context) error {
			if !viewer.FromContext(ctx).System {
				t.Error("a chore is the program's own doing")
			}
			switch ran++; ran {
			case 1:
				<-ctx.Done()
				if passed := time.Since(begin); passed != longestChore {
					t.Errorf("it was cut off after %v", passed)
				}
				return ctx.Err()
			case 2:
				return errors.New("the broom is gone")
			case 3:
				if passed := time.Since(begin); passed != 2*time.Hour {
					t.Errorf("the third run came after %v", passed)
				}
				stop()
				return ctx.Err()
			}
			return nil
		}}
		if err := a.keep(ctx, c); err != nil {
			t.Error(err)
		}
		if told := log.String(); ran != 3 || strings.Count(told, "sweep the floor") != 2 || !strings.Contains(told, "the broom is gone") ||
			!strings.Contains(told, context.DeadlineExceeded.Error()) {
			t.Errorf("%d runs, told: %s", ran, told)
		}
	})
}

// No chore takes longer than until its next run.
func TestKeepShort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		a := &App{log: slog.New(slog.DiscardHandler)}
		err := a.keep(ctx, chore{"look", time.Minute, func(ctx context.Context) error {
			deadline, _ := ctx.Deadline()
			if left := time.Until(deadline); left != time.Minute {
				t.Errorf("it has %v", left)
			}
			stop()
			return nil
		}})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestUntilNone(t *testing.T) {
	t.Parallel()
	left := 3
	if err := untilNone(func(context.Context) (int, error) { left--; return left, nil })(t.Context()); err != nil || left != 0 {
		t.Errorf("%d left, %v", left, err)
	}
	broken := errors.New("broken")
	if err := untilNone(func(context.Context) (int, error) { return 1, broken })(t.Context()); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
