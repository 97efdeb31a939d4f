// Package orders is the life of an order: placed from a cart, confirmed by a saga that reserves stock
// and authorizes the payment, sent in parcels, delivered, or called off.
//
// An order is durable once Place answers. A job drives its saga (see saga.go), step by step, each
// recorded before the next begins, so that a process killed anywhere is taken over by another.
package orders

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/pricing"
)

// Order is what somebody bought, and where it stands.
type Order struct {
	ID          uuid.UUID
	Number      string // T-100042
	CustomerID  uuid.UUID
	CartID      uuid.UUID
	Email       string
	DisplayName string
	Status      Status
	ReasonCode  string // why it failed or was cancelled, for programs; empty otherwise
	Reason      string // the same for the customer, in English
	Subtotal    money.Money
	Discount    money.Money // taken off the lines
	Discounts   []Discount
	Shipping    money.Money // after discounts
	Method      ShippingMethod
	Tax         money.Money // contained in Total
	Taxes       []Tax
	Total       money.Money // Subtotal - Discount + Shipping
	Address     Address
	Stage       Stage // what the saga does next
	CaptureNow  bool  // the payment is captured at once, not parcel by parcel
	PlacedAt    time.Time
	UpdatedAt   time.Time
	Version     int
	Sequence    int64 // of its latest event
}

// StatusReason says why the order came to nothing, for the customer; empty while it has not.
func (o *Order) StatusReason() string {
	if o.Status == Cancelled || o.Status == Failed {
		return o.Reason
	}
	return ""
}

// Line is a variant in an order, as it was when ordered.
type Line struct {
	ID           uuid.UUID
	OrderID      uuid.UUID
	Position     int // from 0
	VariantID    uuid.UUID
	ProductID    uuid.UUID
	SKU          string
	Title        string
	VariantTitle string
	Quantity     int
	Fulfilled    int // how many are on their way
	UnitPrice    money.Money
	Total        money.Money // before discounts
	Discount     money.Money
	Tax          money.Money // contained in Total - Discount
}

// Discount is a promotion as it was when it was applied.
type Discount struct {
	PromotionID uuid.UUID    `json:"promotionId"`
	Code        string       `json:"code,omitempty"` // empty for one that needs none
	Title       string       `json:"title"`
	Kind        pricing.Kind `json:"kind"`
	Amount      int64        `json:"amount"` // taken off the lines, or shipping, in minor units
}

// ShippingMethod is a way of sending as it was when it was chosen.
type ShippingMethod struct{ Code, Title string }

// Tax is the tax of one rate.
type Tax struct {
	Rate    pricing.Rate `json:"rate"`
	Country string       `json:"country"`
	Base    int64        `json:"base"`   // what the tax is contained in, in minor units
	Amount  int64        `json:"amount"` // in minor units
}

// Address is where an order goes.
type Address struct {
	Recipient   string `json:"recipient"`
	Line1       string `json:"line1"`
	Line2       string `json:"line2,omitempty"`
	PostalCode  string `json:"postalCode"`
	City        string `json:"city"`
	Region      string `json:"region,omitempty"`
	CountryCode string `json:"countryCode"` // ISO 3166-1 alpha-2
	Phone       string `json:"phone,omitempty"`
}

// Fulfillment is a parcel.
type Fulfillment struct {
	ID             uuid.UUID
	OrderID        uuid.UUID
	Position       int // from 0, in the order of sending
	Status         FulfillmentStatus
	Carrier        string
	TrackingNumber string
	TrackingURL    string
	Lines          []FulfillmentLine
	Capture        money.Money // its share of the payment; zero where all was captured at once
	CreatedAt      time.Time
	DeliveredAt    *time.Time
	SettledAt      *time.Time // when stock was lowered and the share captured
}

// FulfillmentLine is a part of an order's line in a parcel.
type FulfillmentLine struct {
	LineID   uuid.UUID
	Quantity int
}

// Entry is one thing that happened to an order.
type Entry struct {
	ID        uuid.UUID
	OrderID   uuid.UUID
	Position  int64 // grows along the timeline
	Type      string
	Message   string
	CreatedAt time.Time
}

// Cart is what is to be ordered.
type Cart struct {
	ID         uuid.UUID
	Lines      []CartLine
	Promotions []pricing.Promotion // that can be used
	Unusable   []Unusable          // codes that cannot be used now
	Method     string              // way of sending; empty for the usual one
}

// Unusable is a code that a cart holds in vain.
type Unusable struct {
	Position int // among the cart's codes
	Code     string
}

// CartLine is a variant in a cart at the price and stock of now.
type CartLine struct {
	VariantID    uuid.UUID
	ProductID    uuid.UUID
	SKU          string
	Title        string
	VariantTitle string
	Quantity     int
	UnitPrice    money.Money
	Available    int // 0 when it cannot be bought
}

// Carts is where orders come from.
type Carts interface {
	// Checkout gives the user's open cart. Where it is not stocked, how much there is of what is sold may be left to
	// Inventory.Hold to find out. It fails with NOT_FOUND.
	Checkout(ctx context.Context, userID uuid.UUID, stocked bool) (Cart, error)
	// Complete closes the cart whose lines have become the order, and keeps what was put into it since then in an open
	// cart. It may be repeated.
	Complete(ctx context.Context, cartID, orderID uuid.UUID, ordered []StockLine) error
}

// StockLine is a variant and how many of it.
type StockLine struct {
	VariantID uuid.UUID
	Quantity  int
}

