// Package carts keeps what people are about to buy.
//
// A cart belongs to an account, or to whoever holds its token. It stores variants, quantities and
// the price that was last seen; prices and stock are read from the catalogue each time.
package carts

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/money"
)

// Bounds of a cart.
const (
	MaxLines    = 100 // lines of one cart
	MaxQuantity = 999 // of one line
	maxInput    = 50  // lines of one call
)

// Lifetimes.
const (
	AnonymousLifetime = 30 * 24 * time.Hour // of an anonymous cart since its last change
	closedLifetime    = 30 * 24 * time.Hour // of a merged or ordered cart, and of idempotency keys
)

// Cart is what somebody is about to buy, at the prices of now.
type Cart struct {
	ID            uuid.UUID
	UserID        uuid.UUID // zero for an anonymous cart
	Token         string    // opens an anonymous cart; known only to whom it was given
	Lines         []*Line   // in the order they were put in
	Subtotal      money.Money
	TotalQuantity int
	Warnings      []Warning
	UpdatedAt     time.Time
	ExpiresAt     *time.Time // nil for an account's cart
}

// Line is a variant in a cart.
type Line struct {
	ID        uuid.UUID
	VariantID uuid.UUID
	Quantity  int
	Seen      money.Money // price of one when the line was last seen

	// What the catalogue says now; for a variant that is gone only UnitPrice and Total are set, at the price last seen.
	ProductID    uuid.UUID
	SKU          string
	ProductTitle string
	VariantTitle string
	UnitPrice    money.Money
	Total        money.Money
	Available    int // 0 when the variant cannot be bought
}

// WarningCode says what has changed for a line since it was put in.
type WarningCode string

// The warnings.
const (
	PriceChanged      WarningCode = "PRICE_CHANGED"
	InsufficientStock WarningCode = "INSUFFICIENT_STOCK"
	Unavailable       WarningCode = "UNAVAILABLE"
)

// Warning is something that the customer should know before the order.
type Warning struct {
	Code          WarningCode
	Message       string
	LineID        uuid.UUID
	Available     int         // for InsufficientStock
	PreviousPrice money.Money // for PriceChanged
}

// Variant is what the catalogue says of a variant now.
type Variant struct {
	ID           uuid.UUID
	ProductID    uuid.UUID
	SKU          string
	ProductTitle string
	VariantTitle string
	Price        money.Money
	Available    int
	Sellable     bool // published and not archived
}

// Catalog is where prices and stock come from.
type Catalog interface {
	// Variants gives the variants that exist by id; an id that is missing in the answer is gone for good.
	Variants(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]Variant, error)
}

// Deps is what a Service needs. Clock and Log have defaults.
type Deps struct {
	Store    Store
	Catalog  Catalog
	Currency money.Currency   // of an empty cart's subtotal
	Clock    func() time.Time // nil for the machine's
	Log      *slog.Logger     // nil for the default
}

// Service holds the rules of carts. It is safe for concurrent use.
type Service struct {
	store    Store
	catalog  Catalog
	currency money.Currency
	clock    func() time.Time
	log      *slog.Logger
}

// New makes a Service.
func New(d Deps) *Service {
	s := &Service{store: d.Store, catalog: d.Catalog, currency: d.Currency, clock: d.Clock, log: d.Log}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	return s
}

func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }
