// Package postgres keeps payments in PostgreSQL, in the schema payments.
package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/payments"
)

// Schema is the namespace of this domain's tables.
const Schema = "payments"

// Source is the source of this domain's events.
const Source = "/techmart/payments"

// Store is payments.Store over PostgreSQL.
//
// Payments that are opened or settled at about the same time share a transaction.
type Store struct {
	pool     *pgxpool.Pool
	opening  *postgres.Group[opening, bool]
	changing *postgres.Group[change, struct{}]
}

var _ payments.Store = (*Store)(nil)

// New makes the store; the schema has to be migrated.
func New(pool *pgxpool.Pool) *Store {
	s := &Store{pool: pool}
	s.opening = postgres.Grouped[opening, bool]{Name: "payments.open", One: s.openOne, Many: s.openMany}.Group(pool)
	s.changing = postgres.Grouped[change, struct{}]{Name: "payments.update", One: s.updateOne, Many: s.updateMany}.Group(pool)
	return s
}

const paymentColumns = `p.id, p.order_id, p.customer_id, p.provider, p.status, p.currency, p.amount, p.authorized,
	p.captured, p.refunded, p.closed, coalesce(p.token, ''), coalesce(p.reference, ''), coalesce(p.decline_code, ''),
	coalesce(p.decline_reason, ''), p.sequence, p.created_at, p.updated_at`

func scanPayment(row pgx.CollectableRow) (*payments.Payment, error) {
	var p payments.Payment
	var currency string
	err := row.Scan(&p.ID, &p.OrderID, &p.CustomerID, &p.Provider, &p.Status, &currency, &p.Amount.Amount, &p.Authorized.Amount,
		&p.Captured.Amount, &p.Refunded.Amount, &p.Closed, &p.Token, &p.Reference, &p.DeclineCode,
		&p.DeclineReason, &p.Sequence, &p.CreatedAt, &p.UpdatedAt)
	for _, m := range []*money.Money{&p.Amount, &p.Authorized, &p.Captured, &p.Refunded} {
		m.Currency = money.Currency(currency)
	}
	p.CreatedAt, p.UpdatedAt = p.CreatedAt.UTC(), p.UpdatedAt.UTC()
	return &p, err
}

const transactionColumns = `t.id, t.payment_id, t.kind, t.status, t.currency, t.amount, coalesce(t.reason, ''),
	coalesce(t.provider_reference, ''), coalesce(t.error_code, ''), coalesce(t.error_message, ''), t.attempts,
	t.leased_until, t.created_at, t.settled_at`

func scanTransaction(row pgx.CollectableRow) (*payments.Transaction, error) {
	return scanTransactionAnd(row)
}

// scanTransactionAnd scans further columns that stand before those of the transaction.
func scanTransactionAnd(row pgx.CollectableRow, before ...any) (*payments.Transaction, error) {
	var t payments.Transaction
	var currency string
	var leased, settled *time.Time
	err := row.Scan(append(before, &t.ID, &t.PaymentID, &t.Kind, &t.Status, &currency, &t.Amount.Amount, &t.Reason,
		&t.ProviderReference, &t.ErrorCode, &t.ErrorMessage, &t.Attempts, &leased, &t.CreatedAt, &settled)...)
	t.Amount.Currency = money.Currency(currency)
	t.LeasedUntil, t.SettledAt, t.CreatedAt = value(leased), value(settled), t.CreatedAt.UTC()
	return &t, err
}

