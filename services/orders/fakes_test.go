package orders_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/orders"
)

// errOutage is what a fake answers that does not work at the moment.
var errOutage = errors.New("connection reset by peer")

// shop stands for the other domains. All its calls are idempotent, are noted in the order in which they had an effect
// first, and can be made to fail before or after the effect.
type shop struct {
	mu       sync.Mutex
	carts    map[uuid.UUID]orders.Cart // by user
	stock    map[uuid.UUID]int         // by variant
	reserved map[uuid.UUID][]orders.StockLine
	parcels  map[uuid.UUID]bool
	returns  map[uuid.UUID]bool // that are restocked
	payments map[uuid.UUID]*payment
	calls    []string
	// before and after run around the effect of a call, named as in calls.
	before, after func(call string) error
}

type payment struct {
	authorized, captured, refunded int64
	declined, voided               bool
	keys                           map[string]bool
}

func newShop() *shop {
	return &shop{
		carts: map[uuid.UUID]orders.Cart{}, stock: map[uuid.UUID]int{}, reserved: map[uuid.UUID][]orders.StockLine{},
		parcels: map[uuid.UUID]bool{}, returns: map[uuid.UUID]bool{}, payments: map[uuid.UUID]*payment{},
	}
}

// do runs the effect of a call between the hooks. effect tells whether it was one.
func (s *shop) do(ctx context.Context, call string, effect func() (bool, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	before, after := s.before, s.after
	s.mu.Unlock()
	if before != nil {
		if err := before(call); err != nil {
			return err
		}
	}
	s.mu.Lock()
	changed, err := effect()
	if changed {
		s.calls = append(s.calls, call)
	}
	s.mu.Unlock()
	if err == nil && after != nil {
		err = after(call)
	}
	return err
}

// hook sets what runs around calls.
func (s *shop) hook(before, after func(call string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.after = before, after
}

// history gives the effects so far.
func (s *shop) history() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprint(s.calls)
}

// payment gives a copy of the payment of an order.
func (s *shop) payment(order uuid.UUID) payment {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.payments[order]; p != nil {
		return *p
	}
	return payment{}
}

// available gives the stock of a variant.
func (s *shop) available(variant uuid.UUID) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stock[variant]
}

// Checkout implements orders.Carts.
func (s *shop) Checkout(_ context.Context, userID uuid.UUID, stocked bool) (orders.Cart, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.carts[userID]
	if !ok {
		return c, errs.New(errs.NotFound, "There is no such cart.")
	}
	c.Lines = slices.Clone(c.Lines)
	for i, l := range c.Lines {
		if c.Lines[i].Available = s.stock[l.VariantID]; !stocked {
			c.Lines[i].Available = l.Quantity
		}
	}
	return c, nil
}

// Complete implements orders.Carts.
func (s *shop) Complete(ctx context.Context, cartID, _ uuid.UUID, ordered []orders.StockLine) error {
	return s.do(ctx, "complete", func() (bool, error) {
		for user, c := range s.carts {
			if c.ID == cartID {
				rest := slices.DeleteFunc(slices.Clone(c.Lines), func(l orders.CartLine) bool {
					return slices.Contains(ordered, orders.StockLine{VariantID: l.VariantID, Quantity: l.Quantity})
				})
				delete(s.carts, user)
				if len(rest) > 0 {
					s.carts[user] = orders.Cart{ID: uuid.New(), Lines: rest}
				}
				return true, nil
			}
		}
		return false, nil
	})
}

// Customer implements orders.Customers.
func (s *shop) Customer(_ context.Context, userID uuid.UUID) (orders.Customer, error) {
	return orders.Customer{Email: userID.String()[:8] + "@Example.com", DisplayName: "Ada"}, nil
}

// bookAddress is the one address of every book.
var bookAddress = uuid.MustParse("01900000-0000-7000-8000-00000000000a")

// Address implements orders.Customers.
func (s *shop) Address(_ context.Context, _, id uuid.UUID) (orders.Address, error) {
	if id != bookAddress {
		return orders.Address{}, errs.New(errs.NotFound, "There is no such address.")
	}
	return orders.Address{Recipient: "Ada", Line1: "Main Street 1", PostalCode: "10115", City: "Berlin", CountryCode: "DE"}, nil
}

// Hold implements orders.Inventory: it refuses what is not there, and holds nothing.
func (s *shop) Hold(ctx context.Context, _ uuid.UUID, lines []orders.StockLine) error {
	return s.do(ctx, "hold", func() (bool, error) {
		var short errs.Collector
		for _, l := range lines {
			if n := s.stock[l.VariantID]; n < l.Quantity {
				short.Merge(errs.New(orders.CodeInsufficientStock, "Too little.").With("variantId", l.VariantID).With("available", n))
			}
		}
		return false, short.Err()
	})
}

// Reserve implements orders.Inventory.
func (s *shop) Reserve(ctx context.Context, orderID, _ uuid.UUID, lines []orders.StockLine) error {
	return s.do(ctx, "reserve", func() (bool, error) {
		if _, again := s.reserved[orderID]; again {
			return false, nil
		}
		for _, l := range lines {
			if s.stock[l.VariantID] < l.Quantity {
				return false, errs.New(orders.CodeInsufficientStock, "Too little.").With("variantId", l.VariantID).With("available", s.stock[l.VariantID])
			}
		}
		for _, l := range lines {
			s.stock[l.VariantID] -= l.Quantity
		}
		s.reserved[orderID] = lines
		return true, nil
	})
}

