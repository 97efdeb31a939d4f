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
	"github.com/techmart/techmart/services/pricing"
)

// Bounds of a cart.
const (
	MaxLines    = 100 // lines of one cart
	MaxQuantity = 999 // of one line
	MaxCodes    = 5   // codes of promotions of one cart
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
	Codes         []Code              // of promotions, in the order in which they were entered
	Method        string              // way of sending that was chosen; empty for the usual one
	Country       string              // that it is to be sent to; empty while it is not known
	Promotions    []pricing.Promotion // that can be used: automatic ones, then those of codes
	Quote         pricing.Quote       // what it costs with promotions, shipping and tax; its lines are those of the cart
	UpdatedAt     time.Time
	ExpiresAt     *time.Time // nil for an account's cart
}

// Code is a code of a promotion in a cart.
type Code struct {
	Code   string
	Reason pricing.Reason // why it takes nothing off; empty where it does
}

// Unusable reports whether the code cannot be used now, whatever is in the cart.
func (c Code) Unusable() bool {
	switch c.Reason {
	case "", pricing.BelowMinimum, pricing.NotCombined, pricing.NoEffect:
		return false
	}
	return true
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
	// Unstocked is Variants without a look at the stock: of each there is more than anybody can order.
	Unstocked(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]Variant, error)
}

// Promotions is where discounts come from.
type Promotions interface {
	// Offers gives the promotions that a customer (zero while nobody is signed in) can use now: those that need no code,
	// then those of the codes in their order; and of the other codes why not.
	Offers(ctx context.Context, customer uuid.UUID, codes []string) ([]pricing.Promotion, map[string]pricing.Reason, error)
}

// Deps is what a Service needs. Clock and Log have defaults.
type Deps struct {
	Store      Store
	Catalog    Catalog
	Promotions Promotions
	Stock      Stock         // nil where carts cannot hold stock
	HoldFor    time.Duration // how long a cart holds what is put into it; 0 for not at all
	Terms      pricing.Terms
	Clock      func() time.Time // nil for the machine's
	Log        *slog.Logger     // nil for the default
}

// Service holds the rules of carts. It is safe for concurrent use.
type Service struct {
	store      Store
	catalog    Catalog
	promotions Promotions
	stock      Stock
	holdFor    time.Duration
	terms      pricing.Terms
	clock      func() time.Time
	log        *slog.Logger
}

// New makes a Service.
func New(d Deps) *Service {
	s := &Service{store: d.Store, catalog: d.Catalog, promotions: d.Promotions, stock: d.Stock, holdFor: d.HoldFor, terms: d.Terms, clock: d.Clock, log: d.Log}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	return s
}

func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }
