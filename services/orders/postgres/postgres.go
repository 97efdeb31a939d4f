// Package postgres keeps orders in PostgreSQL, in the schema orders.
package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/orders"
)

// Schema is the namespace of this domain's tables.
const Schema = "orders"

// Source is the source of this domain's events.
const Source = "/techmart/orders"

// Jobs takes durable work in the transaction that makes it necessary.
type Jobs interface {
	EnqueueTx(ctx context.Context, tx pgx.Tx, jobs []orders.Job) error
}

// Store is orders.Store over PostgreSQL.
type Store struct {
	groups
	pool *pgxpool.Pool
	jobs Jobs
}

var _ orders.Store = (*Store)(nil)

// New makes the store; the schema has to be migrated.
func New(pool *pgxpool.Pool, jobs Jobs) *Store {
	s := &Store{pool: pool, jobs: jobs}
	s.gather()
	return s
}

const orderColumns = `o.id, o.number, o.customer_id, o.cart_id, o.email, o.display_name, o.status, o.reason_code, o.reason, o.currency,
	o.subtotal, o.shipping, o.tax, o.total, o.address, o.stage, o.capture_now, o.placed_at, o.updated_at, o.version, o.sequence,
	o.discount, o.shipping_method, o.shipping_title, o.discounts, o.taxes`

// scanOrder scans orderColumns, and what stands behind them into more.
func scanOrder(row pgx.CollectableRow, more ...any) (*orders.Order, error) {
	var (
		o                orders.Order
		cart             *uuid.UUID
		currency         string
		address          []byte
		discounts, taxes []byte
	)
	err := row.Scan(append([]any{&o.ID, &o.Number, &o.CustomerID, &cart, &o.Email, &o.DisplayName, &o.Status, &o.ReasonCode, &o.Reason, &currency,
		&o.Subtotal.Amount, &o.Shipping.Amount, &o.Tax.Amount, &o.Total.Amount, &address, &o.Stage, &o.CaptureNow,
		&o.PlacedAt, &o.UpdatedAt, &o.Version, &o.Sequence,
		&o.Discount.Amount, &o.Method.Code, &o.Method.Title, &discounts, &taxes}, more...)...)
	if err != nil {
		return nil, err
	}
	for _, m := range []*money.Money{&o.Subtotal, &o.Discount, &o.Shipping, &o.Tax, &o.Total} {
		m.Currency = money.Currency(currency)
	}
	if cart != nil {
		o.CartID = *cart
	}
	o.PlacedAt, o.UpdatedAt = o.PlacedAt.UTC(), o.UpdatedAt.UTC()
	return &o, errors.Join(json.Unmarshal(address, &o.Address), unmarshalList(discounts, &o.Discounts), unmarshalList(taxes, &o.Taxes))
}

// unmarshalList reads a list, which most often is empty.
func unmarshalList[T any](text []byte, list *[]T) error {
	if string(text) == "[]" {
		return nil
	}
	return json.Unmarshal(text, list)
}

// marshalList writes a list; none is an empty one.
func marshalList[T any](list []T) ([]byte, error) {
	if len(list) == 0 {
		return []byte("[]"), nil
	}
	return json.Marshal(list)
}

func rowToOrder(row pgx.CollectableRow) (*orders.Order, error) { return scanOrder(row) }

const lineColumns = `l.id, l.order_id, l.position, l.variant_id, l.product_id, l.sku, l.title, l.variant_title, l.quantity, l.fulfilled,
	l.unit_price, l.total, l.discount, l.tax, o.currency`

func rowToLine(row pgx.CollectableRow) (*orders.Line, error) {
	var (
		l        orders.Line
		currency string
	)
	err := row.Scan(&l.ID, &l.OrderID, &l.Position, &l.VariantID, &l.ProductID, &l.SKU, &l.Title, &l.VariantTitle, &l.Quantity, &l.Fulfilled,
		&l.UnitPrice.Amount, &l.Total.Amount, &l.Discount.Amount, &l.Tax.Amount, &currency)
	for _, m := range []*money.Money{&l.UnitPrice, &l.Total, &l.Discount, &l.Tax} {
		m.Currency = money.Currency(currency)
	}
	return &l, err
}

const fulfillmentColumns = `f.id, f.order_id, f.position, f.status, f.carrier, f.tracking_number, f.tracking_url, f.capture, o.currency,
	f.created_at, f.delivered_at, f.settled_at,
	ARRAY(SELECT fl.line_id FROM orders.fulfillment_lines fl WHERE fl.fulfillment_id = f.id ORDER BY fl.position),
	ARRAY(SELECT fl.quantity FROM orders.fulfillment_lines fl WHERE fl.fulfillment_id = f.id ORDER BY fl.position)`

