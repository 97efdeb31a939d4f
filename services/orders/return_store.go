package orders

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/page"
)

// ErrOverReturned is what a Store answers to returns that hold more of a line than was sent. It never leaves the domain.
var ErrOverReturned = errors.New("orders: more would be returned than was sent")

// ReturnStore keeps returns.
type ReturnStore interface {
	// UpdateReturns is Store.Update with the order's returns among what is read, in their order, and d.Return, the one
	// that is new or changes, among what is written. It fails with ErrOverReturned as well.
	UpdateReturns(ctx context.Context, orderID uuid.UUID, key *Key, fn func(d *Draft) error) (*Draft, error)
	// ReturnsByIDs gives the returns that exist and that the audience may see.
	ReturnsByIDs(ctx context.Context, ids []uuid.UUID, who Audience) ([]*Return, error)
	// ReturnsByOrders gives a page of each order's returns, first asked for first.
	ReturnsByOrders(ctx context.Context, orderIDs []uuid.UUID, who Audience, r page.Request) (map[uuid.UUID]page.Page[*Return], error)
	// CountReturnsByOrders counts each order's returns; orders without any may be missing.
	CountReturnsByOrders(ctx context.Context, orderIDs []uuid.UUID, who Audience) (map[uuid.UUID]int, error)
	// Returns gives a page of returns.
	Returns(ctx context.Context, f ReturnFilter, s ReturnSort, r page.Request) (page.Page[*Return], error)
	// CountReturns counts returns.
	CountReturns(ctx context.Context, f ReturnFilter) (int, error)
	// StuckReturns gives jobs for at most limit returns that are here, have not moved since before and are not settled.
	StuckReturns(ctx context.Context, before time.Time, limit int) ([]Job, error)
}

// Restock is what goes back into stock of a return.
type Restock struct {
	ReturnID   uuid.UUID // nothing happens twice under one
	OrderID    uuid.UUID
	LocationID uuid.UUID
	Number     string    // of the return, for the history of the stock
	At         time.Time // when it came
	Lines      []RestockLine
}

// RestockLine is a part of a Restock.
type RestockLine struct {
	VariantID, ProductID uuid.UUID
	Quantity             int
}

// Restocking puts articles back into stock.
type Restocking interface {
	// Location gives where articles go back into stock: the location with the id, or the shop's first one for the zero
	// id. It fails with NOT_FOUND.
	Location(ctx context.Context, id uuid.UUID) (uuid.UUID, error)
	// Restock puts the lines of a return back into stock, once for each return. It may be repeated.
	Restock(ctx context.Context, r Restock) error
}

// PartRefunds pays parts of orders back.
type PartRefunds interface {
	// RefundPart pays a part of what was captured back, once for each key. It fails with AMOUNT_EXCEEDED, INVALID_STATE,
	// NOT_FOUND and PAYMENT_DECLINED where it cannot be. It may be repeated.
	RefundPart(ctx context.Context, orderID uuid.UUID, key string, amount money.Money, reason string) error
}

// ReturnFilter says which returns; all conditions must hold. It is comparable.
type ReturnFilter struct {
	Status  ReturnStatus // empty for any
	Refused bool         // only those that are here and could not be paid back
}

// ReturnSortField is what returns are sorted by.
type ReturnSortField string

// The sort fields of returns.
const (
	ReturnsByRequestedAt ReturnSortField = "REQUESTED_AT"
	ReturnsByUpdatedAt   ReturnSortField = "UPDATED_AT"
)

// ReturnSort is an order of returns; ties are broken by id.
type ReturnSort struct {
	Field     ReturnSortField
	Ascending bool
}

// Key gives the place of a return in a list that is sorted so.
func (s ReturnSort) Key(r *Return) page.Key {
	at := r.RequestedAt
	if s.Field == ReturnsByUpdatedAt {
		at = r.UpdatedAt
	}
	return page.Key{at.Format(time.RFC3339Nano), r.ID.String()}
}

func (s ReturnSort) check() error {
	switch s.Field {
	case ReturnsByRequestedAt, ReturnsByUpdatedAt:
		return nil
	}
	return errs.At(errs.BadInput, "Returns are not sorted by this.", "sortBy", "field")
}

// Key gives the place of a return among its order's.
func (r *Return) Key() page.Key { return page.Key{strconv.Itoa(r.Position)} }
