package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	addMutation = `mutation Add($key: String!, $variant: ID!) {
  cartLinesAdd(input: {idempotencyKey: $key, lines: [{variantId: $variant, quantity: 1}]}) { cart { id subtotal { amount } } userErrors { code message } } }`

	placeMutation = `mutation Place($key: String!) { orderPlace(input: {idempotencyKey: $key, paymentToken: "tok_visa",
  shippingAddress: {recipient: "Ada Lovelace", line1: "Unter den Linden 1", postalCode: "10117", city: "Berlin", countryCode: "DE"}}) {
  order { id status } userErrors { code message } } }`
)

// checkoutName is the scenario of orders.
const checkoutName = "checkout to CONFIRMED"

// newsWait bounds how long news of an order may take.
const newsWait = 10 * time.Second

// bought tells how a checkout went.
type bought struct {
	id    string        // of the order
	place time.Duration // of orderPlace alone
	total time.Duration // from the empty cart until the customer heard that the order is CONFIRMED
}

type userErrors []struct{ Code, Message string }

// add puts one variant into the empty cart.
func (c *client) add(ctx context.Context, token, key, variant string) error {
	var added struct {
		CartLinesAdd struct{ UserErrors userErrors }
	}
	_, err := c.do(ctx, token, addMutation, map[string]any{"key": key, "variant": variant}, &added)
	if err == nil && len(added.CartLinesAdd.UserErrors) > 0 {
		err = fmt.Errorf("cartLinesAdd: %v", added.CartLinesAdd.UserErrors)
	}
	return err
}

// place orders the cart, and gives the order's id.
func (c *client) place(ctx context.Context, token, key string) (string, error) {
	var placed struct {
		OrderPlace struct {
			Order      *struct{ ID string }
			UserErrors userErrors
		}
	}
	if _, err := c.do(ctx, token, placeMutation, map[string]any{"key": key}, &placed); err != nil {
		return "", err
	}
	if placed.OrderPlace.Order == nil {
		return "", fmt.Errorf("orderPlace: %v", placed.OrderPlace.UserErrors)
	}
	return placed.OrderPlace.Order.ID, nil
}

// checkout buys one variant from an empty cart on, and waits until the customer hears that the order is CONFIRMED.
func (c *client) checkout(ctx context.Context, token, key, variant string, f *follower) (b bought, err error) {
	began := time.Now()
	if err := c.add(ctx, token, key, variant); err != nil {
		return b, err
	}
	placing := time.Now()
	if b.id, err = c.place(ctx, token, key); err != nil {
		return b, err
	}
	b.place = time.Since(placing)
	late := time.NewTimer(newsWait)
	defer late.Stop()
	select {
	case status := <-f.outcome(b.id):
		b.total = time.Since(began)
		if status != "CONFIRMED" {
			return b, errors.New("the order became " + status)
		}
		return b, nil
	case <-f.ended:
		return b, fmt.Errorf("the subscription has ended: %w", f.over)
	case <-late.C:
		return b, errors.New("no news of the order " + b.id)
	case <-ctx.Done():
		return b, ctx.Err()
	}
}

// mostOrders bounds the orders of one run.
const mostOrders = 20000

// ordered is what a run of checkouts came to.
type ordered struct {
	concurrency  int
	took         time.Duration
	place, total []time.Duration // sorted
	failed       int
	firstError   error
	cpu          []usage
}

// loadOrders has customers buy at once until the time is over.
func (c *client) loadOrders(ctx context.Context, srv *servers, s shop, concurrency int, d time.Duration) ordered {
	ctx, cancel := context.WithTimeout(ctx, d+30*time.Second)
	defer cancel()
	r := ordered{concurrency: concurrency}
	nonce := time.Now().UnixNano()
	var (
		mu    sync.Mutex
		wg    sync.WaitGroup
		count atomic.Int64
	)
	before, start := cpuOf(srv), time.Now()
	for w := range concurrency {
		wg.Go(func() {
			token := s.buyers[w%len(s.buyers)]
			news, err := c.follow(ctx, token)
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				r.failed, r.firstError = r.failed+1, err
				return
			}
			for time.Since(start) < d && ctx.Err() == nil {
				n := int(count.Add(1))
				if n > mostOrders {
					return
				}
				b, err := c.checkout(ctx, token, fmt.Sprintf("bench-%d-%d", nonce, n), s.variants[n%len(s.variants)], news)
				mu.Lock()
				if err != nil {
					r.failed++
					r.firstError = errors.Join(r.firstError, err)
				} else {
					r.place, r.total = append(r.place, b.place), append(r.total, b.total)
				}
				mu.Unlock()
				if r.failed > 100 {
					return
				}
			}
		})
	}
	wg.Wait()
	r.took = time.Since(start)
	r.cpu = since(before, cpuOf(srv))
	slices.Sort(r.place)
	slices.Sort(r.total)
	return r
}

func (r ordered) String() string {
	n := float64(max(1, len(r.total)))
	var b strings.Builder
	fmt.Fprintf(&b, "%-28s %4d %9.0f/s %9s %9s %9s %8d\n", checkoutName, r.concurrency, n/r.took.Seconds(),
		short(percentile(r.total, 50)), short(percentile(r.total, 95)), short(percentile(r.total, 99)), len(r.total))
	fmt.Fprintf(&b, "  %.0f orders a minute; orderPlace p50 %s, p95 %s", 60*n/r.took.Seconds(),
		short(percentile(r.place, 50)), short(percentile(r.place, 95)))
	var parts []string
	for _, u := range r.cpu {
		if ms := 1000 * u.seconds / n; ms >= 0.05 {
			parts = append(parts, fmt.Sprintf("%s %.1f", u.name, ms))
		}
	}
	fmt.Fprintf(&b, "\n  CPU, ms an order: %s", strings.Join(parts, ", "))
	if r.failed > 0 {
		first, _, _ := strings.Cut(r.firstError.Error(), "\n")
		fmt.Fprintf(&b, "\n  %d failed, the first with: %s", r.failed, first)
	}
	return b.String()
}
