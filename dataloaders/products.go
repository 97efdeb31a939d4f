package dataloaders

import (
	"context"
	"strings"

	"github.com/google/uuid"
	"github.com/graph-gophers/dataloader/v7"

	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/products"
)

// Products are the loaders of the catalogue. Each answers only with what the viewer may see.
type Products struct {
	ByID            *dataloader.Loader[uuid.UUID, *products.Product]
	VariantByID     *dataloader.Loader[uuid.UUID, products.ProductVariant]
	CategoryByID    *dataloader.Loader[uuid.UUID, *products.Category]
	Children        *dataloader.Loader[uuid.UUID, []*products.Category] // by the parent's id; zero: the top
	InCategory      *dataloader.Loader[CategoryPage, page.Page[*products.Product]]
	CountInCategory *dataloader.Loader[uuid.UUID, int]
	Related         *dataloader.Loader[RelatedTo, []*products.Product]
}

// CategoryPage asks for a page of the products of a category and below.
type CategoryPage struct {
	CategoryID uuid.UUID
	pageOfProducts
}

// pageOfProducts is what pages have in common that are read together.
type pageOfProducts struct {
	by       products.Sort
	limit    int
	backward bool
	from     string
}

// RelatedTo asks for products that are similar to one.
type RelatedTo struct {
	ProductID uuid.UUID
	Limit     int
}

// keySeparator stands between the values of a key; no value has it.
const keySeparator = "\x00"

// NewCategoryPage makes the key of a page.
func NewCategoryPage(categoryID uuid.UUID, by products.Sort, r page.Request) CategoryPage {
	return CategoryPage{categoryID, pageOfProducts{by, r.Limit, r.Backward, strings.Join(r.From, keySeparator)}}
}

func (p pageOfProducts) request() page.Request {
	r := page.Request{Limit: p.limit, Backward: p.backward}
	if p.from != "" {
		r.From = strings.Split(p.from, keySeparator)
	}
	return r
}

func newProducts(s *products.Service) *Products {
	p := &Products{
		ByID:            newLoader(s.Products),
		CategoryByID:    newLoader(s.Categories),
		CountInCategory: newLoader(s.CountInCategories),
	}
	p.VariantByID = newLoader(func(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]products.ProductVariant, error) {
		found, err := s.Variants(ctx, ids)
		for _, v := range found {
			p.Prime(ctx, v.Product)
		}
		return found, err
	})
	p.Children = newLoader(func(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID][]*products.Category, error) {
		found, err := s.Children(ctx, ids)
		for _, list := range found {
			p.PrimeCategories(ctx, list...)
		}
		return found, err
	})
	p.InCategory = newLoader(p.inCategory(s))
	p.Related = newLoader(p.related(s))
	return p
}

// Prime keeps products that were read, or changed, by other ways, so that ByID need not read them.
func (p *Products) Prime(ctx context.Context, list ...*products.Product) {
	for _, one := range list {
		p.ByID.Clear(ctx, one.ID).Prime(ctx, one.ID, one)
	}
}

// PrimeCategories is Prime for categories.
func (p *Products) PrimeCategories(ctx context.Context, list ...*products.Category) {
	for _, c := range list {
		p.CategoryByID.Clear(ctx, c.ID).Prime(ctx, c.ID, c)
	}
}

// inCategory reads the pages of many categories: those of one sort and part in one command.
func (p *Products) inCategory(s *products.Service) func(context.Context, []CategoryPage) (map[CategoryPage]page.Page[*products.Product], error) {
	return func(ctx context.Context, wanted []CategoryPage) (map[CategoryPage]page.Page[*products.Product], error) {
		groups := make(map[pageOfProducts][]uuid.UUID)
		for _, w := range wanted {
			groups[w.pageOfProducts] = append(groups[w.pageOfProducts], w.CategoryID)
		}
		all := make(map[CategoryPage]page.Page[*products.Product], len(wanted))
		for part, ids := range groups {
			pages, err := s.InCategories(ctx, ids, part.by, part.request())
			if err != nil {
				return nil, err
			}
			for id, one := range pages {
				p.Prime(ctx, one.Items...)
				all[CategoryPage{id, part}] = one
			}
		}
		return all, nil
	}
}

// related compares many products with others: those with one limit in one command.
func (p *Products) related(s *products.Service) func(context.Context, []RelatedTo) (map[RelatedTo][]*products.Product, error) {
	return func(ctx context.Context, wanted []RelatedTo) (map[RelatedTo][]*products.Product, error) {
		groups := make(map[int][]uuid.UUID)
		for _, w := range wanted {
			groups[w.Limit] = append(groups[w.Limit], w.ProductID)
		}
		all := make(map[RelatedTo][]*products.Product, len(wanted))
		for limit, ids := range groups {
			of, failures := p.ByID.LoadMany(ctx, ids)()
			for _, err := range failures {
				if err != nil {
					return nil, err
				}
			}
			found, err := s.Related(ctx, of, limit)
			if err != nil {
				return nil, err
			}
			for id, list := range found {
				p.Prime(ctx, list...)
				all[RelatedTo{id, limit}] = list
			}
		}
		return all, nil
	}
}
