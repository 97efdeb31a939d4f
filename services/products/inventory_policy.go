package products

import (
	"context"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// SetBackOrders says whether more may be ordered of a variant than there is. It needs inventory:write. It
// fails with NOT_FOUND at variantId. What was ordered before stays ordered.
func (s *Service) SetBackOrders(ctx context.Context, variantID uuid.UUID, allowed bool) (ProductVariant, error) {
	if err := viewer.FromContext(ctx).Require(viewer.InventoryWrite); err != nil {
		return ProductVariant{}, err
	}
	found, err := s.catalog.ProductsByVariant(ctx, []uuid.UUID{variantID})
	if err != nil {
		return ProductVariant{}, err
	}
	p := found[variantID]
	if p == nil {
		return ProductVariant{}, errs.At(errs.NotFound, "There is no such variant.", "variantId")
	}
	stock, err := s.inventory.SetBackOrders(ctx, variantID, p.ID, Locations[0].ID, allowed)
	if err != nil {
		return ProductVariant{}, err
	}
	return ProductVariant{p, p.Find(variantID)}, s.announce(ctx, []Stock{stock})
}
