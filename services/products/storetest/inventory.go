package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/products"
)

var (
	berlin    = products.Locations[0].ID
	rotterdam = products.Locations[1].ID
	start     = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
)

// Inventory checks an InventoryStore; setup gives an empty one.
func Inventory(t *testing.T, setup func(*testing.T) products.InventoryStore) {
	for name, test := range map[string]func(*testing.T, *shelf){
		"locations":                       locations,
		"reserve over locations":          reserveOverLocations,
		"reserve is idempotent":           reserveIsIdempotent,
		"reserve all or none":             reserveAllOrNone,
		"no overselling":                  noOverselling,
		"one order tried at once":         oneOrderTriedAtOnce,
		"a late reserve does not stick":   lateReserve,
		"release and reserve race":        releaseRace,
		"fulfil in parts":                 fulfillInParts,
		"fulfil no more than held":        fulfillNoMore,
		"compare and swap":                compareAndSwap,
		"compare and swap under a race":   compareAndSwapRace,
		"import sets without comparing":   importOnHand,
		"history in pages of many":        historyPages,
		"availability flips are marked":   flips,
		"random orders keep the sums":     randomOrders,
		"carts hold as many as there are": holdsInPart,
		"a checkout holds all or nothing": holdsWhole,
		"an order takes its cart's hold":  takeOver,
		"holds end":                       holdsEnd,
		"carts and orders race":           holdRace,
		"back orders":                     backOrders,
		"random histories keep the sums":  randomHistories,
		"nothing asked is nothing":        nothingAsked,
		"a reserve after all was shipped": reserveAfterFulfillment,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &shelf{InventoryStore: setup(t), t: t, ctx: t.Context()}
			if err := s.EnsureLocations(s.ctx, products.Locations); err != nil {
				t.Fatal(err)
			}
			test(t, s)
			s.check()
		})
	}
}

// shelf is a store with short ways to set it up and look at it.
type shelf struct {
	products.InventoryStore
	t   testing.TB
	ctx context.Context
}

// put adds a variant with pieces at Berlin and Rotterdam.
func (s *shelf) put(pieces ...int) uuid.UUID {
	s.t.Helper()
	id := uuid.Must(uuid.NewV7())
	for i, n := range pieces {
		if _, _, err := s.SetOnHand(s.ctx, products.SetOnHand{
			ID: uuid.Must(uuid.NewV7()), VariantID: id, ProductID: productOf(id), LocationID: products.Locations[i].ID,
			OnHand: n, Reason: products.Received, At: start,
		}); err != nil {
			s.t.Fatal(err)
		}
	}
	return id
}

// productOf gives the product of a test's variant.
func productOf(variantID uuid.UUID) uuid.UUID { return uuid.NewSHA1(variantID, []byte("product")) }

func (s *shelf) stock(id uuid.UUID) products.Stock {
	s.t.Helper()
	found, err := s.Stock(s.ctx, []uuid.UUID{id})
	if err != nil {
		s.t.Fatal(err)
	}
	return found[id]
}

// want compares the levels of a variant with "onHand/reserved" for each location.
func (s *shelf) want(id uuid.UUID, levels ...string) {
	s.t.Helper()
	var got []string
	for _, l := range s.stock(id).Levels {
		got = append(got, fmt.Sprintf("%d/%d", l.OnHand, l.Reserved))
	}
	if !slices.Equal(got, levels) {
		s.t.Errorf("levels %v; want %v", got, levels)
	}
}

func (s *shelf) reserve(order uuid.UUID, lines ...products.StockLine) error {
	_, err := s.Reserve(s.ctx, order, uuid.Nil, lines, start)
	return err
}

func (s *shelf) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shelf) check() {
	s.t.Helper()
	var audit products.Audit
	if err := s.Audit(s.ctx, &audit); err != nil || audit.Count > 0 {
		s.t.Errorf("stock is wrong: %v, %v", audit.Drifts, err)
	}
}

func line(id uuid.UUID, n int) products.StockLine {
	return products.StockLine{VariantID: id, Quantity: n}
}

func locations(t *testing.T, s *shelf) {
	s.must(s.EnsureLocations(s.ctx, products.Locations))
	all, err := s.Locations(s.ctx)
	if err != nil || !slices.Equal(all, products.Locations) {
		t.Errorf("locations %v, %v", all, err)
	}
}

