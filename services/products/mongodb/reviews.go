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
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/products"
)

const reviewsName = "reviews"

var _ products.ReviewStore = (*Store)(nil)

// reviewDoc is a review, with a mark (unrated) until the rating of its product follows. Of one that was removed only the
// mark is left, with the product as removedFrom and the id as that of the author.
type reviewDoc struct {
	ID         uuid.UUID `bson:"_id"`
	ProductID  uuid.UUID `bson:"productId"`
	AuthorID   uuid.UUID `bson:"authorId"`
	AuthorName string    `bson:"authorName"`
	Rating     int       `bson:"rating"`
	Title      string    `bson:"title,omitempty"`
	Body       string    `bson:"body,omitempty"`
	Created    time.Time `bson:"created"`

	Unrated     *uuid.UUID `bson:"unrated,omitempty"`
	RemovedFrom *uuid.UUID `bson:"removedFrom,omitempty"`
}

func newReviewDoc(r *products.Review) *reviewDoc {
	return &reviewDoc{
		ID: r.ID, ProductID: r.ProductID, AuthorID: r.AuthorID, AuthorName: r.AuthorName,
		Rating: r.Rating, Title: r.Title, Body: r.Body, Created: r.CreatedAt,
	}
}

func (d *reviewDoc) review() *products.Review {
	return &products.Review{
		ID: d.ID, ProductID: d.ProductID, AuthorID: d.AuthorID, AuthorName: d.AuthorName,
		Rating: d.Rating, Title: d.Title, Body: d.Body, CreatedAt: d.Created.UTC(),
	}
}

// mark gives what says that the rating of the product has yet to follow.
func (d *reviewDoc) mark() *products.Review {
	m := &products.Review{ID: d.ID, ProductID: d.ProductID, Unrated: *d.Unrated}
	if d.RemovedFrom != nil {
		m.ProductID = *d.RemovedFrom
	}
	return m
}

func (s *Store) reviews() *mongo.Collection { return s.db.Collection(reviewsName) }

func (s *Store) ensureReviewIndexes(ctx context.Context) error {
	_, err := s.reviews().Indexes().CreateMany(ctx, []mongo.IndexModel{
		{Keys: keys("productId", "created", "_id"), Options: options.Index().SetName("product")},
		{Keys: keys("authorId", "productId"), Options: options.Index().SetName("author").SetUnique(true)},
		{Keys: keys("productId", "rating"), Options: options.Index().SetName("rating")}, // sums without reading texts
		{Keys: keys("unrated"), Options: options.Index().SetName("unrated").SetPartialFilterExpression(bson.M{"unrated": bson.M{"$exists": true}})},
	})
	if err != nil {
		return fmt.Errorf("mongodb: indexes of %s: %w", reviewsName, err)
	}
	return nil
}

// PutReview adds a review, or replaces that of the same author and product.
func (s *Store) PutReview(ctx context.Context, r *products.Review) (*products.Review, error) {
	var stored reviewDoc
	put := func() error {
		unset := bson.M{}
		set := bson.M{"authorName": r.AuthorName, "rating": r.Rating, "created": r.CreatedAt, "unrated": uuid.New()}
		for field, text := range map[string]string{"title": r.Title, "body": r.Body} {
			if text == "" {
				unset[field] = ""
			} else {
				set[field] = text
			}
		}
		update := bson.M{"$set": set, "$setOnInsert": bson.M{"_id": r.ID}}
		if len(unset) > 0 {
			update["$unset"] = unset
		}
		return s.reviews().FindOneAndUpdate(ctx, bson.M{"authorId": r.AuthorID, "productId": r.ProductID}, update,
			options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Decode(&stored)
	}
	err := put()
	if mongo.IsDuplicateKeyError(err) { // another one was added at the same moment: replace it
		err = put()
	}
	if err != nil {
		return nil, fmt.Errorf("mongodb: write %s: %w", reviewsName, err)
	}
	review := stored.review()
	review.Unrated = *stored.Unrated
	return review, nil
}

// InsertReviews adds reviews in bulk; those that are there already stay as they are.
func (s *Store) InsertReviews(ctx context.Context, list []*products.Review) error {
	if len(list) == 0 {
		return nil
	}
	docs := make([]any, len(list))
	for i, r := range list {
		docs[i] = newReviewDoc(r)
	}
	if _, err := s.reviews().InsertMany(ctx, docs, options.InsertMany().SetOrdered(false)); err != nil && !onlyDuplicates(err) {
		return fmt.Errorf("mongodb: write %s: %w", reviewsName, err)
	}
	return nil
}

// DeleteReview removes a review but for its mark.
func (s *Store) DeleteReview(ctx context.Context, id uuid.UUID) (*products.Review, error) {
	var left reviewDoc
	err := s.reviews().FindOneAndUpdate(ctx, bson.M{"_id": id, "productId": bson.M{"$exists": true}}, bson.A{
		bson.M{"$replaceWith": bson.M{"_id": "$_id", "authorId": "$_id", "removedFrom": "$productId", "unrated": bson.M{"$literal": uuid.New()}}},
	}, options.FindOneAndUpdate().SetReturnDocument(options.After)).Decode(&left)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, errs.New(errs.NotFound, "There is no such review.")
	}
	if err != nil {
		return nil, fmt.Errorf("mongodb: delete review: %w", err)
	}
	return left.mark(), nil
}

