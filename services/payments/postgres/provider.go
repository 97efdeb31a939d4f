package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/services/payments"
)

const (
	paymentsByReference = `SELECT ` + paymentColumns + ` FROM payments.payments p WHERE p.provider = $1 AND p.reference = ANY($2)`
	transactionIsOpen   = `SELECT EXISTS (SELECT FROM payments.transactions WHERE payment_id = $1 AND status = 'PENDING')`
	noticeKnown         = `SELECT EXISTS (SELECT FROM payments.notices WHERE provider = $1 AND id = $2)`
	noticeAdd           = `INSERT INTO payments.notices (provider, id, type, received_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`
	noticesPurge        = `DELETE FROM payments.notices WHERE (provider, id) IN (
	SELECT provider, id FROM payments.notices WHERE received_at < $1 ORDER BY received_at LIMIT $2)`
)

// PaymentsByReference implements payments.Store.
func (s *Store) PaymentsByReference(ctx context.Context, provider string, references []string) (map[string]*payments.Payment, error) {
	rows, err := s.pool.Query(ctx, paymentsByReference, provider, references)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, scanPayment)
	if err != nil {
		return nil, err
	}
	found := make(map[string]*payments.Payment, len(list))
	for _, p := range list {
		found[p.Reference] = p
	}
	return found, nil
}

// TransactionsOpen implements payments.Store.
func (s *Store) TransactionsOpen(ctx context.Context, paymentID uuid.UUID) (open bool, err error) {
	err = s.pool.QueryRow(ctx, transactionIsOpen, paymentID).Scan(&open)
	return open, err
}

// NoticeKnown implements payments.Store.
func (s *Store) NoticeKnown(ctx context.Context, provider, id string) (known bool, err error) {
	err = s.pool.QueryRow(ctx, noticeKnown, provider, id).Scan(&known)
	return known, err
}

// NoticeAdd implements payments.Store.
func (s *Store) NoticeAdd(ctx context.Context, provider string, n payments.Notice, at time.Time) error {
	_, err := s.pool.Exec(ctx, noticeAdd, provider, n.ID, n.Type, at)
	return err
}

// NoticesPurge implements payments.Store.
func (s *Store) NoticesPurge(ctx context.Context, before time.Time, limit int) (int, error) {
	tag, err := s.pool.Exec(ctx, noticesPurge, before, limit)
	return int(tag.RowsAffected()), err
}

const reviveTransactions = `UPDATE payments.transactions SET leased_until = NULL WHERE status = 'PENDING' AND leased_until IS NOT NULL`

// Revive takes back what processes had taken that are certainly gone: those of the shop that a backup
// was made of. Without it their payments wait until the processes' time is over.
func (s *Store) Revive(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, reviveTransactions)
	return err
}
