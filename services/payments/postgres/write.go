package postgres

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/platform/outbox"
	"github.com/techmart/techmart/services/payments"
)

const paymentWrite = `
UPDATE payments.payments SET status = $2, authorized = $3, captured = $4, refunded = $5, closed = $6, token = nullif($7, ''),
	reference = nullif($8, ''), decline_code = nullif($9, ''), decline_reason = nullif($10, ''), sequence = $11, updated_at = $12
WHERE id = $1`

const entryInsert = `
INSERT INTO payments.ledger_entries (transaction_id, account, direction, amount, currency, created_at)
SELECT e.transaction_id, e.account, e.direction, e.amount, e.currency, $6
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[]) AS e(transaction_id, account, direction, amount, currency)`

const keyInsert = `
INSERT INTO payments.idempotency_keys (owner, operation, key, request_hash, result_id, created_at) VALUES ($1, $2, $3, $4, $5, $6)`

// changes gives the statements for all that the unit says.
func changes(u *payments.Unit, key *payments.Key) (*pgx.Batch, error) {
	p, batch := u.Payment, &pgx.Batch{}
	batch.Queue(paymentWrite, p.ID, p.Status, p.Authorized.Amount, p.Captured.Amount, p.Refunded.Amount, p.Closed, p.Token,
		p.Reference, p.DeclineCode, p.DeclineReason, p.Sequence, p.UpdatedAt)
	for _, t := range u.Saved {
		batch.Queue(transactionUpsert, transactionArgs(t)...)
	}
	if len(u.Entries) > 0 {
		batch.Queue(entryInsert, entryArgs(u)...)
	}
	if u.Use != nil && key != nil {
		batch.Queue(keyInsert, key.Owner, key.Operation, key.Key, u.Use.RequestHash, u.Use.TransactionID, u.Use.CreatedAt)
	}
	events := make([]outbox.Event, len(u.Events))
	for i, e := range u.Events {
		data, err := json.Marshal(e.Data)
		if err != nil {
			return nil, err
		}
		events[i] = outbox.Event{ID: e.ID, Type: e.Type, Source: Source, Subject: e.Subject.String(), Sequence: e.Sequence, Time: e.Time, Data: data}
	}
	return batch, outbox.Queue(batch, Schema, events...)
}

// entryArgs gives the entries by column.
func entryArgs(u *payments.Unit) []any {
	n := len(u.Entries)
	ids, accounts, directions := make([]uuid.UUID, n), make([]string, n), make([]string, n)
	amounts, currencies := make([]int64, n), make([]string, n)
	for i, e := range u.Entries {
		ids[i], accounts[i], directions[i] = e.TransactionID, string(e.Account), direction(e)
		amounts[i], currencies[i] = e.Amount.Amount, string(e.Amount.Currency)
	}
	return []any{ids, accounts, directions, amounts, currencies, u.Payment.UpdatedAt}
}

func direction(e payments.Entry) string {
	if e.Debit {
		return "DEBIT"
	}
	return "CREDIT"
}

const keysPurge = `
DELETE FROM payments.idempotency_keys k USING (
	SELECT owner, operation, key FROM payments.idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
) old
WHERE k.owner = old.owner AND k.operation = old.operation AND k.key = old.key`

// KeysPurge implements payments.Store.
func (s *Store) KeysPurge(ctx context.Context, before time.Time, limit int) (int, error) {
	tag, err := s.pool.Exec(ctx, keysPurge, before, limit)
	return int(tag.RowsAffected()), err
}
