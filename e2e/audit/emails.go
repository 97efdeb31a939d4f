package audit

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// emails checks that each order's customer was told once of each thing that happened to it.
func (r *Report) emails(ctx context.Context, pool *pgxpool.Pool, s Shop, orders map[uuid.UUID]*order) error {
	rows, err := pool.Query(ctx, `SELECT d.id, d.kind, d.status, d.unknown, coalesce(n.order_id, '00000000-0000-0000-0000-000000000000'::uuid), d.last_error
		FROM notifications.deliveries d LEFT JOIN notifications.notifications n USING (event_id) WHERE d.channel = 'EMAIL'`)
	if err != nil {
		return err
	}
	var id, orderID uuid.UUID
	var kind, status, cause string
	var unknown bool
	known := make(map[uuid.UUID]bool)
	if _, err := pgx.ForEachRow(rows, []any{&id, &kind, &status, &unknown, &orderID, &cause}, func() error {
		r.Emails++
		known[id] = true
		doubtful := unknown && s.Doubtful
		if doubtful {
			r.Doubtful++
		}
		if status != "SENT" && !doubtful {
			r.blame("the e-mail %s (%s) of order %s is %s: %s", id, kind, orderID, status, cause)
		}
		if n := s.Mails[id]; s.Mails != nil && (n > 1 || n == 0 && status == "SENT") {
			r.blame("the e-mail %s (%s) of order %s arrived %d times", id, kind, orderID, n)
		}
		if o := orders[orderID]; o != nil {
			o.mails[kind]++
		}
		return nil
	}); err != nil {
		return err
	}
	for id, n := range s.Mails {
		if !known[id] {
			r.blame("an e-mail %s that nobody knows of arrived %d times", id, n)
		}
	}
	return r.told(ctx, pool, orders)
}

// told compares the e-mails of each order with what happened to it.
func (r *Report) told(ctx context.Context, pool *pgxpool.Pool, orders map[uuid.UUID]*order) error {
	rows, err := pool.Query(ctx, `SELECT order_id, type, count(*) FROM orders.timeline
		WHERE type IN ('ORDER_CONFIRMED', 'ORDER_FAILED', 'ORDER_CANCELLED', 'PARCEL_SHIPPED', 'PAYMENT_REFUNDED',
			'RETURN_REQUESTED', 'RETURN_APPROVED', 'RETURN_REJECTED', 'RETURN_RECEIVED', 'RETURN_REFUNDED') GROUP BY 1, 2
		UNION ALL SELECT order_id, 'PAYMENT_REFUNDED of returns', count(*) FROM orders.returns
		WHERE status = 'REFUNDED' AND settlement = '' AND refund > 0 GROUP BY 1`)
	if err != nil {
		return err
	}
	mails := map[string][]string{
		"ORDER_CONFIRMED": {"ORDER_CONFIRMED"}, "ORDER_FAILED": {"ORDER_FAILED", "PAYMENT_FAILED"}, "ORDER_CANCELLED": {"ORDER_CANCELLED"},
		"PARCEL_SHIPPED": {"ORDER_SHIPPED"}, "PAYMENT_REFUNDED": {"ORDER_REFUNDED"},
		"RETURN_REQUESTED": {"RETURN_REQUESTED"}, "RETURN_APPROVED": {"RETURN_APPROVED"}, "RETURN_REJECTED": {"RETURN_REJECTED"},
		"RETURN_RECEIVED": {"RETURN_RECEIVED"}, "RETURN_REFUNDED": {"RETURN_REFUNDED"},
	}
	happened := make(map[uuid.UUID]map[string]int)
	var id uuid.UUID
	var entry string
	var n int
	if _, err := pgx.ForEachRow(rows, []any{&id, &entry, &n}, func() error {
		if happened[id] == nil {
			happened[id] = make(map[string]int)
		}
		happened[id][entry] = n
		return nil
	}); err != nil {
		return err
	}
	for id, o := range orders {
		if happened[id] != nil { // the return tells of these
			happened[id]["PAYMENT_REFUNDED"] -= happened[id]["PAYMENT_REFUNDED of returns"]
		}
		for entry, kinds := range mails {
			sent := 0
			for _, kind := range kinds {
				sent += o.mails[kind]
			}
			if sent != happened[id][entry] {
				r.blame("order %s (%s): %d times %s, told %d times", id, o.Status, happened[id][entry], entry, sent)
			}
		}
	}
	return r.rows(ctx, pool, `SELECT 'order ' || p.order_id || ' has ' || count(*) || ' refunds, and ' || (SELECT count(*) FROM orders.timeline
			WHERE order_id = p.order_id AND type = 'PAYMENT_REFUNDED') || ' on its timeline'
		FROM payments.transactions t JOIN payments.payments p ON p.id = t.payment_id WHERE t.kind = 'REFUND' AND t.status = 'SUCCEEDED'
		GROUP BY p.order_id HAVING count(*) <> (SELECT count(*) FROM orders.timeline WHERE order_id = p.order_id AND type = 'PAYMENT_REFUNDED')`)
}
