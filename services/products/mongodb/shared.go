package mongodb

import (
	"context"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/techmart/techmart/platform/group"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/products"
)

// shared makes of a read by ids one for many callers, each of whom gets a map of its own. A call joins only reads
// that begin after it, so it sees what was written before it.
func shared[T any](read func(context.Context, []uuid.UUID) (map[uuid.UUID]T, error)) func(context.Context, [][]uuid.UUID) ([]group.Result[map[uuid.UUID]T], error) {
	return func(ctx context.Context, asked [][]uuid.UUID) ([]group.Result[map[uuid.UUID]T], error) {
		if len(asked) == 1 {
			found, err := read(ctx, asked[0])
			return []group.Result[map[uuid.UUID]T]{{Value: found}}, err
		}
		var ids []uuid.UUID
		known := make(map[uuid.UUID]bool)
		for _, list := range asked {
			for _, id := range list {
				if !known[id] {
					known[id] = true
					ids = append(ids, id)
				}
			}
		}
		found, err := read(ctx, ids)
		if err != nil {
			return nil, err
		}
		results := make([]group.Result[map[uuid.UUID]T], len(asked))
		for i, list := range asked {
			results[i].Value = make(map[uuid.UUID]T, len(list))
			for _, id := range list {
				if v, ok := found[id]; ok {
					results[i].Value[id] = v
				}
			}
		}
		return results, nil
	}
}

// offerFields are what an offer is made of.
var offerFields = bson.D{
	{Key: "title", Value: 1}, {Key: "status", Value: 1}, {Key: "currency", Value: 1},
	{Key: "variants.id", Value: 1}, {Key: "variants.sku", Value: 1}, {Key: "variants.title", Value: 1}, {Key: "variants.price", Value: 1},
}

// OffersByVariant gives what is offered of variants, in one command, which calls at the same time share.
func (s *Store) OffersByVariant(ctx context.Context, variantIDs []uuid.UUID) (map[uuid.UUID]products.Offer, error) {
	if len(variantIDs) > shareAtMost {
		return s.offers(ctx, variantIDs)
	}
	return s.offered.Do(ctx, variantIDs)
}

func (s *Store) offers(ctx context.Context, variantIDs []uuid.UUID) (map[uuid.UUID]products.Offer, error) {
	docs, err := find[struct {
		ID       uuid.UUID `bson:"_id"`
		Title    string    `bson:"title"`
		Status   string    `bson:"status"`
		Currency string    `bson:"currency"`
		Variants []struct {
			ID    uuid.UUID `bson:"id"`
			SKU   string    `bson:"sku"`
			Title string    `bson:"title"`
			Price int64     `bson:"price"`
		} `bson:"variants"`
	}](ctx, s.products, bson.D{{Key: "variants.id", Value: in(variantIDs)}}, options.Find().SetProjection(offerFields))
	if err != nil {
		return nil, err
	}
	offers := make(map[uuid.UUID]products.Offer, len(variantIDs))
	for _, d := range docs {
		for _, v := range d.Variants {
			offers[v.ID] = products.Offer{
				VariantID: v.ID, ProductID: d.ID, SKU: v.SKU, ProductTitle: d.Title, VariantTitle: v.Title,
				Price: money.New(v.Price, money.Currency(d.Currency)), Sellable: products.Status(d.Status) == products.Active,
			}
		}
	}
	return offers, nil
}
