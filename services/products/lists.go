package products

import (
	"context"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/viewer"
)

// Bounds of filters.
const (
	maxFilterValues = 100
	maxFilters      = 20
	maxRelated      = 100
	minRating       = 10 // tenths of a star
	maxRating       = 50
)

// Where is a filter as a client gave it.
type Where struct {
	Filter
	CategorySlug string // "" for any
}

// filter is [Where.check], with the category of the slug.
func (s *Service) filter(ctx context.Context, w Where) (Filter, error) {
	f, err := w.check(ctx)
	if err != nil || w.CategorySlug == "" {
		return f, err
	}
	found, err := s.catalog.CategoriesBySlug(ctx, []string{w.CategorySlug})
	if err != nil {
		return f, err
	}
	if category := found[w.CategorySlug]; category != nil {
		return f.in(category.ID), nil
	}
	return f.in(uuid.Nil), nil
}

// in narrows the filter to a category and below; zero stands for one that is not there, which holds nothing.
func (f Filter) in(category uuid.UUID) Filter {
	within := []uuid.UUID{}
	if category != uuid.Nil {
		within = append(within, category)
	}
	f.Categories = append(f.Categories[:len(f.Categories):len(f.Categories)], within)
	return f
}

// check checks a filter, and closes it to what the viewer may know of. The slug is left to the caller.
func (w Where) check(ctx context.Context) (Filter, error) {
	f := w.Filter
	var c errs.Collector
	bad := func(message string, field ...string) {
		c.Add(errs.BadInput, message, append([]string{"where"}, field...)...)
	}
	v := viewer.FromContext(ctx)
	staff := v.Can(viewer.CatalogWrite)
	denied := func(message, field string) error {
		if err := v.RequireAccount(); err != nil {
			return err
		}
		return errs.At(errs.Forbidden, message, "where", field)
	}
	if len(f.Statuses) == 0 {
		f.Statuses = []Status{Active}
	}
	for _, status := range f.Statuses {
		if status != Active && !staff {
			return f, denied("Other states than ACTIVE need the scope catalog:write.", "statuses")
		}
	}
	if (f.UpdatedGTE != nil || f.UpdatedLT != nil) && !staff {
		return f, denied("This filter needs the scope catalog:write.", "updatedAt")
	}
	for _, any := range f.Categories {
		if len(any) > maxFilterValues {
			bad("Give at most 100 categories.", "categoryIds")
		}
	}
	if len(f.Vendors) > maxFilterValues {
		bad("Give at most 100 brands.", "vendors")
	}
	if len(f.Tags) > maxFilters {
		bad("Give at most 20 labels.", "tags")
	}
	if len(f.Attributes) > maxFilters {
		bad("Give at most 20 attributes.", "attributes")
	}
	for _, a := range f.Attributes {
		if len(a.Values) == 0 || len(a.Values) > maxFilters {
			bad("Give 1 to 20 values of an attribute.", "attributes")
		}
	}
	if f.PriceMin != nil && f.PriceMax != nil && *f.PriceMin > *f.PriceMax {
		bad("The lower bound is above the upper one.", "price")
	}
	if f.RatingMin != 0 && (f.RatingMin < minRating || f.RatingMin > maxRating) {
		bad("Stars are 1 to 5.", "ratingAtLeast")
	}
	return f, c.Err()
}

// List gives a page of products. It fails with BAD_USER_INPUT, and with FORBIDDEN for filters that
// only staff may use.
func (s *Service) List(ctx context.Context, w Where, by Sort, r page.Request) (page.Page[*Product], error) {
	f, err := s.filter(ctx, w)
	if err != nil {
		return page.Page[*Product]{}, err
	}
	rows, err := s.catalog.ListProducts(ctx, f, by, r)
	if err != nil {
		return page.Page[*Product]{}, err
	}
	return page.Trim(rows, r), nil
}

// Count counts the products of a list. It fails as [Service.List] does.
func (s *Service) Count(ctx context.Context, w Where) (int, error) {
	f, err := s.filter(ctx, w)
	if err != nil {
		return 0, err
	}
	return s.catalog.CountProducts(ctx, f)
}

// inShop is what lists of products show that take no filter.
func inShop() Filter { return Filter{Statuses: []Status{Active}} }

// InCategories gives a page of the products of each category and below, in one command.
func (s *Service) InCategories(ctx context.Context, categoryIDs []uuid.UUID, by Sort, r page.Request) (map[uuid.UUID]page.Page[*Product], error) {
	rows, err := s.catalog.CategoryProducts(ctx, categoryIDs, inShop(), by, r)
	if err != nil {
		return nil, err
	}
	pages := make(map[uuid.UUID]page.Page[*Product], len(rows))
	for id, list := range rows {
		pages[id] = page.Trim(list, r)
	}
	return pages, nil
}

// CountInCategories counts the products of each category and below, in one command.
func (s *Service) CountInCategories(ctx context.Context, categoryIDs []uuid.UUID) (map[uuid.UUID]int, error) {
	return s.catalog.CountCategoryProducts(ctx, categoryIDs, inShop())
}

// Related gives for each product at most limit similar ones that can be bought, in one command. It
// fails with BAD_USER_INPUT for a limit that is not 1 to 100.
func (s *Service) Related(ctx context.Context, of []*Product, limit int) (map[uuid.UUID][]*Product, error) {
	if limit < 1 || limit > maxRelated {
		return nil, errs.At(errs.BadInput, "Ask for 1 to 100 items.", "first")
	}
	return s.catalog.RelatedProducts(ctx, of, limit)
}

// Export calls f with every product in the order of ids; for staff.
func (s *Service) Export(ctx context.Context, f func(*Product) error) error {
	if err := viewer.FromContext(ctx).Require(viewer.CatalogWrite); err != nil {
		return err
	}
	return s.catalog.EachProduct(ctx, f)
}
