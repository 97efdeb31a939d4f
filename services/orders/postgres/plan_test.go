package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/services/orders"
	orderspostgres "github.com/techmart/techmart/services/orders/postgres"
	"github.com/techmart/techmart/services/page"
)

// seed makes 20,000 orders of 500 customers, with a line and a timeline each, the quick way.
const seed = `
INSERT INTO orders.orders (id, number, customer_id, cart_id, email, display_name, status, currency, subtotal, shipping, tax, total, address,
	stage, capture_now, placed_at, updated_at, version, sequence)
SELECT gen_random_uuid(), 'T-' || (100000 + n), ('00000000-0000-0000-0000-' || lpad((n % 500)::text, 12, '0'))::uuid, gen_random_uuid(),
	'customer' || (n % 500) || '@example.com', 'Ada',
	(ARRAY['PENDING', 'CONFIRMED', 'PARTIALLY_FULFILLED', 'FULFILLED', 'DELIVERED', 'CANCELLED', 'FAILED', 'REFUNDED'])[1 + n % 8],
	'EUR', n * 7 % 50000, 0, 0, n * 7 % 50000, '{}', 'DONE', false, now() - n * interval '1 minute', now() - n * interval '30 seconds', 1, 1
FROM generate_series(1, 20000) AS n;
INSERT INTO orders.lines (id, order_id, position, variant_id, product_id, sku, title, variant_title, quantity, unit_price, total)
SELECT gen_random_uuid(), id, 0, gen_random_uuid(), gen_random_uuid(), 'S', 'Lamp', 'Red', 1, 100, 100 FROM orders.orders;
INSERT INTO orders.timeline (order_id, position, id, type, message, created_at) SELECT id, 1, gen_random_uuid(), 'ORDER_PLACED', '', now() FROM orders.orders;
INSERT INTO orders.fulfillments (id, order_id, position, status, capture, created_at, settled_at)
SELECT gen_random_uuid(), id, 0, 'SHIPPED', 0, now(), now() FROM orders.orders WHERE status IN ('FULFILLED', 'PARTIALLY_FULFILLED');
INSERT INTO orders.fulfillment_lines (fulfillment_id, line_id, position, quantity)
SELECT f.id, l.id, 1, 1 FROM orders.fulfillments f JOIN orders.lines l USING (order_id);
INSERT INTO orders.returns (id, order_id, position, status, problem, requested_at, updated_at, received_at)
SELECT gen_random_uuid(), id, 1, CASE right(number, 2) WHEN '00' THEN 'APPROVED' WHEN '50' THEN 'RECEIVED' ELSE 'REJECTED' END,
	CASE WHEN right(number, 3) = '550' THEN 'Refused.' ELSE '' END, placed_at, updated_at, CASE right(number, 2) WHEN '50' THEN now() END
FROM orders.orders;
INSERT INTO orders.return_lines (return_id, line_id, position, quantity, reason, held)
SELECT r.id, l.id, 1, 1, 'OTHER', 0 FROM orders.returns r JOIN orders.lines l USING (order_id) WHERE r.status <> 'REJECTED';
ANALYZE orders.orders, orders.lines, orders.timeline, orders.fulfillments, orders.fulfillment_lines, orders.returns, orders.return_lines`

// explainer records the statements of a store and explains them.
type explainer struct {
	pool       *pgxpool.Pool
	statements []pgx.TraceQueryStartData
}

