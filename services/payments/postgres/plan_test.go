package postgres_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/payments"
	"github.com/techmart/techmart/services/payments/postgres"
)

// history makes 20,000 payments with two transactions each, the quick way.
const history = `
INSERT INTO payments.payments (id, order_id, customer_id, provider, status, currency, amount, authorized, captured, refunded, created_at, updated_at)
SELECT gen_random_uuid(), gen_random_uuid(), ('00000000-0000-0000-0000-' || lpad((n % 500)::text, 12, '0'))::uuid, 'sandbox',
	(ARRAY['PENDING', 'AUTHORIZED', 'CAPTURED', 'CAPTURED', 'CAPTURED', 'CAPTURED', 'REFUNDED', 'VOIDED', 'DECLINED'])[1 + n % 9],
	'EUR', 100, 100, 100, 0, now() - n * interval '1 minute', now()
FROM generate_series(1, 20000) AS n;
INSERT INTO payments.transactions (id, payment_id, kind, status, currency, amount, created_at, settled_at)
SELECT gen_random_uuid(), id, kind, 'SUCCEEDED', 'EUR', 100, created_at, created_at FROM payments.payments, unnest(ARRAY['AUTHORIZE', 'CAPTURE']) AS kind;
INSERT INTO payments.transactions (id, payment_id, kind, status, currency, amount, created_at)
SELECT gen_random_uuid(), id, 'REFUND', 'PENDING', 'EUR', 1, created_at FROM payments.payments LIMIT 50`

// recorder keeps the statements that a pool was asked.
type recorder struct{ asked []pgx.TraceQueryStartData }

func (r *recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	r.asked = append(r.asked, data)
	return ctx
}

func (r *recorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TestPlans explains every read over many rows: none goes through a whole table.
func TestPlans(t *testing.T) {
	t.Parallel()
	plain := open(t)
	for _, sql := range []string{history, `VACUUM ANALYZE payments.payments`, `VACUUM ANALYZE payments.transactions`} {
		if _, err := plain.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	recorded := &recorder{}
	config := plain.Config()
	config.ConnConfig.Tracer = recorded
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	s := postgres.New(pool)

	first, err := s.PaymentList(t.Context(), payments.Filter{}, page.Request{Limit: 50})
	if err != nil {
		t.Fatal(err)
	}
	var ids, orderIDs []uuid.UUID
	var lists []payments.TransactionList
	for _, p := range first {
		ids, orderIDs = append(ids, p.ID), append(orderIDs, p.OrderID)
		lists = append(lists, payments.TransactionList{PaymentID: p.ID, Limit: 5})
	}
	recent := time.Now().AddDate(0, 0, -1).UTC()
	reads := map[string]func() error{
		"by id": func() error { _, err := s.PaymentsByID(t.Context(), ids, everyone); return err },
		"by order": func() error {
			_, err := s.PaymentsByOrder(t.Context(), orderIDs, payments.Audience{CustomerID: first[0].CustomerID})
			return err
		},
		"transactions": func() error { _, err := s.TransactionLists(t.Context(), lists, everyone); return err },
		"transaction":  func() error { _, err := s.TransactionsByID(t.Context(), ids, everyone); return err },
		"unsettled":    func() error { _, err := s.TransactionsUnsettled(t.Context(), recent, recent, 10); return err },
	}
	for name, f := range map[string]payments.Filter{
		"all": {}, "declined": {Statuses: []payments.Status{payments.Declined}}, "two": {Statuses: []payments.Status{payments.Declined, payments.Captured}},
		"recent": {CreatedFrom: recent}, "recent captured": {Statuses: []payments.Status{payments.Captured}, CreatedFrom: recent},
	} {
		reads["count "+name] = func() error { _, err := s.PaymentCount(t.Context(), f); return err }
		for way, r := range map[string]page.Request{"forward": {Limit: 20}, "backward": {Limit: 20, Backward: true}, "on": {Limit: 20, From: payments.KeyOf(first[20])}} {
			reads["list "+name+" "+way] = func() error { _, err := s.PaymentList(t.Context(), f, r); return err }
		}
	}
	for name, read := range reads {
		recorded.asked = nil
		if err := read(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(recorded.asked) != 1 {
			t.Errorf("%s asks %d times", name, len(recorded.asked))
		}
		for _, q := range recorded.asked {
			var plan []byte
			if err := plain.QueryRow(t.Context(), `EXPLAIN (FORMAT JSON) `+q.SQL, q.Args...).Scan(&plan); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			var tree any
			if err := json.Unmarshal(plan, &tree); err != nil {
				t.Fatal(err)
			}
			if scans(tree) {
				t.Errorf("%s reads a whole table:\n%s", name, plan)
			}
		}
	}
}

var everyone = payments.Audience{All: true}

// scans reports whether a plan has a sequential scan in it.
func scans(node any) bool {
	switch n := node.(type) {
	case []any:
		for _, child := range n {
			if scans(child) {
				return true
			}
		}
	case map[string]any:
		if n["Node Type"] == "Seq Scan" {
			return true
		}
		for _, child := range n {
			if scans(child) {
				return true
			}
		}
	}
	return false
}
