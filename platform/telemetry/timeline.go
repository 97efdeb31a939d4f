package telemetry

import (
	"context"
	"sync"
	"time"
)

// maxTimeline bounds the calls that a Timeline keeps.
const maxTimeline = 500

// Call is one round trip to a backend.
type Call struct {
	Backend   Backend
	Operation string
	Start     time.Duration // since the timeline began
	Duration  time.Duration
}

// Timeline keeps the round trips of one request, the first 500 of them. All methods may be called on a nil
// *Timeline and from many goroutines.
type Timeline struct {
	began time.Time
	mu    sync.Mutex
	calls []Call
}

// Calls gives the round trips so far, in the order of their ends.
func (t *Timeline) Calls() []Call {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Call(nil), t.calls...)
}

// add keeps a round trip that has just ended.
func (t *Timeline) add(b Backend, operation string, took time.Duration) {
	if t == nil {
		return
	}
	start := max(0, time.Since(t.began)-took)
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.calls) < maxTimeline {
		t.calls = append(t.calls, Call{b, operation, start, took})
	}
}

type timelineKey struct{}

// WithTimeline returns a context whose round trips are kept one by one, and where they are kept.
func WithTimeline(ctx context.Context) (context.Context, *Timeline) {
	t := &Timeline{began: time.Now()}
	return context.WithValue(ctx, timelineKey{}, t), t
}

// timelineOf returns where the round trips of ctx are kept, or nil.
func timelineOf(ctx context.Context) *Timeline {
	t, _ := ctx.Value(timelineKey{}).(*Timeline)
	return t
}
