package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/products"
)

// holdsFor is how long the carts of these tests hold stock.
const holdsFor = 10 * time.Minute

// hold makes a cart hold the lines from a time on.
func (s *shelf) hold(cart uuid.UUID, whole bool, at time.Time, lines ...products.StockLine) (map[uuid.UUID]int, []products.Stock, error) {
	return s.Hold(s.ctx, products.Hold{CartID: cart, Lines: lines, Whole: whole, Expires: at.Add(holdsFor), At: at})
}

// holds fails the test unless the cart holds what is expected, by variant.
func (s *shelf) holds(cart uuid.UUID, want map[uuid.UUID]int) {
	s.t.Helper()
	held, err := s.Held(s.ctx, []uuid.UUID{cart, uuid.New()})
	if err != nil || fmt.Sprint(held[cart]) != fmt.Sprint(want) || len(held) > 1 {
		s.t.Errorf("the cart holds %v, %v; want %v", held, err, want)
	}
}

func holdsInPart(t *testing.T, s *shelf) {
	a, b, none := s.put(3, 2), s.put(1), uuid.New()
	cart := uuid.New()
	held, changed, err := s.hold(cart, false, start, line(a, 4), line(b, 9), line(none, 1))
	if err != nil || held[a] != 4 || held[b] != 1 || held[none] != 0 || len(changed) != 2 {
		t.Errorf("held %v, changed %d, %v", held, len(changed), err)
	}
	s.want(a, "3/3", "2/1")
	s.want(b, "1/1")
	if _, changed, err = s.hold(cart, false, start, line(a, 4)); err != nil || len(changed) != 1 {
		t.Errorf("a line that went gives back %v, %v", changed, err)
	}
	s.holds(cart, map[uuid.UUID]int{a: 4})
	if _, changed, err = s.hold(cart, false, start, line(a, 4)); err != nil || len(changed) != 0 {
		t.Errorf("the same hold again changes %v, %v", changed, err)
	}
	if held, _, err = s.hold(cart, false, start, line(a, 2)); err != nil || held[a] != 2 {
		t.Errorf("a smaller hold gives %v, %v", held, err)
	}
	s.want(a, "3/2", "2/0")
	if _, _, err = s.hold(cart, false, start); err != nil {
		t.Error(err)
	}
	s.holds(cart, map[uuid.UUID]int{})
	s.want(a, "3/0", "2/0")
	if holders, err := s.Holders(s.ctx, uuid.Nil, 5); err != nil || len(holders) != 0 {
		t.Errorf("carts count as orders: %v, %v", holders, err)
	}
}

func holdsWhole(t *testing.T, s *shelf) {
	a, b := s.put(3), s.put(1)
	cart := uuid.New()
	if _, _, err := s.hold(cart, false, start, line(a, 1)); err != nil {
		t.Fatal(err)
	}
	_, _, err := s.hold(cart, true, start, line(a, 1), line(b, 2))
	faults := errs.All(err)
	if len(faults) != 1 || faults[0].Code != products.InsufficientStock || faults[0].Data["variantId"] != b || faults[0].Data["available"] != 1 {
		t.Errorf("refused with %v", err)
	}
	s.holds(cart, map[uuid.UUID]int{a: 1}) // what it held before stays
	s.want(b, "1/0")
	if held, _, err := s.hold(cart, true, start, line(a, 3), line(b, 1)); err != nil || held[a] != 3 || held[b] != 1 {
		t.Errorf("held %v, %v", held, err)
	}
}

