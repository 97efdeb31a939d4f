package postgres

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/payments"
	"github.com/techmart/techmart/services/payments/sandbox"
)

// SandboxBooks are the books of the sandbox provider.
type SandboxBooks struct{ pool *pgxpool.Pool }

var _ sandbox.Books = (*SandboxBooks)(nil)

// NewSandboxBooks makes the books; the schema has to be migrated.
func NewSandboxBooks(pool *pgxpool.Pool) *SandboxBooks { return &SandboxBooks{pool: pool} }

const chargeColumns = `key, kind, coalesce(authorization_key, ''), token, currency, amount, attempts, done, approved, reference,
	code, message, captured, refunded, voided, created_at`

const (
	chargeAdd = `INSERT INTO payments.sandbox_charges (key, kind, token, currency, amount, attempts, done, approved, reference, code, message)
VALUES ($1, '', '', '', 0, 0, false, false, '', '', '') ON CONFLICT (key) DO NOTHING`
	chargeLock            = `SELECT ` + chargeColumns + ` FROM payments.sandbox_charges WHERE key = $1 FOR UPDATE`
	chargeLockByReference = `SELECT ` + chargeColumns + ` FROM payments.sandbox_charges WHERE reference = $1 AND reference <> '' FOR UPDATE`
	chargePeriod          = `SELECT ` + chargeColumns + ` FROM payments.sandbox_charges
WHERE kind = 'AUTHORIZE' AND approved AND (created_at, key) > ($1, $2) AND created_at < $3 ORDER BY created_at, key LIMIT $4`
	chargeByReference = `SELECT ` + chargeColumns + ` FROM payments.sandbox_charges WHERE reference = $1 AND reference <> '' AND kind = 'AUTHORIZE'`
	chargeFind        = `SELECT ` + chargeColumns + ` FROM payments.sandbox_charges WHERE key = $1`
	chargeWrite       = `UPDATE payments.sandbox_charges SET kind = $2, authorization_key = nullif($3, ''), token = $4, currency = $5, amount = $6,
	attempts = $7, done = $8, approved = $9, reference = $10, code = $11, message = $12, captured = $13, refunded = $14, voided = $15
WHERE key = $1`
)

func scanCharge(row pgx.CollectableRow) (*sandbox.Charge, error) {
	var c sandbox.Charge
	err := row.Scan(&c.Key, &c.Kind, &c.Authorization, &c.Token, &c.Amount.Currency, &c.Amount.Amount, &c.Attempts, &c.Done,
		&c.Result.Approved, &c.Result.Reference, &c.Result.Code, &c.Result.Message, &c.Captured, &c.Refunded, &c.Voided, &c.At)
	return &c, err
}

// Update implements sandbox.Books. It takes two round trips.
func (b *SandboxBooks) Update(ctx context.Context, key, authorization string, fn func(charge, authorization *sandbox.Charge)) error {
	return postgres.InPipeline(ctx, b.pool, func(p *postgres.Pipeline) error {
		var held, charge *sandbox.Charge
		locks := &pgx.Batch{}
		into := func(c **sandbox.Charge) func(pgx.Rows) error {
			return func(rows pgx.Rows) error {
				found, err := pgx.CollectRows(rows, scanCharge)
				if len(found) > 0 {
					*c = found[0]
				}
				return err
			}
		}
		if authorization != "" {
			locks.Queue(chargeLockByReference, authorization).Query(into(&held))
		}
		locks.Queue(chargeAdd, key)
		locks.Queue(chargeLock, key).Query(into(&charge))
		if err := p.SendBatch(ctx, locks).Close(); err != nil {
			return err
		}
		fn(charge, held)
		books := &pgx.Batch{}
		for _, c := range []*sandbox.Charge{held, charge} {
			if c != nil {
				books.Queue(chargeWrite, c.Key, c.Kind, c.Authorization, c.Token, c.Amount.Currency, c.Amount.Amount, c.Attempts, c.Done,
					c.Result.Approved, c.Result.Reference, c.Result.Code, c.Result.Message, c.Captured, c.Refunded, c.Voided)
			}
		}
		return p.CommitBatch(ctx, books)
	})
}

// Find implements sandbox.Books.
func (b *SandboxBooks) Find(ctx context.Context, key string) (*sandbox.Charge, error) {
	c, err := one(ctx, b.pool, chargeFind, key)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, payments.ErrNoSuchCall
	}
	return c, err
}

// periodBatch is how many authorizations are read at once.
const periodBatch = 1000

// Authorizations implements sandbox.Books.
func (b *SandboxBooks) Authorizations(ctx context.Context, from, to time.Time) iter.Seq2[*sandbox.Charge, error] {
	return func(yield func(*sandbox.Charge, error) bool) {
		at, key := from, "" // no key is empty: the position is before everything of that time
		for {
			rows, err := b.pool.Query(ctx, chargePeriod, at, key, to, periodBatch)
			if err != nil {
				yield(nil, err)
				return
			}
			charges, err := pgx.CollectRows(rows, scanCharge)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, c := range charges {
				if !yield(c, nil) {
					return
				}
			}
			if len(charges) < periodBatch {
				return
			}
			last := charges[len(charges)-1]
			at, key = last.At, last.Key
		}
	}
}

// Authorization implements sandbox.Books.
func (b *SandboxBooks) Authorization(ctx context.Context, reference string) (*sandbox.Charge, error) {
	c, err := one(ctx, b.pool, chargeByReference, reference)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, payments.ErrNoSuchCall
	}
	return c, err
}

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// one gives nil with an error, never a half-read charge.
func one(ctx context.Context, q querier, sql string, args ...any) (*sandbox.Charge, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	c, err := pgx.CollectExactlyOneRow(rows, scanCharge)
	if err != nil {
		return nil, err
	}
	return c, nil
}
