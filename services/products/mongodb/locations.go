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

type locationDoc struct {
	ID   uuid.UUID `bson:"_id"`
	Code string    `bson:"code"`
	Name string    `bson:"name"`
}

// EnsureLocations adds the locations that are not there yet.
func (s *Store) EnsureLocations(ctx context.Context, list []products.Location) error {
	models := make([]mongo.WriteModel, len(list))
	for i, l := range list {
		models[i] = mongo.NewUpdateOneModel().SetFilter(bson.M{"_id": l.ID}).SetUpsert(true).
			SetUpdate(bson.M{"$setOnInsert": bson.M{"code": l.Code, "name": l.Name}})
	}
	_, err := s.db.Collection(locationsName).BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	if err != nil && !mongo.IsDuplicateKeyError(err) { // another process was faster
		return fmt.Errorf("mongodb: add locations: %w", err)
	}
	return nil
}

// Locations gives all locations, by code.
func (s *Store) Locations(ctx context.Context) ([]products.Location, error) {
	docs, err := find[locationDoc](ctx, s.db.Collection(locationsName), bson.M{}, options.Find().SetSort(bson.M{"code": 1}))
	if err != nil {
		return nil, err
	}
	list := make([]products.Location, len(docs))
	for i, d := range docs {
		list[i] = products.Location(d)
	}
	return list, nil
}
