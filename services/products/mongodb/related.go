package mongodb

import (
	"context"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/techmart/techmart/services/products"
)

// relatedSample is how many products of the category, dearer and cheaper ones each, are compared.
const relatedSample = 24

// RelatedProducts gives for each product other ones of its category that can be bought. Of those
// nearest in price it takes the ones with the most attributes in common.
func (s *Store) RelatedProducts(ctx context.Context, of []*products.Product, limit int) (map[uuid.UUID][]*products.Product, error) {
	found := make(map[uuid.UUID][]*products.Product, len(of))
	parts := make([]bson.A, 0, len(of))
	for _, p := range of {
		found[p.ID] = nil
		if p.CategoryID != uuid.Nil {
			parts = append(parts, s.related(p, limit))
		}
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

func (s *Store) related(p *products.Product, limit int) bson.A {
	side := func(condition string, direction int) bson.A {
		return bson.A{
			bson.D{{Key: "$match", Value: bson.D{
				{Key: "category", Value: p.CategoryID}, {Key: "status", Value: products.Active}, {Key: "available", Value: true},
				{Key: "priceMin", Value: bson.D{{Key: condition, Value: p.PriceMin.Amount}}}, {Key: "_id", Value: bson.D{{Key: "$ne", Value: p.ID}}},
			}}},
			bson.D{{Key: "$sort", Value: bson.D{{Key: "priceMin", Value: direction}, {Key: "_id", Value: direction}}}},
			bson.D{{Key: "$limit", Value: max(relatedSample, limit)}},
		}
	}
	facts := make([]string, len(p.Attributes))
	for i, a := range p.Attributes {
		facts[i] = a.Key + "=" + a.Value
	}
	common := bson.D{{Key: "$size", Value: bson.D{{Key: "$setIntersection", Value: bson.A{
		bson.D{{Key: "$literal", Value: facts}},
		bson.D{{Key: "$map", Value: bson.D{
			{Key: "input", Value: "$attributes"}, {Key: "as", Value: "a"},
			{Key: "in", Value: bson.D{{Key: "$concat", Value: bson.A{"$$a.key", "=", "$$a.value"}}}},
		}}},
	}}}}}
	// The distance in price counts as much as one attribute when one is twice as dear.
	distance := bson.D{{Key: "$divide", Value: bson.A{
		bson.D{{Key: "$abs", Value: bson.D{{Key: "$subtract", Value: bson.A{"$priceMin", p.PriceMin.Amount}}}}},
		max(p.PriceMin.Amount, 1),
	}}}
	return append(side("$gte", 1),
		bson.D{{Key: "$unionWith", Value: bson.D{{Key: "coll", Value: s.products.Name()}, {Key: "pipeline", Value: side("$lt", -1)}}}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "likeness", Value: bson.D{{Key: "$subtract", Value: bson.A{common, distance}}}}}}},
		bson.D{{Key: "$sort", Value: bson.D{{Key: "likeness", Value: -1}, {Key: "sold", Value: -1}, {Key: "_id", Value: 1}}}},
		bson.D{{Key: "$limit", Value: limit}},
		bson.D{{Key: "$project", Value: append(bson.D{{Key: "likeness", Value: 0}}, hidden...)}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "group", Value: p.ID}}}},
	)
}
