package mongodb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/products"
)

// Reserve promises pieces to an order. Orders that take over what their carts hold do so together.
func (s *Store) Reserve(ctx context.Context, orderID, cartID uuid.UUID, lines []products.StockLine, at time.Time) ([]products.Stock, error) {
	if cartID != uuid.Nil && len(lines) > 0 {
		if got, err := s.takeOvers.Do(ctx, takeOver{orderID, cartID, lines, at}); err != nil || !got.alone {
			return nil, err
		}
	}
	return s.reserveAlone(ctx, orderID, cartID, lines, at)
}

// reserveAlone promises pieces to an order. Each line is one conditional update, all in one command; a
// second command reads what came of them. A line that another call for the same order wrote is taken
// over, so that only the last call can undo it. What the order's cart holds of a variant is given back in
// the same update.
func (s *Store) reserveAlone(ctx context.Context, orderID, cartID uuid.UUID, lines []products.StockLine, at time.Time) ([]products.Stock, error) {
	ids := make([]uuid.UUID, len(lines))
	for i, l := range lines {
		ids[i] = l.VariantID
	}
	var freed []products.Stock
	for range reserveRetries {
		attempt := uuid.New()
		var models []mongo.WriteModel
		for _, l := range lines {
			models = append(models,
				mongo.NewUpdateOneModel().SetFilter(bson.M{"_id": l.VariantID, "reservations.orderId": bson.M{"$ne": orderID}, "$expr": sells(cartID, l.Quantity)}).
					SetUpdate(append(givingBack(cartID), reserving(orderID, attempt, l.Quantity, at)...)),
				mongo.NewUpdateOneModel().SetFilter(bson.M{"_id": l.VariantID, "reservations": bson.M{"$elemMatch": bson.M{"orderId": orderID, "attempt": bson.M{"$ne": attempt}}}}).
					SetUpdate(bson.M{"$set": bson.M{"reservations.$.attempt": attempt}}))
		}
		if err := s.writeStock(ctx, models); err != nil {
			return freed, err
		}
		docs, released, err := s.reserved(ctx, orderID, ids)
		if err != nil {
			return freed, err
		}
		missing, again := missingLines(orderID, lines, docs)
		switch {
		case released:
			err = errs.New(errs.InvalidState, "The order's stock was released.")
		case again:
			continue
		case missing == nil:
			return append(freed, changedStock(docs, orderID, attempt)...), nil
		default:
			more, failed := s.expire(ctx, bson.M{"_id": in(ids)}, at, len(ids))
			if freed = append(freed, more...); failed != nil {
				return freed, failed
			}
			if len(more) > 0 {
				continue
			}
			err = missing
		}
		undone, failed := s.giveBack(ctx, bson.M{"_id": in(ids), "reservations": bson.M{"$elemMatch": bson.M{"orderId": orderID, "attempt": attempt}}}, orderID)
		if failed != nil {
			return freed, failed
		}
		return append(freed, undone...), err
	}
	return freed, errors.New("mongodb: stock changes too fast to be reserved")
}