// Unrated gives the marks of at most limit reviews.
func (s *Store) Unrated(ctx context.Context, limit int) ([]*products.Review, error) {
	docs, err := find[*reviewDoc](ctx, s.reviews(), bson.M{"unrated": bson.M{"$exists": true}},
		options.Find().SetProjection(bson.M{"productId": 1, "removedFrom": 1, "unrated": 1}).SetLimit(int64(limit)))
	if err != nil {
		return nil, err
	}
	marks := make([]*products.Review, len(docs))
	for i, d := range docs {
		marks[i] = d.mark()
	}
	return marks, nil
}

// Rated takes marks away, and with them all that is left of removed reviews.
func (s *Store) Rated(ctx context.Context, marks []*products.Review) error {
	writes := make([]mongo.WriteModel, 0, 2*len(marks))
	for _, m := range marks {
		this := bson.M{"_id": m.ID, "unrated": m.Unrated}
		writes = append(writes,
			mongo.NewDeleteOneModel().SetFilter(bson.M{"_id": m.ID, "unrated": m.Unrated, "removedFrom": bson.M{"$exists": true}}),
			mongo.NewUpdateOneModel().SetFilter(this).SetUpdate(bson.M{"$unset": bson.M{"unrated": ""}}))
	}
	return bulk(ctx, s.reviews(), writes)
}

// Reviews gives reviews by id, in one command.
func (s *Store) Reviews(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*products.Review, error) {
	docs, err := find[*reviewDoc](ctx, s.reviews(), bson.M{"_id": in(ids), "productId": bson.M{"$exists": true}}, options.Find())
	found := make(map[uuid.UUID]*products.Review, len(docs))
	for _, d := range docs {
		found[d.ID] = d.review()
	}
	return found, err
}

// ProductReviews reads a page of the reviews of each product, all in one command.
func (s *Store) ProductReviews(ctx context.Context, productIDs []uuid.UUID, r page.Request) (map[uuid.UUID][]*products.Review, error) {
	order, beyond := -1, "$lt"
	if r.Backward {
		order, beyond = 1, "$gt"
	}
	rows, err := unionOf[*reviewDoc](ctx, s.reviews(), productIDs, func(id uuid.UUID) (bson.A, error) {
		match := bson.M{"productId": id}
		if r.From != nil {
			created, from, err := reviewPosition(r.From)
			if err != nil {
				return nil, err
			}
			match["created"] = bson.M{beyond + "e": created} // bounds the index
			match["$or"] = bson.A{
				bson.M{"created": bson.M{beyond: created}},
				bson.M{"created": created, "_id": bson.M{beyond: from}},
			}
		}
		return bson.A{
			bson.M{"$match": match},
			bson.M{"$sort": bson.D{{Key: "productId", Value: order}, {Key: "created", Value: order}, {Key: "_id", Value: order}}},
			bson.M{"$limit": r.Limit + 1},
		}, nil
	})
	found := make(map[uuid.UUID][]*products.Review)
	for _, row := range rows {
		found[row.ProductID] = append(found[row.ProductID], row.review())
	}
	return found, err
}

func reviewPosition(k page.Key) (time.Time, uuid.UUID, error) {
	if len(k) != 2 {
		return time.Time{}, uuid.Nil, fmt.Errorf("a position has 2 values, not %d", len(k))
	}
	created, err := time.Parse(time.RFC3339Nano, k[0])
	if err != nil {
		return time.Time{}, uuid.Nil, err
	}
	id, err := uuid.Parse(k[1])
	return created, id, err
}

// CountReviews counts the reviews of each product, all in one command.
func (s *Store) CountReviews(ctx context.Context, productIDs []uuid.UUID) (map[uuid.UUID]int, error) {
	ratings, err := s.Ratings(ctx, productIDs)
	counts := make(map[uuid.UUID]int, len(ratings))
	for id, r := range ratings {
		counts[id] = r.Count
	}
	return counts, err
}

// Ratings sums the reviews of each product up, all in one command, from the index alone.
func (s *Store) Ratings(ctx context.Context, productIDs []uuid.UUID) (map[uuid.UUID]products.Rating, error) {
	rows, err := aggregate[struct {
		ProductID uuid.UUID `bson:"_id"`
		Count     int       `bson:"count"`
		Sum       int       `bson:"sum"`
	}](ctx, s.reviews(), bson.A{
		bson.M{"$match": bson.M{"productId": in(productIDs)}},
		bson.M{"$group": bson.M{"_id": "$productId", "count": bson.M{"$sum": 1}, "sum": bson.M{"$sum": "$rating"}}},
	})
	found := make(map[uuid.UUID]products.Rating, len(rows))
	for _, row := range rows {
		found[row.ProductID] = products.Rating{Count: row.Count, Sum: row.Sum}
	}
	return found, err
}
