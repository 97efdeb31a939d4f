package seed_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/migrations"
	"github.com/techmart/techmart/platform/mongodb"
	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/seed"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/orders"
	orderstore "github.com/techmart/techmart/services/orders/postgres"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/payments"
	paymentstore "github.com/techmart/techmart/services/payments/postgres"
	"github.com/techmart/techmart/services/payments/sandbox"
	"github.com/techmart/techmart/services/products"
	catalogstore "github.com/techmart/techmart/services/products/mongodb"
	"github.com/techmart/techmart/services/users"
	userstore "github.com/techmart/techmart/services/users/postgres"
	"github.com/techmart/techmart/services/viewer"
)

// noJobs is what orders are imported without.
type noJobs struct{}

func (noJobs) EnqueueTx(context.Context, pgx.Tx, []orders.Job) error { return nil }

// noSignals is for a shop that nobody watches.
type noSignals struct{}

func (noSignals) Publish(context.Context, string, []byte) error { return nil }

func (noSignals) Subscribe(context.Context, string) (<-chan []byte, error) { return nil, nil }

func database(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(t.Context(), postgres.Config{URL: stacktest.Postgres(t), MaxConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	for _, domain := range []string{"users", "orders", "payments"} {
		if err := postgres.Migrate(t.Context(), pool, migrations.FS(domain), domain); err != nil {
			t.Fatal(err)
		}
	}
	return pool
}

type shop struct {
	seed.Deps
	pool     *pgxpool.Pool
	payments *payments.Service
	catalog  products.CatalogStore
	db       *mongo.Database
}

func setup(t *testing.T) shop {
	t.Helper()
	pool := database(t)
	db, disconnect, err := mongodb.Open(t.Context(), mongodb.Config{URL: stacktest.MongoDB(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := disconnect(ctx); err != nil {
			t.Error(err)
		}
	})
	catalog := catalogstore.New(db)
	if err := catalog.EnsureIndexes(t.Context()); err != nil {
		t.Fatal(err)
	}
	keys, err := users.NewKeySet(users.KeyConfig{Keys: users.GenerateKey(), Issuer: "test", Audience: "test"})
	if err != nil {
		t.Fatal(err)
	}
	people, err := users.New(users.Deps{Store: userstore.New(pool), Passwords: users.NewHasher(users.HasherConfig{}), Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	paid := paymentstore.New(pool)
	ordered := orderstore.New(pool, noJobs{})
	return shop{
		Deps: seed.Deps{
			Users: people, Inventory: catalog, Stock: catalog, Indexes: catalog, Orders: ordered, Payments: paid,
			Products: products.New(products.Deps{Catalog: catalog, Inventory: catalog, Reviews: catalog, Signals: noSignals{}, Currency: "EUR"}),
		},
		pool: pool, catalog: catalog, db: db,
		payments: payments.New(payments.Deps{Store: paid, Provider: sandbox.New(sandbox.Config{Books: paymentstore.NewSandboxBooks(pool)}), Log: slog.New(slog.DiscardHandler)}),
	}
}

func (s shop) count(t *testing.T, sql string) int {
	t.Helper()
	var n int
	if err := s.pool.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A loading that was cut off among the products is carried on: all words are known then, and all indexes are there.
func TestLoadAfterACrash(t *testing.T) {
	t.Parallel()
	s := setup(t)
	indexes := func() int {
		t.Helper()
		list, err := s.db.Collection("products").Indexes().ListSpecifications(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	all := indexes()
	ctx, kill := context.WithCancel(t.Context())
	err := seed.Load(ctx, s.Deps, seed.Options{Terms: terms(), Progress: func(p seed.Progress) {
		if p.Step == "products" && p.Done > 0 {
			kill()
		}
	}})
	if err == nil || indexes() == all {
		t.Errorf("loaded to the end: %v", err)
	}
	if _, err := s.db.Collection("search_terms").DeleteMany(t.Context(), bson.M{}); err != nil {
		t.Fatal(err)
	}
	if err := seed.Load(t.Context(), s.Deps, seed.Options{Terms: terms()}); err != nil {
		t.Fatal(err)
	}
	if n := indexes(); n != all {
		t.Errorf("%d indexes; want %d", n, all)
	}
	before, err := s.catalog.LookUpWords(t.Context(), []string{"laptop", "wireless"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.catalog.RebuildWords(t.Context()); err != nil {
		t.Fatal(err)
	}
	after, err := s.catalog.LookUpWords(t.Context(), []string{"laptop", "wireless"}, "")
	if err != nil || len(after.Words) == 0 || !slices.Equal(words(before), words(after)) {
		t.Errorf("words %v; counted anew %v, %v", before.Words, after.Words, err)
	}
}

// words gives words with their counts, in order.
func words(v products.Vocabulary) []string {
	var list []string
	for _, w := range v.Words {
		list = append(list, fmt.Sprint(w.Text, w.Count))
	}
	slices.Sort(list)
	return list
}

// TestLoad loads a shop into real servers, twice, and compares what the domains say of it.
func TestLoad(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ctx := viewer.NewContext(t.Context(), viewer.System)
	steps := map[string]seed.Progress{}
	load := func() {
		t.Helper()
		if err := seed.Load(ctx, s.Deps, seed.Options{Terms: terms(), Progress: func(p seed.Progress) { steps[p.Step] = p }}); err != nil {
			t.Fatal(err)
		}
	}
	load()
	for name, p := range steps {
		if p.Done != p.Total || p.Total == 0 {
			t.Errorf("%s ended at %d of %d", name, p.Done, p.Total)
		}
	}
	clear(steps)
	load()
	if len(steps) != 0 {
		t.Errorf("loaded again: %v", steps)
	}

	want := seed.New(1, terms())
	for sql, n := range map[string]int{
		`SELECT count(*) FROM users.accounts`: want.Customers() + 3,
		`SELECT count(*) FROM orders.orders`:  want.Orders(),
		`SELECT count(*) FROM payments.payments p JOIN orders.orders o ON o.id = p.order_id AND o.customer_id = p.customer_id`: want.Orders() - want.Orders()/100,
		`SELECT count(DISTINCT status) FROM orders.orders`:                                                                     len(orders.Statuses),
		`SELECT count(*) FROM orders.orders o WHERE NOT EXISTS (SELECT FROM users.accounts a WHERE a.id = o.customer_id)`:      0,
		`SELECT count(*) FROM orders.outbox`:                                                                                   0,
		`SELECT count(*) FROM payments.outbox`:                                                                                 0,
		`SELECT nextval('orders.numbers')::int`:                                                                                want.Orders() + 1,
	} {
		if got := s.count(t, sql); got != n {
			t.Errorf("%s = %d, want %d", sql, got, n)
		}
	}
	s.checkLedger(t, ctx)
	s.checkCatalog(t, ctx, want)
	s.checkPayments(t, ctx)
}

func (s shop) checkLedger(t *testing.T, ctx context.Context) {
	t.Helper()
	balances, err := s.payments.LedgerBalances(ctx)
	if err != nil {
		t.Fatal(err)
	}
	sum, accounts := int64(0), map[payments.Account]int64{}
	for _, b := range balances {
		sum += b.Balance.Amount
		accounts[b.Account] = b.Balance.Amount
	}
	captured := s.count(t, `SELECT sum(captured)::bigint FROM payments.payments`)
	refunded := s.count(t, `SELECT sum(refunded)::bigint FROM payments.payments`)
	if sum != 0 || accounts[payments.Sales] != -int64(captured) || accounts[payments.Refunds] != int64(refunded) {
		t.Errorf("the ledger holds %v, captured are %d, refunded %d", accounts, captured, refunded)
	}
}

func (s shop) checkCatalog(t *testing.T, ctx context.Context, want *seed.Shop) {
	t.Helper()
	wrong, err := s.Products.CheckStock(ctx)
	if err != nil || len(wrong) > 0 {
		t.Errorf("stock: %v, %v", wrong, err)
	}
	n, sold, rated := 0, 0, 0
	err = s.catalog.EachProduct(ctx, func(p *products.Product) error {
		n++
		sold += p.SoldCount
		rated += p.Rating.Count
		return nil
	})
	if err != nil || n != want.Products() {
		t.Errorf("%d products, %v", n, err)
	}
	if fulfilled := s.count(t, `SELECT sum(fulfilled)::bigint FROM orders.lines`); sold != fulfilled {
		t.Errorf("%d pieces were sold, %d sent", sold, fulfilled)
	}
	if rated < 500 {
		t.Errorf("%d reviews", rated)
	}
	open := s.count(t, `SELECT coalesce(sum(quantity - fulfilled), 0)::bigint FROM orders.lines l JOIN orders.orders o ON o.id = l.order_id
		WHERE o.status IN ('CONFIRMED', 'PARTIALLY_FULFILLED')`)
	reserved := 0
	for batch := range slices.Chunk(slices.Collect(want.Catalog()), 200) {
		var ids []uuid.UUID
		for _, p := range batch {
			for v := range p.Variants {
				ids = append(ids, p.Variants[v].ID)
			}
		}
		stock, err := s.Products.Stock(ctx, ids)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range batch {
			available := false
			for v := range p.Variants {
				held := stock[p.Variants[v].ID]
				if len(held.Levels) != 2 {
					t.Errorf("%s lies at %d places", p.Variants[v].SKU, len(held.Levels))
				}
				for _, level := range held.Levels {
					reserved += level.Reserved
				}
				available = available || held.Available() > 0
			}
			if available != p.Available {
				t.Errorf("%s: available %v, stock says %v", p.Slug, p.Available, available)
			}
		}
	}
	if reserved != open {
		t.Errorf("%d pieces are reserved, %d are to be sent", reserved, open)
	}
}

// checkPayments goes on with what the seed began.
func (s shop) checkPayments(t *testing.T, ctx context.Context) {
	t.Helper()
	found, err := s.payments.List(ctx, payments.Filter{Statuses: []payments.Status{payments.Captured, payments.Authorized}}, page.Request{Limit: 100})
	if err != nil || len(found.Items) == 0 {
		t.Fatalf("%d payments, %v", len(found.Items), err)
	}
	for _, p := range found.Items[:10] {
		if p.Status == payments.Authorized {
			p, err = s.payments.Capture(ctx, payments.Request{PaymentID: p.ID})
		} else {
			one := money.New(1, "EUR")
			p, err = s.payments.Refund(ctx, payments.Request{PaymentID: p.ID, Amount: &one})
		}
		if err != nil {
			t.Fatalf("%+v: %v", p, err)
		}
	}
	if _, err := s.Users.CreateAccount(ctx, seed.New(1, terms()).DemoAccounts()[0]); !errs.Is(err, errs.Taken) && err == nil {
		t.Error("the demo customer is missing")
	}
}
