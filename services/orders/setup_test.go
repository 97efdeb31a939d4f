package orders_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/orders/jobs"
	"github.com/techmart/techmart/services/orders/orderstest"
	orderspostgres "github.com/techmart/techmart/services/orders/postgres"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/viewer"
)

// terms are those of the tests' shop.
func terms() orders.Config {
	return orders.Config{Currency: "EUR", ShippingFee: euro(490), FreeShippingFrom: euro(5000), TaxRatePercent: 19}
}

func euro(cents int64) money.Money { return money.New(cents, "EUR") }

type fixture struct {
	*orders.Service
	shop    *shop
	uses    *uses
	signals *signals
	pool    *pgxpool.Pool
	store   *orderspostgres.Store
	lamp    uuid.UUID // 10.00 each, 100 in stock
	desk    uuid.UUID // 15.00 each, 100 in stock
}

// setup makes a service over a fresh database; nothing works its jobs.
func setup(t *testing.T, config orders.Config) *fixture {
	t.Helper()
	return setupOn(t, orderstest.Database(t), config)
}

// setupOn makes a service with a shop of its own over a database that it shares.
func setupOn(t *testing.T, pool *pgxpool.Pool, config orders.Config) *fixture {
	t.Helper()
	client, err := jobs.NewClient(pool, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{shop: newShop(), uses: &uses{of: map[uuid.UUID][]uuid.UUID{}}, signals: &signals{subs: map[string][]chan []byte{}}, pool: pool,
		store: orderspostgres.New(pool, client), lamp: uuid.New(), desk: uuid.New()}
	f.shop.stock[f.lamp], f.shop.stock[f.desk] = 100, 100
	f.Service = ok(orders.New(orders.Deps{
		Store: f.store, Carts: f.shop, Promotions: f.uses, Inventory: f.shop, Payments: f.shop, Customers: f.shop, Signals: f.signals,
		Config: config, Log: slog.New(slog.DiscardHandler),
	}))(t)
	return f
}

// fill puts lamps and desks into the user's cart.
func (f *fixture) fill(user uuid.UUID, lamps, desks int) {
	f.shop.mu.Lock()
	defer f.shop.mu.Unlock()
	c := orders.Cart{ID: uuid.New()}
	if lamps > 0 {
		c.Lines = append(c.Lines, orders.CartLine{VariantID: f.lamp, ProductID: f.lamp, SKU: "LAMP", Title: "Lamp", VariantTitle: "Red", Quantity: lamps, UnitPrice: euro(1000)})
	}
	if desks > 0 {
		c.Lines = append(c.Lines, orders.CartLine{VariantID: f.desk, ProductID: f.desk, SKU: "DESK", Title: "Desk", VariantTitle: "Oak", Quantity: desks, UnitPrice: euro(1500)})
	}
	f.shop.carts[user] = c
}

// place orders two lamps and a desk with the token.
func (f *fixture) place(t *testing.T, user uuid.UUID, token string) *orders.Order {
	t.Helper()
	f.fill(user, 2, 1)
	return ok(f.Place(as(t, user), orders.PlaceInput{PaymentToken: token, ShippingAddressID: bookAddress}))(t)
}

// confirmed gives an order that is confirmed.
func (f *fixture) confirmed(t *testing.T, user uuid.UUID) *orders.Order {
	t.Helper()
	o := f.place(t, user, "tok_visa")
	if err := f.Settle(t.Context(), o.ID, false); err != nil {
		t.Fatal(err)
	}
	return f.read(t, o.ID)
}

// read gives an order as it is stored.
func (f *fixture) read(t *testing.T, id uuid.UUID) *orders.Order {
	t.Helper()
	return ok(f.ByID(staff(t), id))(t)
}

// timeline gives the types of an order's entries.
func (f *fixture) timeline(t *testing.T, id uuid.UUID) string {
	t.Helper()
	pages := ok(f.Timeline(staff(t), []uuid.UUID{id}, page.Request{Limit: 100}))(t)
	var types []string
	for _, e := range pages[id].Items {
		types = append(types, e.Type)
	}
	return strings.Join(types, " ")
}

// events gives the types of the events of an order, and checks that they are counted from 1.
func (f *fixture) events(t *testing.T, id uuid.UUID) string {
	t.Helper()
	rows := ok(f.pool.Query(t.Context(), `SELECT type, sequence FROM orders.outbox WHERE subject = $1 ORDER BY position`, id.String()))(t)
	defer rows.Close()
	var types []string
	for rows.Next() {
		var name string
		var n int64
		if err := rows.Scan(&name, &n); err != nil {
			t.Fatal(err)
		}
		if types = append(types, strings.TrimPrefix(name, "orders.")); n != int64(len(types)) {
			t.Errorf("event %s has number %d, want %d", name, n, len(types))
		}
	}
	return strings.Join(types, " ")
}

// token gives the payment token that is stored with an order.
func (f *fixture) token(t *testing.T, id uuid.UUID) string {
	t.Helper()
	var token string
	if err := f.pool.QueryRow(t.Context(), `SELECT payment_token FROM orders.orders WHERE id = $1`, id).Scan(&token); err != nil {
		t.Fatal(err)
	}
	return token
}

// jobs gives the number of jobs of a kind.
func (f *fixture) jobs(t *testing.T, kind string) int {
	t.Helper()
	var n int
	if err := f.pool.QueryRow(t.Context(), `SELECT count(*) FROM orders.river_job WHERE kind = $1`, kind).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func as(t testing.TB, user uuid.UUID, scopes ...viewer.Scope) context.Context {
	return viewer.NewContext(t.Context(), viewer.Viewer{UserID: user, Scopes: scopes})
}

var staffID = uuid.MustParse("01900000-0000-7000-8000-0000000000ff")

func staff(t testing.TB) context.Context {
	return as(t, staffID, viewer.OrdersRead, viewer.OrdersWrite)
}

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

// wantStatus expects that an order has a status.
func (f *fixture) wantStatus(t *testing.T, id uuid.UUID, want orders.Status) {
	t.Helper()
	if o := f.read(t, id); o.Status != want {
		t.Errorf("the order is %s (stage %s), want %s", o.Status, o.Stage, want)
	}
}

// soon ends a wait that should not take long.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
