package mongodb

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/techmart/techmart/services/products"
)

// Collections of stock. A document of inventory is a variant's stock with what orders hold of it, and
// with the lines of the history (pending) that are not yet in inventory_adjustments. A change writes
// both at once; its lines are then moved, and moved by the next sweep if the process died between.
// inventory_released has the orders that must not reserve any more.
const (
	locationsName   = "locations"
	inventoryName   = "inventory"
	adjustmentsName = "inventory_adjustments"
	releasedName    = "inventory_released"
)

const (
	releasedLife   = 7 * 24 * time.Hour // a late Reserve comes within minutes
	emptiedKept    = 256                // reservations kept after all was fulfilled, against a late Reserve
	sweepBatch     = 500
	reserveRetries = 5
)

var _ products.InventoryStore = (*Store)(nil)

type stockDoc struct {
	ID           uuid.UUID        `bson:"_id"`
	ProductID    uuid.UUID        `bson:"productId"`
	Levels       []levelDoc       `bson:"levels"`
	Available    int              `bson:"available"` // sum of all levels, for conditions
	Flipped      *uuid.UUID       `bson:"flipped"`   // set when available went from or to nothing
	Reservations []reservationDoc `bson:"reservations"`
	Pending      []adjustmentDoc  `bson:"pending"`
	BackOrders   bool             `bson:"backOrders"` // more may be reserved than is on hand
}

type levelDoc struct {
	LocationID uuid.UUID `bson:"locationId"`
	OnHand     int       `bson:"onHand"`
	Reserved   int       `bson:"reserved"`
}

// reservationDoc is what an order asked for and what it still holds of it.
type reservationDoc struct {
	OrderID      uuid.UUID       `bson:"orderId"`
	Attempt      uuid.UUID       `bson:"attempt"` // the last call of Reserve that relied on it
	Quantity     int             `bson:"quantity"`
	Held         int             `bson:"held"` // sum of allocations
	Allocations  []allocationDoc `bson:"allocations"`
	Fulfillments []uuid.UUID     `bson:"fulfillments"`
	At           time.Time       `bson:"at"`
	Expires      *time.Time      `bson:"expires,omitempty"` // when it ends by itself; nil for an order's
	Cart         bool            `bson:"cart,omitempty"`    // the holder, orderId, is a cart
}

type allocationDoc struct {
	LocationID uuid.UUID `bson:"locationId"`
	Quantity   int       `bson:"quantity"`
}

func (d *stockDoc) stock() products.Stock {
	s := products.Stock{VariantID: d.ID, ProductID: d.ProductID, BackOrders: d.BackOrders, Levels: make([]products.Level, len(d.Levels))}
	for i, l := range d.Levels {
		s.Levels[i] = products.Level(l)
	}
	if d.Flipped != nil {
		s.Flipped = *d.Flipped
	}
	return s
}

// of gives what the order holds, or nil.
func (d *stockDoc) of(orderID uuid.UUID) *reservationDoc {
	for i := range d.Reservations {
		if d.Reservations[i].OrderID == orderID {
			return &d.Reservations[i]
		}
	}
	return nil
}

func (s *Store) ensureInventoryIndexes(ctx context.Context) error {
	exists := func(field string) *options.IndexOptionsBuilder {
		return options.Index().SetName(field).SetPartialFilterExpression(bson.M{field: bson.M{"$exists": true}})
	}
	for name, indexes := range map[string][]mongo.IndexModel{
		locationsName: {{Keys: keys("code"), Options: options.Index().SetName("code").SetUnique(true)}},
		inventoryName: {
			{Keys: keys("productId"), Options: options.Index().SetName("product")},
			{Keys: keys("reservations.orderId"), Options: options.Index().SetName("order")},
			{Keys: keys("flipped"), Options: exists("flipped")},
			{Keys: keys("reservations.expires"), Options: exists("reservations.expires")},
			{Keys: keys("pending._id"), Options: exists("pending._id")},
		},
		adjustmentsName: {{Keys: keys("variantId", "_id"), Options: options.Index().SetName("variant")}},
		releasedName:    {{Keys: keys("at"), Options: options.Index().SetName("at").SetExpireAfterSeconds(int32(releasedLife / time.Second))}},
	} {
		if _, err := s.db.Collection(name).Indexes().CreateMany(ctx, indexes); err != nil {
			return fmt.Errorf("mongodb: indexes of %s: %w", name, err)
		}
	}
	return nil
}

func (s *Store) inventory() *mongo.Collection { return s.db.Collection(inventoryName) }

// findStock reads documents without what most readers do not need.
func (s *Store) findStock(ctx context.Context, filter any) ([]*stockDoc, error) {
	return find[*stockDoc](ctx, s.inventory(), filter, options.Find().SetProjection(bson.M{"reservations": 0, "pending": 0}))
}

