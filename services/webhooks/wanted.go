package webhooks

import (
	"context"
	"sync"
	"time"
)

// wantedFor is how long an answer of Wanted is good. Who makes an endpoint, or has it ask for more, hears so only after that time:
// what happens later is asked about by then.
const wantedFor = 300 * time.Millisecond

// wanted is the last answer of Wanted.
type wanted struct {
	mu    sync.Mutex
	types map[string]bool
	at    time.Time // before it was asked for, by the machine's own, monotonic clock
}

// Wanted gives the types of events that endpoints ask for. Events come with every order, and most shops have no endpoint for most
// of them. Asked after an event was written, it tells of every endpoint whose owner had been told that it is there.
func (s *Service) Wanted(ctx context.Context) (map[string]bool, error) {
	w := &s.wanted
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if w.types != nil && now.Sub(w.at) < wantedFor {
		return w.types, nil
	}
	types, err := s.store.Wanted(ctx, Types())
	if err != nil {
		return nil, err
	}
	w.types, w.at = types, now
	return types, nil
}

// known waits until every process asks for the events of an endpoint that was just written, or ctx ends: it is there all the same.
func (s *Service) known(ctx context.Context) {
	timer := time.NewTimer(wantedFor)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
