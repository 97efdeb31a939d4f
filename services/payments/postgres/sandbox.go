package postgres

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/payments"
	"github.com/techmart/techmart/services/payments/sandbox"
)

// SandboxBooks are the books of the sandbox provider.
type SandboxBooks struct {
	pool     *pgxpool.Pool
	charging *postgres.Group[charging, struct{}]
}

var _ sandbox.Books = (*SandboxBooks)(nil)

// NewSandboxBooks makes the books; the schema has to be migrated.
func NewSandboxBooks(pool *pgxpool.Pool) *SandboxBooks {
	b := &SandboxBooks{pool: pool}
	b.charging = postgres.Grouped[charging, struct{}]{Name: "sandbox.charge", One: b.chargeOne, Many: b.chargeMany}.Group(pool)
	return b
}

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

// Update implements sandbox.Books. It takes two round trips. Charges without an authorization before them share a
// transaction with others.
func (b *SandboxBooks) Update(ctx context.Context, key, authorization string, fn func(charge, authorization *sandbox.Charge)) error {
	if authorization != "" {
		return b.update(ctx, key, authorization, fn)
	}
	change, leave := postgres.Leavable(func(c *sandbox.Charge) error {
		fn(c, nil)
		return nil
	})
	defer leave()
	_, err := b.charging.Do(ctx, charging{key, change})
	return err
}

// charging is a change of a charge.
type charging struct {
	key    string
	change func(*sandbox.Charge) error
}

func (b *SandboxBooks) chargeOne(ctx context.Context, c charging) (struct{}, error) {
	var failed error
	err := b.update(ctx, c.key, "", func(charge, _ *sandbox.Charge) { failed = c.change(charge) })
	return struct{}{}, errors.Join(err, failed)
}

const (
	chargesLock = `SELECT ` + chargeColumns + ` FROM payments.sandbox_charges WHERE key = ANY($1) ORDER BY key FOR UPDATE`
	chargeNames = `key, kind, token, currency, amount, attempts, done, approved, reference, code, message, captured, refunded, voided`
)

var (
	chargeRows = postgres.Unnest(1, "text text text text bigint integer boolean boolean text text text bigint bigint boolean") + ` AS n(` + chargeNames + `)`
	// A charge that another process makes at the same time ends the transaction.
	chargesAdd   = `INSERT INTO payments.sandbox_charges (` + chargeNames + `) SELECT ` + chargeNames + ` FROM ` + chargeRows
	chargesWrite = `UPDATE payments.sandbox_charges c SET kind = n.kind, token = n.token, currency = n.currency, amount = n.amount,
	attempts = n.attempts, done = n.done, approved = n.approved, reference = n.reference, code = n.code, message = n.message,
	captured = n.captured, refunded = n.refunded, voided = n.voided
FROM ` + chargeRows + ` WHERE c.key = n.key`
)

func (b *SandboxBooks) chargeMany(ctx context.Context, list []charging) ([]postgres.Result[struct{}], error) {
	keys := make([]string, len(list))
	for i, c := range list {
		keys[i] = c.key
	}
	results := make([]postgres.Result[struct{}], len(list))
	err := postgres.InSteadyPipeline(ctx, b.pool, func(p *postgres.Pipeline) error {
		rows, err := p.Query(ctx, chargesLock, keys)
		if err != nil {
			return err
		}
		found, err := pgx.CollectRows(rows, scanCharge)
		if err != nil {
			return err
		}
		charges := make(map[string]*sandbox.Charge, len(list))
		for _, c := range found {
			charges[c.Key] = c
		}
		var added, changed []*sandbox.Charge
		for i, c := range list {
			charge := charges[c.key]
			known := charge != nil
			if !known {
				charge = &sandbox.Charge{Key: c.key}
			}
			if results[i].Err = c.change(charge); results[i].Err != nil {
				continue
			}
			switch {
			case !known:
				added, charges[c.key] = append(added, charge), charge
			case slices.Contains(found, charge) && !slices.Contains(changed, charge):
				changed = append(changed, charge)
			}
		}
		books := &pgx.Batch{}
		for sql, list := range map[string][]*sandbox.Charge{chargesAdd: added, chargesWrite: changed} {
			if len(list) > 0 {
				books.Queue(sql, postgres.Columns(list, func(c *sandbox.Charge) []any {
					return []any{c.Key, c.Kind, c.Token, c.Amount.Currency, c.Amount.Amount, c.Attempts, c.Done, c.Result.Approved,
						c.Result.Reference, c.Result.Code, c.Result.Message, c.Captured, c.Refunded, c.Voided}
				})...)
			}
		}
		return p.CommitBatch(ctx, books)
	})
	return results, err
}

func (b *SandboxBooks) update(ctx context.Context, key, authorization string, fn func(charge, authorization *sandbox.Charge)) error {
	return postgres.InSteadyPipeline(ctx, b.pool, func(p *postgres.Pipeline) error {
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
