package carts

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/money"
)

// Status says whether a cart can still be changed.
type Status string

// The statuses. A cart that is not open is found by nobody but the call that closed it, repeated.
const (
	Open    Status = "OPEN"
	Merged  Status = "MERGED"
	Ordered Status = "ORDERED"
)

// Selector names one open cart: by its owner or by the hash of its token. Exactly one is set.
type Selector struct {
	UserID    uuid.UUID
	TokenHash []byte
}

// Stored is a cart as it is kept: without prices.
type Stored struct {
	ID        uuid.UUID
	UserID    uuid.UUID // zero for an anonymous cart
	UpdatedAt time.Time
	ExpiresAt *time.Time
	Lines     []StoredLine // in the order they were put in
	Codes     []string     // of promotions
	Method    string       // way of sending; empty for the usual one
	Country   string       // that it is to be sent to; empty while it is not known
}

// StoredLine is a line as it is kept.
type StoredLine struct {
	ID        uuid.UUID
	VariantID uuid.UUID
	Quantity  int
	Seen      money.Money
}

// NewCart is a cart that is to be made where there is none.
type NewCart struct {
	ID        uuid.UUID
	UserID    uuid.UUID
	TokenHash []byte
	ExpiresAt *time.Time
}

// Key makes a change safe to repeat.
type Key struct {
	Owner     string // user id or the text of the cart's token hash
	Operation string
	Key       string
	Hash      []byte // of the input
}

// Edit is a change of one cart. Within the transaction the store locks the cart, hands its lines
// to Apply and writes what Apply made of it: lines that are missing there are removed, others inserted or changed.
type Edit struct {
	Cart  Selector
	Make  *NewCart // made when the selector finds none; nil to fail with NOT_FOUND
	Key   *Key     // nil for none
	Now   time.Time
	Apply func(c *Stored) error // changes c; its error ends the edit without effect
}

// Completion is a cart that has become an order.
type Completion struct {
	CartID  uuid.UUID
	OrderID uuid.UUID
	Ordered map[uuid.UUID]int // quantities by variant
	RestID  uuid.UUID         // of the cart that takes what was not ordered
	Now     time.Time
}

// Store keeps carts.
type Store interface {
	// Find gives an open cart that has not expired at now. It fails with NOT_FOUND.
	Find(ctx context.Context, by Selector, now time.Time) (*Stored, error)
	// FindByUsers gives the open carts of the users, by user.
	FindByUsers(ctx context.Context, users []uuid.UUID) (map[uuid.UUID]*Stored, error)
	// Edit changes a cart in one transaction. It fails with NOT_FOUND, with what Apply answers, and with
	// IDEMPOTENCY_REUSED when the key was used with another input, and IN_FLIGHT while another call has it; used with
	// the same input it gives the cart that was changed then, as it is now, without calling Apply.
	Edit(ctx context.Context, e Edit) (*Stored, error)
	// Seen stores the prices that were shown, by line.
	Seen(ctx context.Context, cart uuid.UUID, prices map[uuid.UUID]money.Money) error
	// Merge moves the lines of the anonymous cart with the token's hash into the user's open cart, which is
	// target when there is none yet, and marks the former merged. Quantities add up to at most
	// MaxQuantity; codes are added up to MaxCodes, and what is chosen of sending stays or is taken over. Repeated by the same user it changes nothing. It fails with NOT_FOUND, and with
	// LIMIT_EXCEEDED, changing nothing, when there would be more than MaxLines lines.
	Merge(ctx context.Context, tokenHash []byte, target NewCart, now time.Time) (*Stored, error)
	// Complete marks the cart ordered, and moves what was put into it beyond the order into a new open cart of its user,
	// which is made only where there is such. Lines that move keep their ids. Repeated it changes nothing, and
	// so it does for a cart that is not there.
	Complete(ctx context.Context, c Completion) error
	// Purge removes at most limit carts that have expired before now or were closed before closed,
	// and the idempotency keys made before closed. It gives the number of carts.
	Purge(ctx context.Context, now, closed time.Time, limit int) (int, error)
}
