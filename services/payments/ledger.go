package payments

import (
	"github.com/google/uuid"

	"github.com/techmart/techmart/services/money"
)

// Account is an account of the ledger.
type Account string

// The accounts. An authorization moves no money and is therefore not in the ledger: the payment
// itself is its record. Money enters with a capture and leaves with a refund.
const (
	ProviderClearing Account = "provider_clearing" // asset: what the provider owes the shop
	Sales            Account = "sales"             // income
	Refunds          Account = "refunds"           // contra income
)

// Entry is one side of a posting: an amount debited to or credited to an account.
type Entry struct {
	TransactionID uuid.UUID // the payment transaction that the posting records
	Account       Account
	Debit         bool        // debit or credit
	Amount        money.Money // more than zero
}

// Postings gives the ledger's entries of a transaction that succeeded: as much debit as credit.
func Postings(t *Transaction) []Entry {
	pair := func(debit, credit Account) []Entry {
		return []Entry{
			{TransactionID: t.ID, Account: debit, Debit: true, Amount: t.Amount},
			{TransactionID: t.ID, Account: credit, Amount: t.Amount},
		}
	}
	switch {
	case t.Status != Succeeded:
		return nil
	case t.Kind == Capture:
		return pair(ProviderClearing, Sales)
	case t.Kind == Refund:
		return pair(Refunds, ProviderClearing)
	}
	return nil
}

// Balance is what an account holds in one currency: debits less credits.
type Balance struct {
	Account Account
	Balance money.Money
}
