package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/services/carts"
)

const (
	// Waits for changes of the cart that are under way, and ends those that come later: they find the next cart.
	closeOrdered = `UPDATE carts.carts SET status = 'ORDERED', order_id = $2, updated_at = $3 WHERE id = $1 AND status = 'OPEN'`
	// Its own statement: it has to see the lines as they are once the cart is closed. Repeated it finds no rest.
	keepRest = `WITH rest AS (
  SELECT l.id, l.quantity - coalesce(o.quantity, 0) AS quantity
  FROM carts.lines l LEFT JOIN unnest($2::uuid[], $3::integer[]) AS o(variant_id, quantity) USING (variant_id)
  WHERE l.cart_id = $1 AND l.quantity > coalesce(o.quantity, 0)
    AND EXISTS (SELECT FROM carts.carts WHERE id = $1 AND status = 'ORDERED' AND order_id = $6)
), next AS (
  INSERT INTO carts.carts (id, user_id, created_at, updated_at)
  SELECT $4, user_id, $5, $5 FROM carts.carts WHERE id = $1 AND EXISTS (SELECT FROM rest)
)
UPDATE carts.lines l SET cart_id = $4, quantity = rest.quantity FROM rest WHERE l.id = rest.id`
)

// Complete implements carts.Store.
func (s *Store) Complete(ctx context.Context, c carts.Completion) error {
	variants, quantities := make([]uuid.UUID, 0, len(c.Ordered)), make([]int, 0, len(c.Ordered))
	for id, n := range c.Ordered {
		variants, quantities = append(variants, id), append(quantities, n)
	}
	batch := &pgx.Batch{} // one transaction
	batch.Queue(closeOrdered, c.CartID, c.OrderID, c.Now)
	batch.Queue(keepRest, c.CartID, variants, quantities, c.RestID, c.Now, c.OrderID)
	return s.pool.SendBatch(ctx, batch).Close()
}