// reserving allocates pieces over the levels, in their order. What none of them has, which only back orders
// come to, is allocated to the first.
func reserving(orderID, attempt uuid.UUID, quantity any, at time.Time) mongo.Pipeline {
	plan := taking("$levels", quantity, bson.M{"$subtract": bson.A{"$$this.onHand", "$$this.reserved"}}, bson.M{
		"levels": bson.A{bson.M{"$mergeObjects": bson.A{"$$this", bson.M{"reserved": bson.M{"$add": bson.A{"$$this.reserved", "$$take"}}}}}},
		"allocations": bson.M{"$cond": bson.A{bson.M{"$gt": bson.A{"$$take", 0}},
			bson.A{bson.M{"locationId": "$$this.locationId", "quantity": "$$take"}}, bson.A{}}},
	})
	first := bson.M{"$first": "$plan.levels.locationId"}
	return mongo.Pipeline{
		{{Key: "$set", Value: bson.M{"plan": plan}}},
		{{Key: "$set", Value: bson.M{
			"levels": bson.M{"$map": bson.M{"input": "$plan.levels", "as": "level", "in": bson.M{"$mergeObjects": bson.A{
				"$$level", bson.M{"reserved": bson.M{"$add": bson.A{"$$level.reserved",
					bson.M{"$cond": bson.A{bson.M{"$eq": bson.A{"$$level.locationId", first}}, "$plan.left", 0}}}}},
			}}}},
			"reservations": bson.M{"$concatArrays": bson.A{bson.M{"$ifNull": bson.A{"$reservations", bson.A{}}}, bson.A{bson.M{
				"orderId": orderID, "attempt": attempt, "quantity": quantity, "held": quantity,
				"allocations": bson.M{"$concatArrays": bson.A{"$plan.allocations", bson.M{"$cond": bson.A{bson.M{"$gt": bson.A{"$plan.left", 0}},
					bson.A{bson.M{"locationId": first, "quantity": "$plan.left"}}, bson.A{}}}}},
				"fulfillments": bson.A{}, "at": at,
			}}}},
		}}},
		summed(),
		{{Key: "$unset", Value: "plan"}},
	}
}

// reserved reads, in one command, the stock of variants with what the order holds, and whether the
// order was released.
func (s *Store) reserved(ctx context.Context, orderID uuid.UUID, ids []uuid.UUID) (map[uuid.UUID]*stockDoc, bool, error) {
	rows, err := aggregate[struct {
		Stock    *stockDoc `bson:"stock"`
		Released bool      `bson:"released"`
	}](ctx, s.inventory(), bson.A{
		bson.M{"$match": bson.M{"_id": in(ids)}},
		bson.M{"$unset": "pending"},
		bson.M{"$set": bson.M{"reservations": bson.M{"$filter": bson.M{"input": "$reservations", "cond": bson.M{"$eq": bson.A{"$$this.orderId", orderID}}}}}},
		bson.M{"$project": bson.M{"_id": 0, "stock": "$$ROOT"}},
		bson.M{"$unionWith": bson.M{"coll": releasedName, "pipeline": bson.A{
			bson.M{"$match": bson.M{"_id": orderID}}, bson.M{"$project": bson.M{"_id": 0, "released": bson.M{"$literal": true}}},
		}}},
	})
	docs, released := make(map[uuid.UUID]*stockDoc, len(ids)), false
	for _, row := range rows {
		if row.Stock != nil {
			docs[row.Stock.ID] = row.Stock
		}
		released = released || row.Released
	}
	return docs, released, err
}

// missingLines gives one INSUFFICIENT_STOCK for each line that the order does not hold; again is true
// when the stock for one came in only after it was tried.
func missingLines(orderID uuid.UUID, lines []products.StockLine, docs map[uuid.UUID]*stockDoc) (missing error, again bool) {
	var faults errs.Collector
	for _, l := range lines {
		available := 0
		if d := docs[l.VariantID]; d != nil {
			if d.of(orderID) != nil {
				continue
			}
			available, again = max(0, d.Available), d.BackOrders
		}
		if again || available >= l.Quantity {
			return nil, true
		}
		faults.Merge(products.Short(l.VariantID, available))
	}
	return faults.Err(), false
}

// changedStock gives the stock that the attempt relies on.
func changedStock(docs map[uuid.UUID]*stockDoc, orderID, attempt uuid.UUID) []products.Stock {
	var list []products.Stock
	for _, d := range docs {
		if r := d.of(orderID); r != nil && r.Attempt == attempt {
			list = append(list, d.stock())
		}
	}
	return list
}