// Inventory keeps stock. All its methods may be repeated.
type Inventory interface {
	// Hold has the cart hold the lines for a while, all or none, and nothing else; no lines give all back. It fails
	// with INSUFFICIENT_STOCK.
	Hold(ctx context.Context, cartID uuid.UUID, lines []StockLine) error
	// Reserve holds the lines for the order, all or none, and takes over what the cart holds of them. It fails with
	// INSUFFICIENT_STOCK.
	Reserve(ctx context.Context, orderID, cartID uuid.UUID, lines []StockLine) error
	// Release gives back what is still held for the order; it does nothing when nothing is.
	Release(ctx context.Context, orderID uuid.UUID) error
	// Fulfill takes the lines of a parcel out of what is held for the order, once for each parcel.
	Fulfill(ctx context.Context, orderID, fulfillmentID uuid.UUID, lines []StockLine) error
	Restocking
}

// Promotions counts the uses of promotions. All its methods may be repeated.
type Promotions interface {
	// Redeem reserves a use of each promotion for the order, all or none. It fails with PROMOTION_UNAVAILABLE.
	Redeem(ctx context.Context, orderID, customerID uuid.UUID, promotions []uuid.UUID) error
	// Release gives the order's uses back; it does nothing when there are none.
	Release(ctx context.Context, orderID uuid.UUID) error
}

// Payments moves money. All its methods may be repeated. An error that is neither documented here is tried again.
type Payments interface {
	// Authorize holds the amount. It fails with PAYMENT_DECLINED when the provider refuses for good.
	Authorize(ctx context.Context, orderID, customerID uuid.UUID, amount money.Money, token string) error
	// Capture takes a part of what is held, once for each key. It fails with AMOUNT_EXCEEDED, and with INVALID_STATE
	// or NOT_FOUND when there is nothing to capture from.
	Capture(ctx context.Context, orderID uuid.UUID, key string, amount money.Money) error
	// Void gives up what is held; it does nothing when nothing is, and tells whether something ever was. It fails with
	// INVALID_STATE when something was captured.
	Void(ctx context.Context, orderID uuid.UUID) (held bool, err error)
	// RefundAll pays back whatever was captured and voids the rest.
	RefundAll(ctx context.Context, orderID uuid.UUID, reason string) error
	PartRefunds
}

// Customer is who orders.
type Customer struct {
	Email       string
	DisplayName string
}

// Customers knows accounts and their address books.
type Customers interface {
	// Customer gives an account. It fails with NOT_FOUND.
	Customer(ctx context.Context, userID uuid.UUID) (Customer, error)
	// Address gives an address of the account's book. It fails with NOT_FOUND.
	Address(ctx context.Context, userID, addressID uuid.UUID) (Address, error)
}

// Signals carries news among processes, at most once.
type Signals interface {
	// PublishAll sends each payload to every subscriber of its channel.
	PublishAll(ctx context.Context, signals iter.Seq2[string, []byte]) error
	// Subscribe gives what is published from now on; the Go channel is closed when ctx ends.
	Subscribe(ctx context.Context, channel string) (<-chan []byte, error)
}

// Config is the shop's terms of sale.
type Config struct {
	Currency         money.Currency
	ShippingFee      money.Money
	FreeShippingFrom money.Money             // subtotal from which sending costs nothing
	Methods          []pricing.Method        // beside the usual way of sending
	TaxRatePercent   int64                   // contained in prices
	TaxRates         map[string]pricing.Rate // the same by country, where it is another one
	CaptureNow       bool                    // capture the payment at confirmation, not parcel by parcel
	// ClaimTime is how long one execution of a saga owns its order; a killed one is taken over after it. A step has a third
	// of it. 0 means 60 s.
	ClaimTime     time.Duration
	ReturnPeriod  time.Duration // from the arrival of a parcel; 0 means 30 days
	ReturnAddress string        // where approved returns are sent, unless staff say otherwise
	// Patience is how long an order waits for servers that are away before a step is given up.
	Patience time.Duration
	// KeyLease is how long an idempotency key stays taken by a call whose process was killed. 0 means 15 s.
	KeyLease time.Duration
}

// Deps is what a Service needs. Clock and Log have defaults.
type Deps struct {
	Store      Store
	Carts      Carts
	Promotions Promotions
	Inventory  Inventory
	Payments   Payments
	Customers  Customers
	Signals    Signals
	Config     Config
	Clock      func() time.Time // nil for the machine's
	Log        *slog.Logger     // nil for the default
}

// Service holds the rules of orders. It is safe for concurrent use.
type Service struct {
	store      Store
	carts      Carts
	promotions Promotions
	inventory  Inventory
	payments   Payments
	customers  Customers
	signals    Signals
	config     Config
	clock      func() time.Time
	log        *slog.Logger
}

// New makes a Service. It fails when the terms of sale contradict themselves.
func New(d Deps) (*Service, error) {
	c := d.Config
	switch {
	case !c.Currency.Known():
		return nil, errors.New("orders: unknown currency")
	case c.ShippingFee.Currency != c.Currency || c.FreeShippingFrom.Currency != c.Currency:
		return nil, errors.New("orders: shipping is not in the shop's currency")
	case c.ShippingFee.Amount < 0 || c.TaxRatePercent < 0:
		return nil, errors.New("orders: negative shipping fee or tax rate")
	}
	c.ClaimTime = cmp.Or(c.ClaimTime, time.Minute)
	c.ReturnPeriod = cmp.Or(c.ReturnPeriod, 30*24*time.Hour)
	c.KeyLease = cmp.Or(c.KeyLease, 15*time.Second)
	s := &Service{
		store: d.Store, carts: d.Carts, promotions: d.Promotions, inventory: d.Inventory, payments: d.Payments,
		customers: d.Customers, signals: d.Signals, config: c, clock: d.Clock, log: d.Log,
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	return s, nil
}

func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }
