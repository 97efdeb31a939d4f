// Package payments takes and pays back the money of orders.
//
// Every order has at most one payment. Whatever is asked of the payment provider is first written
// down as a PENDING transaction (the intent), then asked, outside of any database transaction and
// under the intent's id as the provider's idempotency key, and then settled: the answer, the new
// amounts, the ledger entries and the events are written together. A call whose answer is lost stays
// PENDING, counts against what may still be captured or refunded, and is settled by asking the
// provider what became of it: on the next call for the payment, or by [Service.ResolvePending].
package payments

import (
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/money"
)

// Status says where a payment stands.
type Status string

// The statuses of a payment.
const (
	Pending           Status = "PENDING"            // being arranged with the provider
	Authorized        Status = "AUTHORIZED"         // the provider holds the amount
	PartiallyCaptured Status = "PARTIALLY_CAPTURED" // a part was taken
	Captured          Status = "CAPTURED"           // all of it was taken
	PartiallyRefunded Status = "PARTIALLY_REFUNDED" // a part was paid back
	Refunded          Status = "REFUNDED"           // all that was taken was paid back
	Voided            Status = "VOIDED"             // given up before anything was taken
	Declined          Status = "DECLINED"           // the provider refused
)

// Statuses lists every status.
var Statuses = []Status{Pending, Authorized, PartiallyCaptured, Captured, PartiallyRefunded, Refunded, Voided, Declined}

// Payment is the payment of one order.
type Payment struct {
	ID         uuid.UUID
	OrderID    uuid.UUID // unique
	CustomerID uuid.UUID
	Provider   string // the provider's name, such as "sandbox"
	Status     Status
	Amount     money.Money // what is to be paid
	Authorized money.Money // what the provider holds or held
	Captured   money.Money // what was taken, at most Authorized
	Refunded   money.Money // what was paid back, at most Captured
	Closed     bool        // nothing more will be captured: the order is off

	Token         string // the provider's token; kept only until the authorization is settled
	Reference     string // the provider's reference of the authorization
	DeclineCode   string // the provider's code of a refusal
	DeclineReason string // why the provider refused, for the customer

	Sequence  int64 // number of events so far
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Kind says what was asked of the provider.
type Kind string

// The kinds of transactions.
const (
	Authorize Kind = "AUTHORIZE" // to hold an amount
	Capture   Kind = "CAPTURE"   // to take it
	Void      Kind = "VOID"      // to give it up
	Refund    Kind = "REFUND"    // to pay it back
)

// TransactionStatus says what came of a transaction.
type TransactionStatus string

// The statuses of a transaction.
const (
	Unsettled TransactionStatus = "PENDING"   // no answer yet
	Succeeded TransactionStatus = "SUCCEEDED" // done
	Failed    TransactionStatus = "FAILED"    // refused for good
)

// Transaction is one thing that was asked of the provider. Its id is the provider's idempotency key.
type Transaction struct {
	ID                uuid.UUID
	PaymentID         uuid.UUID
	Kind              Kind
	Status            TransactionStatus
	Amount            money.Money
	Reason            string // of a refund, for the customer
	ProviderReference string
	ErrorCode         string // the provider's code when it refused
	ErrorMessage      string // and its message, safe to show
	Attempts          int
	LeasedUntil       time.Time // someone is at it until then; zero when nobody is
	CreatedAt         time.Time
	SettledAt         time.Time // zero while PENDING
}

// Deps is what the service is made of. Store and Provider are required.
type Deps struct {
	Store    Store
	Provider Provider
	Clock    func() time.Time // default time.Now
	Log      *slog.Logger     // default slog.Default
	Calls    Calls            // bounds of provider calls
}

// Calls bounds the calls of the provider. Zero values take the defaults.
type Calls struct {
	Timeout time.Duration // of one try; default 5 s
	Retries int           // after a transient failure; default 2, negative for none
	Backoff time.Duration // before the first retry, doubled for each further one; default 50 ms
	Limit   int           // calls at a time; default 64
	Watch   Watch
}

// Watch is told of what stands between the shop and its provider; nil fields are left out.
type Watch struct {
	Breaker  func(state int)     // 0 closed, 1 open, 2 trying
	Rejected func(reason string) // a call was not made: open, or full
	Retried  func()              // a call is repeated
}

// Service applies the rules of payments.
type Service struct {
	store  Store
	caller *caller
	clock  func() time.Time
	log    *slog.Logger
}

// New makes the service.
func New(d Deps) *Service {
	if d.Clock == nil {
		d.Clock = time.Now
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	return &Service{store: d.Store, caller: newCaller(d.Provider, d.Calls), clock: d.Clock, log: d.Log}
}

// now gives the time in the resolution that the store keeps.
func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }
