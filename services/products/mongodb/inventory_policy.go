package mongodb

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/techmart/techmart/services/products"
)

// SetBackOrders allows back orders, or ends them. Stock that never was gets an empty level, which they wait
// at. The mark Flipped is set, as the product may be available now, or not any more.
func (s *Store) SetBackOrders(ctx context.Context, variantID, productID, locationID uuid.UUID, allowed bool) (products.Stock, error) {
	empty := func(field string) bson.M { return bson.M{"$ifNull": bson.A{field, bson.A{}}} }
	var after *stockDoc
	err := s.inventory().FindOneAndUpdate(ctx, bson.M{"_id": variantID}, mongo.Pipeline{
		{{Key: "$set", Value: bson.M{
			"productId": productID, "backOrders": allowed, "flipped": uuid.New(),
			"available": bson.M{"$ifNull": bson.A{"$available", 0}}, "reservations": empty("$reservations"), "pending": empty("$pending"),
			"levels": bson.M{"$cond": bson.A{bson.M{"$eq": bson.A{bson.M{"$size": empty("$levels")}, 0}},
				bson.A{bson.M{"locationId": locationID, "onHand": 0, "reserved": 0}}, "$levels"}},
		}}},
	}, options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After).SetProjection(bson.M{"reservations": 0, "pending": 0})).Decode(&after)
	if err != nil {
		return products.Stock{}, fmt.Errorf("mongodb: set back orders: %w", err)
	}
	return after.stock(), nil
}
