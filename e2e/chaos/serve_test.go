package chaos

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/users"
)

// A process that answers requests is killed while it places an order under a key, and the client asks another one again: one
// order comes of it, wherever the first died.
func TestAServerIsKilledWhileItPlacesAnOrder(t *testing.T) {
	t.Parallel()
	k := killingIn(t, settings{"IDEMPOTENCY_LEASE": "1s"})
	if *exhaustive {
		for n := 1; !k.placedTwice(n) && !t.Failed(); n++ {
		}
	} else {
		longest := likelyRequest
		for range someKills {
			n := 1 + k.random.IntN(longest)
			if k.placedTwice(n) {
				longest = max(n-1, 1)
			}
		}
	}
	var orders int
	if err := k.pool.QueryRow(t.Context(), `SELECT count(*) FROM orders.orders`).Scan(&orders); err != nil || orders != len(k.accepted) {
		t.Errorf("%d orders came of %d keys: %v", orders, len(k.accepted), err)
	}
	k.resume()
}

const likelyRequest = 20 // most calls of orderPlace make fewer to servers

// placedTwice places an order at a server that dies at its nth call, and then at another one under the same key. It tells whether
// the first lived through it.
func (k *killing) placedTwice(n int) (through bool) {
	k.t.Helper()
	w, url := k.server()
	defer w.kill()
	// A cart whose order was made is the order's until it is closed, which may be left to a worker: everybody orders once.
	customer, key := k.as(users.Customer), uuid.NewString()
	if err := customer.add(k.variant, 1, key); err != nil {
		k.t.Fatal(err)
	}
	w.arm(n)
	first, err := customer.at(url).place("tok_visa", key)
	through = err == nil
	if !through {
		k.died++
		k.eventually(10*time.Second, fmt.Sprintf("the server dies at call %d, which answers %v", n, err), func(context.Context) bool { return w.died() })
	} else {
		k.t.Logf("the server lived through %d calls", w.count())
	}
	var id uuid.UUID
	k.eventually(20*time.Second, "the key is free", func(context.Context) bool {
		var no refusal
		id, err = customer.place("tok_visa", key)
		return !errors.As(err, &no) || no.Code != "IN_FLIGHT"
	})
	if err != nil {
		k.t.Fatalf("after a death at call %d: %v", n, err)
	}
	if through && id != first {
		k.t.Errorf("one key gives the orders %s and %s", first, id)
	}
	k.accepted = append(k.accepted, id)
	k.ends[id], k.what[id] = []string{"CONFIRMED"}, fmt.Sprintf("placed by a server killed at call %d", n)
	return through
}

// at gives the same customer at another server of the shop.
func (c *client) at(url string) *client {
	other := *c.s
	other.url = url
	return &client{s: &other, token: c.token}
}
