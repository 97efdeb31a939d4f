package storetest

import (
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/techmart/techmart/services/products"
)

// randomOrders compares any sequence of reservations, releases and fulfilments with plain arithmetic.
func randomOrders(t *testing.T, s *shelf) {
	rapid.Check(t, func(rt *rapid.T) {
		on := rapid.SliceOfN(rapid.IntRange(0, 6), 2, 2).Draw(rt, "on hand")
		v := s.put(on...)
		orders := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
		held, gone, shipped := map[uuid.UUID]int{}, map[uuid.UUID]bool{}, 0
		for range rapid.IntRange(1, 8).Draw(rt, "steps") {
			order := rapid.SampledFrom(orders).Draw(rt, "order")
			n := rapid.IntRange(1, 5).Draw(rt, "pieces")
			sum := on[0] + on[1] - shipped
			for _, m := range held {
				sum -= m
			}
			switch rapid.SampledFrom([]string{"reserve", "release", "fulfill"}).Draw(rt, "step") {
			case "reserve":
				_, before := held[order]
				err := s.reserve(order, line(v, n))
				if ok := before || !gone[order] && n <= sum; (err == nil) != (ok && !gone[order]) {
					rt.Fatalf("reserving %d of %d, held before %t, released %t: %v", n, sum, before, gone[order], err)
				}
				if err == nil && !before {
					held[order] = n
				}
			case "release":
				if _, err := s.Release(s.ctx, order, start); err != nil {
					rt.Fatal(err)
				}
				delete(held, order)
				gone[order] = true
			case "fulfill":
				_, err := s.Fulfill(s.ctx, products.Fulfillment{ID: uuid.New(), OrderID: order, Lines: []products.StockLine{line(v, n)}, At: start})
				if (err == nil) != (held[order] >= n) {
					rt.Fatalf("fulfilling %d of %d: %v", n, held[order], err)
				}
				if err == nil {
					held[order] -= n
					shipped += n
				}
			}
		}
		want := on[0] + on[1] - shipped
		for _, m := range held {
			want -= m
		}
		if got := s.stock(v).Available(); got != want {
			rt.Fatalf("%d available; want %d", got, want)
		}
	})
}
