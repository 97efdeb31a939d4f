package mongodb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/products"
)

// Hold sets what a cart holds. Whole holds are decided together where that can be done.
func (s *Store) Hold(ctx context.Context, h products.Hold) (map[uuid.UUID]int, []products.Stock, error) {
	if !h.Whole || len(h.Lines) == 0 {
		return s.holdAlone(ctx, h, uuid.New())
	}
	got, err := s.holds.Do(ctx, h)
	if err != nil || !got.alone {
		return got.held, got.changed, err
	}
	held, changed, err := s.holdAlone(ctx, h, got.attempt)
	return held, append(got.changed, changed...), err
}

// holdAlone sets what a cart holds. Each line is one conditional update that gives back what the cart held of
// the variant and takes anew, all in one command; a second command reads what came of them.
func (s *Store) holdAlone(ctx context.Context, h products.Hold, attempt uuid.UUID) (map[uuid.UUID]int, []products.Stock, error) {
	wanted := make(map[uuid.UUID]int, len(h.Lines))
	ids := make([]uuid.UUID, len(h.Lines))
	for i, l := range h.Lines {
		wanted[l.VariantID], ids[i] = l.Quantity, l.VariantID
	}
	var changed []products.Stock
	for range reserveRetries {
		var models []mongo.WriteModel
		for _, l := range h.Lines {
			models = append(models, holding(h, attempt, l)...)
		}
		if err := s.writeStock(ctx, models); err != nil {
			return nil, changed, err
		}
		docs, err := s.heldBy(ctx, h.CartID, ids)
		if err != nil {
			return nil, changed, err
		}
		held, stale := make(map[uuid.UUID]int), false
		for id, d := range docs {
			r := d.of(h.CartID)
			if _, asked := wanted[id]; !asked {
				stale = true
			} else if r != nil {
				held[id] = r.Held
			}
		}
		if h.Whole {
			again, err := s.missingHold(ctx, h, docs, held)
			if again {
				continue
			}
			if err != nil {
				back, failed := s.giveBack(ctx, bson.M{"reservations": bson.M{"$elemMatch": bson.M{"orderId": h.CartID, "attempt": attempt}}}, h.CartID)
				return nil, append(changed, back...), errors.Join(failed, err)
			}
		}
		changed = append(changed, changedStock(docs, h.CartID, attempt)...)
		if stale {
			back, err := s.giveBack(ctx, bson.M{"reservations.orderId": h.CartID, "_id": bson.M{"$not": in(ids)}}, h.CartID)
			changed = append(changed, back...)
			if err != nil {
				return held, changed, err
			}
		}
		return held, changed, nil
	}
	return nil, changed, errors.New("mongodb: stock changes too fast to be held")
}

// missingHold gives one INSUFFICIENT_STOCK for each line that the cart does not hold; again is true when
// there is stock for one by now.
func (s *Store) missingHold(ctx context.Context, h products.Hold, docs map[uuid.UUID]*stockDoc, held map[uuid.UUID]int) (again bool, err error) {
	var faults errs.Collector
	var short []uuid.UUID
	for _, l := range h.Lines {
		if held[l.VariantID] == l.Quantity {
			continue
		}
		available := held[l.VariantID]
		if d := docs[l.VariantID]; d != nil {
			available += max(0, d.Available)
			again = d.BackOrders
		}
		if again || available >= l.Quantity {
			return true, nil
		}
		short = append(short, l.VariantID)
		faults.Merge(products.Short(l.VariantID, available))
	}
	if len(short) == 0 {
		return false, nil
	}
	freed, failed := s.expire(ctx, bson.M{"_id": in(short)}, h.At, len(short))
	if failed != nil || len(freed) > 0 {
		return failed == nil, failed
	}
	return false, faults.Err()
}

