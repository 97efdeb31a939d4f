package mongodb

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/techmart/techmart/services/products"
)

// SuspendIndexes drops the indexes of products that only reads need, for a load of many: to build them at the end takes a
// fraction of what it takes to keep them up to date. It gives what builds them again, one by one, which has to be
// called; should the process die before, [Store.EnsureIndexes] does it. Until then lists are slow, and searches fail.
func (s *Store) SuspendIndexes(ctx context.Context) (resume []func(context.Context) error, err error) {
	there, err := s.products.Indexes().ListSpecifications(ctx)
	if err != nil {
		return nil, fmt.Errorf("mongodb: indexes of products: %w", err)
	}
	for _, index := range there {
		if index.Name == "_id_" || index.Unique != nil && *index.Unique {
			continue
		}
		if err := s.products.Indexes().DropOne(ctx, index.Name); err != nil {
			return nil, fmt.Errorf("mongodb: drop the index %s of products: %w", index.Name, err)
		}
	}
	for _, index := range productReads() {
		resume = append(resume, func(ctx context.Context) error {
			ctx, cancel := unhurried(ctx)
			defer cancel()
			if _, err := s.products.Indexes().CreateOne(ctx, index); err != nil {
				return fmt.Errorf("mongodb: indexes of products: %w", err)
			}
			return nil
		})
	}
	return resume, nil
}

// InsertStock adds the stock of variants that never had any, each with the first lines of its history:
// what ImportOnHand does, but by plain inserts. Stock that is there already stays as it is.
// It tells nobody, and leaves the availability of products alone.
func (s *Store) InsertStock(ctx context.Context, changes []products.SetOnHand) error {
	byVariant := make(map[uuid.UUID][]levelDoc)
	var variants []products.SetOnHand // the first change of each
	var lines []any
	for _, c := range changes {
		if _, known := byVariant[c.VariantID]; !known {
			variants = append(variants, c)
		}
		byVariant[c.VariantID] = append(byVariant[c.VariantID], levelDoc{LocationID: c.LocationID, OnHand: c.OnHand})
		if c.OnHand > 0 {
			lines = append(lines, adjustmentDoc{
				ID: c.ID, VariantID: c.VariantID, LocationID: c.LocationID, Delta: c.OnHand, OnHandAfter: c.OnHand,
				Reason: string(c.Reason), Note: c.Note, Created: c.At,
			})
		}
	}
	docs := make([]any, len(variants))
	for i, c := range variants {
		levels, available := byVariant[c.VariantID], 0
		for _, l := range levels {
			available += l.OnHand
		}
		docs[i] = bson.D{
			{Key: "_id", Value: c.VariantID}, {Key: "productId", Value: c.ProductID}, {Key: "levels", Value: levels},
			{Key: "available", Value: available}, {Key: "reservations", Value: bson.A{}},
		}
	}
	// The history first: a stock that is there is then known to have it.
	for _, part := range []struct {
		name string
		docs []any
	}{{adjustmentsName, lines}, {inventoryName, docs}} {
		if len(part.docs) == 0 {
			continue
		}
		if _, err := s.db.Collection(part.name).InsertMany(ctx, part.docs, options.InsertMany().SetOrdered(false)); err != nil && !onlyDuplicates(err) {
			return fmt.Errorf("mongodb: add to %s: %w", part.name, err)
		}
	}
	return nil
}
