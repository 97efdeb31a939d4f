package postgres

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/payments"
	"github.com/techmart/techmart/services/payments/sandbox"
)

// Import adds payments with their transactions, ledger entries and, for those of the sandbox, its books,
// in one transaction by COPY. It writes no events. Payments that are there already, by id, stay as they are.
func (s *Store) Import(ctx context.Context, list []*payments.Record) error {
	return postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		fresh, err := unknownRecords(ctx, tx, list)
		if err != nil {
			return err
		}
		for _, table := range tables(fresh) {
			if _, err := tx.CopyFrom(ctx, pgx.Identifier{Schema, table.name}, table.columns, pgx.CopyFromRows(table.rows)); err != nil {
				return err
			}
		}
		return nil
	})
}

func unknownRecords(ctx context.Context, tx pgx.Tx, list []*payments.Record) ([]*payments.Record, error) {
	ids := make([]uuid.UUID, len(list))
	for i, r := range list {
		ids[i] = r.Payment.ID
	}
	rows, err := tx.Query(ctx, `SELECT id FROM payments.payments WHERE id = ANY($1)`, ids)
	if err != nil {
		return nil, err
	}
	known, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, err
	}
	there := make(map[uuid.UUID]bool, len(known))
	for _, id := range known {
		there[id] = true
	}
	return slices.DeleteFunc(slices.Clone(list), func(r *payments.Record) bool { return there[r.Payment.ID] }), nil
}

// table is what is copied into one table.
type table struct {
	name    string
	columns []string
	rows    [][]any
}

// tables gives the rows of records by table, parents first.
func tables(list []*payments.Record) []table {
	head := table{name: "payments", columns: []string{"id", "order_id", "customer_id", "provider", "status", "currency", "amount", "authorized",
		"captured", "refunded", "closed", "token", "reference", "decline_code", "decline_reason", "sequence", "created_at", "updated_at"}}
	transactions := table{name: "transactions", columns: []string{"id", "payment_id", "kind", "status", "currency", "amount", "reason",
		"provider_reference", "error_code", "error_message", "attempts", "created_at", "settled_at"}}
	entries := table{name: "ledger_entries", columns: []string{"transaction_id", "account", "direction", "amount", "currency", "created_at"}}
	charges := table{name: "sandbox_charges", columns: []string{"key", "kind", "token", "currency", "amount", "attempts", "done", "approved",
		"reference", "code", "message", "captured", "refunded", "voided", "created_at"}}
	for _, r := range list {
		p := r.Payment
		currency := string(p.Amount.Currency)
		head.rows = append(head.rows, []any{p.ID, p.OrderID, p.CustomerID, p.Provider, string(p.Status), currency, p.Amount.Amount, p.Authorized.Amount,
			p.Captured.Amount, p.Refunded.Amount, p.Closed, optional(p.Token), optional(p.Reference), optional(p.DeclineCode), optional(p.DeclineReason),
			p.Sequence, p.CreatedAt, p.UpdatedAt})
		for _, t := range r.Transactions {
			transactions.rows = append(transactions.rows, []any{t.ID, t.PaymentID, string(t.Kind), string(t.Status), currency, t.Amount.Amount, optional(t.Reason),
				optional(t.ProviderReference), optional(t.ErrorCode), optional(t.ErrorMessage), t.Attempts, t.CreatedAt, null(t.SettledAt)})
			for _, e := range payments.Postings(t) {
				entries.rows = append(entries.rows, []any{e.TransactionID, string(e.Account), direction(e), e.Amount.Amount, currency, t.SettledAt})
			}
			if t.Kind == payments.Authorize && p.Provider == sandbox.Name {
				charges.rows = append(charges.rows, []any{t.ID.String(), string(t.Kind), "", currency, t.Amount.Amount, t.Attempts, true, t.Status == payments.Succeeded,
					t.ProviderReference, t.ErrorCode, t.ErrorMessage, p.Captured.Amount, p.Refunded.Amount, p.Status == payments.Voided, t.CreatedAt})
			}
		}
	}
	return []table{head, transactions, entries, charges}
}

// optional gives NULL for the empty text.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