// Release implements orders.Inventory.
func (s *shop) Release(ctx context.Context, orderID uuid.UUID) error {
	return s.do(ctx, "release", func() (bool, error) {
		lines := s.reserved[orderID]
		for _, l := range lines {
			s.stock[l.VariantID] += l.Quantity
		}
		s.reserved[orderID] = nil
		return lines != nil, nil
	})
}

// Fulfill implements orders.Inventory.
func (s *shop) Fulfill(ctx context.Context, orderID, fulfillmentID uuid.UUID, lines []orders.StockLine) error {
	return s.do(ctx, "fulfill", func() (bool, error) {
		if s.parcels[fulfillmentID] {
			return false, nil
		}
		s.parcels[fulfillmentID] = true
		var left []orders.StockLine
		for _, held := range s.reserved[orderID] {
			for _, l := range lines {
				if l.VariantID == held.VariantID {
					held.Quantity -= l.Quantity
				}
			}
			left = append(left, held)
		}
		s.reserved[orderID] = left
		return true, nil
	})
}

// depot is the only location of the shop.
var depot = uuid.MustParse("01900000-0000-7000-8000-000000000001")

// Location implements orders.Inventory.
func (s *shop) Location(_ context.Context, id uuid.UUID) (uuid.UUID, error) {
	if id != uuid.Nil && id != depot {
		return uuid.Nil, errs.New(errs.NotFound, "There is no such location.")
	}
	return depot, nil
}

// Restock implements orders.Inventory.
func (s *shop) Restock(ctx context.Context, r orders.Restock) error {
	return s.do(ctx, "restock", func() (bool, error) {
		if s.returns[r.ReturnID] {
			return false, nil
		}
		s.returns[r.ReturnID] = true
		for _, l := range r.Lines {
			s.stock[l.VariantID] += l.Quantity
		}
		return true, nil
	})
}

// RefundPart implements orders.Payments.
func (s *shop) RefundPart(ctx context.Context, orderID uuid.UUID, key string, amount money.Money, _ string) error {
	return s.do(ctx, "refund part", func() (bool, error) {
		p := s.payments[orderID]
		switch {
		case p == nil:
			return false, errs.New(errs.NotFound, "There is no such payment.")
		case p.keys[key]:
			return false, nil
		case p.refunded+amount.Amount > p.captured:
			return false, errs.New(orders.CodeAmountExceeded, "More than was captured.")
		}
		p.keys[key] = true
		p.refunded += amount.Amount
		return true, nil
	})
}

// Authorize implements orders.Payments.
func (s *shop) Authorize(ctx context.Context, orderID, _ uuid.UUID, amount money.Money, token string) error {
	return s.do(ctx, "authorize", func() (bool, error) {
		p := s.payments[orderID]
		again := p != nil
		if !again {
			p = &payment{keys: map[string]bool{}}
			if p.declined = token == "tok_declined"; !p.declined {
				p.authorized = amount.Amount
			}
			s.payments[orderID] = p
		}
		if p.declined {
			return false, errs.New(orders.CodePaymentDeclined, "The card has expired.")
		}
		return !again, nil
	})
}

// Capture implements orders.Payments.
func (s *shop) Capture(ctx context.Context, orderID uuid.UUID, key string, amount money.Money) error {
	return s.do(ctx, "capture", func() (bool, error) {
		p := s.payments[orderID]
		if p == nil || p.voided {
			return false, errs.New(errs.InvalidState, "Nothing is held.")
		}
		if p.keys[key] {
			return false, nil
		}
		if p.captured+amount.Amount > p.authorized {
			return false, errs.New(orders.CodeAmountExceeded, "More than is held.")
		}
		p.keys[key] = true
		p.captured += amount.Amount
		return true, nil
	})
}

// Void implements orders.Payments.
func (s *shop) Void(ctx context.Context, orderID uuid.UUID) (held bool, err error) {
	err = s.do(ctx, "void", func() (bool, error) {
		p := s.payments[orderID]
		held = p != nil && p.authorized > 0
		switch {
		case p == nil || p.voided || p.declined:
			return false, nil
		case p.captured > 0:
			return false, errs.New(errs.InvalidState, "Something was captured.")
		}
		p.voided = true
		return true, nil
	})
	return held, err
}

// RefundAll implements orders.Payments.
func (s *shop) RefundAll(ctx context.Context, orderID uuid.UUID, _ string) error {
	return s.do(ctx, "refund", func() (bool, error) {
		p := s.payments[orderID]
		if p == nil || p.refunded == p.captured {
			return false, nil
		}
		p.refunded = p.captured
		return true, nil
	})
}

// signals is orders.Signals within the process.
type signals struct {
	mu   sync.Mutex
	subs map[string][]chan []byte
}

// PublishAll implements orders.Signals.
func (s *signals) PublishAll(_ context.Context, list iter.Seq2[string, []byte]) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for channel, payload := range list {
		for _, c := range s.subs[channel] {
			c <- payload
		}
	}
	return nil
}

// Subscribe implements orders.Signals.
func (s *signals) Subscribe(_ context.Context, channel string) (<-chan []byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := make(chan []byte, 16)
	s.subs[channel] = append(s.subs[channel], c)
	return c, nil
}
