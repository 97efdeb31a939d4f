package postgres

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/platform/outbox"
	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/orders"
)

// groups are the changes of orders that share transactions with others of about the same time, and the reads of single ones.
type groups struct {
	reading   *postgres.Group[lookup, *orders.Order]
	inserting *postgres.Group[*orders.Draft, struct{}]
	claiming  *postgres.Group[claim, *orders.Draft]
	saving    *postgres.Group[*orders.Draft, struct{}]
}

// readLanes bounds the shared reads under way at a time.
const readLanes = 4

func (s *Store) gather() {
	s.reading = postgres.Grouped[lookup, *orders.Order]{Name: "orders.read", One: s.readOne, Many: s.readMany, Lanes: readLanes}.Group(s.pool)
	s.inserting = postgres.Grouped[*orders.Draft, struct{}]{Name: "orders.insert", One: s.insertOne, Many: s.insertMany}.Group(s.pool)
	s.claiming = postgres.Grouped[claim, *orders.Draft]{Name: "orders.claim", One: s.claimOne, Many: s.claimMany}.Group(s.pool)
	s.saving = postgres.Grouped[*orders.Draft, struct{}]{Name: "orders.save", One: s.saveOne, Many: s.saveMany}.Group(s.pool)
}

// Insert implements orders.Store.
func (s *Store) Insert(ctx context.Context, d *orders.Draft) error {
	_, err := s.inserting.Do(ctx, d)
	return err
}

// Claim implements orders.Store.
func (s *Store) Claim(ctx context.Context, id, owner uuid.UUID, lasts time.Duration) (*orders.Draft, error) {
	return s.claiming.Do(ctx, claim{id, owner, lasts})
}

// Save implements orders.Store.
func (s *Store) Save(ctx context.Context, d *orders.Draft) error {
	if !alike(d) {
		return s.save(ctx, d)
	}
	_, err := s.saving.Do(ctx, d)
	return err
}

// alike reports whether a draft changes an order in the way in which sagas do.
func alike(d *orders.Draft) bool {
	return d.Parcel == nil && len(d.Arrived) == 0 && len(d.Settled) == 0 && len(d.Jobs) == 0 && d.Key == nil && d.Consumes == uuid.Nil
}

var (
	insertOrders = `INSERT INTO orders.orders (id, number, customer_id, cart_id, email, display_name, status, reason_code, reason, currency,
	subtotal, shipping, tax, total, address, payment_token, stage, capture_now, placed_at, updated_at, version, sequence,
	discount, shipping_method, shipping_title, discounts, taxes)
SELECT * FROM ` + postgres.Unnest(1, `uuid text uuid uuid text text text text text text bigint bigint bigint bigint jsonb text text boolean
	timestamptz timestamptz integer bigint bigint text text jsonb jsonb`)
	insertLinesOfMany = `INSERT INTO orders.lines (id, order_id, position, variant_id, product_id, sku, title, variant_title, quantity, unit_price, total, discount, tax)
SELECT * FROM ` + postgres.Unnest(1, "uuid uuid integer uuid uuid text text text integer bigint bigint bigint bigint")
	insertEntriesOfMany = `INSERT INTO orders.timeline (order_id, position, id, type, message, created_at)
SELECT * FROM ` + postgres.Unnest(1, "uuid bigint uuid text text timestamptz")
	insertKeys = `INSERT INTO orders.idempotency_keys (owner, operation, key, request_hash, result_id, created_at)
SELECT * FROM ` + postgres.Unnest(1, "uuid text text bytea uuid timestamptz")
)

// insertMany writes new orders in one transaction of two round trips. One that was ordered before, or whose key was
// used, ends it.
func (s *Store) insertMany(ctx context.Context, list []*orders.Draft) ([]postgres.Result[struct{}], error) {
	var (
		rows  [][]any
		lines [][]any
		keys  [][]any
		jobs  []orders.Job
	)
	for _, d := range list {
		row, err := orderRow(d)
		if err != nil {
			return nil, err
		}
		rows, jobs = append(rows, row), append(jobs, d.Jobs...)
		for _, l := range d.Lines {
			lines = append(lines, []any{l.ID, d.Order.ID, l.Position, l.VariantID, l.ProductID, l.SKU, l.Title, l.VariantTitle, l.Quantity,
				l.UnitPrice.Amount, l.Total.Amount, l.Discount.Amount, l.Tax.Amount})
		}
		if d.Key != nil {
			keys = append(keys, []any{d.Key.Owner, d.Key.Operation, d.Key.Key, d.Key.Hash, d.Result, d.Order.UpdatedAt})
		}
	}
	batch := &pgx.Batch{}
	queueRows(batch, insertOrders, rows)
	queueRows(batch, insertLinesOfMany, lines)
	queueRows(batch, insertEntriesOfMany, entryRows(list))
	queueRows(batch, insertKeys, keys)
	if err := outbox.Queue(batch, Schema, eventsOf(list)...); err != nil {
		return nil, err
	}
	return make([]postgres.Result[struct{}], len(list)), s.send(ctx, batch, jobs)
}

// queueRows queues a statement over rows, unless there are none.
func queueRows(batch *pgx.Batch, sql string, rows [][]any) {
	if len(rows) > 0 {
		batch.Queue(sql, postgres.Columns(rows, func(row []any) []any { return row })...)
	}
}

// orderRow gives what insertOrder and insertOrders write.
func orderRow(d *orders.Draft) ([]any, error) {
	o := d.Order
	address, err := json.Marshal(o.Address)
	if err != nil {
		return nil, err
	}
	discounts, err := marshalList(o.Discounts)
	if err != nil {
		return nil, err
	}
	taxes, err := marshalList(o.Taxes)
	if err != nil {
		return nil, err
	}
	var cart *uuid.UUID
	if o.CartID != uuid.Nil {
		cart = &o.CartID
	}
	return []any{o.ID, o.Number, o.CustomerID, cart, o.Email, o.DisplayName, o.Status, o.ReasonCode, o.Reason, o.Total.Currency,
		o.Subtotal.Amount, o.Shipping.Amount, o.Tax.Amount, o.Total.Amount, address, d.Token, o.Stage, o.CaptureNow,
		o.PlacedAt, o.UpdatedAt, o.Version, o.Sequence, o.Discount.Amount, o.Method.Code, o.Method.Title, discounts, taxes}, nil
}

func entryRows(list []*orders.Draft) [][]any {
	var rows [][]any
	for _, d := range list {
		for _, e := range d.Entries {
			rows = append(rows, []any{d.Order.ID, e.Position, e.ID, e.Type, e.Message, d.Order.UpdatedAt})
		}
	}
	return rows
}

func eventsOf(list []*orders.Draft) []outbox.Event {
	var events []outbox.Event
	for _, d := range list {
		for _, m := range d.Messages {
			events = append(events, outbox.Event{ID: m.ID, Type: m.Type, Source: Source, Subject: m.OrderID.String(), Sequence: m.Sequence, Time: m.Time, Data: m.Data})
		}
	}
	return events
}

// claim asks for the saga of an order.
type claim struct {
	id, owner uuid.UUID
	lasts     time.Duration
}

var (
	claimOrders = `UPDATE orders.orders o SET claimed_by = c.owner, claimed_until = clock_timestamp() + c.lasts * interval '1 microsecond'
FROM ` + postgres.Unnest(1, "uuid uuid bigint") + ` AS c(id, owner, lasts)
WHERE o.id = c.id AND (o.claimed_by IS NULL OR o.claimed_by = c.owner OR o.claimed_until < clock_timestamp())
RETURNING ` + orderColumns + `, o.payment_token, c.owner`
	linesOfMany = `SELECT ` + lineColumns + ` FROM orders.lines l JOIN orders.orders o ON o.id = l.order_id
WHERE l.order_id = ANY($1) ORDER BY l.order_id, l.position`
)