// holding are the updates of a line: a hold that is right already lasts longer, another is made anew.
func holding(h products.Hold, attempt uuid.UUID, l products.StockLine) []mongo.WriteModel {
	right := bson.M{"orderId": h.CartID, "held": l.Quantity}
	longer := mongo.NewUpdateOneModel().SetFilter(bson.M{"_id": l.VariantID, "reservations": bson.M{"$elemMatch": right}}).
		SetUpdate(bson.M{"$set": bson.M{"reservations.$.expires": h.Expires}})
	filter := bson.M{"_id": l.VariantID, "reservations": bson.M{"$not": bson.M{"$elemMatch": right}}}
	if h.Whole {
		filter["$expr"] = sells(h.CartID, l.Quantity)
	}
	quantity := bson.M{"$cond": bson.A{bson.M{"$eq": bson.A{"$backOrders", true}}, l.Quantity,
		bson.M{"$max": bson.A{0, bson.M{"$min": bson.A{l.Quantity, "$available"}}}}}}
	pipeline := append(givingBack(h.CartID), bson.D{{Key: "$set", Value: bson.M{"available": summedAvailable()}}})
	pipeline = append(pipeline, reserving(h.CartID, attempt, quantity, h.At)...)
	pipeline = append(pipeline, bson.D{{Key: "$set", Value: bson.M{"reservations": bson.M{"$map": bson.M{
		"input": bson.M{"$filter": bson.M{"input": "$reservations", "cond": bson.M{"$or": bson.A{
			bson.M{"$ne": bson.A{"$$this.orderId", h.CartID}}, bson.M{"$gt": bson.A{"$$this.held", 0}},
		}}}},
		"in": bson.M{"$cond": bson.A{bson.M{"$eq": bson.A{"$$this.orderId", h.CartID}},
			bson.M{"$mergeObjects": bson.A{"$$this", bson.M{"expires": h.Expires, "cart": true}}}, "$$this"}},
	}}}}})
	return []mongo.WriteModel{longer, mongo.NewUpdateOneModel().SetFilter(filter).SetUpdate(pipeline)}
}

// heldBy reads, in one command, the stock of the variants, and of those that the cart holds pieces of,
// each with what the cart holds.
func (s *Store) heldBy(ctx context.Context, cartID uuid.UUID, ids []uuid.UUID) (map[uuid.UUID]*stockDoc, error) {
	rows, err := aggregate[*stockDoc](ctx, s.inventory(), bson.A{
		bson.M{"$match": bson.M{"$or": bson.A{bson.M{"_id": in(ids)}, bson.M{"reservations.orderId": cartID}}}},
		bson.M{"$unset": "pending"},
		bson.M{"$set": bson.M{"reservations": bson.M{"$filter": bson.M{"input": "$reservations", "cond": bson.M{"$eq": bson.A{"$$this.orderId", cartID}}}}}},
	})
	docs := make(map[uuid.UUID]*stockDoc, len(rows))
	for _, d := range rows {
		docs[d.ID] = d
	}
	return docs, err
}

// Held gives what carts hold.
func (s *Store) Held(ctx context.Context, cartIDs []uuid.UUID) (map[uuid.UUID]map[uuid.UUID]int, error) {
	rows, err := aggregate[struct {
		VariantID   uuid.UUID      `bson:"_id"`
		Reservation reservationDoc `bson:"reservations"`
	}](ctx, s.inventory(), bson.A{
		bson.M{"$match": bson.M{"reservations.orderId": in(cartIDs)}},
		bson.M{"$project": bson.M{"reservations": 1}},
		bson.M{"$unwind": "$reservations"},
		bson.M{"$match": bson.M{"reservations.orderId": in(cartIDs)}},
	})
	held := make(map[uuid.UUID]map[uuid.UUID]int, len(cartIDs))
	for _, r := range rows {
		cart := r.Reservation.OrderID
		if held[cart] == nil {
			held[cart] = make(map[uuid.UUID]int)
		}
		held[cart][r.VariantID] = r.Reservation.Held
	}
	return held, err
}

// Expire gives back what expired.
func (s *Store) Expire(ctx context.Context, now time.Time, limit int) ([]products.Stock, error) {
	return s.expire(ctx, bson.M{}, now, limit)
}

