package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/carts"
)

var (
	// Waits for changes of the carts that are under way, and ends those that come later: they find the next cart. Both statements
	// look carts up by their ids: coalesce keeps the partial indexes of a status out, which are the smallest while a shop is new.
	closeOrdered = `UPDATE carts.carts c SET status = 'ORDERED', order_id = d.order_id, updated_at = d.now
FROM ` + postgres.Unnest(1, "uuid uuid timestamptz") + ` AS d(id, order_id, now) WHERE c.id = d.id AND coalesce(c.status, '') = 'OPEN'`
	// Its own statement: it has to see the lines as they are once the carts are closed. It looks at those that were closed
	// just now: of others the rest is gone.
	keepRest = `WITH done AS (
  SELECT d.* FROM ` + postgres.Unnest(1, "uuid uuid timestamptz uuid") + ` AS d(id, order_id, now, next)
  JOIN carts.carts c ON c.id = d.id AND coalesce(c.status, '') = 'ORDERED' AND c.order_id = d.order_id AND c.updated_at = d.now
), rest AS (
  SELECT l.id, d.id AS cart, d.next, l.quantity - coalesce(o.quantity, 0) AS quantity
  FROM done d JOIN carts.lines l ON l.cart_id = d.id
  LEFT JOIN ` + postgres.Unnest(5, "uuid uuid integer") + ` AS o(cart, variant, quantity) ON o.cart = l.cart_id AND o.variant = l.variant_id
  WHERE l.quantity > coalesce(o.quantity, 0)
), next AS (
  INSERT INTO carts.carts (id, user_id, created_at, updated_at)
  SELECT d.next, c.user_id, d.now, d.now FROM done d JOIN carts.carts c ON c.id = d.id WHERE EXISTS (SELECT FROM rest WHERE rest.cart = d.id)
)
UPDATE carts.lines l SET cart_id = rest.next, quantity = rest.quantity FROM rest WHERE l.id = rest.id`
)

// Complete implements carts.Store. Carts that are ordered at about the same time are closed in one transaction.
func (s *Store) Complete(ctx context.Context, c carts.Completion) error {
	_, err := s.completing.Do(ctx, c)
	return err
}

func (s *Store) completeOne(ctx context.Context, c carts.Completion) (struct{}, error) {
	_, err := s.completeMany(ctx, []carts.Completion{c})
	return struct{}{}, err
}

func (s *Store) completeMany(ctx context.Context, list []carts.Completion) ([]postgres.Result[struct{}], error) {
	var ordered [][]any
	for _, c := range list {
		for variant, n := range c.Ordered {
			ordered = append(ordered, []any{c.CartID, variant, n})
		}
	}
	if len(ordered) == 0 { // a row that belongs to no cart
		ordered = [][]any{{uuid.Nil, uuid.Nil, 0}}
	}
	closing := postgres.Columns(list, func(c carts.Completion) []any { return []any{c.CartID, c.OrderID, c.Now} })
	rest := postgres.Columns(list, func(c carts.Completion) []any { return []any{c.CartID, c.OrderID, c.Now, c.RestID} })
	rest = append(rest, postgres.Columns(ordered, func(row []any) []any { return row })...)
	err := postgres.SendSteadily(ctx, s.pool, func(b *pgx.Batch) {
		b.Queue(closeOrdered, closing...)
		b.Queue(keepRest, rest...)
	})
	return make([]postgres.Result[struct{}], len(list)), err
}
