package carts_test

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/carts"
)

// shelf is the stock of a shop whose carts hold what is put into them.
type shelf struct {
	mu      sync.Mutex
	catalog *catalog
	free    map[uuid.UUID]int
	held    map[uuid.UUID]map[uuid.UUID]int // by cart
	asked   int                             // calls of Held
	err     error
}

// Hold implements carts.Stock.
func (s *shelf) Hold(_ context.Context, cartID uuid.UUID, quantities map[uuid.UUID]int, _ time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	for id, n := range s.held[cartID] {
		s.free[id] += n
	}
	s.held[cartID] = make(map[uuid.UUID]int)
	for id, n := range quantities {
		n = min(n, s.free[id])
		s.free[id] -= n
		s.held[cartID][id] = n
	}
	for id, n := range s.free {
		s.catalog.set(id, 1000, n, true)
	}
	return nil
}

// Held implements carts.Stock.
func (s *shelf) Held(_ context.Context, cartIDs []uuid.UUID) (map[uuid.UUID]map[uuid.UUID]int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	found := make(map[uuid.UUID]map[uuid.UUID]int)
	for _, id := range cartIDs {
		found[id] = maps.Clone(s.held[id])
	}
	return found, nil
}

// of gives what a cart holds of a variant.
func (s *shelf) of(cart, variant uuid.UUID) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held[cart][variant]
}

// holding is a fixture whose carts hold stock.
func holding(t *testing.T) (*fixture, *shelf) {
	f := setup(t)
	s := &shelf{catalog: f.catalog, free: map[uuid.UUID]int{f.lamp: 5, f.desk: 50}, held: map[uuid.UUID]map[uuid.UUID]int{}}
	f.Service = f.with(func(d *carts.Deps) { d.Stock, d.HoldFor = s, 10*time.Minute })
	return f, s
}

func TestACartHoldsWhatIsInIt(t *testing.T) {
	t.Parallel()
	f, s := holding(t)
	ada, bob := as(t, uuid.New()), as(t, uuid.New())
	hers := ok(f.Add(ada, carts.AddInput{Lines: []carts.LineInput{line(f.lamp, 4)}}))(t)
	if s.of(hers.ID, f.lamp) != 4 || len(hers.Warnings) != 0 || hers.Lines[0].Available < 4 {
		t.Errorf("her cart holds %d: %+v", s.of(hers.ID, f.lamp), hers.Lines[0])
	}
	his := ok(f.Add(bob, carts.AddInput{Lines: []carts.LineInput{line(f.lamp, 2)}}))(t)
	if s.of(his.ID, f.lamp) != 1 || len(his.Warnings) != 1 || his.Warnings[0].Available != 1 {
		t.Errorf("his cart holds %d and warns %+v", s.of(his.ID, f.lamp), his.Warnings)
	}
	if c := ok(f.Get(ada, ""))(t); len(c.Warnings) != 0 {
		t.Errorf("her own hold is short for her: %+v", c.Warnings)
	}
	hers = ok(f.Update(ada, carts.UpdateInput{Lines: []carts.LineUpdate{{LineID: hers.Lines[0].ID, Quantity: 1}}}))(t)
	if s.of(hers.ID, f.lamp) != 1 {
		t.Errorf("her smaller cart holds %d", s.of(hers.ID, f.lamp))
	}
	if c := ok(f.Update(bob, carts.UpdateInput{Lines: []carts.LineUpdate{{LineID: his.Lines[0].ID, Quantity: 3}}}))(t); s.of(his.ID, f.lamp) != 3 || len(c.Warnings) != 0 {
		t.Errorf("his cart holds %d and warns %+v", s.of(his.ID, f.lamp), c.Warnings)
	}
	ok(f.Remove(ada, carts.RemoveInput{LineIDs: []uuid.UUID{hers.Lines[0].ID}}))(t)
	if s.of(hers.ID, f.lamp) != 0 {
		t.Error("an empty cart holds stock")
	}
}

func TestMergedCartsHoldOnce(t *testing.T) {
	t.Parallel()
	f, s := holding(t)
	user := uuid.New()
	anonymous := ok(f.Add(t.Context(), carts.AddInput{Lines: []carts.LineInput{line(f.lamp, 5)}}))(t)
	own := ok(f.Merge(as(t, user), anonymous.Token))(t)
	if s.of(anonymous.ID, f.lamp) != 0 || s.of(own.ID, f.lamp) != 5 || len(own.Warnings) != 0 {
		t.Errorf("the merged cart holds %d, the own one %d, with %+v", s.of(anonymous.ID, f.lamp), s.of(own.ID, f.lamp), own.Warnings)
	}
}

func TestACartThatCannotHoldIsStillACart(t *testing.T) {
	t.Parallel()
	f, s := holding(t)
	s.err = errors.New("connection reset by peer")
	if c := ok(f.Add(as(t, uuid.New()), carts.AddInput{Lines: []carts.LineInput{line(f.lamp, 1)}}))(t); c.TotalQuantity != 1 || s.asked != 0 {
		t.Errorf("got %+v; %d questions", c, s.asked)
	}
}
