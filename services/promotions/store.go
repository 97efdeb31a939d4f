package promotions

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/page"
)

// Key makes a call safe to repeat.
type Key struct {
	Owner     uuid.UUID // the viewer's account
	Operation string
	Key       string
	Hash      []byte // of the input
}

// Redemption is the uses of an order.
type Redemption struct {
	OrderID    uuid.UUID
	CustomerID uuid.UUID
	Promotions []uuid.UUID
	At         time.Time
}

// Store keeps promotions and their uses.
type Store interface {
	// Create adds a promotion, and notes the key (nil for none). It fails with TAKEN for a code that is in use, and with
	// IN_FLIGHT while another call has the key. A key that was used before gives what it made instead, nil where
	// that is gone, or IDEMPOTENCY_REUSED for another input.
	Create(ctx context.Context, p *Promotion, key *Key) (made *Promotion, replayed bool, err error)
	// Purge removes at most limit idempotency keys made before a time, and gives their number.
	Purge(ctx context.Context, before time.Time, limit int) (int, error)
	// Update locks a promotion, calls fn and writes it. It fails with NOT_FOUND, with TAKEN and with what fn answers.
	Update(ctx context.Context, id uuid.UUID, fn func(*Promotion) error) (*Promotion, error)
	// Delete removes a promotion that no order ever used. It fails with NOT_FOUND and INVALID_STATE.
	Delete(ctx context.Context, id uuid.UUID) error
	// ByIDs gives the promotions that exist.
	ByIDs(ctx context.Context, ids []uuid.UUID) ([]*Promotion, error)
	// List gives a page of promotions, the newest first.
	List(ctx context.Context, r page.Request) (page.Page[*Promotion], error)
	// Count counts promotions.
	Count(ctx context.Context) (int, error)
	// Automatic gives the enabled promotions that need no code, the oldest first, at most limit.
	Automatic(ctx context.Context, limit int) ([]*Promotion, error)
	// Uses gives the promotions that exist, by id or code, with how often the customer has used them.
	Uses(ctx context.Context, ids []uuid.UUID, codes []string, customer uuid.UUID) ([]Use, error)
	// Redeem reserves a use of each promotion for the order, all or none. Repeated it changes nothing. It fails with
	// PROMOTION_UNAVAILABLE when one has no use left, for the customer or at all, or is gone, and when the
	// order's uses were given back.
	Redeem(ctx context.Context, r Redemption) error
	// Release gives the order's uses back. Repeated it changes nothing.
	Release(ctx context.Context, orderID uuid.UUID, at time.Time) error
}
