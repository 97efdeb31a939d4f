package postgres

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/platform/outbox"
	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/payments"
)

var paymentsWrite = `
UPDATE payments.payments p SET status = n.status, authorized = n.authorized, captured = n.captured, refunded = n.refunded, closed = n.closed,
	token = nullif(n.token, ''), reference = nullif(n.reference, ''), decline_code = nullif(n.decline_code, ''),
	decline_reason = nullif(n.decline_reason, ''), sequence = n.sequence, updated_at = n.updated_at
FROM ` + postgres.Unnest(1, "uuid text bigint bigint bigint boolean text text text text bigint timestamptz") + `
	AS n(id, status, authorized, captured, refunded, closed, token, reference, decline_code, decline_reason, sequence, updated_at)
WHERE p.id = n.id`

var entriesInsert = `
INSERT INTO payments.ledger_entries (transaction_id, account, direction, amount, currency, created_at)
SELECT transaction_id, account, direction, amount, currency, created_at
FROM ` + postgres.Unnest(1, "uuid text text bigint text timestamptz") + ` AS e(transaction_id, account, direction, amount, currency, created_at)`

const keyInsert = `
INSERT INTO payments.idempotency_keys (owner, operation, key, request_hash, result_id, created_at) VALUES ($1, $2, $3, $4, $5, $6)`

// changes gives the statements for all that the units say.
func changes(key *payments.Key, units ...*payments.Unit) (*pgx.Batch, error) {
	batch := &pgx.Batch{}
	batch.Queue(paymentsWrite, postgres.Columns(units, func(u *payments.Unit) []any {
		p := u.Payment
		return []any{p.ID, p.Status, p.Authorized.Amount, p.Captured.Amount, p.Refunded.Amount, p.Closed, p.Token,
			p.Reference, p.DeclineCode, p.DeclineReason, p.Sequence, p.UpdatedAt}
	})...)
	var (
		saved   []*payments.Transaction
		entries [][]any
		events  []outbox.Event
	)
	for _, u := range units {
		for _, t := range u.Saved {
			// One statement writes a row once.
			saved = append(slices.DeleteFunc(saved, func(earlier *payments.Transaction) bool { return earlier.ID == t.ID }), t)
		}
		for _, e := range u.Entries {
			entries = append(entries, []any{e.TransactionID, string(e.Account), direction(e), e.Amount.Amount, string(e.Amount.Currency), u.Payment.UpdatedAt})
		}
		for _, e := range u.Events {
			data, err := json.Marshal(e.Data)
			if err != nil {
				return nil, err
			}
			events = append(events, outbox.Event{ID: e.ID, Type: e.Type, Source: Source, Subject: e.Subject.String(), Sequence: e.Sequence, Time: e.Time, Data: data})
		}
	}
	if len(saved) > 0 {
		batch.Queue(transactionsUpsert, postgres.Columns(saved, transactionArgs)...)
	}
	if len(entries) > 0 {
		batch.Queue(entriesInsert, postgres.Columns(entries, func(row []any) []any { return row })...)
	}
	for _, u := range units {
		if u.Use != nil && key != nil {
			batch.Queue(keyInsert, key.Owner, key.Operation, key.Key, u.Use.RequestHash, u.Use.TransactionID, u.Use.CreatedAt)
		}
	}
	return batch, outbox.Queue(batch, Schema, events...)
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
