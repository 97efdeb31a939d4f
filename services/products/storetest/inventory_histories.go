package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/products"
)

// history is plain arithmetic beside a variant's stock.
type history struct {
	*shelf
	rt      *rapid.T
	variant uuid.UUID
	onHand  []int
	orders  map[uuid.UUID]int
	gone    map[uuid.UUID]bool
	carts   map[uuid.UUID]int
	ends    map[uuid.UUID]time.Time
	now     time.Time
}

// randomHistories does anything to the stock of a variant at two places, and audits it after each step.
func randomHistories(t *testing.T, s *shelf) {
	rapid.Check(t, func(rt *rapid.T) {
		h := &history{
			shelf: s, rt: rt, onHand: rapid.SliceOfN(rapid.IntRange(0, 6), 2, 2).Draw(rt, "on hand"), now: start,
			orders: map[uuid.UUID]int{}, gone: map[uuid.UUID]bool{}, carts: map[uuid.UUID]int{}, ends: map[uuid.UUID]time.Time{},
		}
		h.variant = s.put(h.onHand...)
		orders, carts := []uuid.UUID{uuid.New(), uuid.New()}, []uuid.UUID{uuid.New(), uuid.New()}
		for range rapid.IntRange(1, 10).Draw(rt, "steps") {
			order, cart := rapid.SampledFrom(orders).Draw(rt, "order"), rapid.SampledFrom(carts).Draw(rt, "cart")
			n := rapid.IntRange(1, 5).Draw(rt, "pieces")
			switch rapid.SampledFrom([]string{"hold", "hold whole", "drop", "order", "release", "fulfil", "wait", "count"}).Draw(rt, "step") {
			case "hold":
				h.hold(cart, n)
			case "hold whole":
				h.holdWhole(cart, n)
			case "drop":
				_, _, err := s.hold(cart, false, h.now)
				h.ok(err)
				delete(h.carts, cart)
			case "order":
				h.order(order, cart, n)
			case "release":
				_, err := s.Release(s.ctx, order, h.now)
				h.ok(err)
				delete(h.orders, order)
				h.gone[order] = true
			case "fulfil":
				h.fulfil(order, n)
			case "wait":
				h.now = h.now.Add(holdsFor / 2)
				_, err := s.Expire(s.ctx, h.now, 1000)
				h.ok(err)
				h.expire()
			case "count":
				h.count(rapid.IntRange(0, 1).Draw(rt, "place"), n)
			}
			h.compare()
		}
	})
}

func (h *history) ok(err error) {
	if err != nil {
		h.rt.Fatal(err)
	}
}

// sum is what all hold.
func (h *history) sum() int {
	n := 0
	for _, held := range []map[uuid.UUID]int{h.orders, h.carts} {
		for _, m := range held {
			n += m
		}
	}
	return n
}

func (h *history) free() int { return h.onHand[0] + h.onHand[1] - h.sum() }

func (h *history) expire() {
	for cart, ends := range h.ends {
		if !ends.After(h.now) {
			delete(h.carts, cart)
			delete(h.ends, cart)
		}
	}
}

func (h *history) hold(cart uuid.UUID, n int) {
	held, _, err := h.shelf.hold(cart, false, h.now, line(h.variant, n))
	h.ok(err)
	delete(h.carts, cart)
	if got := min(n, h.free()); got > 0 {
		h.carts[cart], h.ends[cart] = got, h.now.Add(holdsFor)
	}
	if held[h.variant] != h.carts[cart] {
		h.rt.Fatalf("holds %d; want %d", held[h.variant], h.carts[cart])
	}
}

func (h *history) holdWhole(cart uuid.UUID, n int) {
	_, _, err := h.shelf.hold(cart, true, h.now, line(h.variant, n))
	if n <= h.free()+h.carts[cart] {
		h.ok(err)
		h.carts[cart], h.ends[cart] = n, h.now.Add(holdsFor)
	} else if errs.CodeOf(err) != products.InsufficientStock {
		h.rt.Fatalf("holding %d: %v", n, err)
	}
}

func (h *history) order(order, cart uuid.UUID, n int) {
	_, before := h.orders[order]
	_, err := h.Reserve(h.ctx, order, cart, []products.StockLine{line(h.variant, n)}, h.now)
	switch {
	case before && !h.gone[order]:
		h.ok(err)
	case h.gone[order]:
		if err == nil {
			h.rt.Fatal("an order that was released reserves")
		}
		// Its try gave back what the cart held, where it came so far.
		if held, err := h.Held(h.ctx, []uuid.UUID{cart}); err != nil || held[cart] == nil {
			h.ok(err)
			delete(h.carts, cart)
		}
	case n <= h.free()+h.carts[cart]:
		h.ok(err)
		h.orders[order] = n
		delete(h.carts, cart)
	case errs.CodeOf(err) != products.InsufficientStock:
		h.rt.Fatalf("ordering %d: %v", n, err)
	}
}

func (h *history) fulfil(order uuid.UUID, n int) {
	_, err := h.Fulfill(h.ctx, products.Fulfillment{ID: uuid.New(), OrderID: order, Lines: []products.StockLine{line(h.variant, n)}, At: h.now})
	if (err == nil) != (h.orders[order] >= n) {
		h.rt.Fatalf("fulfilling %d of %d: %v", n, h.orders[order], err)
	}
	if err == nil {
		h.orders[order] -= n
		h.read() // from which place is for the store to say
	}
}

func (h *history) count(place, n int) {
	reserved := h.stock(h.variant).Levels[place].Reserved
	_, _, err := h.SetOnHand(h.ctx, products.SetOnHand{
		ID: uuid.Must(uuid.NewV7()), VariantID: h.variant, ProductID: productOf(h.variant), LocationID: products.Locations[place].ID,
		Expected: h.onHand[place], OnHand: n, Reason: products.Counted, At: h.now,
	})
	if (err == nil) != (n >= reserved) {
		h.rt.Fatalf("counting %d where %d are reserved: %v", n, reserved, err)
	}
	if err == nil {
		h.onHand[place] = n
	}
}

// read takes over what lies at each place, after checking the sum.
func (h *history) read() {
	var now []int
	for _, l := range h.stock(h.variant).Levels {
		now = append(now, l.OnHand)
	}
	if slices.Equal(now, h.onHand) {
		h.rt.Fatal("nothing was taken from the shelf")
	}
	h.onHand = now
}

func (h *history) compare() {
	stock, reserved := h.stock(h.variant), 0
	for _, l := range stock.Levels {
		reserved += l.Reserved
		if l.Reserved < 0 || l.Reserved > l.OnHand {
			h.rt.Fatalf("level %+v", l)
		}
	}
	if reserved != h.sum() || stock.Available() != h.free() {
		h.rt.Fatalf("%d reserved, %d available; want %d and %d", reserved, stock.Available(), h.sum(), h.free())
	}
	var audit products.Audit
	if err := h.Audit(h.ctx, &audit); err != nil || audit.Count > 0 {
		h.rt.Fatalf("stock is wrong: %v, %v", audit.Drifts, err)
	}
}
