package products

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/viewer"
)

// importChunk bounds the stocks of one round of an import.
const importChunk = 1000

// Currency gives the currency of all prices.
func (s *Service) Currency() money.Currency { return s.currency }

// IsSlug reports whether a text can be the address of a product as it is.
func IsSlug(text string) bool { return len(text) <= maxSlugSize && slugPattern.MatchString(text) }

// BySlugs gives products by slug, in one command. It needs catalog:write.
func (s *Service) BySlugs(ctx context.Context, slugs []string) (map[string]*Product, error) {
	if err := viewer.FromContext(ctx).Require(viewer.CatalogWrite); err != nil {
		return nil, err
	}
	return s.catalog.ProductsBySlug(ctx, slugs)
}

// CategoryPaths gives the names on the way to every category, the top one first, its own last.
func (s *Service) CategoryPaths(ctx context.Context) (map[uuid.UUID][]string, error) {
	paths := make(map[uuid.UUID][]string)
	for parents := []uuid.UUID{uuid.Nil}; len(parents) > 0; {
		below, err := s.catalog.Children(ctx, parents)
		if err != nil {
			return nil, err
		}
		var next []uuid.UUID
		for _, parent := range parents {
			for _, c := range below[parent] {
				paths[c.ID] = append(slices.Clone(paths[parent]), c.Name)
				next = append(next, c.ID)
			}
		}
		parents = next
	}
	return paths, nil
}

// OnHand is the stock that a variant shall have at a location.
type OnHand struct {
	VariantID  uuid.UUID
	ProductID  uuid.UUID
	LocationID uuid.UUID
	Pieces     int // 0 or more; where more are reserved, those
}

// ImportStock sets stock in bulk, without comparing; equal stock stays as it is. Products are brought
// up to date. The note goes into the history. It needs inventory:write.
func (s *Service) ImportStock(ctx context.Context, list []OnHand, note string) error {
	v := viewer.FromContext(ctx)
	if err := v.Require(viewer.InventoryWrite); err != nil {
		return err
	}
	for part := range slices.Chunk(list, importChunk) {
		changes := make([]SetOnHand, len(part))
		for i, l := range part {
			changes[i] = SetOnHand{
				ID: newID(), VariantID: l.VariantID, ProductID: l.ProductID, LocationID: l.LocationID,
				OnHand: l.Pieces, Reason: Counted, Note: note, ActorID: v.UserID, At: s.now(),
			}
		}
		found, err := s.inventory.ImportOnHand(ctx, changes)
		if err != nil {
			return err
		}
		changed := make([]Stock, 0, len(found))
		for _, stock := range found {
			changed = append(changed, stock)
		}
		if err := s.settleMany(ctx, changed); err != nil {
			return err
		}
		s.publish(ctx, changed)
	}
	return nil
}

// settleMany is settle for many products: a few commands for all of them. What changes while it works
// is found by comparing anew.
func (s *Service) settleMany(ctx context.Context, changed []Stock) error {
	var flipped []Stock
	var ids []uuid.UUID
	seen := make(map[uuid.UUID]bool)
	for _, stock := range changed {
		if stock.Flipped == uuid.Nil {
			continue
		}
		flipped = append(flipped, stock)
		if !seen[stock.ProductID] {
			seen[stock.ProductID] = true
			ids = append(ids, stock.ProductID)
		}
	}
	if len(flipped) == 0 {
		return nil
	}
	before, err := s.availability(ctx, ids)
	if err != nil {
		return err
	}
	if err := s.catalog.SetAvailable(ctx, before); err != nil {
		return err
	}
	after, err := s.availability(ctx, ids)
	if err != nil {
		return err
	}
	for id, available := range after {
		if available != before[id] {
			if err := s.refreshAvailable(ctx, id); err != nil {
				return err
			}
		}
	}
	return s.inventory.Settle(ctx, flipped)
}

// availability gives for each product whether any of its variants can be bought.
func (s *Service) availability(ctx context.Context, productIDs []uuid.UUID) (map[uuid.UUID]bool, error) {
	found, err := s.catalog.Products(ctx, productIDs)
	if err != nil {
		return nil, err
	}
	var ids []uuid.UUID
	for _, p := range found {
		for _, v := range p.Variants {
			ids = append(ids, v.ID)
		}
	}
	stocks, err := s.inventory.Stock(ctx, ids)
	if err != nil {
		return nil, err
	}
	available := make(map[uuid.UUID]bool, len(found))
	for id, p := range found {
		available[id] = slices.ContainsFunc(p.Variants, func(v Variant) bool { return stocks[v.ID].CanBeBought() })
	}
	return available, nil
}
