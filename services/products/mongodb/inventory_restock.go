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

// restocksKept are the returns that a document of stock remembers; older ones are in the history.
const restocksKept = 256

// Restock puts pieces back on the shelf. Each variant's update writes the return's id with the pieces: a call that
// comes again, or at the same time, finds it there or its line in the history.
func (s *Store) Restock(ctx context.Context, r products.Restock) ([]products.Stock, error) {
	ids, entries := make([]uuid.UUID, len(r.Lines)), make([]uuid.UUID, len(r.Lines))
	for i, l := range r.Lines {
		ids[i], entries[i] = l.VariantID, r.EntryID(l.VariantID)
	}
	done, err := s.Adjustments(ctx, entries)
	if err != nil {
		return nil, err
	}
	var models []mongo.WriteModel
	for i, l := range r.Lines {
		if done[entries[i]] == nil {
			models = append(models, mongo.NewUpdateOneModel().SetUpsert(true).
				SetFilter(bson.M{"_id": l.VariantID, "restocks": bson.M{"$ne": r.ID}}).SetUpdate(restocking(r, l, entries[i])))
		}
	}
	if len(models) > 0 {
		_, err := s.inventory().BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		if err != nil && !onlyDuplicates(err) { // an upsert of what was restocked before
			return nil, fmt.Errorf("mongodb: restock: %w", err)
		}
	}
	after, err := find[*stockDoc](ctx, s.inventory(), bson.M{"_id": in(ids)}, options.Find().SetProjection(bson.M{"reservations": 0}))
	if err != nil {
		return nil, err
	}
	return stocks(after), s.moveHistory(ctx, after)
}

// restocking raises the level of the location, which is added where it is missing, and appends a line of the history.
func restocking(r products.Restock, l products.RestockLine, entry uuid.UUID) mongo.Pipeline {
	list := func(field string) bson.M { return bson.M{"$ifNull": bson.A{field, bson.A{}}} }
	raised := bson.M{"$add": bson.A{bson.M{"$ifNull": bson.A{"$old.onHand", 0}}, l.Quantity}}
	line := bson.M{
		"_id": entry, "variantId": l.VariantID, "locationId": r.LocationID, "reason": bson.M{"$literal": string(products.Returned)},
		"delta": l.Quantity, "onHandAfter": raised, "orderId": r.OrderID, "returnId": r.ID, "created": r.At,
	}
	if r.Note != "" {
		line["note"] = bson.M{"$literal": r.Note}
	}
	return mongo.Pipeline{
		{{Key: "$set", Value: bson.M{"old": bson.M{"$first": bson.M{"$filter": bson.M{"input": list("$levels"), "cond": bson.M{"$eq": bson.A{"$$this.locationId", r.LocationID}}}}}}}},
		{{Key: "$set", Value: bson.M{
			"productId":    bson.M{"$ifNull": bson.A{"$productId", l.ProductID}},
			"reservations": list("$reservations"),
			"restocks":     bson.M{"$slice": bson.A{bson.M{"$concatArrays": bson.A{list("$restocks"), bson.A{r.ID}}}, -restocksKept}},
			"pending":      bson.M{"$concatArrays": bson.A{list("$pending"), bson.A{line}}},
			"levels": bson.M{"$cond": bson.A{
				bson.M{"$eq": bson.A{bson.M{"$type": "$old"}, "missing"}},
				bson.M{"$concatArrays": bson.A{list("$levels"), bson.A{bson.M{"locationId": r.LocationID, "onHand": l.Quantity, "reserved": 0}}}},
				bson.M{"$map": bson.M{"input": list("$levels"), "as": "level", "in": bson.M{"$cond": bson.A{
					bson.M{"$eq": bson.A{"$$level.locationId", r.LocationID}},
					bson.M{"$mergeObjects": bson.A{"$$level", bson.M{"onHand": raised}}}, "$$level",
				}}}},
			}},
		}}},
		summed(),
		{{Key: "$unset", Value: "old"}},
	}
}
