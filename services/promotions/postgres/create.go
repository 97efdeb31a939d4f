package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/promotions"
)

const (
	takeKey   = `SELECT promotions.take_key($1::uuid::text, $2, $3)`
	findKey   = `SELECT request_hash, result_id FROM promotions.idempotency_keys WHERE owner = $1 AND operation = $2 AND key = $3`
	insertKey = `INSERT INTO promotions.idempotency_keys (owner, operation, key, request_hash, result_id, created_at) VALUES ($1, $2, $3, $4, $5, $6)`
	purgeKeys = `DELETE FROM promotions.idempotency_keys WHERE ctid IN (
	SELECT ctid FROM promotions.idempotency_keys WHERE created_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`
)

// Create implements promotions.Store.
func (s *Store) Create(ctx context.Context, p *promotions.Promotion, key *promotions.Key) (made *promotions.Promotion, replayed bool, err error) {
	err = postgres.InPipeline(ctx, s.pool, func(tx *postgres.Pipeline) error {
		batch := &pgx.Batch{}
		if key != nil {
			hash, used, err := take(ctx, tx, key)
			switch {
			case err != nil:
				return err
			case hash != nil && !slices.Equal(hash, key.Hash):
				return promotions.KeyReused()
			case hash != nil:
				replayed = true
				rows, err := tx.Query(ctx, promotionsByID, []uuid.UUID{used})
				if err != nil {
					return err
				}
				found, err := pgx.CollectRows(rows, rowToPromotion)
				if len(found) > 0 {
					made = found[0]
				}
				return err
			}
			batch.Queue(insertKey, key.Owner, key.Operation, key.Key, key.Hash, p.ID, p.CreatedAt)
		}
		made, replayed = p, false
		batch.Queue(insertPromotion, p.ID, optional(p.Code), p.Title, p.Kind, p.Rate, p.Amount.Amount, p.MinSubtotal.Amount, p.MinSubtotal.Currency,
			p.Combinable, p.Enabled, p.StartsAt, p.EndsAt, optional(p.MaxUses), optional(p.CustomerUses), p.Version, p.CreatedAt, p.UpdatedAt)
		return tx.CommitBatch(ctx, batch)
	})
	if err != nil {
		return nil, false, failure(err)
	}
	return made, replayed, nil
}

// take has the key for the transaction, and gives what it was used for; the hash is nil for a new one.
func take(ctx context.Context, tx *postgres.Pipeline, key *promotions.Key) (hash []byte, used uuid.UUID, err error) {
	batch := &pgx.Batch{}
	batch.Queue(takeKey, key.Owner, key.Operation, key.Key)
	batch.Queue(findKey, key.Owner, key.Operation, key.Key).QueryRow(func(row pgx.Row) error {
		if err := row.Scan(&hash, &used); !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		return nil
	})
	err = tx.SendBatch(ctx, batch).Close()
	return hash, used, err
}

// Purge implements promotions.Store.
func (s *Store) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	done, err := s.pool.Exec(ctx, purgeKeys, before, limit)
	return int(done.RowsAffected()), err
}
