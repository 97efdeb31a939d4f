package throttle_test

import (
	"testing"
	"time"

	"github.com/techmart/techmart/gateway/throttle"
)

// BenchmarkLeased is what an operation of a busy client costs: it is taken from the lease, and half
// of it comes back.
func BenchmarkLeased(b *testing.B) {
	budgets := throttle.New(throttle.Config{Log: quietLog(), Clock: time.Now})
	class := slow(1_000_000_000, 1_000_000_000)
	for b.Loop() {
		if _, _, empty := budgets.Exhausted("ada", class); empty {
			b.Fatal("it is empty")
		}
		if _, _, ok := budgets.Take(b.Context(), "ada", class, 20); !ok {
			b.Fatal("it is refused")
		}
		budgets.Give("ada", class, 10)
	}
}