// value gives the time in UTC, or the zero time for NULL.
func value(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// null gives NULL for the zero time.
func null(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

const transactionTypes = "uuid uuid text text text bigint text text text text integer timestamptz timestamptz timestamptz"

const transactionNames = `id, payment_id, kind, status, currency, amount, reason, provider_reference, error_code, error_message, attempts,
	leased_until, created_at, settled_at`

var transactionsUpsert = `
INSERT INTO payments.transactions (` + transactionNames + `)
SELECT id, payment_id, kind, status, currency, amount, nullif(reason, ''), nullif(provider_reference, ''), nullif(error_code, ''),
	nullif(error_message, ''), attempts, leased_until, created_at, settled_at
FROM ` + postgres.Unnest(1, transactionTypes) + ` AS t(` + transactionNames + `)
ON CONFLICT (id) DO UPDATE SET status = EXCLUDED.status, provider_reference = EXCLUDED.provider_reference,
	error_code = EXCLUDED.error_code, error_message = EXCLUDED.error_message, attempts = EXCLUDED.attempts,
	leased_until = EXCLUDED.leased_until, settled_at = EXCLUDED.settled_at`

func transactionArgs(t *payments.Transaction) []any {
	return []any{t.ID, t.PaymentID, t.Kind, t.Status, t.Amount.Currency, t.Amount.Amount, t.Reason, t.ProviderReference,
		t.ErrorCode, t.ErrorMessage, t.Attempts, null(t.LeasedUntil), t.CreatedAt, null(t.SettledAt)}
}

// paymentsOpen writes a transaction only along with its payment, in one statement, and answers the payments that it wrote.
var paymentsOpen = `WITH opened AS (
	INSERT INTO payments.payments (id, order_id, customer_id, provider, status, currency, amount, authorized, captured, refunded,
		closed, token, reference, decline_code, decline_reason, sequence, created_at, updated_at)
	SELECT id, order_id, customer_id, provider, status, currency, amount, authorized, captured, refunded,
		closed, nullif(token, ''), nullif(reference, ''), nullif(decline_code, ''), nullif(decline_reason, ''), sequence, created_at, updated_at
	FROM ` + postgres.Unnest(1, "uuid uuid uuid text text text bigint bigint bigint bigint boolean text text text text bigint timestamptz timestamptz") + `
		AS p(id, order_id, customer_id, provider, status, currency, amount, authorized, captured, refunded,
		closed, token, reference, decline_code, decline_reason, sequence, created_at, updated_at)
	ON CONFLICT (order_id) DO NOTHING RETURNING id
), begun AS (
	INSERT INTO payments.transactions (` + transactionNames + `)
	SELECT t.id, t.payment_id, kind, status, currency, amount, nullif(reason, ''), nullif(provider_reference, ''), nullif(error_code, ''),
		nullif(error_message, ''), attempts, leased_until, created_at, settled_at
	FROM ` + postgres.Unnest(19, transactionTypes) + ` AS t(` + transactionNames + `) JOIN opened ON opened.id = t.payment_id
)
SELECT id FROM opened`

// opening is a payment with its first transaction.
type opening struct {
	payment     *payments.Payment
	transaction *payments.Transaction
}

// PaymentOpen implements payments.Store.
func (s *Store) PaymentOpen(ctx context.Context, p *payments.Payment, t *payments.Transaction) (bool, error) {
	payment, transaction := *p, *t // a caller that leaves may change its own
	return s.opening.Do(ctx, opening{&payment, &transaction})
}

func (s *Store) openOne(ctx context.Context, o opening) (bool, error) {
	results, err := s.openMany(ctx, []opening{o})
	if err != nil {
		return false, err
	}
	return results[0].Value, nil
}

func (s *Store) openMany(ctx context.Context, list []opening) ([]postgres.Result[bool], error) {
	args := postgres.Columns(list, func(o opening) []any {
		p := o.payment
		return []any{p.ID, p.OrderID, p.CustomerID, p.Provider, p.Status, p.Amount.Currency, p.Amount.Amount,
			p.Authorized.Amount, p.Captured.Amount, p.Refunded.Amount, p.Closed, p.Token, p.Reference, p.DeclineCode, p.DeclineReason,
			p.Sequence, p.CreatedAt, p.UpdatedAt}
	})
	args = append(args, postgres.Columns(list, func(o opening) []any {
		t := *o.transaction
		t.PaymentID = o.payment.ID
		return transactionArgs(&t)
	})...)
	var opened []uuid.UUID
	err := postgres.SendSteadily(ctx, s.pool, func(b *pgx.Batch) {
		b.Queue(paymentsOpen, args...).Query(func(rows pgx.Rows) (err error) {
			opened, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	results := make([]postgres.Result[bool], len(list))
	for i, o := range list {
		results[i].Value = slices.Contains(opened, o.payment.ID)
	}
	return results, nil
}

const paymentLock = `SELECT ` + paymentColumns + ` FROM payments.payments p WHERE p.id = $1 FOR UPDATE`

const paymentLockByOrder = `SELECT ` + paymentColumns + ` FROM payments.payments p WHERE p.order_id = $1 FOR UPDATE`

const transactionsOpen = `SELECT ` + transactionColumns + ` FROM payments.transactions t
WHERE t.payment_id = $1 AND t.status = 'PENDING' ORDER BY t.created_at, t.id`

const transactionsOpenByOrder = `SELECT ` + transactionColumns + ` FROM payments.transactions t
WHERE t.payment_id = (SELECT p.id FROM payments.payments p WHERE p.order_id = $1) AND t.status = 'PENDING' ORDER BY t.created_at, t.id`

const keyFind = `SELECT request_hash, result_id, created_at FROM payments.idempotency_keys WHERE owner = $1 AND operation = $2 AND key = $3`

// PaymentUpdate implements payments.Store. It takes two round trips.
func (s *Store) PaymentUpdate(ctx context.Context, target payments.Target, key *payments.Key, fn func(*payments.Unit) error) error {
	if key == nil && target.PaymentID != uuid.Nil {
		fn, leave := postgres.Leavable(fn)
		defer leave()
		_, err := s.changing.Do(ctx, change{target.PaymentID, fn})
		return err
	}
	return s.update(ctx, target, key, fn)
}

func (s *Store) update(ctx context.Context, target payments.Target, key *payments.Key, fn func(*payments.Unit) error) error {
	err := postgres.InSteadyPipeline(ctx, s.pool, func(p *postgres.Pipeline) error {
		u, err := lock(ctx, p, target, key)
		if err != nil {
			return err
		}
		if err := fn(u); err != nil {
			return err
		}
		batch, err := changes(key, u)
		if err != nil {
			return err
		}
		return p.CommitBatch(ctx, batch)
	})
	if postgres.IsUniqueViolation(err, "idempotency_keys_pkey") {
		return errs.At(errs.IdempotencyReused, "This idempotency key was used with another input.", "idempotencyKey")
	}
	return err
}

// change is a change of a payment.
type change struct {
	id uuid.UUID
	fn func(*payments.Unit) error
}

func (s *Store) updateOne(ctx context.Context, c change) (struct{}, error) {
	return struct{}{}, s.update(ctx, payments.Target{PaymentID: c.id}, nil, c.fn)
}

const (
	paymentsLock         = `SELECT ` + paymentColumns + ` FROM payments.payments p WHERE p.id = ANY($1) ORDER BY p.id FOR UPDATE`
	transactionsOpenMany = `SELECT ` + transactionColumns + ` FROM payments.transactions t
WHERE t.payment_id = ANY($1) AND t.status = 'PENDING' ORDER BY t.payment_id, t.created_at, t.id`
)

// updateMany changes payments in one transaction of two round trips. A second change of one payment is made by itself
// afterwards: it needs what the first one wrote.
func (s *Store) updateMany(ctx context.Context, list []change) ([]postgres.Result[struct{}], error) {
	var ids []uuid.UUID
	var later []int
	for i, c := range list {
		if slices.Contains(ids, c.id) {
			later = append(later, i)
		} else {
			ids = append(ids, c.id)
		}
	}
	var results []postgres.Result[struct{}]
	err := postgres.InSteadyPipeline(ctx, s.pool, func(p *postgres.Pipeline) error {
		units, err := lockMany(ctx, p, ids)
		if err != nil {
			return err
		}
		results = make([]postgres.Result[struct{}], len(list))
		var changed []*payments.Unit
		for i, c := range list {
			u := units[c.id]
			switch {
			case slices.Contains(later, i):
			case u == nil:
				results[i].Err = noSuchPayment()
			default:
				if results[i].Err = c.fn(u); results[i].Err == nil {
					changed = append(changed, u)
				}
			}
		}
		if len(changed) == 0 {
			return nil
		}
		batch, err := changes(nil, changed...)
		if err != nil {
			return err
		}
		return p.CommitBatch(ctx, batch)
	})
	if err != nil {
		return nil, err
	}
	for _, i := range later {
		_, results[i].Err = s.updateOne(ctx, list[i])
	}
	return results, nil
}

// lockMany locks payments in the order of their ids and reads what belongs to them.
func lockMany(ctx context.Context, tx pgx.Tx, ids []uuid.UUID) (map[uuid.UUID]*payments.Unit, error) {
	units := make(map[uuid.UUID]*payments.Unit, len(ids))
	batch := &pgx.Batch{}
	batch.Queue(paymentsLock, ids).Query(func(rows pgx.Rows) error {
		found, err := pgx.CollectRows(rows, scanPayment)
		for _, p := range found {
			units[p.ID] = &payments.Unit{Payment: p}
		}
		return err
	})
	batch.Queue(transactionsOpenMany, ids).Query(func(rows pgx.Rows) error {
		open, err := pgx.CollectRows(rows, scanTransaction)
		for _, t := range open {
			if u := units[t.PaymentID]; u != nil {
				u.Open = append(u.Open, t)
			}
		}
		return err
	})
	return units, tx.SendBatch(ctx, batch).Close()
}

func noSuchPayment() error { return errs.New(errs.NotFound, "There is no such payment.") }

// lock locks a payment and reads what belongs to it. The statements behind the lock see what the one before
// wrote.
func lock(ctx context.Context, tx pgx.Tx, target payments.Target, key *payments.Key) (*payments.Unit, error) {
	payment, open, id := paymentLock, transactionsOpen, target.PaymentID
	if id == uuid.Nil {
		payment, open, id = paymentLockByOrder, transactionsOpenByOrder, target.OrderID
	}
	u := &payments.Unit{}
	var batch pgx.Batch
	batch.Queue(payment, id).Query(func(rows pgx.Rows) error {
		found, err := pgx.CollectRows(rows, scanPayment)
		if len(found) > 0 {
			u.Payment = found[0]
		}
		return err
	})
	batch.Queue(open, id).Query(func(rows pgx.Rows) (err error) {
		u.Open, err = pgx.CollectRows(rows, scanTransaction)
		return err
	})
	if key != nil {
		batch.Queue(keyFind, key.Owner, key.Operation, key.Key).QueryRow(func(row pgx.Row) error {
			var use payments.Use
			err := row.Scan(&use.RequestHash, &use.TransactionID, &use.CreatedAt)
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			u.Used = &use
			return err
		})
	}
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, err
	}
	if u.Payment == nil {
		return nil, noSuchPayment()
	}
	return u, nil
}
