package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/promotions"
)

const (
	// Always locked in one order, so that orders cannot block one another.
	lockPromotions = `SELECT id FROM promotions.promotions WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE`
	// Its own statement: it has to see what the locks' previous holders have committed.
	usesUnderLock = `SELECT p.max_uses IS NOT NULL AND p.uses >= p.max_uses OR p.customer_uses IS NOT NULL AND p.customer_uses <= (
	SELECT count(*) FROM promotions.redemptions r WHERE r.promotion_id = p.id AND r.customer_id = $2 AND r.released_at IS NULL)
FROM promotions.promotions p WHERE p.id = ANY($1)`
	redemptionsOfOrder = `SELECT released_at IS NOT NULL FROM promotions.redemptions WHERE order_id = $1`
	addRedemptions     = `INSERT INTO promotions.redemptions (order_id, promotion_id, customer_id, redeemed_at) SELECT $1, id, $3, $4 FROM unnest($2::uuid[]) AS id`
	addUses            = `UPDATE promotions.promotions SET uses = uses + 1 WHERE id = ANY($1)`
	lockRedeemed       = `SELECT p.id FROM promotions.promotions p JOIN promotions.redemptions r ON r.promotion_id = p.id
WHERE r.order_id = $1 AND r.released_at IS NULL ORDER BY p.id FOR NO KEY UPDATE OF p`
	releaseUses = `WITH released AS (
	UPDATE promotions.redemptions SET released_at = $2 WHERE order_id = $1 AND released_at IS NULL RETURNING promotion_id)
UPDATE promotions.promotions p SET uses = uses - 1 FROM released WHERE p.id = released.promotion_id`
)

// Redeem implements promotions.Store.
func (s *Store) Redeem(ctx context.Context, r promotions.Redemption) error {
	return postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		var exhausted, released []bool
		read := &pgx.Batch{}
		read.Queue(lockPromotions, r.Promotions)
		read.Queue(usesUnderLock, r.Promotions, r.CustomerID).Query(into(&exhausted))
		read.Queue(redemptionsOfOrder, r.OrderID).Query(into(&released))
		if err := tx.SendBatch(ctx, read).Close(); err != nil {
			return err
		}
		for _, gone := range released {
			if gone {
				return promotions.Unavailable()
			}
		}
		if len(released) > 0 {
			return nil // reserved before
		}
		if len(exhausted) != len(r.Promotions) {
			return promotions.Unavailable() // one was deleted
		}
		for _, none := range exhausted {
			if none {
				return promotions.Unavailable()
			}
		}
		write := &pgx.Batch{}
		write.Queue(addRedemptions, r.OrderID, r.Promotions, r.CustomerID, r.At)
		write.Queue(addUses, r.Promotions)
		return tx.SendBatch(ctx, write).Close()
	})
}

func into(list *[]bool) func(pgx.Rows) error {
	return func(rows pgx.Rows) (err error) {
		*list, err = pgx.CollectRows(rows, pgx.RowTo[bool])
		return err
	}
}

// Release implements promotions.Store.
func (s *Store) Release(ctx context.Context, orderID uuid.UUID, at time.Time) error {
	return postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		batch.Queue(lockRedeemed, orderID)
		batch.Queue(releaseUses, orderID, at)
		return tx.SendBatch(ctx, batch).Close()
	})
}
