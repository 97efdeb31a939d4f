package products

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// ImportProducts inserts or replaces products by slug in bulk, for imports and seeds. Ids of new
// products and variants are taken over where given, else made; of new products also availability,
// rating, pieces sold and times. What is there keeps those, and its variants their ids by SKU; an
// equal product stays as it is. It gives one outcome per product, in order; bad ones do not
// hinder the others.
func (s *Service) ImportProducts(ctx context.Context, list []*Product) ([]ImportOutcome, error) {
	if err := viewer.FromContext(ctx).Require(viewer.CatalogWrite); err != nil {
		return nil, err
	}
	now := s.now()
	outcomes := make([]ImportOutcome, len(list))
	var good []*Product
	var place []int
	for i, given := range list {
		p := *given
		if p.ID == uuid.Nil {
			p.ID = newID()
		}
		if p.Status == "" {
			p.Status = Draft
		}
		if p.Slug == "" {
			p.Slug = MakeSlug(p.Title)
		}
		p.normalize(s.currency)
		p.publish(now)
		if err := p.check(s.currency); err != nil {
			outcomes[i].Err = err
			continue
		}
		good, place = append(good, &p), append(place, i)
	}
	done, err := s.catalog.ImportProducts(ctx, good, now)
	if err != nil {
		return nil, err
	}
	for i, o := range done {
		outcomes[place[i]] = o
		if o.Removed {
			if err := s.refreshAvailable(ctx, o.ID); err != nil {
				return nil, err
			}
		}
	}
	return outcomes, nil
}

// ImportCategories inserts categories by slug, parents before children, and leaves those that are
// there as they are. It gives the id of each, in order: of a category that was there, its own.
func (s *Service) ImportCategories(ctx context.Context, list []*Category) ([]uuid.UUID, error) {
	if err := viewer.FromContext(ctx).Require(viewer.CatalogWrite); err != nil {
		return nil, err
	}
	slugs := make([]string, len(list))
	for i, c := range list {
		slugs[i] = c.Slug
	}
	stored, err := s.catalog.CategoriesBySlug(ctx, slugs)
	if err != nil {
		return nil, err
	}
	ids := make([]uuid.UUID, len(list))
	moved := make(map[uuid.UUID]uuid.UUID) // ids given to ids stored
	for i, given := range list {
		if there := stored[given.Slug]; there != nil {
			ids[i] = there.ID
		} else {
			c := *given
			c.Version = 1
			if c.ID == uuid.Nil {
				c.ID = newID()
			}
			if id, ok := moved[c.ParentID]; ok {
				c.ParentID = id
			}
			if err := c.check(); err != nil {
				return nil, err
			}
			if err := s.catalog.InsertCategory(ctx, &c); err != nil {
				return nil, err
			}
			ids[i] = c.ID
		}
		if given.ID != uuid.Nil {
			moved[given.ID] = ids[i]
		}
	}
	return ids, nil
}

// EnsureCategory gives the category at the end of a path of names, the top one first, and adds
// what is missing of it. It fails with LIMIT_EXCEEDED for too long a path.
func (s *Service) EnsureCategory(ctx context.Context, names []string) (uuid.UUID, error) {
	if err := viewer.FromContext(ctx).Require(viewer.CatalogWrite); err != nil {
		return uuid.Nil, err
	}
	at := uuid.Nil
	for _, name := range names {
		name = strings.TrimSpace(name)
		below, err := s.catalog.Children(ctx, []uuid.UUID{at})
		if err != nil {
			return uuid.Nil, err
		}
		i := slices.IndexFunc(below[at], func(c *Category) bool { return Fold(c.Name) == Fold(name) })
		if i >= 0 {
			at = below[at][i].ID
			continue
		}
		c, err := s.CreateCategory(ctx, &Category{Name: name, ParentID: at, Position: len(below[at])})
		if err != nil {
			return uuid.Nil, err
		}
		at = c.ID
	}
	if at == uuid.Nil {
		return at, errs.New(errs.Required, "A path of categories has a name.")
	}
	return at, nil
}
