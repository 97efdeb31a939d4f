package resolvers

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/techmart/techmart/dataloaders"
	"github.com/techmart/techmart/graph/generated"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/graph/request"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/products"
)

type (
	productVariantResolver      struct{ r *Resolver }
	inventoryLevelResolver      struct{}
	inventoryAdjustmentResolver struct{}
)

// ProductVariant gives the resolver of variants.
func (r *Resolver) ProductVariant() generated.ProductVariantResolver {
	return productVariantResolver{r}
}

// InventoryLevel gives the resolver of stock at a location.
func (r *Resolver) InventoryLevel() generated.InventoryLevelResolver { return inventoryLevelResolver{} }

// InventoryAdjustment gives the resolver of lines in the history of stock.
func (r *Resolver) InventoryAdjustment() generated.InventoryAdjustmentResolver {
	return inventoryAdjustmentResolver{}
}

// Locations answers Query.locations.
func (q queryResolver) Locations(ctx context.Context) ([]*model.Location, error) {
	all, err := q.r.Products.Locations(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]*model.Location, len(all))
	for i, l := range all {
		out[i] = newLocation(l)
	}
	return out, nil
}

// QuantityAvailable answers ProductVariant.quantityAvailable.
func (productVariantResolver) QuantityAvailable(ctx context.Context, v *model.ProductVariant) (int, error) {
	stock, err := dataloaders.Load(ctx, dataloaders.For(ctx).Inventory.Stock, v.VariantID)
	return max(0, stock.Available()), err
}

// Available answers ProductVariant.available.
func (productVariantResolver) Available(ctx context.Context, v *model.ProductVariant) (bool, error) {
	stock, err := dataloaders.Load(ctx, dataloaders.For(ctx).Inventory.Stock, v.VariantID)
	return stock.CanBeBought(), err
}

// InventoryPolicy answers ProductVariant.inventoryPolicy.
func (productVariantResolver) InventoryPolicy(ctx context.Context, v *model.ProductVariant) (model.InventoryPolicy, error) {
	stock, err := dataloaders.Load(ctx, dataloaders.For(ctx).Inventory.Stock, v.VariantID)
	if stock.BackOrders {
		return model.InventoryPolicyContinue, err
	}
	return model.InventoryPolicyDeny, err
}

// InventoryLevels answers ProductVariant.inventoryLevels.
func (p productVariantResolver) InventoryLevels(ctx context.Context, v *model.ProductVariant) ([]*model.InventoryLevel, error) {
	stock, err := dataloaders.Load(ctx, dataloaders.For(ctx).Inventory.Stock, v.VariantID)
	if err != nil {
		return nil, err
	}
	levels, err := p.r.Products.Levels(ctx, stock)
	if err != nil {
		return nil, err
	}
	out := make([]*model.InventoryLevel, len(levels))
	for i, l := range levels {
		out[i] = &model.InventoryLevel{LocationID: l.LocationID, OnHand: l.OnHand, Reserved: l.Reserved, Available: l.Available()}
	}
	return out, nil
}

// InventoryHistory answers ProductVariant.inventoryHistory.
func (p productVariantResolver) InventoryHistory(ctx context.Context, v *model.ProductVariant, first *int, after *string) (*model.InventoryAdjustmentConnection, error) {
	list := listName("inventoryHistory", v.ID)
	r, err := p.r.Cursors.Request(list, pageArgs(first, after, nil, nil))
	if err != nil {
		return nil, err
	}
	found, err := dataloaders.Load(ctx, dataloaders.For(ctx).Inventory.Histories, products.NestedIn(v.VariantID, r))
	if err != nil {
		return nil, err
	}
	connection := &model.InventoryAdjustmentConnection{Nodes: page.Map(found, newInventoryAdjustment).Items}
	connection.Edges, connection.PageInfo = edges(p.r.Cursors, list, found, (*products.Adjustment).Key, func(cursor string, a *products.Adjustment) *model.InventoryAdjustmentEdge {
		return &model.InventoryAdjustmentEdge{Cursor: cursor, Node: newInventoryAdjustment(a)}
	})
	return connection, nil
}

// Location answers InventoryLevel.location.
func (inventoryLevelResolver) Location(ctx context.Context, l *model.InventoryLevel) (*model.Location, error) {
	return loadLocation(ctx, l.LocationID)
}

// Location answers InventoryAdjustment.location.
func (inventoryAdjustmentResolver) Location(ctx context.Context, a *model.InventoryAdjustment) (*model.Location, error) {
	return loadLocation(ctx, a.LocationID)
}

