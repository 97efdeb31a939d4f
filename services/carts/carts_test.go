package carts_test

import (
	"context"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/migrations"
	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/carts"
	cartspostgres "github.com/techmart/techmart/services/carts/postgres"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/viewer"
)

// catalog is a carts.Catalog in memory.
type catalog struct {
	mu       sync.Mutex
	variants map[uuid.UUID]carts.Variant
	calls    int
}

// Variants implements carts.Catalog.
func (c *catalog) Variants(_ context.Context, ids []uuid.UUID) (map[uuid.UUID]carts.Variant, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	found := make(map[uuid.UUID]carts.Variant)
	for _, id := range ids {
		if v, ok := c.variants[id]; ok {
			found[id] = v
		}
	}
	return found, nil
}

// Unstocked implements carts.Catalog.
func (c *catalog) Unstocked(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]carts.Variant, error) {
	found, err := c.Variants(ctx, ids)
	for id, v := range found {
		v.Available = 1000
		found[id] = v
	}
	return found, err
}

// set changes a variant, which is made when it is new.
func (c *catalog) set(id uuid.UUID, price int64, available int, sellable bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.variants = maps.Clone(c.variants)
	c.variants[id] = carts.Variant{ID: id, ProductID: uuid.New(), SKU: "SKU", ProductTitle: "Lamp", VariantTitle: "Red",
		Price: money.New(price, "EUR"), Available: available, Sellable: sellable}
}

type fixture struct {
	*carts.Service
	deps       carts.Deps
	catalog    *catalog
	promotions *offers
	now        time.Time
	lamp       uuid.UUID // 10.00, 5 available
	desk       uuid.UUID // 20.00, 50 available
}

