package orders

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/page"
)

// Key makes a call safe to repeat.
type Key struct {
	Owner     uuid.UUID // the viewer's account
	Operation string
	Key       string
	Hash      []byte    // of the input
	Holder    uuid.UUID // of this call
}

// Used is what is known of an idempotency key.
type Used struct {
	Hash   []byte
	Result uuid.UUID
}

// Start is what Place needs of the store before it begins.
type Start struct {
	Used   *Used  // nil where the key is new, or none was given
	Number string // for the new order
	Taken  bool   // the key is the caller's until Insert writes it, GiveUp is called or the lease ends
}

// Message is an event for other domains.
type Message struct {
	ID       uuid.UUID
	Type     string
	OrderID  uuid.UUID
	Sequence int64
	Time     time.Time
	Data     []byte // JSON
}

// JobKind says what a job does.
type JobKind string

// The kinds of jobs.
const (
	JobSettle JobKind = "settle" // drive the saga of an order
	JobShip   JobKind = "ship"   // lower the stock and capture the share of a parcel
	JobReturn JobKind = "return" // restock and pay back what has come back
)

// Job is durable work, done at least once.
type Job struct {
	Kind          JobKind
	OrderID       uuid.UUID
	FulfillmentID uuid.UUID // for JobShip
	ReturnID      uuid.UUID // for JobReturn
	Cause         string    // tells the jobs of one order apart: one of each may wait or run
}

// Optional is a bound that may be left out.
type Optional struct {
	Set   bool
	Value int64
}

// StatusSet is a set of statuses; the empty set stands for all.
type StatusSet uint16

// NewStatusSet makes a set; unknown statuses are left out.
func NewStatusSet(statuses ...Status) StatusSet {
	var set StatusSet
	for _, s := range statuses {
		for i, known := range Statuses {
			if s == known {
				set |= 1 << i
			}
		}
	}
	return set
}

// List gives the set's statuses in the order of an order's life.
func (s StatusSet) List() []Status {
	var list []Status
	for i, known := range Statuses {
		if s&(1<<i) != 0 {
			list = append(list, known)
		}
	}
	return list
}

// Filter says which orders; all conditions must hold. It is comparable.
type Filter struct {
	Statuses     StatusSet
	PlacedFrom   time.Time // inclusive, UTC; zero for none
	PlacedBefore time.Time // exclusive, UTC; zero for none
	MinTotal     Optional  // minor units, inclusive
	MaxTotal     Optional  // minor units, inclusive
	CustomerID   uuid.UUID // zero for everybody
	Search       string    // prefix of the number or the e-mail address; empty for none
}

// SortField is what orders are sorted by.
type SortField string

// The sort fields.
const (
	ByPlacedAt  SortField = "PLACED_AT"
	ByUpdatedAt SortField = "UPDATED_AT"
	ByTotal     SortField = "TOTAL"
)

// Sort is an order of orders; ties are broken by id.
type Sort struct {
	Field     SortField
	Ascending bool
}

// Stuck are orders and parcels whose jobs may be lost.
type Stuck struct {
	Orders  []uuid.UUID
	Parcels []Job
}

// Audience says whose orders may be read: everybody's, or those of one customer. The zero value may read none.
type Audience struct {
	Everybody bool
	Customer  uuid.UUID
}