// Release gives back what the order holds. The order is written down first: a Reserve that comes
// later, or is under way, sees that and undoes itself.
func (s *Store) Release(ctx context.Context, orderID uuid.UUID, at time.Time) ([]products.Stock, error) {
	_, err := s.db.Collection(releasedName).UpdateOne(ctx, bson.M{"_id": orderID},
		bson.M{"$setOnInsert": bson.M{"at": at}}, options.UpdateOne().SetUpsert(true))
	if err != nil && !mongo.IsDuplicateKeyError(err) {
		return nil, fmt.Errorf("mongodb: release order: %w", err)
	}
	return s.giveBack(ctx, bson.M{"reservations.orderId": orderID}, orderID)
}

// giveBack takes the order's reservation out of every document that matches, and gives their stock.
func (s *Store) giveBack(ctx context.Context, filter bson.M, orderID uuid.UUID) ([]products.Stock, error) {
	before, err := s.findStock(ctx, filter)
	if err != nil || len(before) == 0 {
		return nil, err
	}
	ids := make([]uuid.UUID, len(before))
	for i, d := range before {
		ids[i] = d.ID
	}
	_, err = s.inventory().UpdateMany(ctx, filter, append(givingBack(orderID), summed()))
	if err != nil {
		return nil, fmt.Errorf("mongodb: release stock: %w", err)
	}
	after, err := s.findStock(ctx, bson.M{"_id": in(ids)})
	return stocks(after), err
}

// Fulfill takes pieces off the shelf.
func (s *Store) Fulfill(ctx context.Context, f products.Fulfillment) (map[uuid.UUID]int, error) {
	ids := make([]uuid.UUID, len(f.Lines))
	for i, l := range f.Lines {
		ids[i] = l.VariantID
	}
	before, _, err := s.reserved(ctx, f.OrderID, ids)
	if err != nil {
		return nil, err
	}
	taken := make(map[uuid.UUID]int)
	var models []mongo.WriteModel
	for _, l := range f.Lines {
		var held *reservationDoc
		if d := before[l.VariantID]; d != nil {
			held = d.of(f.OrderID)
		}
		if held != nil && slices.Contains(held.Fulfillments, f.ID) {
			continue
		}
		if held == nil || held.Held < l.Quantity {
			return nil, errNotHeld()
		}
		taken[before[l.VariantID].ProductID] += l.Quantity
		models = append(models, mongo.NewUpdateOneModel().SetFilter(bson.M{"_id": l.VariantID, "reservations": bson.M{"$elemMatch": bson.M{
			"orderId": f.OrderID, "held": bson.M{"$gte": l.Quantity}, "fulfillments": bson.M{"$ne": f.ID},
		}}}).SetUpdate(fulfilling(f, l)))
	}
	if err := s.writeStock(ctx, models); err != nil {
		return nil, err
	}
	after, err := find[*stockDoc](ctx, s.inventory(), bson.M{"_id": in(ids)}, options.Find())
	if err != nil {
		return nil, err
	}
	for _, d := range after {
		if held := d.of(f.OrderID); held == nil || !slices.Contains(held.Fulfillments, f.ID) {
			return nil, errors.Join(errNotHeld(), s.moveHistory(ctx, after))
		}
	}
	return taken, s.moveHistory(ctx, after)
}

func errNotHeld() error {
	return errs.New(errs.InvalidState, "The order does not hold that many pieces.")
}

