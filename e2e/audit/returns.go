package audit

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// wrongReturns finds lines of which more is returned than was sent or another number than their returns hold, returns
// that are stuck, whose parts do not add up, or that were paid back more than once or by another amount, and orders
// whose returns are worth more than they cost.
var wrongReturns = []string{
	`SELECT 'line ' || l.id || ' has ' || l.returned || ' of ' || l.fulfilled || ' returned, its returns hold ' || coalesce(sum(p.held), 0)
		FROM orders.lines l LEFT JOIN orders.return_lines p ON p.line_id = l.id
		GROUP BY l.id HAVING l.returned <> coalesce(sum(p.held), 0) OR l.returned > l.fulfilled`,
	`SELECT 'return ' || r.id || ' is ' || r.status || ' and holds ' || p.held || ' of line ' || p.line_id FROM orders.returns r JOIN orders.return_lines p ON p.return_id = r.id
		WHERE p.held <> CASE WHEN r.status IN ('REJECTED', 'CANCELLED') THEN 0 WHEN r.status IN ('RECEIVED', 'REFUNDED') THEN p.received ELSE p.quantity END`,
	`SELECT 'return ' || id || ' has come and is not settled' FROM orders.returns WHERE status = 'RECEIVED' AND problem = ''`,
	`SELECT 'return ' || r.id || ' is worth ' || r.refund || ', its parts ' || sum(p.refund) FROM orders.returns r JOIN orders.return_lines p ON p.return_id = r.id
		GROUP BY r.id HAVING r.refund <> sum(p.refund)`,
	`SELECT 'line ' || l.id || ' cost ' || l.total - l.discount || ', its ' || sum(p.received) || ' of ' || l.quantity || ' returned are worth ' || sum(p.refund)
		FROM orders.lines l JOIN orders.return_lines p ON p.line_id = l.id GROUP BY l.id
		HAVING sum(p.refund) > l.total - l.discount OR (sum(p.received) = l.quantity AND sum(p.refund) <> l.total - l.discount)`,
	`SELECT 'return ' || r.id || ' (' || r.status || ') of ' || r.refund || ' was paid back ' || count(t.id) || ' times, ' || coalesce(sum(t.amount), 0) || ' in all'
		FROM orders.returns r JOIN orders.orders o ON o.id = r.order_id
		LEFT JOIN payments.payments p ON p.order_id = r.order_id
		LEFT JOIN payments.transactions t ON t.payment_id = p.id AND t.kind = 'REFUND' AND t.status = 'SUCCEEDED' AND t.reason = 'Return ' || o.number || '-R' || r.position
		GROUP BY r.id, o.id
		HAVING coalesce(sum(t.amount), 0) <> CASE WHEN r.status = 'REFUNDED' AND r.settlement = '' THEN r.refund ELSE 0 END OR count(t.id) > 1`,
	`SELECT 'return ' || id || ' can be sold again and is not restocked' FROM orders.returns r WHERE status = 'REFUNDED' AND restocked_at IS NULL
		AND EXISTS (SELECT FROM orders.return_lines p WHERE p.return_id = r.id AND p.restock > 0)`,
}

// returns checks what was sent back: against what was sent, the payments and the history of the stock.
func (r *Report) returns(ctx context.Context, pool *pgxpool.Pool, db *mongo.Database) error {
	if err := r.rows(ctx, pool, wrongReturns...); err != nil {
		return err
	}
	type part struct{ of, variant uuid.UUID }
	restocked := make(map[part]int)
	rows, err := pool.Query(ctx, `SELECT r.id, l.variant_id, sum(p.restock) FROM orders.returns r JOIN orders.return_lines p ON p.return_id = r.id
		JOIN orders.lines l ON l.id = p.line_id WHERE r.restocked_at IS NOT NULL AND p.restock > 0 GROUP BY 1, 2`)
	if err != nil {
		return err
	}
	var (
		key part
		n   int
	)
	if _, err := pgx.ForEachRow(rows, []any{&key.of, &key.variant, &n}, func() error {
		restocked[key] = n
		return nil
	}); err != nil {
		return err
	}
	cursor, err := db.Collection("inventory_adjustments").Find(ctx, bson.M{"returnId": bson.M{"$exists": true}})
	if err != nil {
		return err
	}
	var lines []struct {
		VariantID uuid.UUID `bson:"variantId"`
		ReturnID  uuid.UUID `bson:"returnId"`
		Delta     int       `bson:"delta"`
	}
	if err := cursor.All(ctx, &lines); err != nil {
		return err
	}
	for _, l := range lines {
		restocked[part{l.ReturnID, l.VariantID}] -= l.Delta
	}
	for key, left := range restocked {
		if left != 0 {
			r.blame("return %s: what went back into stock of variant %s is off by %d", key.of, key.variant, -left)
		}
	}
	return nil
}
