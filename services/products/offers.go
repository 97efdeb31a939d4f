package products

import (
	"context"
	"errors"
	"sync"

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

// Prices is Offers for who learns from a hold whether there is enough: the stock is not looked at, Available is
// as many as can be ordered at all.
func (s *Service) Prices(ctx context.Context, variantIDs []uuid.UUID) (map[uuid.UUID]Offer, error) {
	if len(variantIDs) == 0 {
		return map[uuid.UUID]Offer{}, nil
	}
	offers, err := s.catalog.OffersByVariant(ctx, variantIDs)
	for id, o := range offers {
		o.Available = maxOnHand
		offers[id] = o
	}
	return offers, err
}

// Offers gives what is offered of the variants, whoever asks, in two commands at a time. Variants that are
// gone are left out.
func (s *Service) Offers(ctx context.Context, variantIDs []uuid.UUID) (map[uuid.UUID]Offer, error) {
	if len(variantIDs) == 0 {
		return map[uuid.UUID]Offer{}, nil
	}
	var (
		stock  map[uuid.UUID]Stock
		failed error
		all    sync.WaitGroup
	)
	all.Go(func() { stock, failed = s.inventory.Stock(ctx, variantIDs) })
	found, err := s.catalog.OffersByVariant(ctx, variantIDs)
	all.Wait()
	if err = errors.Join(err, failed); err != nil {
		return nil, err
	}
	offers := make(map[uuid.UUID]Offer, len(variantIDs))
	for _, id := range variantIDs {
		o, ok := found[id]
		if !ok {
			continue
		}
		if o.Available = stock[id].Available(); stock[id].BackOrders {
			o.Available = maxOnHand
		}
		offers[id] = o
	}
	return offers, nil
}