func takeOver(t *testing.T, s *shelf) {
	a, b := s.put(2, 1), s.put(1)
	cart, order := uuid.New(), uuid.New()
	if _, _, err := s.hold(cart, true, start, line(a, 3), line(b, 1)); err != nil {
		t.Fatal(err)
	}
	if err := s.reserve(uuid.New(), line(a, 1)); errs.CodeOf(err) != products.InsufficientStock {
		t.Errorf("another order gets what a cart holds: %v", err)
	}
	for range 2 {
		if _, err := s.Reserve(s.ctx, order, cart, []products.StockLine{line(a, 3), line(b, 1)}, start); err != nil {
			t.Fatal(err)
		}
	}
	s.holds(cart, nil)
	s.want(a, "2/2", "1/1")
	if changed, err := s.Expire(s.ctx, start.Add(24*time.Hour), 10); err != nil || len(changed) != 0 {
		t.Errorf("what the order holds expires: %v, %v", changed, err)
	}
	if holders, err := s.Holders(s.ctx, uuid.Nil, 5); err != nil || len(holders) != 1 || holders[0] != order {
		t.Errorf("stock is held by %v, %v", holders, err)
	}
}

func holdsEnd(t *testing.T, s *shelf) {
	a, b := s.put(2), s.put(5)
	early, late, order := uuid.New(), uuid.New(), uuid.New()
	for cart, at := range map[uuid.UUID]time.Time{early: start, late: start.Add(time.Minute)} {
		if _, _, err := s.hold(cart, true, at, line(a, 1), line(b, 2)); err != nil {
			t.Fatal(err)
		}
	}
	ends := start.Add(holdsFor)
	if changed, err := s.Expire(s.ctx, ends.Add(-time.Millisecond), 10); err != nil || len(changed) != 0 {
		t.Errorf("too early: %v, %v", changed, err)
	}
	if changed, err := s.Expire(s.ctx, ends, 1); err != nil || len(changed) != 1 {
		t.Errorf("the limit: %v, %v", changed, err)
	}
	if changed, err := s.Expire(s.ctx, ends, 10); err != nil || len(changed) != 1 {
		t.Errorf("the rest: %v, %v", changed, err)
	}
	s.holds(early, nil)
	s.holds(late, map[uuid.UUID]int{a: 1, b: 2})
	s.want(a, "2/1")
	s.want(b, "5/2")

	// Nobody has to wait for the chore: who needs the pieces takes what is over.
	then := ends.Add(time.Minute)
	changed, err := s.Reserve(s.ctx, order, uuid.Nil, []products.StockLine{line(a, 2)}, then)
	if err != nil || len(changed) == 0 {
		t.Errorf("reserving what a hold that is over holds: %v, %v", changed, err)
	}
	if _, err := s.Release(s.ctx, order, then); err != nil {
		t.Error(err)
	}
	if _, _, err := s.hold(late, true, then, line(b, 5)); err != nil {
		t.Error(err)
	}
	if _, _, err := s.hold(early, true, then.Add(holdsFor), line(b, 5)); err != nil {
		t.Errorf("holding what a hold that is over holds: %v", err)
	}
}

// holdRace has carts check out, some of which are ordered, some dropped, some left to end.
func holdRace(t *testing.T, s *shelf) {
	const pieces = 10
	a, b := s.put(6, 4), s.put(1000)
	var won, ordered atomic.Int32
	var group sync.WaitGroup
	for i := range 60 {
		group.Go(func() {
			cart, lines := uuid.New(), []products.StockLine{line(a, 1), line(b, 1)}
			if _, _, err := s.hold(cart, true, start, lines...); err != nil {
				if errs.CodeOf(err) != products.InsufficientStock {
					t.Error(err)
				}
				return
			}
			won.Add(1)
			if i%2 == 0 {
				if _, err := s.Reserve(s.ctx, uuid.New(), cart, lines, start); err != nil {
					t.Error(err)
				}
				ordered.Add(1)
			}
		})
	}
	group.Wait()
	if won.Load() != pieces {
		t.Errorf("%d carts hold one of %d pieces", won.Load(), pieces)
	}
	if _, err := s.Expire(s.ctx, start.Add(holdsFor), 10); err != nil {
		t.Error(err)
	}
	for v, n := range map[uuid.UUID]int{a: pieces, b: 1000} {
		if got := s.stock(v).Available(); got != n-int(ordered.Load()) {
			t.Errorf("%d of %d are available after %d orders", got, n, ordered.Load())
		}
	}
}
