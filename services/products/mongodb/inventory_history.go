package mongodb

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/products"
)

const (
	maxLocations = 32  // levels of a variant
	maxUnion     = 500 // parents of one command
)

type adjustmentDoc struct {
	ID          uuid.UUID  `bson:"_id"`
	VariantID   uuid.UUID  `bson:"variantId"`
	LocationID  uuid.UUID  `bson:"locationId"`
	Delta       int        `bson:"delta"`
	OnHandAfter int        `bson:"onHandAfter"`
	Reason      string     `bson:"reason"`
	Note        string     `bson:"note,omitempty"`
	ActorID     *uuid.UUID `bson:"actorId,omitempty"`
	OrderID     *uuid.UUID `bson:"orderId,omitempty"`
	ReturnID    *uuid.UUID `bson:"returnId,omitempty"`
	Created     time.Time  `bson:"created"`
}

func (d *adjustmentDoc) adjustment() *products.Adjustment {
	a := &products.Adjustment{
		ID: d.ID, VariantID: d.VariantID, LocationID: d.LocationID, Delta: d.Delta, OnHandAfter: d.OnHandAfter,
		Reason: products.Reason(d.Reason), Note: d.Note, CreatedAt: d.Created.UTC(),
	}
	if d.ActorID != nil {
		a.ActorID = *d.ActorID
	}
	if d.OrderID != nil {
		a.OrderID = *d.OrderID
	}
	if d.ReturnID != nil {
		a.ReturnID = *d.ReturnID
	}
	return a
}

func (s *Store) adjustments() *mongo.Collection { return s.db.Collection(adjustmentsName) }

// SetOnHand changes stock by compare-and-swap.
func (s *Store) SetOnHand(ctx context.Context, c products.SetOnHand) (products.Stock, *products.Adjustment, error) {
	if done, stock, err := s.adjusted(ctx, c); err != nil || done != nil {
		return stock, done, err
	}
	at := bson.A{bson.M{"levels": bson.M{"$elemMatch": bson.M{"locationId": c.LocationID, "onHand": c.Expected, "reserved": bson.M{"$lte": c.OnHand}}}}}
	at = append(at, bson.M{"backOrders": true, "levels": bson.M{"$elemMatch": bson.M{"locationId": c.LocationID, "onHand": c.Expected}}})
	if c.Expected == 0 {
		at = append(at, bson.M{"levels.locationId": bson.M{"$ne": c.LocationID}})
	}
	var after *stockDoc
	err := s.inventory().FindOneAndUpdate(ctx,
		bson.M{"_id": c.VariantID, "pending._id": bson.M{"$ne": c.ID}, "$or": at}, settingOnHand(c),
		options.FindOneAndUpdate().SetUpsert(c.Expected == 0).SetReturnDocument(options.After).SetProjection(bson.M{"reservations": 0})).Decode(&after)
	switch {
	case err == nil:
	case err == mongo.ErrNoDocuments, mongo.IsDuplicateKeyError(err): // an upsert of what is there, but not as expected
		if done, stock, err := s.adjusted(ctx, c); err != nil || done != nil {
			return stock, done, err
		}
		return products.Stock{}, nil, s.refusal(ctx, c)
	default:
		return products.Stock{}, nil, fmt.Errorf("mongodb: set stock on hand: %w", err)
	}
	if err := s.moveHistory(ctx, []*stockDoc{after}); err != nil {
		return products.Stock{}, nil, err
	}
	for _, line := range after.Pending {
		if line.ID == c.ID {
			return after.stock(), line.adjustment(), nil
		}
	}
	return products.Stock{}, nil, fmt.Errorf("mongodb: the adjustment %s was not written", c.ID)
}

// adjusted gives the adjustment if it was made before.
func (s *Store) adjusted(ctx context.Context, c products.SetOnHand) (*products.Adjustment, products.Stock, error) {
	docs, err := find[*stockDoc](ctx, s.inventory(), bson.M{"_id": c.VariantID}, options.Find().SetProjection(bson.M{"reservations": 0}))
	if err != nil || len(docs) == 0 {
		return nil, products.Stock{}, err
	}
	if err := s.moveHistory(ctx, docs); err != nil {
		return nil, products.Stock{}, err
	}
	found, err := s.Adjustments(ctx, []uuid.UUID{c.ID})
	return found[c.ID], docs[0].stock(), err
}