func setup(t *testing.T) *fixture {
	t.Helper()
	pool, err := postgres.Open(t.Context(), postgres.Config{URL: stacktest.Postgres(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if err := postgres.Migrate(t.Context(), pool, migrations.FS("carts"), "carts"); err != nil {
		t.Fatal(err)
	}
	f := &fixture{catalog: &catalog{variants: map[uuid.UUID]carts.Variant{}}, promotions: &offers{}, now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC), lamp: uuid.New(), desk: uuid.New()}
	f.catalog.set(f.lamp, 1000, 5, true)
	f.catalog.set(f.desk, 2000, 50, true)
	f.deps = carts.Deps{Store: cartspostgres.New(pool), Catalog: f.catalog, Promotions: f.promotions, Terms: terms(), Clock: func() time.Time { return f.now }}
	f.Service = carts.New(f.deps)
	return f
}

// with gives a service on the same store that is set up differently.
func (f *fixture) with(change func(*carts.Deps)) *carts.Service {
	d := f.deps
	change(&d)
	return carts.New(d)
}

func as(t *testing.T, user uuid.UUID) context.Context {
	return viewer.NewContext(t.Context(), viewer.Viewer{UserID: user})
}

func line(id uuid.UUID, n int) carts.LineInput { return carts.LineInput{VariantID: id, Quantity: n} }

// ok gives the value of a call that has to succeed.
func ok[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// wantFault expects that err has a fault of the code at the field, given with dots.
func wantFault(t *testing.T, err error, code errs.Code, field string) {
	t.Helper()
	for _, e := range errs.All(err) {
		if e.Code == code && strings.Join(e.Field, ".") == field {
			return
		}
	}
	t.Errorf("got %v, want %s at %q", err, code, field)
}

func TestAnonymousCart(t *testing.T) {
	t.Parallel()
	f, ctx := setup(t), t.Context()
	c := ok(f.Add(ctx, carts.AddInput{Lines: []carts.LineInput{line(f.lamp, 2), line(f.desk, 1)}}))(t)
	if len(c.Token) != 43 || c.ExpiresAt == nil || c.TotalQuantity != 3 || c.Subtotal != money.New(4000, "EUR") || len(c.Warnings) != 0 {
		t.Fatalf("got %+v", c)
	}
	other := ok(f.Add(ctx, carts.AddInput{IdempotencyKey: "k", Lines: []carts.LineInput{line(f.lamp, 1)}}))(t)
	third := ok(f.Add(ctx, carts.AddInput{IdempotencyKey: "k", Lines: []carts.LineInput{line(f.lamp, 1)}}))(t)
	if other.ID == c.ID || third.ID == other.ID {
		t.Fatal("two visitors share a cart")
	}
	c = ok(f.Update(ctx, carts.UpdateInput{Token: c.Token, Lines: []carts.LineUpdate{{LineID: c.Lines[0].ID, Quantity: 0}}}))(t)
	if len(c.Lines) != 1 || c.Lines[0].VariantID != f.desk || c.Token == "" {
		t.Fatalf("got %+v", c)
	}
	c = ok(f.Remove(ctx, carts.RemoveInput{Token: c.Token, LineIDs: []uuid.UUID{c.Lines[0].ID}}))(t)
	if len(c.Lines) != 0 || !c.Subtotal.IsZero() {
		t.Fatalf("got %+v", c)
	}
	f.now = f.now.Add(31 * 24 * time.Hour)
	_, err := f.Get(ctx, c.Token)
	wantFault(t, err, errs.NotFound, "")
	if n := ok(f.Purge(ctx))(t); n != 3 {
		t.Errorf("purged %d carts, want 3", n)
	}
}

func TestOwnCart(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ada, eve := uuid.New(), uuid.New()
	ctx := as(t, ada)
	_, err := f.Get(ctx, "")
	wantFault(t, err, errs.NotFound, "")
	in := carts.AddInput{IdempotencyKey: "k", Lines: []carts.LineInput{line(f.lamp, 1)}}
	first := ok(f.Add(ctx, in))(t)
	again := ok(f.Add(ctx, in))(t)
	if again.ID != first.ID || again.TotalQuantity != 1 || again.Token != "" {
		t.Fatalf("got %+v", again)
	}
	in.Lines[0].Quantity = 2
	_, err = f.Add(ctx, in)
	wantFault(t, err, errs.IdempotencyReused, "idempotencyKey")
	in.IdempotencyKey = ""
	if c := ok(f.Add(ctx, in))(t); c.TotalQuantity != 3 || len(c.Lines) != 1 {
		t.Fatalf("got %+v", c)
	}
	own := ok(f.ByUsers(ctx, []uuid.UUID{ada, eve}))(t)
	if len(own) != 1 || own[ada].ID != first.ID {
		t.Fatalf("got %+v", own)
	}
	if foreign := ok(f.ByUsers(as(t, eve), []uuid.UUID{ada}))(t); len(foreign) != 0 {
		t.Fatal("somebody else's cart is seen")
	}
	_, err = f.Update(as(t, eve), carts.UpdateInput{Lines: []carts.LineUpdate{{LineID: first.Lines[0].ID, Quantity: 0}}})
	wantFault(t, err, errs.NotFound, "")
	_, err = f.Get(t.Context(), "")
	wantFault(t, err, errs.NotFound, "")
}

func TestInput(t *testing.T) {
	t.Parallel()
	f, ctx := setup(t), as(t, uuid.New())
	gone := uuid.New()
	_, err := f.Add(ctx, carts.AddInput{IdempotencyKey: strings.Repeat("k", 256), Lines: []carts.LineInput{line(f.lamp, 0), line(f.desk, 1000)}})
	wantFault(t, err, errs.TooLong, "idempotencyKey")
	wantFault(t, err, errs.OutOfRange, "lines.0.quantity")
	wantFault(t, err, errs.OutOfRange, "lines.1.quantity")
	_, err = f.Add(ctx, carts.AddInput{})
	wantFault(t, err, errs.TooShort, "lines")
	_, err = f.Add(ctx, carts.AddInput{Lines: make([]carts.LineInput, 51)})
	wantFault(t, err, errs.TooLong, "lines")
	_, err = f.Add(ctx, carts.AddInput{Lines: []carts.LineInput{line(f.lamp, 1), line(gone, 1)}})
	wantFault(t, err, errs.NotFound, "lines.1.variantId")
	for _, token := range []string{"short", strings.Repeat("A", 43), strings.Repeat("!", 43)} {
		_, err = f.Add(ctx, carts.AddInput{Token: token, Lines: []carts.LineInput{line(f.lamp, 1)}})
		wantFault(t, err, errs.NotFound, "cartToken")
		_, err = f.Remove(ctx, carts.RemoveInput{Token: token, LineIDs: []uuid.UUID{gone}})
		wantFault(t, err, errs.NotFound, "cartToken")
		_, err = f.Merge(ctx, token)
		wantFault(t, err, errs.NotFound, "cartToken")
	}
	ok(f.Add(ctx, carts.AddInput{Lines: []carts.LineInput{line(f.desk, 999)}}))(t)
	_, err = f.Add(ctx, carts.AddInput{Lines: []carts.LineInput{line(f.lamp, 1), line(f.desk, 1)}})
	wantFault(t, err, errs.LimitExceeded, "lines.1.quantity")
	_, err = f.Update(ctx, carts.UpdateInput{Lines: []carts.LineUpdate{{LineID: gone, Quantity: 1000}}})
	wantFault(t, err, errs.OutOfRange, "lines.0.quantity")
	_, err = f.Update(ctx, carts.UpdateInput{Lines: []carts.LineUpdate{{LineID: gone, Quantity: 1}}})
	wantFault(t, err, errs.NotFound, "lines.0.lineId")
	_, err = f.Remove(ctx, carts.RemoveInput{LineIDs: []uuid.UUID{gone}})
	wantFault(t, err, errs.NotFound, "lineIds.0")
	_, err = f.Merge(t.Context(), strings.Repeat("A", 43))
	wantFault(t, err, errs.Unauthenticated, "")
	for range 2 {
		var many []carts.LineInput
		for range 50 {
			id := uuid.New()
			f.catalog.set(id, 1, 1, true)
			many = append(many, line(id, 1))
		}
		_, err = f.Add(ctx, carts.AddInput{Lines: many})
	}
	wantFault(t, err, errs.LimitExceeded, "lines")
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	f, ctx := setup(t), as(t, uuid.New())
	c := ok(f.Add(ctx, carts.AddInput{Lines: []carts.LineInput{line(f.lamp, 6), line(f.desk, 1)}}))(t)
	if len(c.Warnings) != 1 || c.Warnings[0].Code != carts.InsufficientStock || c.Warnings[0].Available != 5 || c.Warnings[0].LineID != c.Lines[0].ID {
		t.Fatalf("got %+v", c.Warnings)
	}
	f.catalog.set(f.lamp, 1200, 50, true)
	f.catalog.set(f.desk, 2000, 50, false)
	for range 2 { // reading does not count as seen
		c = ok(f.Get(ctx, ""))(t)
		if len(c.Warnings) != 2 || c.Warnings[0].Code != carts.PriceChanged || c.Warnings[0].PreviousPrice != money.New(1000, "EUR") || c.Warnings[1].Code != carts.Unavailable {
			t.Fatalf("got %+v", c.Warnings)
		}
	}
	if c.Lines[0].UnitPrice != money.New(1200, "EUR") || c.Subtotal != money.New(6*1200+2000, "EUR") || c.Lines[1].Available != 0 {
		t.Fatalf("got %+v", c)
	}
	c = ok(f.Update(ctx, carts.UpdateInput{Lines: []carts.LineUpdate{{LineID: c.Lines[0].ID, Quantity: 1}}}))(t)
	if len(c.Warnings) != 2 {
		t.Fatalf("the change does not tell of the new price: %+v", c.Warnings)
	}
	c = ok(f.Remove(ctx, carts.RemoveInput{LineIDs: []uuid.UUID{c.Lines[1].ID}}))(t)
	if len(c.Warnings) != 0 {
		t.Fatalf("got %+v", c.Warnings)
	}
}

func TestMergeAndCheckout(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ada := uuid.New()
	ctx := as(t, ada)
	guest := ok(f.Add(t.Context(), carts.AddInput{Lines: []carts.LineInput{line(f.lamp, 2)}}))(t)
	ok(f.Add(ctx, carts.AddInput{Lines: []carts.LineInput{line(f.lamp, 1), line(f.desk, 1)}}))(t)
	for range 2 {
		if c := ok(f.Merge(ctx, guest.Token))(t); c.TotalQuantity != 4 || c.Token != "" {
			t.Fatalf("got %+v", c)
		}
	}
	_, err := f.Get(t.Context(), guest.Token)
	wantFault(t, err, errs.NotFound, "")
	_, err = f.Merge(as(t, uuid.New()), guest.Token)
	wantFault(t, err, errs.NotFound, "cartToken")
	f.catalog.calls = 0
	c := ok(f.Checkout(t.Context(), ada, true))(t)
	if len(c.Lines) != 2 || c.Lines[0].ProductTitle != "Lamp" || c.Lines[0].Available != 5 || f.catalog.calls != 1 {
		t.Fatalf("got %+v after %d calls of the catalogue", c, f.catalog.calls)
	}
	if c := ok(f.Checkout(t.Context(), ada, false))(t); c.Subtotal != money.New(5000, "EUR") || c.Lines[0].Available != 1000 || f.catalog.calls != 2 {
		t.Fatalf("got %+v after %d calls of the catalogue", c, f.catalog.calls)
	}
	for range 2 {
		if err := f.Complete(t.Context(), c.ID, uuid.New(), map[uuid.UUID]int{f.lamp: 3, f.desk: 1}); err != nil {
			t.Fatal(err)
		}
	}
	_, err = f.Checkout(t.Context(), ada, false)
	wantFault(t, err, errs.NotFound, "")
	if next := ok(f.Add(ctx, carts.AddInput{Lines: []carts.LineInput{line(f.lamp, 1)}}))(t); next.ID == c.ID {
		t.Fatal("an ordered cart was opened again")
	}
}