// Store keeps orders. Methods that change an order write all of a [Draft] in one transaction: the order, its
// lines, parcels and timeline, its events and its jobs.
type Store interface {
	// Start looks an idempotency key up (nil for none), takes it for the lease where it is new, and takes a number. It fails
	// with ErrKeyBusy while another call has the key, and with IDEMPOTENCY_REUSED where that has another input.
	Start(ctx context.Context, key *Key, lease time.Duration) (Start, error)
	// GiveUp ends what Start took, if it is still the caller's.
	GiveUp(ctx context.Context, key Key) error
	// Used looks an idempotency key up. It fails with NOT_FOUND.
	Used(ctx context.Context, key Key) (Used, error)
	// Insert writes a new order. It fails with ErrOrdered and ErrKeyUsed, writing nothing.
	Insert(ctx context.Context, d *Draft) error
	// Claim takes the saga of an order for a time by the database's clock, for its owner alone, and reads the order with
	// its lines. The owner may claim again. It fails with NOT_FOUND and ErrClaimed.
	Claim(ctx context.Context, id, owner uuid.UUID, lasts time.Duration) (*Draft, error)
	// Unclaim ends a claim of the owner; it does nothing when there is none.
	Unclaim(ctx context.Context, id, owner uuid.UUID) error
	// Save writes a draft if the order has not changed since it was read. It fails with ErrStale.
	Save(ctx context.Context, d *Draft) error
	// Update locks an order, reads it with lines and parcels, calls fn and writes the draft. It fails with NOT_FOUND,
	// with what fn answers, with ErrKeyBusy while another call has the key, and with ErrConsumed when d.Consumes names an event that was consumed
	// before. When key is given and used, d.Used says so and fn decides; an unchanged draft is not written.
	Update(ctx context.Context, id uuid.UUID, key *Key, fn func(d *Draft) error) (*Draft, error)

	// ByIDs gives the orders that exist and that the audience may see.
	ByIDs(ctx context.Context, ids []uuid.UUID, who Audience) ([]*Order, error)
	// ByNumber gives an order. It fails with NOT_FOUND.
	ByNumber(ctx context.Context, number string) (*Order, error)
	// ByCart gives the order of a cart. It fails with NOT_FOUND.
	ByCart(ctx context.Context, cartID uuid.UUID) (*Order, error)
	// List gives a page of orders.
	List(ctx context.Context, f Filter, s Sort, r page.Request) (page.Page[*Order], error)
	// Count counts orders.
	Count(ctx context.Context, f Filter) (int, error)
	// ListByCustomers gives a page of each customer's orders, newest first.
	ListByCustomers(ctx context.Context, customers []uuid.UUID, f Filter, r page.Request) (map[uuid.UUID]page.Page[*Order], error)
	// CountByCustomers counts each customer's orders; customers without any may be missing.
	CountByCustomers(ctx context.Context, customers []uuid.UUID, f Filter) (map[uuid.UUID]int, error)
	// Lines gives the lines of orders, by order.
	Lines(ctx context.Context, orderIDs []uuid.UUID, who Audience) (map[uuid.UUID][]*Line, error)
	// Fulfillments gives the parcels of orders, by order, first sent first.
	Fulfillments(ctx context.Context, orderIDs []uuid.UUID, who Audience) (map[uuid.UUID][]*Fulfillment, error)
	// FulfillmentsByIDs gives the parcels that exist and that the audience may see.
	FulfillmentsByIDs(ctx context.Context, ids []uuid.UUID, who Audience) ([]*Fulfillment, error)
	// Timeline gives a page of each order's timeline, oldest first.
	Timeline(ctx context.Context, orderIDs []uuid.UUID, who Audience, r page.Request) (map[uuid.UUID]page.Page[*Entry], error)
	// HasBought reports whether the customer has an order of one of the statuses with the product.
	HasBought(ctx context.Context, customerID, productID uuid.UUID, statuses []Status) (bool, error)

	// Stuck gives at most limit orders and parcels each that have not moved since before and are not settled.
	Stuck(ctx context.Context, before time.Time, limit int) (Stuck, error)
	// Enqueue adds jobs outside of a change.
	Enqueue(ctx context.Context, jobs []Job) error
	// Purge removes at most limit idempotency keys and notes of consumed events each made before a time. It gives their number.
	Purge(ctx context.Context, before time.Time, limit int) (int, error)

	ReturnStore
}

// Draft is an order under change, and all that the change writes.
type Draft struct {
	Order        *Order
	Lines        []*Line
	Fulfillments []*Fulfillment // read by Update only
	Returns      []*Return      // read by UpdateReturns only
	Token        string         // of the payment; empty once the payment was authorized or refused
	Used         *Used          // set by Update where the key was used

	Base     int          // the version that was read; 0 for a new order
	Changed  bool         // whether there is anything to write
	Unclaim  bool         // ends the saga's claim with the change
	Parcel   *Fulfillment // a new parcel; Lines hold the new quantities
	Return   *Return      // the return that is new or changes
	Arrived  []uuid.UUID  // parcels that were delivered
	Settled  []uuid.UUID  // parcels that are settled
	Entries  []Entry      // new ones of the timeline
	Messages []Message    // new events
	Jobs     []Job        // new jobs
	Key      *Key         // written with the result
	Result   uuid.UUID    // of the key
	Consumes uuid.UUID    // event whose consumption this is
	Refund   money.Money  // for the event of a refund
	now      time.Time
	held     bool // the payment that is being given up was authorized
}
