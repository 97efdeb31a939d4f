package audit

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// charges reads the provider's books, and compares every payment with them.
func (r *Report) charges(ctx context.Context, pool *pgxpool.Pool, orders map[uuid.UUID]*order) error {
	rows, err := pool.Query(ctx, `SELECT c.key, coalesce(p.order_id, '00000000-0000-0000-0000-000000000000'::uuid), c.amount, c.captured, c.refunded, c.voided
		FROM payments.sandbox_charges c
		LEFT JOIN payments.transactions t ON t.id::text = c.key
		LEFT JOIN payments.payments p ON p.id = t.payment_id
		WHERE c.kind = 'AUTHORIZE' AND c.done AND c.approved`)
	if err != nil {
		return err
	}
	var c charge
	if _, err := pgx.ForEachRow(rows, []any{&c.Key, &c.Order, &c.Amount, &c.Captured, &c.Refunded, &c.Voided}, func() error {
		r.Charges++
		if o := orders[c.Order]; o != nil {
			o.auths = append(o.auths, c)
		} else {
			r.blame("charge %s over %d is of no order", c.Key, c.Amount)
		}
		return nil
	}); err != nil {
		return err
	}
	return r.rows(ctx, pool, `SELECT 'payment ' || p.id || ' of order ' || p.order_id || ' is ' || p.status || ': authorized ' || p.authorized || ', captured ' || p.captured
			|| ', refunded ' || p.refunded || '; the provider has ' || coalesce(c.amount, 0) || ', ' || coalesce(c.captured, 0) || ', ' || coalesce(c.refunded, 0)
			|| ', voided ' || coalesce(c.voided, false)
		FROM payments.payments p LEFT JOIN payments.sandbox_charges c ON c.reference = p.reference AND c.kind = 'AUTHORIZE' AND c.approved
		WHERE p.authorized <> coalesce(c.amount, 0) OR p.captured <> coalesce(c.captured, 0)
			OR p.refunded <> coalesce(c.refunded, 0) OR (p.status = 'VOIDED' AND c.key IS NOT NULL) <> coalesce(c.voided, false)`,
		`SELECT 'transaction ' || t.id || ' (' || t.kind || ') is ' || t.status || ' and the provider did it: ' || coalesce(c.approved::text, 'no call')
		FROM payments.transactions t LEFT JOIN payments.sandbox_charges c ON c.key = t.id::text AND c.done
		WHERE (t.status = 'SUCCEEDED') <> coalesce(c.approved, false) OR t.status = 'PENDING'`,
		`SELECT 'order ' || order_id || ' has ' || count(*) || ' payments' FROM payments.payments GROUP BY order_id HAVING count(*) > 1`)
}

// ledger checks that the ledger balances and says what the provider did.
func (r *Report) ledger(ctx context.Context, pool *pgxpool.Pool) error {
	if err := r.rows(ctx, pool,
		`SELECT 'transaction ' || transaction_id || ' does not balance in the ledger' FROM payments.ledger_entries GROUP BY transaction_id, currency
			HAVING sum(CASE direction WHEN 'DEBIT' THEN amount ELSE -amount END) <> 0`,
		`SELECT 'the ledger has ' || count(*) || ' debits for transaction ' || t.id || ' (' || t.kind || ', ' || t.status || ')'
			FROM payments.transactions t LEFT JOIN payments.ledger_entries e ON e.transaction_id = t.id AND e.direction = 'DEBIT'
			GROUP BY t.id HAVING count(e.id) <> (CASE WHEN t.kind IN ('CAPTURE', 'REFUND') AND t.status = 'SUCCEEDED' THEN 1 ELSE 0 END)`,
		`SELECT 'account ' || b.account || ' shows ' || b.shown || ', its entries add up to ' || coalesce(e.sum, 0)
			FROM (SELECT account, sum(balance) AS shown FROM payments.ledger_balances GROUP BY 1) b
			LEFT JOIN (SELECT account, sum(CASE direction WHEN 'DEBIT' THEN amount ELSE -amount END) AS sum FROM payments.ledger_entries GROUP BY 1) e USING (account)
			WHERE b.shown <> coalesce(e.sum, 0)`,
	); err != nil {
		return err
	}
	var cleared, provider int64
	err := pool.QueryRow(ctx, `SELECT
		(SELECT coalesce(sum(CASE direction WHEN 'DEBIT' THEN amount ELSE -amount END), 0)::bigint FROM payments.ledger_entries WHERE account = 'provider_clearing'),
		(SELECT coalesce(sum(captured - refunded), 0)::bigint FROM payments.sandbox_charges WHERE kind = 'AUTHORIZE')`).Scan(&cleared, &provider)
	if err == nil && cleared != provider {
		r.blame("the ledger has %d from the provider, whose books say %d", cleared, provider)
	}
	return err
}

// waiting finds what is left in the outboxes and among the jobs.
func (r *Report) waiting(ctx context.Context, pool *pgxpool.Pool) error {
	for _, domain := range []string{"users", "orders", "payments", "notifications"} {
		var n int
		if err := pool.QueryRow(ctx, `SELECT count(*) FROM `+pgx.Identifier{domain, "outbox"}.Sanitize()).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			r.blame("%d events wait in the outbox of %s", n, domain)
		}
	}
	return r.rows(ctx, pool, `SELECT 'job ' || id || ' (' || kind || ' ' || args || ') was given up: ' || coalesce(errors[array_upper(errors, 1)] ->> 'error', '')
		FROM orders.river_job WHERE state = 'discarded' AND kind IN ('orders.settle', 'orders.ship')`)
}

// rows blames every row of the queries, which is a sentence.
func (r *Report) rows(ctx context.Context, pool *pgxpool.Pool, queries ...string) error {
	for _, query := range queries {
		rows, err := pool.Query(ctx, query)
		if err != nil {
			return err
		}
		wrong, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return fmt.Errorf("audit: %w: %s", err, query)
		}
		r.Wrong = append(r.Wrong, wrong...)
	}
	return nil
}
