// Package postgres keeps payments in PostgreSQL, in the schema payments.
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
	"github.com/techmart/techmart/services/payments"
)

// Schema is the namespace of this domain's tables.
const Schema = "payments"

// Source is the source of this domain's events.
const Source = "/techmart/payments"

// Store is payments.Store over PostgreSQL.
type Store struct{ pool *pgxpool.Pool }

var _ payments.Store = (*Store)(nil)

// New makes the store; the schema has to be migrated.
func New(pool *pgxpool.Pool) *Store { return &Store{pool: pool} }

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

const paymentInsert = `
INSERT INTO payments.payments (id, order_id, customer_id, provider, status, currency, amount, authorized, captured, refunded,
	closed, token, reference, decline_code, decline_reason, sequence, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, nullif($12, ''), nullif($13, ''), nullif($14, ''), nullif($15, ''), $16, $17, $18)
ON CONFLICT (order_id) DO NOTHING`

const transactionUpsert = `
INSERT INTO payments.transactions (id, payment_id, kind, status, currency, amount, reason, provider_reference, error_code,
	error_message, attempts, leased_until, created_at, settled_at)
VALUES ($1, $2, $3, $4, $5, $6, nullif($7, ''), nullif($8, ''), nullif($9, ''), nullif($10, ''), $11, $12, $13, $14)
ON CONFLICT (id) DO UPDATE SET status = EXCLUDED.status, provider_reference = EXCLUDED.provider_reference,
	error_code = EXCLUDED.error_code, error_message = EXCLUDED.error_message, attempts = EXCLUDED.attempts,
	leased_until = EXCLUDED.leased_until, settled_at = EXCLUDED.settled_at`

func transactionArgs(t *payments.Transaction) []any {
	return []any{t.ID, t.PaymentID, t.Kind, t.Status, t.Amount.Currency, t.Amount.Amount, t.Reason, t.ProviderReference,
		t.ErrorCode, t.ErrorMessage, t.Attempts, null(t.LeasedUntil), t.CreatedAt, null(t.SettledAt)}
}

// paymentOpen writes the transaction only along with its payment, in one statement.
const paymentOpen = `WITH opened AS (` + paymentInsert + ` RETURNING id)
INSERT INTO payments.transactions (id, payment_id, kind, status, currency, amount, reason, provider_reference, error_code,
	error_message, attempts, leased_until, created_at, settled_at)
SELECT $19, opened.id, $20, $21, $22, $23, nullif($24, ''), nullif($25, ''), nullif($26, ''), nullif($27, ''), $28, $29, $30, $31 FROM opened`

// PaymentOpen implements payments.Store.
func (s *Store) PaymentOpen(ctx context.Context, p *payments.Payment, t *payments.Transaction) (bool, error) {
	args := []any{p.ID, p.OrderID, p.CustomerID, p.Provider, p.Status, p.Amount.Currency, p.Amount.Amount,
		p.Authorized.Amount, p.Captured.Amount, p.Refunded.Amount, p.Closed, p.Token, p.Reference, p.DeclineCode, p.DeclineReason,
		p.Sequence, p.CreatedAt, p.UpdatedAt, t.ID}
	tag, err := s.pool.Exec(ctx, paymentOpen, append(args, transactionArgs(t)[2:]...)...)
	return err == nil && tag.RowsAffected() == 1, err
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
	err := postgres.InPipeline(ctx, s.pool, func(p *postgres.Pipeline) error {
		u, err := lock(ctx, p, target, key)
		if err != nil {
			return err
		}
		if err := fn(u); err != nil {
			return err
		}
		batch, err := changes(u, key)
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
		return nil, errs.New(errs.NotFound, "There is no such payment.")
	}
	return u, nil
}
