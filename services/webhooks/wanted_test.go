package webhooks

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// asking is a store that only Wanted is asked of.
type asking struct {
	Store
	types map[string]bool
	err   error
	asked int
}

func (s *asking) Wanted(context.Context, []string) (map[string]bool, error) {
	s.asked++
	return s.types, s.err
}

// Where it is not known what is asked for, all is kept, and the store is left alone for a while.
func TestWantedIsEverythingWhereItIsNotKnown(t *testing.T) {
	store := &asking{err: errors.New("the server is away")}
	s := &Service{store: store, log: slog.New(slog.DiscardHandler)}
	for range 3 {
		types := s.Wanted(t.Context())
		for _, eventType := range Types() {
			if !types[eventType] {
				t.Errorf("%s is dropped", eventType)
			}
		}
	}
	if store.asked != 1 {
		t.Errorf("the store was asked %d times", store.asked)
	}
}

// Whoever had been told that an endpoint is there is told of every event from then on, however seldom the store is asked.
func TestWantedIsNeverOlderThanAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &asking{types: map[string]bool{}}
		relay, api := &Service{store: store}, &Service{store: store}
		wants := func() bool {
			return relay.Wanted(t.Context())["orders.placed"]
		}
		for range 10 {
			if wants() {
				t.Fatal("nobody asks for it")
			}
		}
		if store.asked != 1 {
			t.Errorf("the store was asked %d times", store.asked)
		}
		store.types = map[string]bool{"orders.placed": true}
		if wants() {
			t.Error("the answer was not kept")
		}
		api.known(t.Context())
		if !wants() {
			t.Error("an event is lost for an endpoint that was made before it")
		}
		time.Sleep(wantedFor)
		wants()
		if store.asked != 3 {
			t.Errorf("the store was asked %d times", store.asked)
		}
	})
}
