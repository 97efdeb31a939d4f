package resolvers

import (
	"context"

	"github.com/google/uuid"

	"github.com/techmart/techmart/dataloaders"
	"github.com/techmart/techmart/graph/generated"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/products"
)

// Bounds of the lists in a product.
const (
	maxShown       = 100 // of each list
	defaultMedia   = 20
	defaultRelated = 8
)

type (
	productResolver           struct{ r *Resolver }
	productConnectionResolver struct{}
)

// Product gives the resolver of products.
func (r *Resolver) Product() generated.ProductResolver { return productResolver{r} }

// ProductConnection gives the resolver of lists of products.
func (r *Resolver) ProductConnection() generated.ProductConnectionResolver {
	return productConnectionResolver{}
}

// productNodes gives the look-ups by id of the catalogue.
func (r *Resolver) productNodes() map[string]nodeFunc {
	return map[string]nodeFunc{
		model.PrefixProduct: func(ctx context.Context, id uuid.UUID) (model.Node, error) {
			p, err := dataloaders.Load(ctx, dataloaders.For(ctx).Products.ByID, id)
			if err != nil {
				return nil, err
			}
			return newProduct(p), nil
		},
		model.PrefixVariant: func(ctx context.Context, id uuid.UUID) (model.Node, error) {
			v, err := dataloaders.Load(ctx, dataloaders.For(ctx).Products.VariantByID, id)
			if err != nil {
				return nil, err
			}
			return newProductVariant(v), nil
		},
		model.PrefixCategory: func(ctx context.Context, id uuid.UUID) (model.Node, error) {
			c, err := dataloaders.Load(ctx, dataloaders.For(ctx).Products.CategoryByID, id)
			if err != nil {
				return nil, err
			}
			return newCategory(c), nil
		},
	}
}

// exactlyOne fails with BAD_USER_INPUT unless one of the arguments is given.
func exactlyOne(message string, arguments ...*string) error {
	given := 0
	for _, a := range arguments {
		if a != nil {
			given++
		}
	}
	if given != 1 {
		return errs.New(errs.BadInput, message)
	}
	return nil
}

// Product answers Query.product.
func (q queryResolver) Product(ctx context.Context, productID, slug, sku *string) (*model.Product, error) {
	if err := exactlyOne("Give exactly one of id, slug and sku.", productID, slug, sku); err != nil {
		return nil, err
	}
	p, err := absent(q.product(ctx, productID, slug, sku))
	if p == nil || err != nil {
		return nil, err
	}
	return showProduct(ctx, p), nil
}

func (q queryResolver) product(ctx context.Context, productID, slug, sku *string) (*products.Product, error) {
	switch {
	case slug != nil:
		return q.r.Products.ProductBySlug(ctx, *slug)
	case sku != nil:
		return q.r.Products.ProductBySKU(ctx, *sku)
	}
	u, err := id(model.PrefixProduct, *productID)
	if err != nil {
		return nil, err
	}
	return dataloaders.Load(ctx, dataloaders.For(ctx).Products.ByID, u)
}

// ProductVariant answers Query.productVariant.
func (q queryResolver) ProductVariant(ctx context.Context, variantID, sku *string) (*model.ProductVariant, error) {
	if err := exactlyOne("Give exactly one of id and sku.", variantID, sku); err != nil {
		return nil, err
	}
	v, err := q.variant(ctx, variantID, sku)
	if err != nil {
		return absent[model.ProductVariant](nil, err)
	}
	dataloaders.For(ctx).Products.Prime(ctx, v.Product)
	return newProductVariant(v), nil
}

func (q queryResolver) variant(ctx context.Context, variantID, sku *string) (products.ProductVariant, error) {
	if sku != nil {
		return q.r.Products.VariantBySKU(ctx, *sku)
	}
	u, err := id(model.PrefixVariant, *variantID)
	if err != nil {
		return products.ProductVariant{}, err
	}
	return dataloaders.Load(ctx, dataloaders.For(ctx).Products.VariantByID, u)
}

