package mongodb

import (
	"context"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/techmart/techmart/platform/group"
	"github.com/techmart/techmart/services/products"
)

// takeOver is an order that reserves what its cart holds.
type takeOver struct {
	orderID, cartID uuid.UUID
	lines           []products.StockLine
	at              time.Time
}

// updates put the order's name on what the cart holds, where that is what is ordered: no figure of the stock
// changes.
func (o takeOver) updates(attempt uuid.UUID) []mongo.WriteModel {
	models := make([]mongo.WriteModel, len(o.lines))
	for i, l := range o.lines {
		models[i] = mongo.NewUpdateOneModel().
			SetFilter(bson.D{
				{Key: "_id", Value: l.VariantID},
				{Key: "reservations", Value: bson.D{{Key: "$elemMatch", Value: bson.D{
					{Key: "orderId", Value: o.cartID}, {Key: "held", Value: l.Quantity}, {Key: "quantity", Value: l.Quantity},
				}}}},
				{Key: "reservations.orderId", Value: bson.D{{Key: "$ne", Value: o.orderID}}},
			}).
			SetArrayFilters([]any{bson.D{{Key: "cart.orderId", Value: o.cartID}}}).
			SetUpdate(bson.D{
				{Key: "$set", Value: bson.D{
					{Key: "reservations.$[cart].orderId", Value: o.orderID}, {Key: "reservations.$[cart].attempt", Value: attempt},
					{Key: "reservations.$[cart].at", Value: o.at},
				}},
				{Key: "$unset", Value: bson.D{{Key: "reservations.$[cart].expires", Value: ""}, {Key: "reservations.$[cart].cart", Value: ""}}},
			})
	}
	return models
}

// takeOverTogether has many orders take over what their carts hold, in one command, and asks in a second one
// whether any was released meanwhile. An order of which not all came true goes alone, which finishes or undoes it.
func (s *Store) takeOverTogether(ctx context.Context, list []takeOver) ([]group.Result[outcome], error) {
	results := make([]group.Result[outcome], len(list))
	var models []mongo.WriteModel
	var variants []uuid.UUID
	attempts, orders := make([]uuid.UUID, len(list)), make([]uuid.UUID, len(list))
	for i, o := range list {
		for _, l := range o.lines {
			variants = append(variants, l.VariantID)
		}
		attempts[i], orders[i] = uuid.New(), o.orderID
		models = append(models, o.updates(attempts[i])...)
	}
	whole, err := s.tryStock(ctx, models)
	if err != nil {
		return nil, err
	}
	var taken map[uuid.UUID]int
	if !whole {
		if taken, err = s.takenBy(ctx, variants, attempts); err != nil {
			return nil, err
		}
	}
	released, err := s.releasedOf(ctx, orders)
	if err != nil {
		return nil, err
	}
	for i, o := range list {
		got := &results[i].Value
		got.alone = released[o.orderID] || !whole && taken[attempts[i]] < len(o.lines)
	}
	return results, nil
}

// takenBy counts, for each attempt, those of the variants of which it holds pieces.
func (s *Store) takenBy(ctx context.Context, variants, attempts []uuid.UUID) (map[uuid.UUID]int, error) {
	theirs := bson.M{"$filter": bson.M{"input": "$reservations", "cond": bson.M{"$in": bson.A{"$$this.attempt", attempts}}}}
	docs, err := find[*stockDoc](ctx, s.inventory(), bson.D{{Key: "_id", Value: in(variants)}},
		options.Find().SetProjection(bson.M{"_id": 1, "reservations": theirs}))
	taken := make(map[uuid.UUID]int, len(attempts))
	for _, d := range docs {
		for _, r := range d.Reservations {
			taken[r.Attempt]++
		}
	}
	return taken, err
}

// releasedOf gives those of the orders that must not reserve any more.
func (s *Store) releasedOf(ctx context.Context, orderIDs []uuid.UUID) (map[uuid.UUID]bool, error) {
	docs, err := find[struct {
		ID uuid.UUID `bson:"_id"`
	}](ctx, s.db.Collection(releasedName), bson.D{{Key: "_id", Value: in(orderIDs)}}, options.Find().SetProjection(bson.M{"_id": 1}))
	released := make(map[uuid.UUID]bool, len(docs))
	for _, d := range docs {
		released[d.ID] = true
	}
	return released, err
}
