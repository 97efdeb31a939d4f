package carts

import (
	"context"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/money"
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
	return assemble(c, variants, s.currency), nil
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