// Products answers Query.products.
func (q queryResolver) Products(ctx context.Context, first *int, after *string, last *int, before *string, where *model.ProductWhere, sortBy *model.ProductSort) (*model.ProductConnection, error) {
	list := listName("products", where, sortBy)
	r, err := q.r.Cursors.Request(list, pageArgs(first, after, last, before))
	if err != nil {
		return nil, err
	}
	w, err := q.r.productWhere(where)
	if err != nil {
		return nil, err
	}
	by := productSort(sortBy)
	p, err := q.r.Products.List(ctx, w, by, r)
	if err != nil {
		return nil, err
	}
	count := func(ctx context.Context) (int, error) { return q.r.Products.Count(ctx, w) }
	return q.r.productConnection(ctx, list, p, by.Key, count), nil
}

// productConnection shows a page of products.
func (r *Resolver) productConnection(ctx context.Context, list string, p page.Page[*products.Product], key func(*products.Product) page.Key, count model.CountFunc) *model.ProductConnection {
	c := &model.ProductConnection{Nodes: showProducts(ctx, p.Items), Count: count}
	at := 0
	c.Edges, c.PageInfo = edges(r.Cursors, list, p, key, func(cursor string, _ *products.Product) *model.ProductEdge {
		at++
		return &model.ProductEdge{Cursor: cursor, Node: c.Nodes[at-1]}
	})
	return c
}

// TotalCount answers ProductConnection.totalCount.
func (productConnectionResolver) TotalCount(ctx context.Context, c *model.ProductConnection) (int, error) {
	return c.Count(ctx)
}

// Category answers Product.category. The categories above are read along with it.
func (productResolver) Category(ctx context.Context, obj *model.Product) (*model.Category, error) {
	if obj.CategoryID == uuid.Nil {
		return nil, nil
	}
	load := dataloaders.For(ctx).Products
	p, err := dataloaders.Load(ctx, load.ByID, obj.ProductID)
	if err != nil {
		return nil, err
	}
	above := load.CategoryByID.LoadMany(ctx, p.CategoryPath)
	c, found, err := dataloaders.Find(ctx, load.CategoryByID, obj.CategoryID)
	above() // a failure is that of c, too
	if err != nil || !found {
		return nil, err
	}
	return newCategory(c), nil
}

// Variants answers Product.variants.
func (productResolver) Variants(_ context.Context, obj *model.Product, first *int) ([]*model.ProductVariant, error) {
	return head(obj.Variants, first, maxShown)
}

// Media answers Product.media.
func (productResolver) Media(_ context.Context, obj *model.Product, first *int) ([]*model.Media, error) {
	return head(obj.Media, first, defaultMedia)
}

// head gives the first items of a list. It fails with BAD_USER_INPUT for a number out of bounds.
func head[T any](list []T, first *int, standard int) ([]T, error) {
	n := standard
	if first != nil {
		n = *first
	}
	if n < 1 || n > maxShown {
		return nil, errs.At(errs.BadInput, "Ask for 1 to 100 items.", "first")
	}
	return list[:min(n, len(list))], nil
}

// RelatedProducts answers Product.relatedProducts.
func (productResolver) RelatedProducts(ctx context.Context, obj *model.Product, first *int) ([]*model.Product, error) {
	limit := defaultRelated
	if first != nil {
		limit = *first
	}
	list, err := dataloaders.Load(ctx, dataloaders.For(ctx).Products.Related, dataloaders.RelatedTo{ProductID: obj.ProductID, Limit: limit})
	if err != nil {
		return nil, err
	}
	return showProducts(ctx, list), nil
}

// Product answers ProductVariant.product.
func (productVariantResolver) Product(ctx context.Context, obj *model.ProductVariant) (*model.Product, error) {
	p, err := dataloaders.Load(ctx, dataloaders.For(ctx).Products.ByID, obj.ProductID)
	if err != nil {
		return nil, err
	}
	return newProduct(p), nil
}
