package mongodb

import (
	"context"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// Holders gives the next orders that hold stock for good.
func (s *Store) Holders(ctx context.Context, after uuid.UUID, limit int) ([]uuid.UUID, error) {
	return s.holders(ctx, bson.M{"$gt": after}, limit)
}

// holders gives holders among the ids. A reservation that expires is left out: it ends by itself.
func (s *Store) holders(ctx context.Context, ids any, limit int) ([]uuid.UUID, error) {
	found, err := aggregate[struct {
		ID uuid.UUID `bson:"_id"`
	}](ctx, s.inventory(), bson.A{
		bson.M{"$match": bson.M{"reservations.orderId": ids}},
		bson.M{"$unwind": "$reservations"},
		bson.M{"$match": bson.M{"reservations.orderId": ids, "reservations.held": bson.M{"$gt": 0}, "reservations.expires": nil}},
		bson.M{"$group": bson.M{"_id": "$reservations.orderId"}},
		bson.M{"$sort": bson.M{"_id": 1}},
		bson.M{"$limit": limit},
	})
	holders := make([]uuid.UUID, len(found))
	for i, f := range found {
		holders[i] = f.ID
	}
	return holders, err
}
