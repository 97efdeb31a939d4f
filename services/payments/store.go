package payments

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/page"
)

// Store keeps payments, their transactions and the ledger. The service is its only caller.
// Errors that are not named in a method's contract are internal.
type Store interface {
	// PaymentOpen adds a payment with its first transaction. It reports false, and adds nothing, when
	// the order has a payment already.
	PaymentOpen(ctx context.Context, p *Payment, t *Transaction) (bool, error)

	// PaymentUpdate locks a payment, lets fn change it, and writes the payment and all that the unit
	// says in one transaction, unless fn fails: then it writes nothing and returns fn's error as it is.
	// fn may run more than once. It fails with NOT_FOUND when there is no such payment, and with
	// IDEMPOTENCY_REUSED when the unit's key was used for another payment.
	PaymentUpdate(ctx context.Context, target Target, key *Key, fn func(*Unit) error) error

	// PaymentsByID gives payments by id; what is missing or not visible to the audience is left out.
	PaymentsByID(ctx context.Context, ids []uuid.UUID, a Audience) (map[uuid.UUID]*Payment, error)
	// PaymentsByOrder gives payments by their order's id, as PaymentsByID.
	PaymentsByOrder(ctx context.Context, orderIDs []uuid.UUID, a Audience) (map[uuid.UUID]*Payment, error)
	// PaymentList gives up to r.Limit+1 payments in reading direction, newest first when read forward.
	// The key of a payment is KeyOf.
	PaymentList(ctx context.Context, f Filter, r page.Request) ([]*Payment, error)
	// PaymentCount counts all payments of a filter.
	PaymentCount(ctx context.Context, f Filter) (int, error)

	// TransactionsByID gives transactions by id, as PaymentsByID.
	TransactionsByID(ctx context.Context, ids []uuid.UUID, a Audience) (map[uuid.UUID]*Transaction, error)
	// TransactionLists gives up to r.Limit+1 transactions of each payment in reading direction, oldest
	// first when read forward, in one call. The key of a transaction is TransactionKeyOf.
	TransactionLists(ctx context.Context, lists []TransactionList, a Audience) (map[TransactionList][]*Transaction, error)
	// TransactionsUnsettled gives up to limit transactions without an answer that were made before a
	// time and that nobody is at now, the least often tried first.
	TransactionsUnsettled(ctx context.Context, before, now time.Time, limit int) ([]*Transaction, error)

	// TransactionsOpen reports whether a payment has a transaction without an answer.
	TransactionsOpen(ctx context.Context, paymentID uuid.UUID) (bool, error)

	// PaymentsByReference gives payments by the provider's reference of their authorization.
	PaymentsByReference(ctx context.Context, provider string, references []string) (map[string]*Payment, error)
	// NoticeKnown reports whether a provider's notice was dealt with.
	NoticeKnown(ctx context.Context, provider, id string) (bool, error)
	// NoticeAdd notes that a notice was dealt with; once more does nothing.
	NoticeAdd(ctx context.Context, provider string, n Notice, at time.Time) error
	// NoticesPurge removes up to limit notices that came before a time, and gives their number.
	NoticesPurge(ctx context.Context, before time.Time, limit int) (int, error)

	// KeysPurge removes up to limit idempotency keys that were used before a time, and gives their number.
	KeysPurge(ctx context.Context, before time.Time, limit int) (int, error)

	// LedgerBalances gives what each account holds, by account and currency.
	LedgerBalances(ctx context.Context) ([]Balance, error)
}

// Target names one payment by its own or its order's id; the other one is zero.
type Target struct {
	PaymentID uuid.UUID
	OrderID   uuid.UUID
}

// Audience is who reads: everyone's payments, or those of one customer only.
type Audience struct {
	All        bool
	CustomerID uuid.UUID
}

// Unit is a locked payment with what a change of it needs and adds.
type Unit struct {
	Payment *Payment       // written back
	Open    []*Transaction // without an answer, oldest first; written back when given to Save
	Used    *Use           // what the key was used for before, if it was

	Saved   []*Transaction // new and changed transactions
	Entries []Entry        // added to the ledger
	Events  []Event        // added to the outbox
	Use     *Use           // what the key is used for now
}

// Save adds or changes a transaction.
func (u *Unit) Save(t *Transaction) { u.Saved = append(u.Saved, t) }

// Key is an idempotency key within the keys of one owner and operation.
type Key struct {
	Owner     uuid.UUID // the account that made the call, or the order for the shop's own calls
	Operation string
	Key       string
}

// Use is what an idempotency key was used for.
type Use struct {
	RequestHash   []byte
	TransactionID uuid.UUID
	CreatedAt     time.Time
}

// Filter says which payments; all conditions must hold.
type Filter struct {
	Statuses    []Status  // one of these; any when empty
	CreatedFrom time.Time // at or after; zero for no bound
	CreatedTo   time.Time // before; zero for no bound
}

// TransactionList names a part of one payment's transactions. It is comparable, so that it can be the
// key of a loader; After is the position to read on from, or zero.
type TransactionList struct {
	PaymentID uuid.UUID
	Limit     int
	After     Position
}

// Position is the place of a payment or transaction in its list.
type Position struct {
	CreatedAt time.Time // UTC
	ID        uuid.UUID
}