func rowToFulfillment(row pgx.CollectableRow) (*orders.Fulfillment, error) {
	var (
		f          orders.Fulfillment
		currency   string
		lines      []uuid.UUID
		quantities []int
	)
	err := row.Scan(&f.ID, &f.OrderID, &f.Position, &f.Status, &f.Carrier, &f.TrackingNumber, &f.TrackingURL, &f.Capture.Amount, &currency,
		&f.CreatedAt, &f.DeliveredAt, &f.SettledAt, &lines, &quantities)
	if err != nil {
		return nil, err
	}
	f.Capture.Currency = money.Currency(currency)
	f.CreatedAt = f.CreatedAt.UTC()
	f.DeliveredAt, f.SettledAt = utc(f.DeliveredAt), utc(f.SettledAt)
	f.Lines = make([]orders.FulfillmentLine, len(lines))
	for i := range lines {
		f.Lines[i] = orders.FulfillmentLine{LineID: lines[i], Quantity: quantities[i]}
	}
	return &f, nil
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

const (
	// A claim that has ended is taken over; one that is not seen yet is waited for, for as long as this statement takes.
	start = `WITH used AS (
	SELECT request_hash, result_id FROM orders.idempotency_keys WHERE owner = $1 AND operation = $2 AND key = $3
), taken AS (
	INSERT INTO orders.claims AS c (owner, operation, key, request_hash, holder, until)
	SELECT $1, $2, $3, $4, $5, clock_timestamp() + $6::interval WHERE $3 <> '' AND NOT EXISTS (SELECT FROM used)
	ON CONFLICT (owner, operation, key) DO UPDATE SET request_hash = excluded.request_hash, holder = excluded.holder, until = excluded.until
		WHERE c.until < clock_timestamp()
	RETURNING holder
)
SELECT used.request_hash, used.result_id, EXISTS (SELECT FROM taken),
	(SELECT c.request_hash FROM orders.claims c WHERE c.owner = $1 AND c.operation = $2 AND c.key = $3),
	'T-' || CASE WHEN used.result_id IS NULL THEN 100000 + nextval('orders.numbers') ELSE 0 END
FROM (SELECT) AS one LEFT JOIN used ON true`
	giveUp  = `DELETE FROM orders.claims WHERE owner = $1 AND operation = $2 AND key = $3 AND holder = $4`
	takeKey = `SELECT orders.take_key($1::uuid::text, $2, $3)`
	findKey = `SELECT request_hash, result_id FROM orders.idempotency_keys WHERE owner = $1 AND operation = $2 AND key = $3`
)

// Start implements orders.Store.
func (s *Store) Start(ctx context.Context, key *orders.Key, lease time.Duration) (orders.Start, error) {
	var (
		result      orders.Start
		hash, other []byte
		id          *uuid.UUID
		k           = orders.Key{Hash: []byte{}}
	)
	if key != nil {
		k = *key
	}
	err := s.pool.QueryRow(ctx, start, k.Owner, k.Operation, k.Key, k.Hash, k.Holder, lease).Scan(&hash, &id, &result.Taken, &other, &result.Number)
	switch {
	case err != nil:
		return orders.Start{}, err
	case id != nil:
		result.Used = &orders.Used{Hash: hash, Result: *id}
	case key == nil || result.Taken:
	case other != nil && !slices.Equal(other, k.Hash):
		return orders.Start{}, orders.KeyReused()
	default:
		return orders.Start{}, orders.ErrKeyBusy
	}
	return result, nil
}

// GiveUp implements orders.Store.
func (s *Store) GiveUp(ctx context.Context, key orders.Key) error {
	_, err := s.pool.Exec(ctx, giveUp, key.Owner, key.Operation, key.Key, key.Holder)
	return err
}

// Used implements orders.Store.
func (s *Store) Used(ctx context.Context, key orders.Key) (orders.Used, error) {
	var u orders.Used
	err := s.pool.QueryRow(ctx, findKey, key.Owner, key.Operation, key.Key).Scan(&u.Hash, &u.Result)
	if errors.Is(err, pgx.ErrNoRows) {
		return u, errs.New(errs.NotFound, "The key is new.")
	}
	return u, err
}

// failure names the constraint that a change broke, where it means something.
func failure(err error) error {
	switch name, _ := postgres.UniqueViolation(err); {
	case name == "orders_cart":
		return orders.ErrOrdered
	case name == "idempotency_keys_pkey":
		return orders.ErrKeyUsed
	case name == "consumed_events_pkey":
		return orders.ErrConsumed
	case postgres.Code(err) == "TM001": // orders.require
		return orders.ErrStale
	case postgres.Code(err) == "TM002": // orders.take_key
		return orders.ErrKeyBusy
	}
	return err
}
