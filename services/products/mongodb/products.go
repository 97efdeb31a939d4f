package mongodb

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/products"
)

// hidden are fields that are never read back.
var hidden = bson.D{{Key: "words", Value: 0}, {Key: "titleKey", Value: 0}, {Key: "categoryNames", Value: 0}}

func (s *Store) findProducts(ctx context.Context, filter any) ([]*products.Product, error) {
	docs, err := find[*productDoc](ctx, s.products, filter, options.Find().SetProjection(hidden))
	if err != nil {
		return nil, err
	}
	return productsOf(docs), nil
}

// Products gives products by id.
func (s *Store) Products(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*products.Product, error) {
	list, err := s.findProducts(ctx, bson.D{{Key: "_id", Value: in(ids)}})
	if err != nil {
		return nil, err
	}
	found := make(map[uuid.UUID]*products.Product, len(list))
	for _, p := range list {
		found[p.ID] = p
	}
	return found, nil
}

// ProductsBySlug gives products by slug.
func (s *Store) ProductsBySlug(ctx context.Context, slugs []string) (map[string]*products.Product, error) {
	list, err := s.findProducts(ctx, bson.D{{Key: "slug", Value: in(slugs)}})
	if err != nil {
		return nil, err
	}
	found := make(map[string]*products.Product, len(list))
	for _, p := range list {
		found[p.Slug] = p
	}
	return found, nil
}

// ProductsBySKU gives products by the SKU of any of their variants.
func (s *Store) ProductsBySKU(ctx context.Context, skus []string) (map[string]*products.Product, error) {
	list, err := s.findProducts(ctx, bson.D{{Key: "variants.sku", Value: in(skus)}})
	if err != nil {
		return nil, err
	}
	found := make(map[string]*products.Product, len(skus))
	for _, p := range list {
		for i := range p.Variants {
			found[p.Variants[i].SKU] = p
		}
	}
	return found, nil
}

// ProductsByVariant gives products by the id of any of their variants.
func (s *Store) ProductsByVariant(ctx context.Context, variantIDs []uuid.UUID) (map[uuid.UUID]*products.Product, error) {
	list, err := s.findProducts(ctx, bson.D{{Key: "variants.id", Value: in(variantIDs)}})
	if err != nil {
		return nil, err
	}
	found := make(map[uuid.UUID]*products.Product, len(variantIDs))
	for _, p := range list {
		for i := range p.Variants {
			found[p.Variants[i].ID] = p
		}
	}
	return found, nil
}

// ListProducts reads one more than r.Limit products in reading direction.
func (s *Store) ListProducts(ctx context.Context, f products.Filter, by products.Sort, r page.Request) ([]*products.Product, error) {
	where, order, err := listing(f, by, r)
	if err != nil {
		return nil, err
	}
	docs, err := find[*productDoc](ctx, s.products, where, options.Find().SetSort(order).SetLimit(int64(r.Limit+1)).SetProjection(hidden))
	if err != nil {
		return nil, err
	}
	return productsOf(docs), nil
}

// CountProducts counts the products that match.
func (s *Store) CountProducts(ctx context.Context, f products.Filter) (int, error) {
	n, err := s.products.CountDocuments(ctx, matching(f))
	if err != nil {
		return 0, fmt.Errorf("mongodb: count products: %w", err)
	}
	return int(n), nil
}

// CategoryProducts is ListProducts of each of the categories and below, all in one command.
func (s *Store) CategoryProducts(ctx context.Context, categoryIDs []uuid.UUID, f products.Filter, by products.Sort, r page.Request) (map[uuid.UUID][]*products.Product, error) {
	found := make(map[uuid.UUID][]*products.Product, len(categoryIDs))
	parts := make([]bson.A, 0, len(categoryIDs))
	for _, id := range categoryIDs {
		found[id] = nil
		where, order, err := listing(within(f, id), by, r)
		if err != nil {
			return nil, err
		}
		parts = append(parts, bson.A{
			bson.D{{Key: "$match", Value: where}},
			bson.D{{Key: "$sort", Value: order}},
			bson.D{{Key: "$limit", Value: r.Limit + 1}},
			bson.D{{Key: "$project", Value: hidden}},
			bson.D{{Key: "$set", Value: bson.D{{Key: "group", Value: id}}}},
		})
	}
	docs, err := aggregate[*groupedDoc](ctx, s.products, union(s.products.Name(), parts))
	if err != nil {
		return nil, err
	}
	for _, d := range docs {
		found[d.Group] = append(found[d.Group], d.Product.product())
	}
	return found, nil
}

// CountCategoryProducts is CountProducts of each of the categories and below, all in one command.
func (s *Store) CountCategoryProducts(ctx context.Context, categoryIDs []uuid.UUID, f products.Filter) (map[uuid.UUID]int, error) {
	found := make(map[uuid.UUID]int, len(categoryIDs))
	parts := make([]bson.A, 0, len(categoryIDs))
	for _, id := range categoryIDs {
		found[id] = 0
		parts = append(parts, bson.A{
			bson.D{{Key: "$match", Value: matching(within(f, id))}},
			bson.D{{Key: "$count", Value: "count"}},
			bson.D{{Key: "$set", Value: bson.D{{Key: "group", Value: id}}}},
		})
	}
	type counted struct {
		Group uuid.UUID `bson:"group"`
		Count int       `bson:"count"`
	}
	counts, err := aggregate[counted](ctx, s.products, union(s.products.Name(), parts))
	if err != nil {
		return nil, err
	}
	for _, c := range counts {
		found[c.Group] = c.Count
	}
	return found, nil
}

// EachProduct calls f with every product in the order of ids until f fails.
func (s *Store) EachProduct(ctx context.Context, f func(*products.Product) error) error {
	cursor, err := s.products.Find(ctx, bson.D{}, options.Find().SetSort(keys("_id")).SetProjection(hidden).SetBatchSize(500))
	if err != nil {
		return fmt.Errorf("mongodb: find products: %w", err)
	}
	defer cursor.Close(context.WithoutCancel(ctx))
	for cursor.Next(ctx) {
		var d productDoc
		if err := cursor.Decode(&d); err != nil {
			return fmt.Errorf("mongodb: find products: %w", err)
		}
		if err := f(d.product()); err != nil {
			return err
		}
	}
	if err := cursor.Err(); err != nil {
		return fmt.Errorf("mongodb: find products: %w", err)
	}
	return nil
}

// groupedDoc is a product in the answer for one of several parents.
type groupedDoc struct {
	Product productDoc `bson:",inline"`
	Group   uuid.UUID  `bson:"group"`
}

// union makes one pipeline of several over the same collection.
func union(collection string, parts []bson.A) bson.A {
	if len(parts) == 0 {
		return bson.A{bson.D{{Key: "$match", Value: nothing()}}}
	}
	all := parts[0]
	for _, part := range parts[1:] {
		all = append(all, bson.D{{Key: "$unionWith", Value: bson.D{{Key: "coll", Value: collection}, {Key: "pipeline", Value: part}}}})
	}
	return all
}
