package carts

import (
	"context"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/pricing"
)

// price gives the cart at the prices of now. known are variants that were just read; others are read in one call.
func (s *Service) price(ctx context.Context, c *Stored, known map[uuid.UUID]Variant) (*Cart, error) {
	var missing []uuid.UUID
	for _, id := range variantIDs(c) {
		if _, ok := known[id]; !ok {
			missing = append(missing, id)
		}
	}
	variants := make(map[uuid.UUID]Variant, len(c.Lines))
	for id, v := range known {
		variants[id] = v
	}
	if len(missing) > 0 {
		found, err := s.catalog.Variants(ctx, missing)
		if err != nil {
			return nil, err
		}
		for id, v := range found {
			variants[id] = v
		}
	}
	if err := s.addHeld(ctx, c, variants); err != nil {
		return nil, err
	}
	return s.offer(ctx, c, variants)
}

// offer gives the cart at the prices of its variants, of which those that are gone are missing.
func (s *Service) offer(ctx context.Context, c *Stored, variants map[uuid.UUID]Variant) (*Cart, error) {
	promotions, refused, err := s.promotions.Offers(ctx, c.UserID, c.Codes)
	if err != nil {
		return nil, err
	}
	cart := assemble(c, variants, s.terms.Currency)
	cart.quote(c, s.terms, promotions, refused)
	return cart, nil
}

// quote adds the cart up, with the promotions that it can use.
func (c *Cart) quote(stored *Stored, terms pricing.Terms, promotions []pricing.Promotion, refused map[string]pricing.Reason) {
	r := pricing.Request{Lines: make([]money.Money, len(c.Lines)), Promotions: promotions, Country: stored.Country, Method: stored.Method}
	for i, l := range c.Lines {
		r.Lines[i] = l.Total
	}
	if _, ok := terms.Method(r.Method, r.Country); !ok {
		r.Method = "" // the shop does not send so any more
	}
	c.Promotions, c.Method, c.Country, c.Quote = promotions, r.Method, stored.Country, terms.Quote(r)
	for _, code := range stored.Codes {
		reason := refused[code]
		for _, p := range c.Quote.Rejected {
			if p.Code == code {
				reason = p.Reason
			}
		}
		c.Codes = append(c.Codes, Code{Code: code, Reason: reason})
	}
}

// assemble joins what is stored with what the catalogue says.
func assemble(c *Stored, variants map[uuid.UUID]Variant, currency money.Currency) *Cart {
	cart := &Cart{
		ID: c.ID, UserID: c.UserID, UpdatedAt: c.UpdatedAt, ExpiresAt: c.ExpiresAt,
		Lines: make([]*Line, len(c.Lines)), Subtotal: money.New(0, currency),
	}
	for i, stored := range c.Lines {
		l := &Line{ID: stored.ID, VariantID: stored.VariantID, Quantity: stored.Quantity, Seen: stored.Seen, UnitPrice: stored.Seen}
		v, ok := variants[stored.VariantID]
		if ok {
			l.ProductID, l.SKU, l.ProductTitle, l.VariantTitle = v.ProductID, v.SKU, v.ProductTitle, v.VariantTitle
			l.UnitPrice = v.Price
			if v.Sellable {
				l.Available = max(v.Available, 0)
			}
		}
		if l.UnitPrice.Currency != currency {
			l.UnitPrice = money.New(0, currency) // gone, and last seen when the shop had another currency
		}
		l.Total = l.UnitPrice.Times(l.Quantity)
		cart.Lines[i] = l
		cart.Subtotal = cart.Subtotal.Add(l.Total)
		cart.TotalQuantity += l.Quantity
		cart.Warnings = append(cart.Warnings, l.warnings(ok && v.Sellable)...)
	}
	return cart
}

// warnings says what the customer should know of a line.
func (l *Line) warnings(sellable bool) []Warning {
	if !sellable {
		return []Warning{{Code: Unavailable, LineID: l.ID, Message: "This article is not sold any more."}}
	}
	var all []Warning
	if l.UnitPrice != l.Seen {
		all = append(all, Warning{Code: PriceChanged, LineID: l.ID, PreviousPrice: l.Seen,
			Message: "The price has changed from " + l.Seen.String() + " to " + l.UnitPrice.String() + "."})
	}
	if l.Available < l.Quantity {
		all = append(all, Warning{Code: InsufficientStock, LineID: l.ID, Available: l.Available,
			Message: "Less is in stock than the cart holds."})
	}
	return all
}