func nothingAsked(t *testing.T, s *shelf) {
	stock, err := s.Stock(s.ctx, nil)
	history, failed := s.History(s.ctx, nil, page.Request{Limit: 5})
	changed, none := s.Release(s.ctx, uuid.New(), start)
	if len(stock)+len(history)+len(changed) > 0 || err != nil || failed != nil || none != nil {
		t.Error(stock, history, changed, err, failed, none)
	}
	s.must(s.Settle(s.ctx, nil))
	s.must(s.SweepHistory(s.ctx))
}

func reserveOverLocations(_ *testing.T, s *shelf) {
	v := s.put(3, 5)
	s.must(s.reserve(uuid.New(), line(v, 4)))
	s.want(v, "3/3", "5/1")
	s.must(s.reserve(uuid.New(), line(v, 4)))
	s.want(v, "3/3", "5/5")
}

func reserveIsIdempotent(_ *testing.T, s *shelf) {
	v, order := s.put(3, 5), uuid.New()
	for range 3 {
		s.must(s.reserve(order, line(v, 4)))
	}
	s.want(v, "3/3", "5/1")
	for range 2 {
		_, err := s.Release(s.ctx, order, start)
		s.must(err)
	}
	s.want(v, "3/0", "5/0")
}

func reserveAllOrNone(t *testing.T, s *shelf) {
	v, w, none := s.put(5), s.put(2), uuid.New()
	err := s.reserve(uuid.New(), line(v, 1), line(w, 3), line(none, 1))
	all := errs.All(err)
	if len(all) != 2 || all[0].Code != products.InsufficientStock || all[0].Data["variantId"] != w || all[0].Data["available"] != 2 ||
		all[1].Data["variantId"] != none || all[1].Data["available"] != 0 {
		t.Errorf("refused with %v", err)
	}
	s.want(v, "5/0")
	s.want(w, "2/0")
}

func noOverselling(t *testing.T, s *shelf) {
	v, w := s.put(4, 6), s.put(1000)
	var sold atomic.Int32
	var group sync.WaitGroup
	for range 200 {
		group.Go(func() {
			err := s.reserve(uuid.New(), line(w, 1), line(v, 1))
			switch {
			case err == nil:
				sold.Add(1)
			case !errs.Is(err, products.InsufficientStock):
				t.Error(err)
			}
		})
	}
	group.Wait()
	if sold.Load() != 10 {
		t.Errorf("10 pieces were sold %d times", sold.Load())
	}
	s.want(v, "4/4", "6/6")
	s.want(w, "1000/10")
}

