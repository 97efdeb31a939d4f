package products

import (
	"context"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/money"
)

// Offer is what carts and orders need to know of a variant.
type Offer struct {
	VariantID    uuid.UUID
	ProductID    uuid.UUID
	SKU          string
	ProductTitle string
	VariantTitle string
	Price        money.Money
	Available    int  // pieces that can be ordered now; very many where back orders are allowed
	Sellable     bool // whether the product is in the shop
}

// Offers gives what is offered of the variants, whoever asks, in two commands. Variants that are
// gone are left out.
func (s *Service) Offers(ctx context.Context, variantIDs []uuid.UUID) (map[uuid.UUID]Offer, error) {
	if len(variantIDs) == 0 {
		return map[uuid.UUID]Offer{}, nil
	}
	found, err := s.catalog.ProductsByVariant(ctx, variantIDs)
	if err != nil {
		return nil, err
	}
	stock, err := s.inventory.Stock(ctx, variantIDs)
	if err != nil {
		return nil, err
	}
	offers := make(map[uuid.UUID]Offer, len(variantIDs))
	for _, id := range variantIDs {
		p := found[id]
		if p == nil {
			continue
		}
		v := p.Find(id)
		available := stock[id].Available()
		if stock[id].BackOrders {
			available = maxOnHand
		}
		offers[id] = Offer{
			VariantID: id, ProductID: p.ID, SKU: v.SKU, ProductTitle: p.Title, VariantTitle: v.Title,
			Price: v.Price, Available: available, Sellable: p.Status == Active,
		}
	}
	return offers, nil
}
