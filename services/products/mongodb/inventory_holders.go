package mongodb

import (
	"context"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// Holders gives the next orders that hold stock.
func (s *Store) Holders(ctx context.Context, after uuid.UUID, limit int) ([]uuid.UUID, error) {
	found, err := aggregate[struct {
		ID uuid.UUID `bson:"_id"`
	}](ctx, s.inventory(), bson.A{
		bson.M{"$match": bson.M{"reservations.orderId": bson.M{"$gt": after}}},
		bson.M{"$unwind": "$reservations"},
		bson.M{"$match": bson.M{"reservations.orderId": bson.M{"$gt": after}, "reservations.held": bson.M{"$gt": 0}}},
		bson.M{"$group": bson.M{"_id": "$reservations.orderId"}},
		bson.M{"$sort": bson.M{"_id": 1}},
		bson.M{"$limit": limit},
	})
	ids := make([]uuid.UUID, len(found))
	for i, f := range found {
		ids[i] = f.ID
	}
	return ids, err
}
