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

// Audit checks the stock of every variant.
func (s *Store) Audit(ctx context.Context, audit *products.Audit) error {
	return s.eachStock(ctx, func(d *stockDoc) {
		audit.Variants++
		for _, r := range d.Reservations {
			if r.Held > 0 {
				audit.Reservations++
			}
		}
		for _, l := range d.Levels {
			audit.OnHand += l.OnHand
			audit.Reserved += l.Reserved
			audit.Available += l.OnHand - l.Reserved
		}
		for _, drift := range d.drifts() {
			audit.Note(drift)
		}
	})
}

// eachStock reads all stock, each variant's as it is at one moment.
func (s *Store) eachStock(ctx context.Context, do func(*stockDoc)) error {
	cursor, err := s.inventory().Find(ctx, bson.M{}, options.Find().SetProjection(bson.M{"pending": 0}).SetBatchSize(batchSize))
	if err != nil {
		return fmt.Errorf("mongodb: audit stock: %w", err)
	}
	defer cursor.Close(ctx)
	for cursor.Next(ctx) {
		var d stockDoc
		if err := cursor.Decode(&d); err != nil {
			return fmt.Errorf("mongodb: audit stock: %w", err)
		}
		do(&d)
	}
	if err := cursor.Err(); err != nil {
		return fmt.Errorf("mongodb: audit stock: %w", err)
	}
	return nil
}

// drifts gives what is wrong with a stock.
func (d *stockDoc) drifts() []products.Drift {
	var wrong []products.Drift
	held := make(map[uuid.UUID]int)
	seen := make(map[uuid.UUID]bool)
	for _, r := range d.Reservations {
		sum := 0
		for _, a := range r.Allocations {
			held[a.LocationID] += a.Quantity
			sum += a.Quantity
		}
		if sum != r.Held {
			wrong = append(wrong, products.Drift{Kind: products.DriftReservation, VariantID: d.ID, HolderID: r.OrderID, Cart: r.Cart, Noted: r.Held, Actual: sum})
		}
		if seen[r.OrderID] {
			wrong = append(wrong, products.Drift{Kind: products.DriftDoubled, VariantID: d.ID, HolderID: r.OrderID, Cart: r.Cart, Noted: sum})
		}
		seen[r.OrderID] = true
	}
	available := 0
	for _, l := range d.Levels {
		if l.Reserved != held[l.LocationID] {
			wrong = append(wrong, products.Drift{Kind: products.DriftReserved, VariantID: d.ID, LocationID: l.LocationID, Noted: l.Reserved, Actual: held[l.LocationID]})
		}
		if n := held[l.LocationID]; n > l.OnHand && !d.BackOrders {
			wrong = append(wrong, products.Drift{Kind: products.DriftOversold, VariantID: d.ID, LocationID: l.LocationID, Noted: n, Actual: l.OnHand})
		}
		available += l.OnHand - l.Reserved
		delete(held, l.LocationID)
	}
	for location, n := range held {
		if n != 0 {
			wrong = append(wrong, products.Drift{Kind: products.DriftReserved, VariantID: d.ID, LocationID: location, Actual: n})
		}
	}
	if available != d.Available {
		wrong = append(wrong, products.Drift{Kind: products.DriftAvailable, VariantID: d.ID, Noted: d.Available, Actual: available})
	}
	return wrong
}

// Repair computes anew, in each stock that contradicts itself, what its reservations hold. The server
// does it in the document, so that nothing that happens meanwhile is lost.
func (s *Store) Repair(ctx context.Context) ([]products.Stock, error) {
	var ids []uuid.UUID
	err := s.eachStock(ctx, func(d *stockDoc) {
		for _, drift := range d.drifts() {
			if drift.Kind.Repairable() {
				ids = append(ids, d.ID)
				return
			}
		}
	})
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	if _, err := s.inventory().UpdateMany(ctx, bson.M{"_id": in(ids)}, repairing()); err != nil {
		return nil, fmt.Errorf("mongodb: repair stock: %w", err)
	}
	after, err := s.findStock(ctx, bson.M{"_id": in(ids)})
	return stocks(after), err
}

// repairing sets held of each reservation and reserved of each level to the sums of the allocations, and
// adds the levels that only allocations know.
func repairing() mongo.Pipeline {
	allocations := bson.M{"$reduce": bson.M{"input": "$reservations", "initialValue": bson.A{}, "in": bson.M{"$concatArrays": bson.A{"$$value", "$$this.allocations"}}}}
	return mongo.Pipeline{
		{{Key: "$set", Value: bson.M{"allocated": allocations}}},
		{{Key: "$set", Value: bson.M{
			"reservations": bson.M{"$map": bson.M{"input": "$reservations", "as": "r", "in": bson.M{"$mergeObjects": bson.A{
				"$$r", bson.M{"held": bson.M{"$sum": "$$r.allocations.quantity"}},
			}}}},
			"levels": bson.M{"$concatArrays": bson.A{"$levels", bson.M{"$map": bson.M{
				"input": bson.M{"$setDifference": bson.A{"$allocated.locationId", "$levels.locationId"}},
				"as":    "place", "in": bson.M{"locationId": "$$place", "onHand": 0, "reserved": 0},
			}}}},
		}}},
		{{Key: "$set", Value: bson.M{
			"levels": bson.M{"$map": bson.M{"input": "$levels", "as": "level", "in": bson.M{"$mergeObjects": bson.A{
				"$$level", bson.M{"reserved": bson.M{"$sum": bson.M{"$map": bson.M{
					"input": bson.M{"$filter": bson.M{"input": "$allocated", "as": "a", "cond": bson.M{"$eq": bson.A{"$$a.locationId", "$$level.locationId"}}}},
					"as":    "a", "in": "$$a.quantity",
				}}}},
			}}}},
		}}},
		summed(),
		{{Key: "$unset", Value: "allocated"}},
	}
}

// Holding gives those of the orders that hold pieces.
func (s *Store) Holding(ctx context.Context, orderIDs []uuid.UUID) ([]uuid.UUID, error) {
	if len(orderIDs) == 0 {
		return nil, nil
	}
	return s.holders(ctx, in(orderIDs), len(orderIDs))
}
