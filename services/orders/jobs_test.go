package orders_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/platform/telemetry"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/orders/jobs"
)

// work starts a worker that ends with the test.
func (f *fixture) work(t *testing.T, c jobs.Config) *jobs.Worker {
	t.Helper()
	c.Log = slog.New(slog.DiscardHandler)
	w := ok(jobs.NewWorker(f.pool, f.Service, c))(t)
	if err := w.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := w.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return w
}

// await polls until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx := soon(t)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not in time", what)
		case <-tick.C:
		}
	}
}

func TestWorker(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	f.work(t, jobs.Config{})
	// The first order also waits for the worker to start; the second is a normal one.
	for i := range 2 {
		o := f.place(t, uuid.New(), "tok_visa")
		placed := time.Now()
		await(t, "CONFIRMED", func() bool { return f.read(t, o.ID).Status == orders.Confirmed })
		if took := time.Since(placed); i > 0 && took > time.Second {
			t.Errorf("a normal order settles in %v", took)
		}
	}
	o := f.place(t, uuid.New(), "tok_declined")
	await(t, "FAILED", func() bool { return f.read(t, o.ID).Status == orders.Failed })

	var outages atomic.Int32
	f.shop.hook(nil, func(c string) error {
		if c == "authorize" && outages.Add(1) == 1 {
			return errOutage
		}
		return nil
	})
	o = f.place(t, uuid.New(), "tok_visa")
	await(t, "CONFIRMED after an outage", func() bool { return f.read(t, o.ID).Status == orders.Confirmed })
	if _, _, err := f.Fulfill(staff(t), orders.FulfillInput{OrderID: o.ID}); err != nil {
		t.Fatal(err)
	}
	await(t, "the capture", func() bool { return f.shop.payment(o.ID).captured == o.Total.Amount })

	o = f.confirmedBy(t)
	ok(f.Cancel(staff(t), orders.CancelInput{OrderID: o.ID}))(t)
	await(t, "the compensation", func() bool { return f.read(t, o.ID).Stage == orders.StageUndone })
}

// confirmedBy gives an order that a worker has confirmed.
func (f *fixture) confirmedBy(t *testing.T) *orders.Order {
	t.Helper()
	o := f.place(t, uuid.New(), "tok_visa")
	await(t, "CONFIRMED", func() bool { return f.read(t, o.ID).Status == orders.Confirmed })
	return o
}

// TestWorkerSweeps finds an order whose job was lost.
func TestWorkerSweeps(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	o := f.place(t, uuid.New(), "tok_visa")
	if _, err := f.pool.Exec(t.Context(), `DELETE FROM orders.river_job`); err != nil {
		t.Fatal(err)
	}
	f.work(t, jobs.Config{SweepEvery: 50 * time.Millisecond, SweepIdle: time.Millisecond})
	await(t, "CONFIRMED", func() bool { return f.read(t, o.ID).Status == orders.Confirmed })
}

// TestWorkersShareOrders has two workers and many orders: each order is settled once.
func TestWorkersShareOrders(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	f.shop.mu.Lock()
	f.shop.stock[f.lamp], f.shop.stock[f.desk] = 1000, 1000
	f.shop.mu.Unlock()
	f.work(t, jobs.Config{})
	f.work(t, jobs.Config{})
	var all sync.WaitGroup
	const n = 40
	var ids [n]uuid.UUID
	for i := range ids {
		all.Go(func() {
			user := uuid.New()
			f.fill(user, 2, 1)
			o, err := f.Place(as(t, user), orders.PlaceInput{PaymentToken: "tok_visa", ShippingAddressID: bookAddress})
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = o.ID
		})
	}
	all.Wait()
	await(t, "all CONFIRMED", func() bool {
		return ok(f.Count(staff(t), orders.Filter{Statuses: orders.NewStatusSet(orders.Confirmed)}))(t) == n
	})
	for _, id := range ids {
		if got, want := f.events(t, id), "placed confirmed"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := f.shop.available(f.lamp); got != 1000-2*n {
		t.Errorf("%d lamps are left", got)
	}
}

// TestRoundTrips bounds what an order costs from Place to CONFIRMED, without what the other domains need.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	f.confirmed(t, uuid.New()) // statements are prepared, once for each connection
	user := uuid.New()
	f.fill(user, 2, 1)
	ctx, calls := telemetry.WithCalls(as(t, user))
	o := ok(f.Place(ctx, orders.PlaceInput{PaymentToken: "tok_visa", ShippingAddressID: bookAddress, IdempotencyKey: "k"}))(t)
	if n := calls.Postgres.Load(); n > 6 {
		t.Errorf("placing costs %d round trips", n)
	}
	ctx, calls = telemetry.WithCalls(t.Context())
	if err := f.Settle(ctx, o.ID, false); err != nil {
		t.Fatal(err)
	}
	if n := calls.Postgres.Load(); n > 3 {
		t.Errorf("settling costs %d round trips", n)
	}
}

func TestMigrateConcurrently(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := jobs.Migrate(t.Context(), f.pool); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
