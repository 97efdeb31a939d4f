// Package postgres keeps promotions in PostgreSQL, in the schema promotions.
package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/promotions"
)

// Schema is the namespace of this domain's tables.
const Schema = "promotions"

// Store is promotions.Store over PostgreSQL.
type Store struct{ pool *pgxpool.Pool }

var _ promotions.Store = (*Store)(nil)

// New makes the store; the schema has to be migrated.
func New(pool *pgxpool.Pool) *Store { return &Store{pool: pool} }

const columns = `p.id, p.code, p.title, p.kind, p.rate, p.amount, p.min_subtotal, p.currency, p.combinable, p.enabled, p.starts_at, p.ends_at,
	p.max_uses, p.customer_uses, p.uses, p.version, p.created_at, p.updated_at`

// scan scans columns, and what stands behind them into more.
func scan(row pgx.CollectableRow, more ...any) (*promotions.Promotion, error) {
	var (
		p                 promotions.Promotion
		code              *string
		currency          money.Currency
		most, perCustomer *int
	)
	err := row.Scan(append([]any{&p.ID, &code, &p.Title, &p.Kind, &p.Rate, &p.Amount.Amount, &p.MinSubtotal.Amount, &currency, &p.Combinable, &p.Enabled,
		&p.StartsAt, &p.EndsAt, &most, &perCustomer, &p.Uses, &p.Version, &p.CreatedAt, &p.UpdatedAt}, more...)...)
	if err != nil {
		return nil, err
	}
	p.Amount.Currency, p.MinSubtotal.Currency = currency, currency
	if code != nil {
		p.Code = *code
	}
	if most != nil {
		p.MaxUses = *most
	}
	if perCustomer != nil {
		p.CustomerUses = *perCustomer
	}
	if p.EndsAt != nil {
		ends := p.EndsAt.UTC()
		p.EndsAt = &ends
	}
	p.StartsAt, p.CreatedAt, p.UpdatedAt = p.StartsAt.UTC(), p.CreatedAt.UTC(), p.UpdatedAt.UTC()
	return &p, nil
}

func rowToPromotion(row pgx.CollectableRow) (*promotions.Promotion, error) { return scan(row) }

// optional gives NULL for the zero value.
func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

const (
	insertPromotion = `INSERT INTO promotions.promotions (id, code, title, kind, rate, amount, min_subtotal, currency, combinable, enabled, starts_at, ends_at,
	max_uses, customer_uses, version, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`
	lockPromotion   = `SELECT ` + columns + ` FROM promotions.promotions p WHERE p.id = $1 FOR NO KEY UPDATE`
	updatePromotion = `UPDATE promotions.promotions SET code = $2, title = $3, kind = $4, rate = $5, amount = $6, min_subtotal = $7, currency = $8,
	combinable = $9, enabled = $10, starts_at = $11, ends_at = $12, max_uses = $13, customer_uses = $14, version = $15, updated_at = $16 WHERE id = $1`
	deletePromotion  = `DELETE FROM promotions.promotions WHERE id = $1`
	promotionsByID   = `SELECT ` + columns + ` FROM promotions.promotions p WHERE p.id = ANY($1)`
	countPromotions  = `SELECT count(*) FROM promotions.promotions`
	listForward      = `SELECT ` + columns + ` FROM promotions.promotions p WHERE ($1 OR (p.created_at, p.id) < ($2, $3)) ORDER BY p.created_at DESC, p.id DESC LIMIT $4`
	listBackward     = `SELECT ` + columns + ` FROM promotions.promotions p WHERE ($1 OR (p.created_at, p.id) > ($2, $3)) ORDER BY p.created_at, p.id LIMIT $4`
	listAutomatic    = `SELECT ` + columns + ` FROM promotions.promotions p WHERE p.code IS NULL AND p.enabled ORDER BY p.created_at, p.id LIMIT $1`
	usesOfPromotions = `SELECT ` + columns + `, (SELECT count(*) FROM promotions.redemptions r
	WHERE r.promotion_id = p.id AND r.customer_id = $3 AND r.released_at IS NULL)
FROM promotions.promotions p WHERE p.id = ANY($1) OR p.code = ANY($2)`
)