// refusal says why a compare-and-swap did not find its document.
func (s *Store) refusal(ctx context.Context, c products.SetOnHand) error {
	found, err := s.Stock(ctx, []uuid.UUID{c.VariantID})
	if err != nil {
		return err
	}
	for _, l := range found[c.VariantID].Levels {
		if l.LocationID == c.LocationID && l.OnHand == c.Expected && l.Reserved > c.OnHand {
			return errs.At(errs.OutOfRange, fmt.Sprintf("%d pieces are reserved: stock cannot be below that.", l.Reserved), "onHand").With("reserved", l.Reserved)
		}
	}
	onHand := found[c.VariantID].OnHand(c.LocationID)
	return errs.At(errs.Conflict, fmt.Sprintf("%d pieces are on hand now: read the stock again.", onHand), "expectedOnHand").With("onHand", onHand)
}

// settingOnHand sets the stock of a level, which is added where it is missing, but not below what is
// reserved, unless back orders may be. A line of the history is appended.
func settingOnHand(c products.SetOnHand) mongo.Pipeline {
	levels := bson.M{"$ifNull": bson.A{"$levels", bson.A{}}}
	set := bson.M{"$cond": bson.A{bson.M{"$eq": bson.A{"$backOrders", true}}, c.OnHand,
		bson.M{"$max": bson.A{c.OnHand, bson.M{"$ifNull": bson.A{"$old.reserved", 0}}}}}}
	line := bson.M{
		"_id": c.ID, "variantId": c.VariantID, "locationId": c.LocationID, "reason": bson.M{"$literal": string(c.Reason)}, "created": c.At,
		"delta": bson.M{"$subtract": bson.A{set, bson.M{"$ifNull": bson.A{"$old.onHand", 0}}}}, "onHandAfter": set,
	}
	if c.Note != "" {
		line["note"] = bson.M{"$literal": c.Note}
	}
	if c.ActorID != uuid.Nil {
		line["actorId"] = c.ActorID
	}
	return mongo.Pipeline{
		{{Key: "$set", Value: bson.M{"old": bson.M{"$first": bson.M{"$filter": bson.M{"input": levels, "cond": bson.M{"$eq": bson.A{"$$this.locationId", c.LocationID}}}}}}}},
		{{Key: "$set", Value: bson.M{
			"productId":    c.ProductID,
			"reservations": bson.M{"$ifNull": bson.A{"$reservations", bson.A{}}},
			"pending":      bson.M{"$concatArrays": bson.A{bson.M{"$ifNull": bson.A{"$pending", bson.A{}}}, bson.A{line}}},
			"levels": bson.M{"$cond": bson.A{
				bson.M{"$eq": bson.A{bson.M{"$type": "$old"}, "missing"}},
				bson.M{"$concatArrays": bson.A{levels, bson.A{bson.M{"locationId": c.LocationID, "onHand": c.OnHand, "reserved": 0}}}},
				bson.M{"$map": bson.M{"input": levels, "as": "level", "in": bson.M{"$cond": bson.A{
					bson.M{"$eq": bson.A{"$$level.locationId", c.LocationID}},
					bson.M{"$mergeObjects": bson.A{"$$level", bson.M{"onHand": set}}}, "$$level",
				}}}},
			}},
		}}},
		summed(),
		{{Key: "$unset", Value: "old"}},
	}
}

// stockBatch bounds one command of a bulk, so that it ends in time on a busy machine.
const stockBatch = 500

// ImportOnHand sets stock on hand in bulk: one command for each batch, four more for the history.
func (s *Store) ImportOnHand(ctx context.Context, changes []products.SetOnHand) (map[uuid.UUID]products.Stock, error) {
	models := make([]mongo.WriteModel, len(changes))
	ids := make([]uuid.UUID, len(changes))
	for i, c := range changes {
		ids[i] = c.VariantID
		models[i] = mongo.NewUpdateOneModel().SetUpsert(true).SetUpdate(settingOnHand(c)).SetFilter(bson.M{
			"_id":    c.VariantID,
			"levels": bson.M{"$not": bson.M{"$elemMatch": bson.M{"locationId": c.LocationID, "onHand": c.OnHand}}},
		})
	}
	for part := range slices.Chunk(models, stockBatch) {
		_, err := s.inventory().BulkWrite(ctx, part, options.BulkWrite().SetOrdered(false))
		if err != nil && !onlyDuplicates(err) { // an upsert of stock that is equal already
			return nil, fmt.Errorf("mongodb: import stock: %w", err)
		}
	}
	docs, err := find[*stockDoc](ctx, s.inventory(), bson.M{"_id": in(ids)}, options.Find().SetProjection(bson.M{"reservations": 0}))
	if err != nil {
		return nil, err
	}
	found := make(map[uuid.UUID]products.Stock, len(docs))
	for _, d := range docs {
		found[d.ID] = d.stock()
	}
	return found, s.moveHistory(ctx, docs)
}

