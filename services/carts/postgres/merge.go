package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/carts"
)

const (
	// The anonymous cart is locked before the account's, always, so that merges cannot block one another.
	lockToMerge = `SELECT id, status, merged_by FROM carts.carts
WHERE token_hash = $1 AND (status = 'MERGED' OR status = 'OPEN' AND expires_at > $2) FOR UPDATE`
	// The lines keep their order behind those that are there; of a variant in both the price seen in the account's cart stays.
	moveLines = `INSERT INTO carts.lines (id, cart_id, variant_id, quantity, seen, currency)
SELECT gen_random_uuid(), $2, variant_id, quantity, seen, currency FROM carts.lines WHERE cart_id = $1 ORDER BY position
ON CONFLICT (cart_id, variant_id) DO UPDATE SET quantity = least($3, lines.quantity + excluded.quantity)`
	// Codes of the account's cart come first.
	carryOver = `UPDATE carts.carts t SET
	codes = (t.codes || ARRAY(SELECT c FROM unnest(s.codes) WITH ORDINALITY AS u(c, n) WHERE c <> ALL (t.codes) ORDER BY n))[1:$3],
	shipping_method = CASE WHEN t.shipping_method = '' THEN s.shipping_method ELSE t.shipping_method END,
	country = CASE WHEN t.country = '' THEN s.country ELSE t.country END
FROM carts.carts s WHERE s.id = $1 AND t.id = $2`
	closeMerged = `UPDATE carts.carts SET status = 'MERGED', merged_by = $2, updated_at = $3 WHERE id = $1`
	touchTarget = `UPDATE carts.carts SET updated_at = $2 WHERE id = $1`
)

// Merge implements carts.Store.
func (s *Store) Merge(ctx context.Context, tokenHash []byte, target carts.NewCart, now time.Time) (*carts.Stored, error) {
	var result *carts.Stored
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		var (
			source uuid.UUID
			status carts.Status
			by     *uuid.UUID
		)
		err := tx.QueryRow(ctx, lockToMerge, tokenHash, now).Scan(&source, &status, &by)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && by != nil && *by != target.UserID {
			return carts.NotFound()
		}
		if err != nil {
			return err
		}
		id, _, _, err := lock(ctx, tx, carts.Edit{Cart: carts.Selector{UserID: target.UserID}, Make: &target, Now: now})
		if err != nil {
			return err
		}
		if status == carts.Open {
			batch := &pgx.Batch{}
			batch.Queue(moveLines, source, id, carts.MaxQuantity)
			batch.Queue(carryOver, source, id, carts.MaxCodes)
			batch.Queue(closeMerged, source, target.UserID, now)
			batch.Queue(touchTarget, id, now)
			if err := tx.SendBatch(ctx, batch).Close(); err != nil {
				return err
			}
		}
		if result, err = one(read(ctx, tx, cartOfID, id)); err != nil {
			return err
		}
		if status == carts.Open && len(result.Lines) > carts.MaxLines {
			return carts.TooManyLines("cartToken")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

const (
	purgeExpired = `DELETE FROM carts.carts WHERE id IN (
  SELECT id FROM carts.carts WHERE expires_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`
	purgeClosed = `DELETE FROM carts.carts WHERE id IN (
  SELECT id FROM carts.carts WHERE status <> 'OPEN' AND updated_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`
	purgeKeys = `DELETE FROM carts.idempotency_keys WHERE ctid IN (
  SELECT ctid FROM carts.idempotency_keys WHERE created_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`
)

// Purge implements carts.Store.
func (s *Store) Purge(ctx context.Context, now, closed time.Time, limit int) (int, error) {
	if _, err := s.pool.Exec(ctx, purgeKeys, closed, limit); err != nil {
		return 0, err
	}
	expired, err := s.pool.Exec(ctx, purgeExpired, now, limit)
	if err != nil {
		return 0, err
	}
	old, err := s.pool.Exec(ctx, purgeClosed, closed, limit)
	return int(expired.RowsAffected() + old.RowsAffected()), err
}