// claimMany claims sagas in one round trip. What is not to be had is asked for by itself, which tells why.
func (s *Store) claimMany(ctx context.Context, list []claim) ([]postgres.Result[*orders.Draft], error) {
	ids := make([]uuid.UUID, len(list))
	for i, c := range list {
		ids[i] = c.id
	}
	claimed := make(map[uuid.UUID]*orders.Draft, len(list)) // by owner
	lines := make(map[uuid.UUID][]*orders.Line, len(list))
	err := postgres.SendSteadily(ctx, s.pool, func(batch *pgx.Batch) {
		batch.Queue(claimOrders, postgres.Columns(list, func(c claim) []any {
			return []any{c.id, c.owner, c.lasts.Microseconds()}
		})...).Query(func(rows pgx.Rows) error {
			_, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (struct{}, error) {
				var (
					token string
					owner uuid.UUID
				)
				o, err := scanOrder(row, &token, &owner)
				if err == nil {
					claimed[owner] = orders.NewDraft(o, nil, nil, token)
				}
				return struct{}{}, err
			})
			return err
		})
		batch.Queue(linesOfMany, ids).Query(func(rows pgx.Rows) error {
			all, err := pgx.CollectRows(rows, rowToLine)
			for _, l := range all {
				lines[l.OrderID] = append(lines[l.OrderID], l)
			}
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	results := make([]postgres.Result[*orders.Draft], len(list))
	for i, c := range list {
		if d := claimed[c.owner]; d != nil && d.Order.ID == c.id {
			d.Lines = lines[c.id]
			results[i].Value = d
			continue
		}
		results[i].Value, results[i].Err = s.claimOne(ctx, c)
	}
	return results, nil
}

// saveOrders writes what sagas change of orders, with their timelines and events, in one statement. It answers the
// orders that had the version that was read: of the others it writes nothing.
const saveOrders = `WITH changed AS (
	UPDATE orders.orders o SET status = n.status, reason_code = n.reason_code, reason = n.reason, payment_token = n.token, stage = n.stage,
		updated_at = n.updated_at, version = n.version, sequence = n.sequence,
		claimed_by = CASE WHEN n.unclaim THEN NULL ELSE claimed_by END, claimed_until = CASE WHEN n.unclaim THEN NULL ELSE claimed_until END
	FROM `

var (
	saveChanged = saveOrders + postgres.Unnest(1, "uuid integer text text text text text timestamptz integer bigint boolean") + `
		AS n(id, base, status, reason_code, reason, token, stage, updated_at, version, sequence, unclaim)
	WHERE o.id = n.id AND o.version = n.base RETURNING o.id
), entries AS (
	INSERT INTO orders.timeline (order_id, position, id, type, message, created_at)
	SELECT e.* FROM ` + postgres.Unnest(12, "uuid bigint uuid text text timestamptz") + ` AS e(order_id, position, id, type, message, created_at)
	JOIN changed ON changed.id = e.order_id
), events AS (`
	saveAnswer = `) SELECT id, (` + outbox.Notification(Schema) + `)::text FROM changed`
)

func (s *Store) saveMany(ctx context.Context, list []*orders.Draft) ([]postgres.Result[struct{}], error) {
	args := postgres.Columns(list, func(d *orders.Draft) []any {
		o := d.Order
		return []any{o.ID, d.Base, o.Status, o.ReasonCode, o.Reason, d.Token, o.Stage, o.UpdatedAt, o.Version, o.Sequence, d.Unclaim}
	})
	entries := entryRows(list)
	if len(entries) == 0 { // a row that belongs to no order
		entries = [][]any{{uuid.Nil, nil, nil, nil, nil, nil}}
	}
	args = append(args, postgres.Columns(entries, func(row []any) []any { return row })...)
	events, more, err := outbox.Insertion(Schema, len(args)+1, "e.subject IN (SELECT id::text FROM changed)", eventsOf(list)...)
	if err != nil {
		return nil, err
	}
	saved := make(map[uuid.UUID]bool, len(list))
	err = postgres.SendSteadily(ctx, s.pool, func(b *pgx.Batch) {
		b.Queue(saveChanged+events+saveAnswer, append(args, more...)...).Query(func(rows pgx.Rows) error {
			var id uuid.UUID
			var woken string
			_, err := pgx.ForEachRow(rows, []any{&id, &woken}, func() error { saved[id] = true; return nil })
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	results := make([]postgres.Result[struct{}], len(list))
	for i, d := range list {
		if !saved[d.Order.ID] {
			results[i].Err = orders.ErrStale
		}
	}
	return results, nil
}

func (s *Store) saveOne(ctx context.Context, d *orders.Draft) (struct{}, error) {
	results, err := s.saveMany(ctx, []*orders.Draft{d})
	if err != nil {
		return struct{}{}, failure(err)
	}
	return struct{}{}, results[0].Err
}
