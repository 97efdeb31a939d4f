package throttle_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/gateway/throttle"
	"github.com/techmart/techmart/platform/redis"
	"github.com/techmart/techmart/platform/telemetry"
)

// bank is the bank of one process, whose connection can be cut.
type bank struct {
	*redis.Bank
	cut  atomic.Bool
	asks atomic.Int64
}

func (b *bank) Settle(ctx context.Context, orders []throttle.Order) ([]throttle.Balance, error) {
	b.asks.Add(1)
	if b.cut.Load() {
		return nil, errors.New("connection refused")
	}
	list := make([]redis.BankOrder, len(orders))
	for i, o := range orders {
		list[i] = redis.BankOrder{
			Key: o.Key, Capacity: o.Class.Capacity, Restore: o.Class.Restore,
			Unused: o.Unused, Change: o.Change, Need: o.Need, Chunk: o.Chunk,
		}
	}
	balances, err := b.Bank.Settle(ctx, list)
	out := make([]throttle.Balance, len(balances))
	for i := range balances {
		out[i] = throttle.Balance(balances[i])
	}
	return out, err
}

// clock is a time that the test moves.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1_790_000_000, c.ahead.Load()) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }
func quietLog() *slog.Logger             { return slog.New(slog.NewTextHandler(io.Discard, nil)) }
func slow(capacity, rate int) throttle.Class {
	return throttle.Class{Name: "customer", Capacity: capacity, Restore: rate}
}

// processes are so many programs that share budgets.
func processes(t *testing.T, n int, now func() time.Time) ([]*throttle.Budgets, []*bank) {
	t.Helper()
	url, prefix := stacktest.Redis(t)
	budgets, banks := make([]*throttle.Budgets, n), make([]*bank, n)
	for i := range n {
		client, err := redis.Open(t.Context(), redis.Config{URL: url, Prefix: prefix})
		if err != nil {
			t.Fatal(err)
		}
		banks[i] = &bank{Bank: redis.NewBank(client)}
		budgets[i] = throttle.New(throttle.Config{Bank: banks[i], Log: quietLog(), Registry: prometheus.NewRegistry(), Clock: now})
		t.Cleanup(func() {
			budgets[i].Close(context.Background())
			_ = client.Close()
		})
	}
	return budgets, banks
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(10 * time.Second)
	for !done() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("it does not come true: %s", what)
		}
	}
}

// Several processes and many clients at once: nobody gets more than there is, and a client that is
// busy does not make its process ask the bank each time.
func TestProcessesShareABudget(t *testing.T) {
	t.Parallel()
	const capacity, restore = 10_000, 2_000
	budgets, banks := processes(t, 3, nil)
	class := slow(capacity, restore)
	var spent, takes atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
	defer cancel()
	for i, b := range budgets {
		for worker := range 4 {
			all.Go(func() {
				for n := i + worker; ctx.Err() == nil; n++ {
					cost := n%20 + 1
					takes.Add(1)
					if _, wait, ok := b.Take(ctx, "shared", class, cost); ok {
						spent.Add(int64(cost))
						if n%3 == 0 { // half of it was not needed
							spent.Add(-int64(cost / 2))
							b.Give("shared", class, cost/2)
						}
					} else if wait <= 0 {
						t.Error("a refusal does not say how long to wait")
						return
					}
				}
			})
		}
	}
	all.Wait()
	most := capacity + restore*time.Since(began).Seconds()
	if got := float64(spent.Load()); got > most {
		t.Errorf("%v were spent; at most %v were there", got, most)
	} else if got < 0.7*most {
		t.Errorf("only %v of %v could be spent", got, most)
	}
	var asks int64
	for _, b := range banks {
		asks += b.asks.Load()
	}
	if asks > takes.Load()/5 {
		t.Errorf("the bank was asked %d times for %d operations", asks, takes.Load())
	}
}

// A lease that rests returns to the others within about a second.
func TestLeasesReturn(t *testing.T) {
	t.Parallel()
	budgets, _ := processes(t, 2, nil)
	class := slow(1000, 1)
	if s, _, ok := budgets[0].Take(t.Context(), "ada", class, 10); !ok || s.Available != 990 {
		t.Fatalf("the first operation: %v %+v", ok, s)
	}
	if _, _, ok := budgets[1].Take(t.Context(), "ada", class, 980); ok {
		t.Fatal("what is lent to one process is given to another")
	}
	began := time.Now()
	eventually(t, "all that is left can be spent elsewhere", func() bool {
		_, _, ok := budgets[1].Take(t.Context(), "ada", class, 980)
		return ok
	})
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the lease rested for %v", took)
	}
	if _, wait, ok := budgets[0].Take(t.Context(), "ada", class, 100); ok || wait < 80*time.Second || wait > 100*time.Second {
		t.Errorf("nothing is left, and yet %v, wait %v", ok, wait)
	}
}