// expire gives back what expired of the variants that match. Which reservations those are is decided in
// the document, at the moment of the change: one that an order took over, or that was made to last, stays.
func (s *Store) expire(ctx context.Context, filter bson.M, now time.Time, limit int) ([]products.Stock, error) {
	filter["reservations.expires"] = bson.M{"$lte": now}
	before, err := find[*stockDoc](ctx, s.inventory(), filter, options.Find().SetProjection(bson.M{"_id": 1}).SetLimit(int64(limit)))
	if err != nil || len(before) == 0 {
		return nil, err
	}
	ids := make([]uuid.UUID, len(before))
	for i, d := range before {
		ids[i] = d.ID
	}
	over := bson.M{"$and": bson.A{bson.M{"$eq": bson.A{bson.M{"$type": "$$r.expires"}, "date"}}, bson.M{"$lte": bson.A{"$$r.expires", now}}}}
	allocations := bson.M{"$reduce": bson.M{
		"input":        bson.M{"$filter": bson.M{"input": "$reservations", "as": "r", "cond": over}},
		"initialValue": bson.A{}, "in": bson.M{"$concatArrays": bson.A{"$$value", "$$this.allocations"}},
	}}
	_, err = s.inventory().UpdateMany(ctx, bson.M{"_id": in(ids), "reservations.expires": bson.M{"$lte": now}}, mongo.Pipeline{
		{{Key: "$set", Value: bson.M{"back": allocations}}},
		{{Key: "$set", Value: bson.M{
			"levels":       lowering("$back"),
			"reservations": bson.M{"$filter": bson.M{"input": "$reservations", "as": "r", "cond": bson.M{"$not": over}}},
		}}},
		summed(),
		{{Key: "$unset", Value: "back"}},
	})
	if err != nil {
		return nil, fmt.Errorf("mongodb: expire reservations: %w", err)
	}
	after, err := s.findStock(ctx, bson.M{"_id": in(ids)})
	return stocks(after), err
}

// lowering is the expression of the levels with allocations given back.
func lowering(allocations string) bson.M {
	return bson.M{"$map": bson.M{"input": "$levels", "as": "level", "in": bson.M{"$mergeObjects": bson.A{
		"$$level", bson.M{"reserved": bson.M{"$subtract": bson.A{"$$level.reserved", bson.M{"$sum": bson.M{"$map": bson.M{
			"input": bson.M{"$filter": bson.M{
				"input": bson.M{"$ifNull": bson.A{allocations, bson.A{}}}, "as": "a", "cond": bson.M{"$eq": bson.A{"$$a.locationId", "$$level.locationId"}},
			}},
			"as": "a", "in": "$$a.quantity",
		}}}}}},
	}}}}
}

// givingBack begins a pipeline: what the holder has of the variant is free, and its reservation gone.
func givingBack(holderID uuid.UUID) mongo.Pipeline {
	return mongo.Pipeline{
		{{Key: "$set", Value: bson.M{"mine": reservationOf(holderID)}}},
		{{Key: "$set", Value: bson.M{"levels": lowering("$mine.allocations"), "reservations": others(holderID)}}},
		{{Key: "$unset", Value: "mine"}},
	}
}

// sells is the condition that the holder can have so many pieces.
func sells(holderID uuid.UUID, quantity int) bson.M {
	return bson.M{"$or": bson.A{bson.M{"$eq": bson.A{"$backOrders", true}}, bson.M{"$gte": bson.A{freeWithout(holderID), quantity}}}}
}

// freeWithout is the expression of what would be available had the holder nothing.
func freeWithout(holderID uuid.UUID) bson.M {
	return bson.M{"$add": bson.A{"$available", bson.M{"$sum": bson.M{"$map": bson.M{
		"input": bson.M{"$filter": bson.M{"input": "$reservations", "cond": bson.M{"$eq": bson.A{"$$this.orderId", holderID}}}},
		"in":    "$$this.held",
	}}}}}
}
