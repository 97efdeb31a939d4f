package products_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/techmart/techmart/platform/telemetry"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/products"
)

func second[T any](_ T, err error) error { return err }

// TestCommands counts what pages cost: it must not depend on their length.
func TestCommands(t *testing.T) {
	t.Parallel()
	c := openCatalog(t)
	var list []*products.Product
	for i := range 150 {
		p := lamp(fmt.Sprint("S", i))
		p.Slug = fmt.Sprint("lamp-", i)
		list = append(list, &p)
	}
	done, err := c.ImportProducts(c.manager, list)
	c.must(err)
	ids, variants := make([]uuid.UUID, len(done)), make([]uuid.UUID, len(done))
	for i, o := range done {
		c.must(o.Err)
		ids[i] = o.ID
	}
	found, err := c.Products(c.visitor, ids)
	c.must(err)
	for i, id := range ids {
		variants[i] = found[id].Variants[0].ID
	}
	for name, test := range map[string]struct {
		most int64
		call func(ctx context.Context) error
	}{
		"list": {1, func(ctx context.Context) error {
			return second(c.List(ctx, products.Where{}, products.Sort{}, page.Request{Limit: 100}))
		}},
		"search": {2, func(ctx context.Context) error {
			return second(c.Search(ctx, "desk lam", products.Where{}, page.Request{Limit: 100}))
		}},
		"search in a category by slug": {2, func(ctx context.Context) error {
			return second(c.Search(ctx, "lamp", products.Where{CategorySlug: "lamps"}, page.Request{Limit: 100}))
		}},
		"typing": {2, func(ctx context.Context) error {
			return second(c.Search(ctx, "desc lampx", products.Where{}, page.Request{Limit: 100}))
		}},
		"products": {1, func(ctx context.Context) error { return second(c.Products(ctx, ids)) }},
		"variants": {1, func(ctx context.Context) error { return second(c.Variants(ctx, variants)) }},
		"offers":   {2, func(ctx context.Context) error { return second(c.Offers(ctx, variants)) }},
		"suggest":  {1, func(ctx context.Context) error { return second(c.Suggestions(ctx, "desk la", 20)) }},
		"pages": {1, func(ctx context.Context) error {
			return second(c.InCategories(ctx, ids[:50], products.Sort{}, page.Request{Limit: 100}))
		}},
		"counts": {1, func(ctx context.Context) error { return second(c.CountInCategories(ctx, ids[:50])) }},
	} {
		ctx, calls := telemetry.WithCalls(c.visitor)
		c.must(test.call(ctx))
		if n := calls.Of(telemetry.MongoDB); n > test.most {
			t.Errorf("%s made %d calls; want at most %d", name, n, test.most)
		}
	}
}