// What was given back, and what was charged afterwards, reaches the other processes.
func TestGivingAndCharging(t *testing.T) {
	t.Parallel()
	budgets, _ := processes(t, 2, nil)
	class := slow(1000, 1)
	available := func(b *throttle.Budgets) int {
		s, _, _ := b.Take(t.Context(), "ada", class, 0)
		return s.Available
	}
	budgets[0].Take(t.Context(), "ada", class, 900)
	if s := budgets[0].Give("ada", class, 800); s.Available < 900 || s.Available > 902 {
		t.Errorf("after giving 800 of 900 back: %+v", s)
	}
	budgets[0].Close(t.Context())
	if got := available(budgets[1]); got < 900 || got > 910 {
		t.Errorf("another process sees %d", got)
	}
	if s := budgets[1].Charge("ada", class, 1500); s.Available != 0 {
		t.Errorf("more was charged than there was: %+v", s)
	}
	if _, wait, empty := budgets[1].Exhausted("ada", class); !empty || wait < 500*time.Second {
		t.Errorf("exhausted %v, wait %v", empty, wait)
	}
	if _, wait, ok := budgets[1].Take(t.Context(), "ada", class, 1); ok || wait < 500*time.Second {
		t.Errorf("an operation below nothing: %v, wait %v", ok, wait)
	}
	if _, _, empty := budgets[1].Exhausted("bob", class); empty {
		t.Error("another client has nothing either")
	}
}

// Without the bank operations go on, bounded by each process, and it is seen; with it all is shared
// again.
func TestWithoutTheBank(t *testing.T) {
	t.Parallel()
	var c clock
	budgets, banks := processes(t, 1, c.now)
	b, bank := budgets[0], banks[0]
	class := slow(100, 10)
	take := func(cost int) (throttle.Status, bool) {
		s, _, ok := b.Take(t.Context(), "ada", class, cost)
		return s, ok
	}
	if _, ok := take(20); !ok {
		t.Fatal("the first operation is refused")
	}
	bank.cut.Store(true)
	c.advance(2 * time.Second) // the lease is over; 20 came back
	if s, ok := take(60); !ok || s.Available != 40 {
		t.Errorf("without the bank: %v %+v", ok, s)
	}
	asked := bank.asks.Load()
	if s, ok := take(41); ok || s.Available != 40 {
		t.Errorf("more than is left without the bank: %v %+v", ok, s)
	}
	if bank.asks.Load() != asked {
		t.Error("a bank that has just failed is asked again")
	}
	c.advance(900 * time.Millisecond)
	if s := b.Charge("ada", class, 30); s.Available != 19 {
		t.Errorf("a charge without the bank: %+v", s)
	}
	bank.cut.Store(false)
	c.advance(2 * time.Second)
	if s, ok := take(1); !ok || bank.asks.Load() != asked+1 {
		t.Errorf("the bank is back: %v %+v, asked %d times", ok, s, bank.asks.Load()-asked)
	}
}

// The alarm of a failing bank can be seen in the metrics.
func TestAlarm(t *testing.T) {
	t.Parallel()
	var c clock
	registry := telemetry.NewRegistry()
	failing := &bank{}
	failing.cut.Store(true)
	b := throttle.New(throttle.Config{Bank: failing, Log: quietLog(), Registry: registry, Clock: c.now})
	class := slow(100, 10)
	b.Take(t.Context(), "ada", class, 60)
	b.Take(t.Context(), "ada", class, 60)
	b.Give("ada", class, 10)
	for name, want := range map[string]float64{
		"throttle_bank_failures_total": 1, "throttle_bank_out": 1,
		"throttle_charged_total": 60, "throttle_returned_total": 10,
	} {
		if got, err := value(registry, name); err != nil || got != want {
			t.Errorf("%s is %v, %v; want %v", name, got, err, want)
		}
	}
	if n, err := testutil.GatherAndCount(registry, "throttle_operations_total"); err != nil || n != 2 {
		t.Errorf("%d outcomes are counted, %v", n, err)
	}
	if s, _, ok := b.Take(t.Context(), "ada", class, 50); !ok || s.Available != 0 {
		t.Errorf("what was given back: %v %+v", ok, s)
	}
}

func value(registry *prometheus.Registry, name string) (float64, error) {
	families, err := registry.Gather()
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetCounter().GetValue() + m.GetGauge().GetValue(), err
		}
	}
	return 0, fmt.Errorf("no %s: %w", name, err)
}

// Buckets of a process alone are bounded in number; the one not used for the longest time goes.
func TestLocalBucketsAreBounded(t *testing.T) {
	t.Parallel()
	var c clock
	b := throttle.New(throttle.Config{Log: quietLog(), Clock: c.now, Accounts: 3})
	class := slow(100, 10)
	for i := range 100 {
		for _, key := range []string{"ada", fmt.Sprint(i)} {
			b.Take(t.Context(), key, class, 1)
		}
	}
	if s, _, ok := b.Take(t.Context(), "ada", class, 1); ok || s.Available != 0 {
		t.Errorf("one that is busy was forgotten: %v %+v", ok, s)
	}
	c.advance(time.Second)
	if s, _, ok := b.Take(t.Context(), "ada", class, 11); ok || s.Available != 10 {
		t.Errorf("a second later: %v %+v", ok, s)
	}
	if s, wait, ok := b.Take(t.Context(), "ada", class, 10); !ok || s.Available != 0 || s.Reset() != 10*time.Second {
		t.Errorf("what came back: %v %+v, wait %v", ok, s, wait)
	}
}

func TestParseClass(t *testing.T) {
	t.Parallel()
	if c, err := throttle.ParseClass("staff", " 500 / 20 "); err != nil || c != (throttle.Class{Name: "staff", Capacity: 500, Restore: 20}) || c.Full() != 25*time.Second {
		t.Errorf("%+v, %v", c, err)
	}
	for _, text := range []string{"", "500", "500/", "/20", "0/20", "500/0", "-5/1", "5/1/2", "many/few", "9000000000000/1"} {
		if c, err := throttle.ParseClass("staff", text); err == nil {
			t.Errorf("%q gives %+v", text, c)
		}
	}
}
