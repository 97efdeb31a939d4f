package resolvers

import (
	"context"

	"github.com/google/uuid"

	"github.com/techmart/techmart/dataloaders"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/products"
)

// defaultSuggestions is how many completions a client gets that names no number.
const defaultSuggestions = 8

// Search answers Query.search.
func (q queryResolver) Search(ctx context.Context, query string, first *int, after *string, where *model.ProductWhere) (*model.SearchResult, error) {
	list := listName("search", query, where)
	r, err := q.r.Cursors.Request(list, pageArgs(first, after, nil, nil))
	if err != nil {
		return nil, err
	}
	w, err := q.r.productWhere(where)
	if err != nil {
		return nil, err
	}
	found, err := q.r.Products.Search(ctx, query, w, r)
	if err != nil {
		return nil, err
	}
	keys := make(map[uuid.UUID]page.Key, len(found.Page.Items))
	for _, h := range found.Page.Items {
		keys[h.Product.ID] = h.Key()
		dataloaders.For(ctx).Products.PrimeCategories(ctx, h.Categories...)
	}
	p := page.Map(found.Page, func(h products.Hit) *products.Product { return h.Product })
	key := func(p *products.Product) page.Key { return keys[p.ID] }
	count := func(context.Context) (int, error) { return found.Total, nil }
	return &model.SearchResult{
		CorrectedQuery: optional(found.Corrected),
		Products:       q.r.productConnection(ctx, list, p, key, count),
		Facets:         newFacets(found.Facets),
	}, nil
}

// SearchSuggestions answers Query.searchSuggestions.
func (q queryResolver) SearchSuggestions(ctx context.Context, prefix string, first *int) ([]string, error) {
	limit := defaultSuggestions
	if first != nil {
		limit = *first
	}
	list, err := q.r.Products.Suggestions(ctx, prefix, limit)
	if err != nil {
		return nil, err
	}
	return append([]string{}, list...), nil
}
