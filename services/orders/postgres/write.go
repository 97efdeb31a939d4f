package postgres

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/platform/outbox"
	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/orders"
)

const (
	insertOrder = `INSERT INTO orders.orders (id, number, customer_id, cart_id, email, display_name, status, reason_code, reason, currency,
	subtotal, shipping, tax, total, address, payment_token, stage, capture_now, placed_at, updated_at, version, sequence,
	discount, shipping_method, shipping_title, discounts, taxes)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27)`
	insertLines = `INSERT INTO orders.lines (id, order_id, position, variant_id, product_id, sku, title, variant_title, quantity, unit_price, total, discount, tax)
SELECT id, $1, position, variant_id, product_id, sku, title, variant_title, quantity, unit_price, total, discount, tax
FROM unnest($2::uuid[], $3::integer[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::integer[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[])
	AS l(id, position, variant_id, product_id, sku, title, variant_title, quantity, unit_price, total, discount, tax)`
	// Nothing of the batch happens when the order has another version.
	updateOrder = `WITH changed AS (
	UPDATE orders.orders SET status = $3, reason_code = $4, reason = $5, payment_token = $6, stage = $7, updated_at = $8, version = $9, sequence = $10,
		claimed_by = CASE WHEN $11 THEN NULL ELSE claimed_by END, claimed_until = CASE WHEN $11 THEN NULL ELSE claimed_until END
	WHERE id = $1 AND version = $2 RETURNING id)
SELECT orders.require(count(*)) FROM changed`
	insertEntries = `INSERT INTO orders.timeline (order_id, position, id, type, message, created_at)
SELECT $1, position, id, type, message, $6 FROM unnest($2::bigint[], $3::uuid[], $4::text[], $5::text[]) AS e(position, id, type, message)`
	updateLines  = `UPDATE orders.lines l SET fulfilled = n.fulfilled FROM unnest($2::uuid[], $3::integer[]) AS n(id, fulfilled) WHERE l.id = n.id AND l.order_id = $1`
	insertParcel = `INSERT INTO orders.fulfillments (id, order_id, position, status, carrier, tracking_number, tracking_url, capture, created_at, settled_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
	insertParcelLines = `INSERT INTO orders.fulfillment_lines (fulfillment_id, line_id, position, quantity)
SELECT $1, id, n, quantity FROM unnest($2::uuid[], $3::integer[]) WITH ORDINALITY AS l(id, quantity, n)`
	arriveParcels = `UPDATE orders.fulfillments SET status = 'DELIVERED', delivered_at = $3 WHERE order_id = $1 AND id = ANY($2)`
	settleParcels = `UPDATE orders.fulfillments SET settled_at = $3 WHERE order_id = $1 AND id = ANY($2)`
	// The claim stays until its lease ends: whoever does not see the key yet meets it.
	insertKey   = `INSERT INTO orders.idempotency_keys (owner, operation, key, request_hash, result_id, created_at) VALUES ($1, $2, $3, $4, $5, $6)`
	insertEvent = `INSERT INTO orders.consumed_events (id, consumed_at) VALUES ($1, $2)`
)

func (s *Store) insertOne(ctx context.Context, d *orders.Draft) (struct{}, error) {
	row, err := orderRow(d)
	if err != nil {
		return struct{}{}, err
	}
	batch := &pgx.Batch{}
	batch.Queue(insertOrder, row...)
	queueLines(batch, d.Order.ID, d.Lines)
	if err := queueRest(batch, d); err != nil {
		return struct{}{}, err
	}
	return struct{}{}, s.send(ctx, batch, d.Jobs)
}

func queueLines(batch *pgx.Batch, order uuid.UUID, lines []*orders.Line) {
	n := len(lines)
	ids, variants, products := make([]uuid.UUID, n), make([]uuid.UUID, n), make([]uuid.UUID, n)
	positions, quantities := make([]int, n), make([]int, n)
	skus, titles, variantTitles := make([]string, n), make([]string, n), make([]string, n)
	prices, totals := make([]int64, n), make([]int64, n)
	discounts, taxes := make([]int64, n), make([]int64, n)
	for i, l := range lines {
		ids[i], variants[i], products[i], positions[i], quantities[i] = l.ID, l.VariantID, l.ProductID, l.Position, l.Quantity
		skus[i], titles[i], variantTitles[i], prices[i], totals[i] = l.SKU, l.Title, l.VariantTitle, l.UnitPrice.Amount, l.Total.Amount
		discounts[i], taxes[i] = l.Discount.Amount, l.Tax.Amount
	}
	batch.Queue(insertLines, order, ids, positions, variants, products, skus, titles, variantTitles, quantities, prices, totals, discounts, taxes)
}

// send runs a batch and enqueues jobs in one transaction. A batch alone is a transaction by itself, in one round trip.
func (s *Store) send(ctx context.Context, batch *pgx.Batch, jobs []orders.Job) error {
	if len(jobs) == 0 {
		return failure(s.pool.SendBatch(ctx, batch).Close())
	}
	return failure(postgres.InSteadyPipeline(ctx, s.pool, func(p *postgres.Pipeline) error {
		if err := s.jobs.EnqueueTx(ctx, p, jobs); err != nil {
			return err
		}
		return p.CommitBatch(ctx, batch)
	}))
}

// save writes a draft of any kind.
func (s *Store) save(ctx context.Context, d *orders.Draft) error {
	batch := &pgx.Batch{}
	if err := queueChange(batch, d); err != nil {
		return err
	}
	return s.send(ctx, batch, d.Jobs)
}

// queueChange queues all that a draft changes of an order.
func queueChange(batch *pgx.Batch, d *orders.Draft) error {
	o := d.Order
	batch.Queue(updateOrder, o.ID, d.Base, o.Status, o.ReasonCode, o.Reason, d.Token, o.Stage, o.UpdatedAt, o.Version, o.Sequence, d.Unclaim)
	if f := d.Parcel; f != nil {
		ids, fulfilled := make([]uuid.UUID, len(d.Lines)), make([]int, len(d.Lines))
		for i, l := range d.Lines {
			ids[i], fulfilled[i] = l.ID, l.Fulfilled
		}
		batch.Queue(updateLines, o.ID, ids, fulfilled)
		batch.Queue(insertParcel, f.ID, o.ID, f.Position, f.Status, f.Carrier, f.TrackingNumber, f.TrackingURL, f.Capture.Amount, f.CreatedAt, f.SettledAt)
		lines, quantities := make([]uuid.UUID, len(f.Lines)), make([]int, len(f.Lines))
		for i, l := range f.Lines {
			lines[i], quantities[i] = l.LineID, l.Quantity
		}
		batch.Queue(insertParcelLines, f.ID, lines, quantities)
	}
	if len(d.Arrived) > 0 {
		batch.Queue(arriveParcels, o.ID, d.Arrived, o.UpdatedAt)
	}
	if len(d.Settled) > 0 {
		batch.Queue(settleParcels, o.ID, d.Settled, o.UpdatedAt)
	}
	return queueRest(batch, d)
}

// queueRest queues what new and changed orders have in common.
func queueRest(batch *pgx.Batch, d *orders.Draft) error {
	o := d.Order
	if n := len(d.Entries); n > 0 {
		positions, ids, types, messages := make([]int64, n), make([]uuid.UUID, n), make([]string, n), make([]string, n)
		for i, e := range d.Entries {
			positions[i], ids[i], types[i], messages[i] = e.Position, e.ID, e.Type, e.Message
		}
		batch.Queue(insertEntries, o.ID, positions, ids, types, messages, o.UpdatedAt)
	}
	if d.Key != nil {
		batch.Queue(insertKey, d.Key.Owner, d.Key.Operation, d.Key.Key, d.Key.Hash, d.Result, o.UpdatedAt)
	}
	if d.Consumes != uuid.Nil {
		batch.Queue(insertEvent, d.Consumes, o.UpdatedAt)
	}
	return outbox.Queue(batch, Schema, eventsOf([]*orders.Draft{d})...)
}

const (
	claimOrder = `UPDATE orders.orders o SET claimed_by = $2, claimed_until = clock_timestamp() + $3::interval
WHERE o.id = $1 AND (o.claimed_by IS NULL OR o.claimed_by = $2 OR o.claimed_until < clock_timestamp())
RETURNING ` + orderColumns + `, o.payment_token`
	linesOfOrder   = `SELECT ` + lineColumns + ` FROM orders.lines l JOIN orders.orders o ON o.id = l.order_id WHERE l.order_id = $1 ORDER BY l.position`
	parcelsOfOrder = `SELECT ` + fulfillmentColumns + ` FROM orders.fulfillments f JOIN orders.orders o ON o.id = f.order_id WHERE f.order_id = $1 ORDER BY f.position`
	lockOrder      = `SELECT ` + orderColumns + `, o.payment_token FROM orders.orders o WHERE o.id = $1 FOR NO KEY UPDATE`
	orderExists    = `SELECT EXISTS (SELECT FROM orders.orders WHERE id = $1)`
	unclaimOrder   = `UPDATE orders.orders SET claimed_by = NULL, claimed_until = NULL WHERE id = $1 AND claimed_by = $2`
)

func (s *Store) claimOne(ctx context.Context, c claim) (*orders.Draft, error) {
	var r reading
	batch := &pgx.Batch{}
	r.queueOrder(batch, claimOrder, c.id, c.owner, c.lasts)
	r.queueLines(batch, c.id)
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return nil, err
	}
	if r.order != nil {
		return orders.NewDraft(r.order, r.lines, nil, r.token), nil
	}
	var exists bool
	if err := s.pool.QueryRow(ctx, orderExists, c.id).Scan(&exists); err != nil {
		return nil, err
	}
	if !exists {
		return nil, orders.NotFound()
	}
	return nil, orders.ErrClaimed
}

// reading collects the answers of a batch that reads an order.
type reading struct {
	order   *orders.Order
	token   string
	lines   []*orders.Line
	parcels []*orders.Fulfillment
	used    *orders.Used
}

func (r *reading) queueOrder(batch *pgx.Batch, sql string, args ...any) {
	batch.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*orders.Order, error) { return scanOrder(row, &r.token) })
		if len(list) > 0 {
			r.order = list[0]
		}
		return err
	})
}

func (r *reading) queueLines(batch *pgx.Batch, order uuid.UUID) {
	batch.Queue(linesOfOrder, order).Query(func(rows pgx.Rows) (err error) {
		r.lines, err = pgx.CollectRows(rows, rowToLine)
		return err
	})
}

func (r *reading) queueParcels(batch *pgx.Batch, order uuid.UUID) {
	batch.Queue(parcelsOfOrder, order).Query(func(rows pgx.Rows) (err error) {
		r.parcels, err = pgx.CollectRows(rows, rowToFulfillment)
		return err
	})
}

func (r *reading) queueKey(batch *pgx.Batch, key *orders.Key) {
	if key == nil {
		return
	}
	batch.Queue(findKey, key.Owner, key.Operation, key.Key).QueryRow(func(row pgx.Row) error {
		var u orders.Used
		err := row.Scan(&u.Hash, &u.Result)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		r.used = &u
		return err
	})
}

// Unclaim implements orders.Store.
func (s *Store) Unclaim(ctx context.Context, id, owner uuid.UUID) error {
	_, err := s.pool.Exec(ctx, unclaimOrder, id, owner)
	return err
}

// Update implements orders.Store. The order's row is locked first: the statements after it in the batch see what the
// lock's previous holder has committed.
func (s *Store) Update(ctx context.Context, id uuid.UUID, key *orders.Key, fn func(d *orders.Draft) error) (*orders.Draft, error) {
	var d *orders.Draft
	err := postgres.InPipeline(ctx, s.pool, func(p *postgres.Pipeline) error {
		var r reading
		batch := &pgx.Batch{}
		if key != nil {
			batch.Queue(takeKey, key.Owner, key.Operation, key.Key) // before it waits for the order
		}
		r.queueOrder(batch, lockOrder, id)
		r.queueLines(batch, id)
		r.queueParcels(batch, id)
		r.queueKey(batch, key)
		if err := p.SendBatch(ctx, batch).Close(); err != nil {
			return failure(err)
		}
		if r.order == nil {
			return orders.NotFound()
		}
		d = orders.NewDraft(r.order, r.lines, r.parcels, r.token)
		d.Used = r.used
		if err := fn(d); err != nil {
			return err
		}
		if !d.Changed {
			return nil
		}
		change := &pgx.Batch{}
		if err := queueChange(change, d); err != nil {
			return err
		}
		if len(d.Jobs) > 0 {
			if err := s.jobs.EnqueueTx(ctx, p, d.Jobs); err != nil {
				return err
			}
		}
		return failure(p.CommitBatch(ctx, change))
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Enqueue implements orders.Store.
func (s *Store) Enqueue(ctx context.Context, jobs []orders.Job) error {
	if len(jobs) == 0 {
		return nil
	}
	return postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error { return s.jobs.EnqueueTx(ctx, tx, jobs) })
}