func loadLocation(ctx context.Context, id uuid.UUID) (*model.Location, error) {
	l, err := dataloaders.Load(ctx, dataloaders.For(ctx).Inventory.Locations, id)
	if err != nil {
		return nil, err
	}
	return newLocation(l), nil
}

// InventoryAdjust answers Mutation.inventoryAdjust.
func (m mutationResolver) InventoryAdjust(ctx context.Context, input model.InventoryAdjustInput) (*model.InventoryAdjustPayload, error) {
	variantID, noVariant := id(model.PrefixVariant, input.VariantID, "variantId")
	locationID, noLocation := id(model.PrefixLocation, input.LocationID, "locationId")
	in := products.AdjustInput{
		IdempotencyKey: request.IdempotencyKey(ctx, input.IdempotencyKey), VariantID: variantID, LocationID: locationID,
		ExpectedOnHand: input.ExpectedOnHand, OnHand: input.OnHand, Reason: products.Reason(input.Reason),
		Faults: errors.Join(noVariant, noLocation),
	}
	if input.Note != nil {
		in.Note = *input.Note
	}
	payload := &model.InventoryAdjustPayload{}
	in.Replayed = &payload.Replayed
	variant, adjustment, err := m.r.Products.AdjustInventory(ctx, in)
	if err == nil {
		payload.Variant, payload.Adjustment = newProductVariant(variant), newInventoryAdjustment(adjustment)
	}
	if payload.UserErrors, err = userErrors(err); err != nil {
		return nil, err
	}
	return payload, nil
}

// InventoryPolicySet answers Mutation.inventoryPolicySet.
func (m mutationResolver) InventoryPolicySet(ctx context.Context, input model.InventoryPolicySetInput) (*model.InventoryPolicySetPayload, error) {
	payload := &model.InventoryPolicySetPayload{}
	variantID, err := id(model.PrefixVariant, input.VariantID, "variantId")
	if err == nil {
		var variant products.ProductVariant
		if variant, err = m.r.Products.SetBackOrders(ctx, variantID, input.Policy == model.InventoryPolicyContinue); err == nil {
			payload.Variant = newProductVariant(variant)
		}
	}
	if payload.UserErrors, err = userErrors(err); err != nil {
		return nil, err
	}
	return payload, nil
}

// StockChanged answers Subscription.stockChanged. Each signal reads the variant anew, under the
// viewer's rights; the stream ends when the viewer may not know of it any more.
func (s subscriptionResolver) StockChanged(ctx context.Context, variantID string) (<-chan *model.ProductVariant, error) {
	u, err := id(model.PrefixVariant, variantID, "variantId")
	if err != nil {
		return nil, err
	}
	signals, err := s.r.Products.WatchStock(ctx, u)
	if err != nil {
		return nil, err
	}
	out := make(chan *model.ProductVariant)
	go func() {
		defer close(out)
		for range signals {
			found, err := s.r.Products.Variants(ctx, []uuid.UUID{u})
			if err != nil {
				continue // the next signal reads anew
			}
			variant, ok := found[u]
			if !ok {
				return
			}
			select {
			case out <- newProductVariant(variant):
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

// inventoryNodes are the look-ups of stock for node(id).
func (r *Resolver) inventoryNodes() map[string]nodeFunc {
	return map[string]nodeFunc{
		model.PrefixLocation: func(ctx context.Context, id uuid.UUID) (model.Node, error) {
			l, err := loadLocation(ctx, id)
			if err != nil {
				return nil, err
			}
			return l, nil
		},
		model.PrefixAdjustment: func(ctx context.Context, id uuid.UUID) (model.Node, error) {
			a, err := dataloaders.Load(ctx, dataloaders.For(ctx).Inventory.Adjustments, id)
			if err != nil {
				return nil, err
			}
			return newInventoryAdjustment(a), nil
		},
	}
}

func newLocation(l products.Location) *model.Location {
	return &model.Location{ID: model.ID(model.PrefixLocation, l.ID), Code: l.Code, Name: l.Name}
}

func newInventoryAdjustment(a *products.Adjustment) *model.InventoryAdjustment {
	out := &model.InventoryAdjustment{
		ID: model.ID(model.PrefixAdjustment, a.ID), LocationID: a.LocationID, Delta: a.Delta, OnHandAfter: a.OnHandAfter,
		Reason: model.InventoryReason(a.Reason), CreatedAt: a.CreatedAt,
	}
	if a.Note != "" {
		out.Note = &a.Note
	}
	return out
}
