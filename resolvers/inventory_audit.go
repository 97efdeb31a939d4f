package resolvers

import (
	"context"

	"github.com/google/uuid"

	"github.com/techmart/techmart/dataloaders"
	"github.com/techmart/techmart/graph/generated"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/products"
)

type inventoryDriftResolver struct{ r *Resolver }

// InventoryDrift gives the resolver of contradictions in the stock.
func (r *Resolver) InventoryDrift() generated.InventoryDriftResolver {
	return inventoryDriftResolver{r}
}

// InventoryAudit answers Query.inventoryAudit.
func (q queryResolver) InventoryAudit(ctx context.Context) (*model.InventoryAudit, error) {
	found, err := q.r.Products.AuditInventory(ctx)
	if err != nil {
		return nil, err
	}
	out := &model.InventoryAudit{
		CheckedAt: found.At, VariantCount: found.Variants, ReservationCount: found.Reservations,
		OnHand: found.OnHand, Reserved: found.Reserved, Available: found.Available,
		DriftCount: found.Count, Drifts: make([]*model.InventoryDrift, len(found.Drifts)),
	}
	for i, d := range found.Drifts {
		out.Drifts[i] = newInventoryDrift(d)
	}
	return out, nil
}

func newInventoryDrift(d products.Drift) *model.InventoryDrift {
	out := &model.InventoryDrift{
		Kind: model.InventoryDriftKind(d.Kind), Repairable: d.Kind.Repairable(), VariantID: d.VariantID, LocationID: d.LocationID,
		Noted: d.Noted, Actual: d.Actual,
	}
	if d.HolderID != uuid.Nil {
		prefix := model.PrefixOrder
		if d.Cart {
			prefix = model.PrefixCart
		}
		holder := model.ID(prefix, d.HolderID)
		out.HolderID = &holder
	}
	return out
}

// Variant answers InventoryDrift.variant.
func (r inventoryDriftResolver) Variant(ctx context.Context, d *model.InventoryDrift) (*model.ProductVariant, error) {
	if d.VariantID == uuid.Nil {
		return nil, nil
	}
	return r.r.findVariant(ctx, d.VariantID)
}

// Location answers InventoryDrift.location.
func (inventoryDriftResolver) Location(ctx context.Context, d *model.InventoryDrift) (*model.Location, error) {
	if d.LocationID == uuid.Nil {
		return nil, nil
	}
	l, found, err := dataloaders.Find(ctx, dataloaders.For(ctx).Inventory.Locations, d.LocationID)
	if err != nil || !found {
		return nil, err
	}
	return newLocation(l), nil
}