// Stock gives stock by variant, in one command, which calls at the same time share.
func (s *Store) Stock(ctx context.Context, variantIDs []uuid.UUID) (map[uuid.UUID]products.Stock, error) {
	if len(variantIDs) > shareAtMost {
		return s.stock(ctx, variantIDs)
	}
	return s.stocked.Do(ctx, variantIDs)
}

func (s *Store) stock(ctx context.Context, variantIDs []uuid.UUID) (map[uuid.UUID]products.Stock, error) {
	list, err := s.readShelves(ctx, variantIDs)
	if err != nil {
		return nil, err
	}
	found := make(map[uuid.UUID]products.Stock, len(list))
	for _, f := range list {
		found[f.ID] = f.stock()
	}
	s.seen.put(list)
	return found, nil
}

// Flipped gives at most limit stocks whose mark Flipped is set.
func (s *Store) Flipped(ctx context.Context, limit int) ([]products.Stock, error) {
	docs, err := find[*stockDoc](ctx, s.inventory(), bson.M{"flipped": bson.M{"$exists": true}},
		options.Find().SetProjection(bson.M{"reservations": 0, "pending": 0}).SetLimit(int64(limit)))
	return stocks(docs), err
}

// Settle takes the marks Flipped away, unless they were set anew.
func (s *Store) Settle(ctx context.Context, list []products.Stock) error {
	models := make([]mongo.WriteModel, len(list))
	for i, stock := range list {
		models[i] = mongo.NewUpdateOneModel().SetFilter(bson.M{"_id": stock.VariantID, "flipped": stock.Flipped}).
			SetUpdate(bson.M{"$unset": bson.M{"flipped": ""}})
	}
	return s.writeStock(ctx, models)
}

func stocks(docs []*stockDoc) []products.Stock {
	list := make([]products.Stock, len(docs))
	for i, d := range docs {
		list[i] = d.stock()
	}
	return list
}

// writeStock runs conditional updates in one command; which of them found their document is for the
// caller to look up.
func (s *Store) writeStock(ctx context.Context, models []mongo.WriteModel) error {
	if len(models) == 0 {
		return nil
	}
	_, err := s.inventory().BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	if err != nil {
		return fmt.Errorf("mongodb: write %s: %w", inventoryName, err)
	}
	return nil
}

// summed ends a pipeline that changed levels: it sums them up, and marks the document when it went
// from or to nothing. The mark is new each time.
func summed() bson.D {
	after := summedAvailable()
	flipped := bson.M{"$ne": bson.A{
		bson.M{"$gt": bson.A{bson.M{"$ifNull": bson.A{"$available", 0}}, 0}},
		bson.M{"$gt": bson.A{after, 0}},
	}}
	return bson.D{{Key: "$set", Value: bson.M{
		"available": after,
		"flipped":   bson.M{"$cond": bson.A{flipped, uuid.New(), "$flipped"}},
	}}}
}

// summedAvailable is the expression of what can be sold at all levels.
func summedAvailable() bson.M {
	return bson.M{"$sum": bson.M{"$map": bson.M{"input": "$levels", "in": bson.M{"$subtract": bson.A{"$$this.onHand", "$$this.reserved"}}}}}
}

// taking is the expression that walks over places and takes pieces from each until quantity are taken.
// free is what can be had at a place ($$this); taken is called with what one place gives ($$take) and
// gives the parts that are appended to the lists of the result, beside "left".
func taking(places any, quantity any, free any, lists bson.M) bson.M {
	start, step := bson.M{"left": quantity}, bson.M{"left": bson.M{"$subtract": bson.A{"$$value.left", "$$take"}}}
	for name, part := range lists {
		start[name] = bson.A{}
		step[name] = bson.M{"$concatArrays": bson.A{"$$value." + name, part}}
	}
	return bson.M{"$reduce": bson.M{
		"input": places, "initialValue": start,
		"in": bson.M{"$let": bson.M{
			"vars": bson.M{"take": bson.M{"$max": bson.A{0, bson.M{"$min": bson.A{"$$value.left", free}}}}},
			"in":   step,
		}},
	}}
}

// reservationOf is the expression of the order's reservation in a document.
func reservationOf(orderID uuid.UUID) bson.M {
	return bson.M{"$first": bson.M{"$filter": bson.M{"input": "$reservations", "cond": bson.M{"$eq": bson.A{"$$this.orderId", orderID}}}}}
}

// others is the expression of all reservations but the order's.
func others(orderID uuid.UUID) bson.M {
	return bson.M{"$filter": bson.M{
		"input": bson.M{"$ifNull": bson.A{"$reservations", bson.A{}}},
		"cond":  bson.M{"$ne": bson.A{"$$this.orderId", orderID}},
	}}
}
