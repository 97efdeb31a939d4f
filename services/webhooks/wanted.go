package webhooks

import (
	"context"
	"sync"
	"time"
)

const (
	// wantedFor is how long an answer of Wanted is good. Who makes an endpoint, or has it ask for more, hears so only after that
	// time: what happens later is asked about by then.
	wantedFor = 300 * time.Millisecond
	// askTime bounds the question: the events of all domains wait for the answer.
	askTime = 2 * time.Second
)

// wanted is the last answer of Wanted.
type wanted struct {
	mu    sync.Mutex
	types map[string]bool
	until time.Time // it is good, by the machine's own, monotonic clock
}

// Wanted gives the types of events that endpoints ask for; where that is not known, all that they can ask for. Events come with
// every order, and most shops have no endpoint for most of them. Asked after an event was written, it tells of every endpoint
// whose owner had been told that it is there.
func (s *Service) Wanted(ctx context.Context) map[string]bool {
	w := &s.wanted
	w.mu.Lock()
	defer w.mu.Unlock()
	asked := time.Now()
	if asked.Before(w.until) {
		return w.types
	}
	call, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	types, err := s.store.Wanted(call, Types())
	if err != nil {
		s.log.WarnContext(ctx, "it is not known which events webhook endpoints ask for; all are kept for them", "error", err)
		types, asked = make(map[string]bool, len(subjects)), time.Now() // too many are never wrong
		for t := range subjects {
			types[t] = true
		}
	}
	w.types, w.until = types, asked.Add(wantedFor)
	return types
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