// TraceQueryStart implements pgx.QueryTracer.
func (e *explainer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	e.statements = append(e.statements, data)
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (e *explainer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// check runs a read and fails when the plan of one of its statements scans a whole table.
func (e *explainer) check(t *testing.T, name string, read func() error) {
	t.Helper()
	e.statements = nil
	if err := read(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	recorded := e.statements
	if len(recorded) == 0 {
		t.Fatalf("%s: no statement was seen", name)
	}
	for _, s := range recorded {
		var plan []byte
		if err := e.pool.QueryRow(t.Context(), `EXPLAIN (FORMAT JSON) `+s.SQL, s.Args...).Scan(&plan); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var tree any
		if err := json.Unmarshal(plan, &tree); err != nil {
			t.Fatal(err)
		}
		if table := seqScan(tree); table != "" {
			t.Errorf("%s scans all of %s: %s\n%s", name, table, s.SQL, plan)
		}
	}
}

// seqScan gives the table that a plan reads from end to end, or "".
func seqScan(node any) string {
	switch n := node.(type) {
	case []any:
		for _, child := range n {
			if table := seqScan(child); table != "" {
				return table
			}
		}
	case map[string]any:
		if n["Node Type"] == "Seq Scan" {
			return fmt.Sprint(n["Relation Name"])
		}
		for _, child := range n {
			if table := seqScan(child); table != "" {
				return table
			}
		}
	}
	return ""
}

// TestPlans explains every read of the store over tables that have grown.
func TestPlans(t *testing.T) {
	t.Parallel()
	_, pool := open(t)
	if _, err := pool.Exec(t.Context(), seed, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	config := pool.Config()
	config.MaxConns = 2
	e := &explainer{pool: pool}
	config.ConnConfig.Tracer = e
	traced, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(traced.Close)
	store, ctx := orderspostgres.New(traced, nil), t.Context()

	someone := uuid.MustParse("00000000-0000-0000-0000-000000000007")
	week := orders.Filter{PlacedFrom: time.Now().Add(-7 * 24 * time.Hour), PlacedBefore: time.Now()}
	filters := map[string]orders.Filter{
		"nothing":             {},
		"a status":            {Statuses: orders.NewStatusSet(orders.Confirmed)},
		"two statuses":        {Statuses: orders.NewStatusSet(orders.Confirmed, orders.Pending)},
		"a week":              week,
		"a status and a week": {Statuses: orders.NewStatusSet(orders.Confirmed), PlacedFrom: week.PlacedFrom, PlacedBefore: week.PlacedBefore},
		"a total":             {MinTotal: orders.Optional{Set: true, Value: 40000}, MaxTotal: orders.Optional{Set: true, Value: 41000}},
		"a customer":          {CustomerID: someone},
		"an e-mail address":   {Search: "customer7@"},
		"a number":            {Search: "T-10004"},
	}
	key := map[orders.SortField]page.Key{
		orders.ByPlacedAt:  {time.Now().Add(-time.Hour).Format(time.RFC3339Nano), uuid.NewString()},
		orders.ByUpdatedAt: {time.Now().Add(-time.Hour).Format(time.RFC3339Nano), uuid.NewString()},
		orders.ByTotal:     {"25000", uuid.NewString()},
	}
	for name, f := range filters {
		for field, from := range key {
			for _, r := range []page.Request{{Limit: 20}, {Limit: 20, From: from}, {Limit: 20, Backward: true}} {
				e.check(t, fmt.Sprintf("the list with %s by %s, %+v", name, strings.ToLower(string(field)), r), func() error {
					_, err := store.List(ctx, f, orders.Sort{Field: field}, r)
					return err
				})
			}
		}
		e.check(t, "the histories with "+name, func() error {
			_, err := store.ListByCustomers(ctx, []uuid.UUID{someone, uuid.New()}, f, page.Request{Limit: 20})
			return err
		})
		e.check(t, "the counts of histories with "+name, func() error {
			_, err := store.CountByCustomers(ctx, []uuid.UUID{someone}, f)
			return err
		})
	}
	found, err := store.List(ctx, orders.Filter{Statuses: orders.NewStatusSet(orders.Fulfilled)}, orders.Sort{Field: orders.ByPlacedAt}, page.Request{Limit: 20})
	if err != nil {
		t.Fatal(err)
	}
	var ids []uuid.UUID
	for _, o := range found.Items {
		ids = append(ids, o.ID)
	}
	who := orders.Audience{Customer: someone}
	returnPlans(t, e, store)
	for name, read := range map[string]func() error{
		"orders by id":       func() error { _, err := store.ByIDs(ctx, ids, who); return err },
		"an order by number": func() error { _, err := store.ByNumber(ctx, found.Items[0].Number); return err },
		"an order by cart":   func() error { _, err := store.ByCart(ctx, found.Items[0].CartID); return err },
		"lines":              func() error { _, err := store.Lines(ctx, ids, who); return err },
		"parcels":            func() error { _, err := store.Fulfillments(ctx, ids, who); return err },
		"parcels by id":      func() error { _, err := store.FulfillmentsByIDs(ctx, ids, who); return err },
		"timelines":          func() error { _, err := store.Timeline(ctx, ids, who, page.Request{Limit: 20}); return err },
		"purchases": func() error {
			_, err := store.HasBought(ctx, someone, uuid.New(), []orders.Status{orders.Delivered})
			return err
		},
		"stuck returns":     func() error { _, err := store.StuckReturns(ctx, time.Now(), 100); return err },
		"returns of orders": func() error { _, err := store.ReturnsByOrders(ctx, ids, who, page.Request{Limit: 20}); return err },
		"counts of returns": func() error { _, err := store.CountReturnsByOrders(ctx, ids, who); return err },
		"stuck orders":      func() error { _, err := store.Stuck(ctx, time.Now(), 100); return err },
	} {
		e.check(t, name, read)
	}
}

// returnPlans explains the lists of returns.
func returnPlans(t *testing.T, e *explainer, store *orderspostgres.Store) {
	t.Helper()
	ctx := t.Context()
	from := page.Key{time.Now().Add(-time.Hour).Format(time.RFC3339Nano), uuid.NewString()}
	for name, f := range map[string]orders.ReturnFilter{"nothing": {}, "a status": {Status: orders.ReturnApproved}, "refusals": {Refused: true}} {
		for _, field := range []orders.ReturnSortField{orders.ReturnsByRequestedAt, orders.ReturnsByUpdatedAt} {
			for _, r := range []page.Request{{Limit: 20}, {Limit: 20, From: from}, {Limit: 20, Backward: true}} {
				e.check(t, fmt.Sprintf("the returns with %s by %s, %+v", name, strings.ToLower(string(field)), r), func() error {
					_, err := store.Returns(ctx, f, orders.ReturnSort{Field: field}, r)
					return err
				})
			}
		}
	}
	e.check(t, "returns by id", func() error {
		_, err := store.ReturnsByIDs(ctx, []uuid.UUID{uuid.New(), uuid.New()}, orders.Audience{Everybody: true})
		return err
	})
}
