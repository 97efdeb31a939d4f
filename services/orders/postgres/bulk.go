package postgres

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/orders"
)

// Import adds orders with their lines, parcels and timelines, in one transaction by COPY, and takes
// their numbers out of the sequence. It writes no events and no jobs: an order whose saga is under way
// is found by the sweep. Orders that are there already, by id, stay as they are.
func (s *Store) Import(ctx context.Context, list []*orders.Record) error {
	return postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		fresh, err := unknownRecords(ctx, tx, list)
		if err != nil || len(fresh) == 0 {
			return err
		}
		parts, err := tables(fresh)
		if err != nil {
			return err
		}
		for _, t := range parts {
			if _, err := tx.CopyFrom(ctx, pgx.Identifier{Schema, t.name}, t.columns, pgx.CopyFromRows(t.rows)); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, `SELECT setval('orders.numbers', greatest(last_value, $1)) FROM orders.numbers`, lastNumber(fresh))
		return err
	})
}

func unknownRecords(ctx context.Context, tx pgx.Tx, list []*orders.Record) ([]*orders.Record, error) {
	ids := make([]uuid.UUID, len(list))
	for i, r := range list {
		ids[i] = r.Order.ID
	}
	rows, err := tx.Query(ctx, `SELECT id FROM orders.orders WHERE id = ANY($1)`, ids)
	if err != nil {
		return nil, err
	}
	known, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, err
	}
	there := make(map[uuid.UUID]bool, len(known))
	for _, id := range known {
		there[id] = true
	}
	return slices.DeleteFunc(slices.Clone(list), func(r *orders.Record) bool { return there[r.Order.ID] }), nil
}

// lastNumber gives the highest place of the orders' numbers in the sequence.
func lastNumber(list []*orders.Record) int64 {
	last := int64(1)
	for _, r := range list {
		if n, err := strconv.ParseInt(strings.TrimPrefix(r.Order.Number, "T-"), 10, 64); err == nil {
			last = max(last, n-100000)
		}
	}
	return last
}

// table is what is copied into one table.
type table struct {
	name    string
	columns []string
	rows    [][]any
}

// tables gives the rows of records by table, parents first.
func tables(list []*orders.Record) ([]table, error) {
	heads := table{name: "orders", columns: []string{"id", "number", "customer_id", "cart_id", "email", "display_name", "status", "reason_code", "reason",
		"currency", "subtotal", "shipping", "tax", "total", "address", "payment_token", "stage", "capture_now", "placed_at", "updated_at", "version", "sequence"}}
	lines := table{name: "lines", columns: []string{"id", "order_id", "position", "variant_id", "product_id", "sku", "title", "variant_title", "quantity",
		"fulfilled", "unit_price", "total"}}
	parcels := table{name: "fulfillments", columns: []string{"id", "order_id", "position", "status", "carrier", "tracking_number", "tracking_url", "capture",
		"created_at", "delivered_at", "settled_at"}}
	contents := table{name: "fulfillment_lines", columns: []string{"fulfillment_id", "line_id", "position", "quantity"}}
	timeline := table{name: "timeline", columns: []string{"order_id", "position", "id", "type", "message", "created_at"}}
	for _, r := range list {
		o := r.Order
		address, err := json.Marshal(o.Address)
		if err != nil {
			return nil, err
		}
		var cart *uuid.UUID
		if o.CartID != uuid.Nil {
			cart = &o.CartID
		}
		heads.rows = append(heads.rows, []any{o.ID, o.Number, o.CustomerID, cart, o.Email, o.DisplayName, string(o.Status), o.ReasonCode, o.Reason,
			string(o.Total.Currency), o.Subtotal.Amount, o.Shipping.Amount, o.Tax.Amount, o.Total.Amount, address, r.Token, string(o.Stage), o.CaptureNow,
			o.PlacedAt, o.UpdatedAt, o.Version, o.Sequence})
		for _, l := range r.Lines {
			lines.rows = append(lines.rows, []any{l.ID, l.OrderID, l.Position, l.VariantID, l.ProductID, l.SKU, l.Title, l.VariantTitle, l.Quantity,
				l.Fulfilled, l.UnitPrice.Amount, l.Total.Amount})
		}
		for _, f := range r.Fulfillments {
			parcels.rows = append(parcels.rows, []any{f.ID, f.OrderID, f.Position, string(f.Status), f.Carrier, f.TrackingNumber, f.TrackingURL, f.Capture.Amount,
				f.CreatedAt, f.DeliveredAt, f.SettledAt})
			for i, l := range f.Lines {
				contents.rows = append(contents.rows, []any{f.ID, l.LineID, i, l.Quantity})
			}
		}
		for _, e := range r.Entries {
			timeline.rows = append(timeline.rows, []any{e.OrderID, e.Position, e.ID, e.Type, e.Message, e.CreatedAt})
		}
	}
	return []table{heads, lines, parcels, contents, timeline}, nil
}