// fulfilling takes a line's pieces from the order's allocations and the levels, and appends one line
// of the history for each location. Reservations that are empty afterwards stay, the newest of them. A
// back order whose goods are not there yet leaves the document as it is.
func fulfilling(f products.Fulfillment, l products.StockLine) mongo.Pipeline {
	entryIDs := make(bson.A, maxLocations)
	for n := range entryIDs {
		entryIDs[n] = products.FulfillmentEntryID(f.ID, l.VariantID, n, f.At)
	}
	plan := taking("$mine.allocations", l.Quantity, "$$this.quantity", bson.M{
		"allocations": bson.M{"$cond": bson.A{bson.M{"$gt": bson.A{"$$this.quantity", "$$take"}},
			bson.A{bson.M{"locationId": "$$this.locationId", "quantity": bson.M{"$subtract": bson.A{"$$this.quantity", "$$take"}}}}, bson.A{}}},
		"taken": bson.M{"$cond": bson.A{bson.M{"$gt": bson.A{"$$take", 0}},
			bson.A{bson.M{"locationId": "$$this.locationId", "quantity": "$$take"}}, bson.A{}}},
	})
	lowered := func(field string) bson.M {
		return bson.M{"$subtract": bson.A{"$$level." + field, bson.M{"$sum": bson.M{"$map": bson.M{
			"input": bson.M{"$filter": bson.M{"input": "$plan.taken", "as": "t", "cond": bson.M{"$eq": bson.A{"$$t.locationId", "$$level.locationId"}}}},
			"as":    "t", "in": "$$t.quantity",
		}}}}}
	}
	level := bson.M{"$first": bson.M{"$filter": bson.M{"input": "$levels", "as": "level", "cond": bson.M{"$eq": bson.A{"$$level.locationId", "$$entry.locationId"}}}}}
	entries := bson.M{"$map": bson.M{
		"input": bson.M{"$range": bson.A{0, bson.M{"$size": "$plan.taken"}}}, "as": "n",
		"in": bson.M{"$let": bson.M{"vars": bson.M{"entry": bson.M{"$arrayElemAt": bson.A{"$plan.taken", "$$n"}}}, "in": bson.M{
			"_id": bson.M{"$arrayElemAt": bson.A{entryIDs, "$$n"}}, "variantId": "$_id", "locationId": "$$entry.locationId",
			"delta": bson.M{"$subtract": bson.A{0, "$$entry.quantity"}}, "onHandAfter": bson.M{"$let": bson.M{"vars": bson.M{"level": level}, "in": "$$level.onHand"}},
			"reason": string(products.Fulfilled), "orderId": f.OrderID, "created": f.At,
		}}},
	}}
	mine := bson.M{"$mergeObjects": bson.A{"$mine", bson.M{
		"allocations":  "$plan.allocations",
		"held":         bson.M{"$subtract": bson.A{"$mine.held", l.Quantity}},
		"fulfillments": bson.M{"$concatArrays": bson.A{"$mine.fulfillments", bson.A{f.ID}}},
	}}}
	emptied := func(op string) bson.M {
		return bson.M{"$filter": bson.M{"input": "$reservations", "cond": bson.M{op: bson.A{"$$this.held", 0}}}}
	}
	return mongo.Pipeline{
		{{Key: "$set", Value: bson.M{"before": "$$ROOT"}}},
		{{Key: "$set", Value: bson.M{"mine": reservationOf(f.OrderID)}}},
		{{Key: "$set", Value: bson.M{"plan": plan}}},
		{{Key: "$set", Value: bson.M{
			"levels": bson.M{"$map": bson.M{"input": "$levels", "as": "level", "in": bson.M{"$mergeObjects": bson.A{
				"$$level", bson.M{"onHand": lowered("onHand"), "reserved": lowered("reserved")},
			}}}},
			"reservations": bson.M{"$concatArrays": bson.A{others(f.OrderID), bson.A{mine}}},
		}}},
		{{Key: "$set", Value: bson.M{
			"pending":      bson.M{"$concatArrays": bson.A{bson.M{"$ifNull": bson.A{"$pending", bson.A{}}}, entries}},
			"reservations": bson.M{"$concatArrays": bson.A{emptied("$gt"), bson.M{"$slice": bson.A{emptied("$lte"), -emptiedKept}}}},
		}}},
		summed(),
		{{Key: "$replaceWith", Value: bson.M{"$cond": bson.A{bson.M{"$lt": bson.A{bson.M{"$min": "$levels.onHand"}, 0}}, "$before", "$$ROOT"}}}},
		{{Key: "$unset", Value: bson.A{"before", "mine", "plan"}}},
	}
}