func oneOrderTriedAtOnce(t *testing.T, s *shelf) {
	v, w, order := s.put(8), s.put(8), uuid.New()
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if err := s.reserve(order, line(v, 2), line(w, 3)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	s.want(v, "8/2")
	s.want(w, "8/3")
}

func lateReserve(t *testing.T, s *shelf) {
	v, order := s.put(5), uuid.New()
	_, err := s.Release(s.ctx, order, start)
	s.must(err)
	if err := s.reserve(order, line(v, 1)); !errs.Is(err, errs.InvalidState) {
		t.Errorf("a released order reserved: %v", err)
	}
	s.want(v, "5/0")
}

func releaseRace(_ *testing.T, s *shelf) {
	v, w := s.put(100), s.put(100)
	var group sync.WaitGroup
	for range 30 {
		order := uuid.New()
		group.Go(func() {
			if err := s.reserve(order, line(v, 1), line(w, 2)); err != nil && !errs.Is(err, errs.InvalidState) {
				s.t.Error(err)
			}
		})
		group.Go(func() {
			if _, err := s.Release(s.ctx, order, start); err != nil {
				s.t.Error(err)
			}
		})
	}
	group.Wait()
	s.want(v, "100/0")
	s.want(w, "100/0")
}

func fulfillInParts(t *testing.T, s *shelf) {
	v, order := s.put(3, 5), uuid.New()
	s.must(s.reserve(order, line(v, 5)))
	parts := []products.Fulfillment{
		{ID: uuid.New(), OrderID: order, Lines: []products.StockLine{line(v, 4)}, At: start},
		{ID: uuid.New(), OrderID: order, Lines: []products.StockLine{line(v, 1)}, At: start.Add(time.Hour)},
	}
	for i, levels := range [][]string{{"0/0", "4/1"}, {"0/0", "3/0"}} {
		for again := range 2 {
			taken, err := s.Fulfill(s.ctx, parts[i])
			s.must(err)
			if want := parts[i].Lines[0].Quantity * (1 - again); taken[productOf(v)] != want {
				t.Errorf("took %d pieces; want %d", taken[productOf(v)], want)
			}
			s.want(v, levels...)
		}
	}
	history, err := s.History(s.ctx, []uuid.UUID{v}, page.Request{Limit: 10})
	s.must(err)
	var got []string
	for _, a := range history[v] {
		got = append(got, fmt.Sprintf("%s %+d=%d", a.Reason, a.Delta, a.OnHandAfter))
		if a.Reason == products.Fulfilled && a.OrderID != order {
			t.Errorf("%s is not of the order", a.ID)
		}
	}
	slices.Sort(got)
	want := []string{"FULFILLED -1=3", "FULFILLED -1=4", "FULFILLED -3=0", "RECEIVED +3=3", "RECEIVED +5=5"}
	if !slices.Equal(got, want) {
		t.Errorf("history %v; want %v", got, want)
	}
	_, err = s.Release(s.ctx, order, start)
	s.must(err)
	s.want(v, "0/0", "3/0")
}

func fulfillNoMore(t *testing.T, s *shelf) {
	v, order := s.put(9), uuid.New()
	s.must(s.reserve(order, line(v, 2)))
	for _, f := range []products.Fulfillment{
		{ID: uuid.New(), OrderID: order, Lines: []products.StockLine{line(v, 3)}},
		{ID: uuid.New(), OrderID: uuid.New(), Lines: []products.StockLine{line(v, 1)}},
		{ID: uuid.New(), OrderID: order, Lines: []products.StockLine{line(uuid.New(), 1)}},
	} {
		if _, err := s.Fulfill(s.ctx, f); !errs.Is(err, errs.InvalidState) {
			t.Errorf("fulfilled %v: %v", f.Lines, err)
		}
	}
	s.want(v, "9/2")
}

func reserveAfterFulfillment(_ *testing.T, s *shelf) {
	v, order := s.put(9), uuid.New()
	s.must(s.reserve(order, line(v, 2)))
	_, err := s.Fulfill(s.ctx, products.Fulfillment{ID: uuid.New(), OrderID: order, Lines: []products.StockLine{line(v, 2)}, At: start})
	s.must(err)
	s.must(s.reserve(order, line(v, 2)))
	s.want(v, "7/0")
}

func compareAndSwap(t *testing.T, s *shelf) {
	v := s.put(5)
	s.must(s.reserve(uuid.New(), line(v, 3)))
	change := products.SetOnHand{
		ID: uuid.Must(uuid.NewV7()), VariantID: v, ProductID: productOf(v), LocationID: berlin,
		Expected: 5, OnHand: 9, Reason: products.Counted, Note: "$counted by hand", ActorID: uuid.New(), At: start.Add(time.Minute),
	}
	for range 2 {
		stock, a, err := s.SetOnHand(s.ctx, change)
		s.must(err)
		if stock.OnHand(berlin) != 9 || a.Delta != 4 || a.OnHandAfter != 9 || a.ID != change.ID || a.Note != change.Note ||
			a.ActorID != change.ActorID || a.VariantID != v || a.LocationID != berlin || !a.CreatedAt.Equal(change.At) {
			t.Errorf("set to %+v by %+v", stock, a)
		}
	}
	stale := change
	stale.ID = uuid.Must(uuid.NewV7())
	_, _, err := s.SetOnHand(s.ctx, stale)
	if all := errs.All(err); len(all) != 1 || all[0].Code != errs.Conflict || all[0].Data["onHand"] != 9 {
		t.Errorf("a stale change: %v", err)
	}
	low := change
	low.ID, low.Expected, low.OnHand = uuid.Must(uuid.NewV7()), 9, 2
	if _, _, err := s.SetOnHand(s.ctx, low); errs.CodeOf(err) != errs.OutOfRange {
		t.Errorf("below what is reserved: %v", err)
	}
	absent := change
	absent.ID, absent.LocationID, absent.Expected = uuid.Must(uuid.NewV7()), rotterdam, 1
	if _, _, err := s.SetOnHand(s.ctx, absent); errs.CodeOf(err) != errs.Conflict {
		t.Errorf("a level that is not there: %v", err)
	}
	s.want(v, "9/3")
	found, err := s.Adjustments(s.ctx, []uuid.UUID{change.ID, stale.ID})
	if err != nil || len(found) != 1 || found[change.ID].Delta != 4 {
		t.Errorf("adjustments %v, %v", found, err)
	}
}

func compareAndSwapRace(t *testing.T, s *shelf) {
	v := uuid.New()
	var won atomic.Int32
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			_, _, err := s.SetOnHand(s.ctx, products.SetOnHand{
				ID: uuid.Must(uuid.NewV7()), VariantID: v, ProductID: productOf(v), LocationID: berlin,
				OnHand: 1 + i, Reason: products.Received, At: start,
			})
			if err == nil {
				won.Add(1)
			} else if !errs.Is(err, errs.Conflict) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	history, err := s.History(s.ctx, []uuid.UUID{v}, page.Request{Limit: 30})
	if won.Load() != 1 || err != nil || len(history[v]) != 1 {
		t.Errorf("%d changes won, %d lines in the history, %v", won.Load(), len(history[v]), err)
	}
}

func importOnHand(t *testing.T, s *shelf) {
	v, w := s.put(5), uuid.New()
	s.must(s.reserve(uuid.New(), line(v, 3)))
	set := func(id, location uuid.UUID, n int) products.SetOnHand {
		return products.SetOnHand{ID: uuid.Must(uuid.NewV7()), VariantID: id, ProductID: productOf(id), LocationID: location, OnHand: n, Reason: products.Counted, At: start}
	}
	for range 2 {
		found, err := s.ImportOnHand(s.ctx, []products.SetOnHand{set(v, berlin, 5), set(v, rotterdam, 7), set(w, berlin, 1), set(w, rotterdam, 2)})
		s.must(err)
		if found[v].Available() != 9 || found[w].Available() != 3 {
			t.Errorf("imported %v", found)
		}
	}
	_, err := s.ImportOnHand(s.ctx, []products.SetOnHand{set(v, berlin, 1)})
	s.must(err)
	s.want(v, "3/3", "7/0")
	history, err := s.History(s.ctx, []uuid.UUID{v, w}, page.Request{Limit: 30})
	if err != nil || len(history[v]) != 3 || len(history[w]) != 2 {
		t.Errorf("%d and %d lines in the history, %v", len(history[v]), len(history[w]), err)
	}
}

func historyPages(t *testing.T, s *shelf) {
	ids := []uuid.UUID{s.put(0), s.put(0), s.put(0)}
	for i := range 7 {
		for _, id := range ids[:2] {
			_, _, err := s.SetOnHand(s.ctx, products.SetOnHand{
				ID: uuid.Must(uuid.NewV7()), VariantID: id, ProductID: productOf(id), LocationID: berlin,
				Expected: i, OnHand: i + 1, Reason: products.Received, At: start.Add(time.Duration(i) * time.Minute),
			})
			s.must(err)
		}
	}
	for _, backward := range []bool{false, true} {
		var walked []int
		r := page.Request{Limit: 3, Backward: backward}
		for {
			rows, err := s.History(s.ctx, ids, r)
			s.must(err)
			p := page.Trim(rows[ids[0]], r)
			var part []int
			for _, a := range p.Items {
				part = append(part, a.OnHandAfter)
			}
			if backward {
				walked = append(part, walked...)
			} else {
				walked = append(walked, part...)
			}
			if r.From == nil && (len(rows[ids[1]]) != 4 || len(rows[ids[2]]) != 1) {
				t.Errorf("the others have %d and %d lines", len(rows[ids[1]]), len(rows[ids[2]]))
			}
			if more, edge := p.HasNext, len(p.Items)-1; !backward && more {
				r.From = p.Items[edge].Key()
			} else if backward && p.HasPrevious {
				r.From = p.Items[0].Key()
			} else {
				break
			}
		}
		if !slices.Equal(walked, []int{7, 6, 5, 4, 3, 2, 1, 0}) {
			t.Errorf("walked %v", walked)
		}
	}
	if _, err := s.History(s.ctx, ids, page.Request{Limit: 1, From: page.Key{"nonsense"}}); err == nil {
		t.Error("a position that is none was taken")
	}
}

func flips(t *testing.T, s *shelf) {
	v, order := s.put(2), uuid.New()
	settle := func(what string, want bool) {
		t.Helper()
		flipped, err := s.Flipped(s.ctx, 10)
		s.must(err)
		if got := len(flipped) == 1 && flipped[0].VariantID == v && flipped[0].ProductID == productOf(v); got != want {
			t.Errorf("%s: flipped %v; want %t", what, flipped, want)
		}
		s.must(s.Settle(s.ctx, flipped))
	}
	settle("first stock", true)
	s.must(s.reserve(uuid.New(), line(v, 1)))
	settle("one of two reserved", false)
	s.must(s.reserve(order, line(v, 1)))
	stale, err := s.Flipped(s.ctx, 10)
	s.must(err)
	_, err = s.Release(s.ctx, order, start)
	s.must(err)
	s.must(s.Settle(s.ctx, stale))
	settle("flipped again before it was settled", true)
	settle("settled", false)
}