// failure names the constraint that a change broke, where it means something.
func failure(err error) error {
	switch {
	case postgres.IsUniqueViolation(err, "promotions_code"):
		return promotions.CodeTaken()
	case postgres.Code(err) == "TM002": // promotions.take_key
		return promotions.InFlight()
	}
	return err
}

// Update implements promotions.Store.
func (s *Store) Update(ctx context.Context, id uuid.UUID, fn func(*promotions.Promotion) error) (p *promotions.Promotion, err error) {
	err = postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, lockPromotion, id)
		if err != nil {
			return err
		}
		p, err = pgx.CollectExactlyOneRow(rows, rowToPromotion)
		if errors.Is(err, pgx.ErrNoRows) {
			return promotions.NotFound()
		}
		if err != nil {
			return err
		}
		if err := fn(p); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, updatePromotion, p.ID, optional(p.Code), p.Title, p.Kind, p.Rate, p.Amount.Amount, p.MinSubtotal.Amount, p.MinSubtotal.Currency,
			p.Combinable, p.Enabled, p.StartsAt, p.EndsAt, optional(p.MaxUses), optional(p.CustomerUses), p.Version, p.UpdatedAt)
		return failure(err)
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Delete implements promotions.Store.
func (s *Store) Delete(ctx context.Context, id uuid.UUID) error {
	done, err := s.pool.Exec(ctx, deletePromotion, id)
	if _, used := postgres.ForeignKeyViolation(err); used {
		return promotions.InUse()
	}
	if err == nil && done.RowsAffected() == 0 {
		return promotions.NotFound()
	}
	return err
}

func collect(ctx context.Context, s *Store, sql string, args ...any) ([]*promotions.Promotion, error) {
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, rowToPromotion)
}

// ByIDs implements promotions.Store.
func (s *Store) ByIDs(ctx context.Context, ids []uuid.UUID) ([]*promotions.Promotion, error) {
	return collect(ctx, s, promotionsByID, ids)
}

// List implements promotions.Store.
func (s *Store) List(ctx context.Context, r page.Request) (page.Page[*promotions.Promotion], error) {
	var (
		none page.Page[*promotions.Promotion]
		at   time.Time
		id   uuid.UUID
	)
	if r.From != nil {
		var err error
		if at, id, err = promotions.ParseKey(r.From); err != nil {
			return none, errs.New(errs.CursorMismatch, "This cursor is not of this list.")
		}
	}
	sql := listForward
	if r.Backward {
		sql = listBackward
	}
	list, err := collect(ctx, s, sql, r.From == nil, at, id, r.Limit+1)
	if err != nil {
		return none, err
	}
	return page.Trim(list, r), nil
}

// Count implements promotions.Store.
func (s *Store) Count(ctx context.Context) (n int, err error) {
	err = s.pool.QueryRow(ctx, countPromotions).Scan(&n)
	return n, err
}

// Automatic implements promotions.Store.
func (s *Store) Automatic(ctx context.Context, limit int) ([]*promotions.Promotion, error) {
	return collect(ctx, s, listAutomatic, limit)
}

// Uses implements promotions.Store.
func (s *Store) Uses(ctx context.Context, ids []uuid.UUID, codes []string, customer uuid.UUID) ([]promotions.Use, error) {
	if ids == nil {
		ids = []uuid.UUID{}
	}
	rows, err := s.pool.Query(ctx, usesOfPromotions, ids, codes, customer)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, rowToUse)
}

func rowToUse(row pgx.CollectableRow) (u promotions.Use, err error) {
	u.Promotion, err = scan(row, &u.Used)
	return u, err
}