// moveHistory moves the lines that wait in documents into the history; a line that is there already
// was moved by another.
func (s *Store) moveHistory(ctx context.Context, docs []*stockDoc) error {
	var lines []any
	var lineIDs, variantIDs []uuid.UUID
	for _, d := range docs {
		for _, line := range d.Pending {
			lines, lineIDs = append(lines, line), append(lineIDs, line.ID)
		}
		if len(d.Pending) > 0 {
			variantIDs = append(variantIDs, d.ID)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	if _, err := s.adjustments().InsertMany(ctx, lines, options.InsertMany().SetOrdered(false)); err != nil && !onlyDuplicates(err) {
		return fmt.Errorf("mongodb: write %s: %w", adjustmentsName, err)
	}
	_, err := s.inventory().UpdateMany(ctx, bson.M{"_id": in(variantIDs)}, bson.M{"$pull": bson.M{"pending": bson.M{"_id": in(lineIDs)}}})
	if err != nil {
		return fmt.Errorf("mongodb: clear moved lines: %w", err)
	}
	return nil
}

// onlyDuplicates reports whether all that failed in a bulk were keys in use.
func onlyDuplicates(err error) bool {
	bulk, ok := err.(mongo.BulkWriteException)
	if !ok || bulk.WriteConcernError != nil {
		return false
	}
	for _, one := range bulk.WriteErrors {
		if one.Code != 11000 {
			return false
		}
	}
	return true
}

// SweepHistory moves what a crash left in documents.
func (s *Store) SweepHistory(ctx context.Context) error {
	for {
		docs, err := find[*stockDoc](ctx, s.inventory(), bson.M{"pending._id": bson.M{"$exists": true}},
			options.Find().SetProjection(bson.M{"reservations": 0}).SetLimit(sweepBatch))
		if err != nil || len(docs) == 0 {
			return err
		}
		if err := s.moveHistory(ctx, docs); err != nil {
			return err
		}
	}
}

// Adjustments gives adjustments by id, in one command.
func (s *Store) Adjustments(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*products.Adjustment, error) {
	docs, err := find[*adjustmentDoc](ctx, s.adjustments(), bson.M{"_id": in(ids)}, options.Find())
	found := make(map[uuid.UUID]*products.Adjustment, len(docs))
	for _, d := range docs {
		found[d.ID] = d.adjustment()
	}
	return found, err
}

// History reads a page of the history of each variant, all in one command.
func (s *Store) History(ctx context.Context, variantIDs []uuid.UUID, r page.Request) (map[uuid.UUID][]*products.Adjustment, error) {
	order, beyond := -1, "$lt"
	if r.Backward {
		order, beyond = 1, "$gt"
	}
	rows, err := unionOf[*adjustmentDoc](ctx, s.adjustments(), variantIDs, func(id uuid.UUID) (bson.A, error) {
		match := bson.M{"variantId": id}
		if r.From != nil {
			from, err := uuid.Parse(r.From[0])
			if err != nil {
				return nil, err
			}
			match["_id"] = bson.M{beyond: from}
		}
		return bson.A{
			bson.M{"$match": match},
			bson.M{"$sort": bson.D{{Key: "variantId", Value: order}, {Key: "_id", Value: order}}},
			bson.M{"$limit": r.Limit + 1},
		}, nil
	})
	found := make(map[uuid.UUID][]*products.Adjustment)
	for _, row := range rows {
		found[row.VariantID] = append(found[row.VariantID], row.adjustment())
	}
	return found, err
}

// unionOf runs one pipeline for each parent, all in one command; the rows of each keep their order.
// Above [maxUnion] parents it takes more commands, as the server bounds a pipeline's length.
func unionOf[T any](ctx context.Context, c *mongo.Collection, parents []uuid.UUID, pipeline func(uuid.UUID) (bson.A, error)) ([]T, error) {
	var all []T
	for part := range slices.Chunk(parents, maxUnion) {
		var whole bson.A
		for i, id := range part {
			one, err := pipeline(id)
			if err != nil {
				return nil, fmt.Errorf("mongodb: position in %s: %w", c.Name(), err)
			}
			if i == 0 {
				whole = one
			} else {
				whole = append(whole, bson.M{"$unionWith": bson.M{"coll": c.Name(), "pipeline": one}})
			}
		}
		rows, err := aggregate[T](ctx, c, whole)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	return all, nil
}
