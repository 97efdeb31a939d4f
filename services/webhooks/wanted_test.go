package webhooks

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// asking is a store that only Wanted is asked of.
type asking struct {
	Store
	types map[string]bool
	asked int
}

func (s *asking) Wanted(context.Context, []string) (map[string]bool, error) {
	s.asked++
	return s.types, nil
}

// Whoever had been told that an endpoint is there is told of every event from then on, however seldom the store is asked.
func TestWantedIsNeverOlderThanAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &asking{types: map[string]bool{}}
		relay, api := &Service{store: store}, &Service{store: store}
		wants := func() bool {
			types, err := relay.Wanted(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return types["orders.placed"]
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
