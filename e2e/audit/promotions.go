package audit

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// wrongUses finds promotions whose count is not that of their uses or above their bounds, uses of orders that came to
// nothing, and orders that have a discount without a use.
const wrongUses = `
WITH live AS (SELECT * FROM promotions.redemptions WHERE released_at IS NULL)
SELECT 'promotion ' || p.id || ' counts ' || p.uses || ' uses and has ' || count(l.order_id) || ' of at most ' || coalesce(p.max_uses::text, 'any')
FROM promotions.promotions p LEFT JOIN live l ON l.promotion_id = p.id
GROUP BY p.id HAVING p.uses <> count(l.order_id) OR p.uses > p.max_uses
UNION ALL
SELECT 'customer ' || l.customer_id || ' has used promotion ' || p.id || ' ' || count(*) || ' times'
FROM promotions.promotions p JOIN live l ON l.promotion_id = p.id GROUP BY p.id, l.customer_id HAVING count(*) > p.customer_uses
UNION ALL
SELECT 'order ' || l.order_id || ' is ' || coalesce(o.status, 'not there') || ' and uses a promotion'
FROM live l LEFT JOIN orders.orders o ON o.id = l.order_id WHERE o.id IS NULL OR o.status IN ('FAILED', 'CANCELLED')
UNION ALL
SELECT 'order ' || o.id || ' is ' || o.status || ' with a discount that it has no use of'
FROM orders.orders o CROSS JOIN jsonb_array_elements(o.discounts) d WHERE o.status NOT IN ('PENDING', 'FAILED', 'CANCELLED')
	AND NOT EXISTS (SELECT FROM live l WHERE l.order_id = o.id AND l.promotion_id = (d->>'promotionId')::uuid)
UNION ALL
SELECT 'order ' || o.id || ' has parts that do not add up'
FROM orders.orders o JOIN (SELECT order_id, sum(total) AS total, sum(discount) AS discount FROM orders.lines GROUP BY order_id) l ON l.order_id = o.id
WHERE o.subtotal <> l.total OR o.discount <> l.discount`

// promotions checks the uses of promotions against the orders, and the parts of the orders' sums.
func (r *Report) promotions(ctx context.Context, pool *pgxpool.Pool) error {
	rows, err := pool.Query(ctx, wrongUses)
	if err != nil {
		return err
	}
	wrong, err := pgx.CollectRows(rows, pgx.RowTo[string])
	r.Wrong = append(r.Wrong, wrong...)
	return err
}
