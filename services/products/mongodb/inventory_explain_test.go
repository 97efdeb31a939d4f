package mongodb

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/techmart/techmart/services/products"
)

// TestStockAndReviewPlans asks the server how it would answer what stock and reviews ask for.
func TestStockAndReviewPlans(t *testing.T) {
	t.Parallel()
	s := openSeeded(t)
	var reviews []*products.Review
	product := uuid.New()
	for i := range 200 {
		at := time.Date(2026, 3, 1, 0, i, 0, 0, time.UTC)
		id := uuid.Must(uuid.NewV7())
		reviews = append(reviews, &products.Review{ID: id, ProductID: product, AuthorID: uuid.New(), Rating: 1 + i%5, CreatedAt: at})
		if _, err := s.ImportOnHand(t.Context(), []products.SetOnHand{{ID: id, VariantID: uuid.New(), ProductID: product, LocationID: uuid.New(), OnHand: 1, At: at}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.InsertReviews(t.Context(), reviews); err != nil {
		t.Fatal(err)
	}
	order, id, now := uuid.New(), uuid.New(), time.Now()
	for name, q := range map[string]struct {
		collection string
		filter     bson.M
	}{
		"stock":             {inventoryName, bson.M{"_id": in([]uuid.UUID{id, order})}},
		"what an order has": {inventoryName, bson.M{"reservations.orderId": order}},
		"flipped":           {inventoryName, bson.M{"flipped": bson.M{"$exists": true}}},
		"unwritten history": {inventoryName, bson.M{"pending._id": bson.M{"$exists": true}}},
		"reviews by id":     {reviewsName, bson.M{"_id": in([]uuid.UUID{id})}},
		"not yet rated":     {reviewsName, bson.M{"unrated": bson.M{"$exists": true}}},
		"of an author":      {reviewsName, bson.M{"authorId": id, "productId": product}},
	} {
		s.noScan(t, name, bson.D{{Key: "find", Value: q.collection}, {Key: "filter", Value: q.filter}})
	}
	for name, q := range map[string]bson.D{
		"history": {{Key: "find", Value: adjustmentsName}, {Key: "filter", Value: bson.M{"variantId": id, "_id": bson.M{"$lt": order}}},
			{Key: "sort", Value: bson.D{{Key: "variantId", Value: -1}, {Key: "_id", Value: -1}}}, {Key: "limit", Value: 21}},
		"reviews": {{Key: "find", Value: reviewsName}, {Key: "filter", Value: bson.M{"productId": product, "created": bson.M{"$lte": now},
			"$or": bson.A{bson.M{"created": bson.M{"$lt": now}}, bson.M{"created": now, "_id": bson.M{"$lt": id}}}}},
			{Key: "sort", Value: bson.D{{Key: "productId", Value: -1}, {Key: "created", Value: -1}, {Key: "_id", Value: -1}}}, {Key: "limit", Value: 21}},
	} {
		if stages := s.stages(t, q); slices.Contains(stages, "COLLSCAN") || slices.Contains(stages, "SORT") {
			t.Errorf("%s does not come out of an index in its order: %v", name, stages)
		}
	}
	s.noScan(t, "ratings", bson.D{{Key: "aggregate", Value: reviewsName}, {Key: "cursor", Value: bson.D{}}, {Key: "pipeline", Value: bson.A{
		bson.M{"$match": bson.M{"productId": in([]uuid.UUID{product})}},
		bson.M{"$group": bson.M{"_id": "$productId", "count": bson.M{"$sum": 1}, "sum": bson.M{"$sum": "$rating"}}},
	}}})
}
