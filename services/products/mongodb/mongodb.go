// Package mongodb keeps the catalogue in MongoDB.
//
// Collections: products (with variants), categories, search_terms (the dictionary of the search),
// idempotency_keys, locks, and those of stock and reviews. The engine is used without sessions,
// so each write is of one document, or can be repeated until it is whole.
package mongodb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/techmart/techmart/platform/group"
	"github.com/techmart/techmart/platform/telemetry"
	"github.com/techmart/techmart/services/products"
)

const (
	// batchSize is above the length of every answer, so that none needs a second call.
	batchSize = 5000
	// keyLife is how long an idempotency key is remembered.
	keyLife = 7 * 24 * time.Hour
	// batchOfWrites bounds the carts or orders whose stock one command changes.
	batchOfWrites = 64
	// unhurriedEvery is the least time between commands of jobs that nobody waits for.
	unhurriedEvery = 8 * time.Millisecond
	// readLanes bounds the shared reads of a kind under way at a time.
	readLanes = 4
	// shareAtMost bounds the ids of a read that shares a command: longer ones gain nothing.
	shareAtMost = 20
)

// Store keeps the catalogue in one database.
type Store struct {
	db         *mongo.Database
	products   *mongo.Collection
	categories *mongo.Collection
	terms      *mongo.Collection
	keys       *mongo.Collection
	locks      *mongo.Collection
	known      sync.Map // words that the dictionary has for certain
	seen       shelves  // stock as it was read last
	metrics    *telemetry.Metrics

	holds     *group.Group[products.Hold, outcome]
	takeOvers *group.Group[takeOver, outcome]
	stocked   *group.Group[[]uuid.UUID, map[uuid.UUID]products.Stock]
	offered   *group.Group[[]uuid.UUID, map[uuid.UUID]products.Offer]
}

var _ products.CatalogStore = (*Store)(nil)

// Option sets a part of a Store.
type Option func(*Store)

// WithMetrics has the store record how many calls share a command.
func WithMetrics(m *telemetry.Metrics) Option { return func(s *Store) { s.metrics = m } }

// New makes a Store. [Store.EnsureIndexes] must have run once on the database.
func New(db *mongo.Database, opts ...Option) *Store {
	s := &Store{
		db:         db,
		products:   db.Collection("products"),
		categories: db.Collection("categories"),
		terms:      db.Collection("search_terms"),
		keys:       db.Collection("idempotency_keys"),
		locks:      db.Collection("locks"),
	}
	for _, set := range opts {
		set(s)
	}
	s.holds = group.New(group.Config[products.Hold, outcome]{Name: "stock holds", Run: s.holdTogether, Max: batchOfWrites, Metrics: s.metrics})
	s.takeOvers = group.New(group.Config[takeOver, outcome]{Name: "stock take-overs", Run: s.takeOverTogether, Max: batchOfWrites, Every: unhurriedEvery, Metrics: s.metrics})
	s.stocked = group.New(group.Config[[]uuid.UUID, map[uuid.UUID]products.Stock]{Name: "stock reads", Run: shared(s.stock), Lanes: readLanes, Metrics: s.metrics})
	s.offered = group.New(group.Config[[]uuid.UUID, map[uuid.UUID]products.Offer]{Name: "offer reads", Run: shared(s.offers), Lanes: readLanes, Metrics: s.metrics})
	return s
}

// EnsureIndexes creates the indexes that are missing, and finishes a change of the category tree
// that was cut off. It may run at every start, in several processes at a time.
func (s *Store) EnsureIndexes(ctx context.Context) error {
	ctx, cancel := unhurried(ctx)
	defer cancel()
	for _, c := range []struct {
		collection *mongo.Collection
		indexes    []mongo.IndexModel
	}{
		{s.products, append(productKeys(), productReads()...)},
		{s.categories, []mongo.IndexModel{
			{Keys: bson.D{{Key: "slug", Value: 1}}, Options: options.Index().SetName("slug").SetUnique(true)},
			{Keys: keys("parent", "position", "name", "_id"), Options: options.Index().SetName("parent_position")},
			{Keys: keys("path", "_id"), Options: options.Index().SetName("path")},
			{Keys: keys("pending"), Options: options.Index().SetName("pending").SetPartialFilterExpression(bson.D{{Key: "pending", Value: true}})},
		}},
		{s.terms, []mongo.IndexModel{
			{Keys: keys("stem"), Options: options.Index().SetName("stem")},
			{Keys: keys("deletions"), Options: options.Index().SetName("deletions")},
		}},
		{s.keys, []mongo.IndexModel{
			{Keys: keys("created"), Options: options.Index().SetName("created").SetExpireAfterSeconds(int32(keyLife / time.Second))},
		}},
	} {
		if _, err := c.collection.Indexes().CreateMany(ctx, c.indexes); err != nil {
			return fmt.Errorf("mongodb: indexes of %s: %w", c.collection.Name(), err)
		}
	}
	if err := s.ensureInventoryIndexes(ctx); err != nil {
		return err
	}
	if err := s.ensureReviewIndexes(ctx); err != nil {
		return err
	}
	return s.finishPending(ctx)
}

// maintenance bounds a command that reads a whole collection, such as the build of an index.
const maintenance = time.Hour

// unhurried gives maintenance its own deadline, in the place of the client's for an answer to people.
func unhurried(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, maintenance)
}

// sortFields are the stored fields of the sorts.
var sortFields = map[products.SortField]string{
	products.ByPublished: "published",
	products.ByPrice:     "priceMin",
	products.ByTitle:     "titleKey",
	products.ByRating:    "rating",
	products.BySold:      "sold",
	products.ByUpdated:   "updated",
}

// productKeys are the indexes that keep values unique.
func productKeys() []mongo.IndexModel {
	unique := func(name, field string) mongo.IndexModel {
		return mongo.IndexModel{Keys: keys(field), Options: options.Index().SetName(name).SetUnique(true)}
	}
	return []mongo.IndexModel{unique("slug", "slug"), unique("sku", "variants.sku"), unique("variant", "variants.id")}
}

// productReads are the indexes for every sort: of all products of a status, and of those of a category;
// and for each filter that can leave few of many. Every sort ends with the id.
func productReads() []mongo.IndexModel {
	plain := func(name string, fields ...string) mongo.IndexModel {
		return mongo.IndexModel{Keys: keys(fields...), Options: options.Index().SetName(name)}
	}
	list := []mongo.IndexModel{
		plain("vendor", "vendor", "status", "published", "_id"),
		plain("tags", "tags", "status", "published", "_id"),
		plain("attributes", "attributes.key", "attributes.value", "status"),
		plain("category_price", "category", "status", "available", "priceMin", "_id"),
		{
			Keys: bson.D{
				{Key: "title", Value: "text"}, {Key: "variants.sku", Value: "text"}, {Key: "vendor", Value: "text"},
				{Key: "categoryNames", Value: "text"}, {Key: "attributes.value", Value: "text"}, {Key: "description", Value: "text"},
			},
			Options: options.Index().SetName("search").SetDefaultLanguage("none").SetWeights(bson.D{
				{Key: "title", Value: 12}, {Key: "variants.sku", Value: 10}, {Key: "vendor", Value: 6},
				{Key: "categoryNames", Value: 6}, {Key: "attributes.value", Value: 3}, {Key: "description", Value: 1},
			}),
		},
	}
	for _, by := range []products.SortField{products.ByPublished, products.ByPrice, products.ByTitle, products.ByRating, products.BySold, products.ByUpdated} {
		field := sortFields[by]
		list = append(list,
			plain("status_"+field, "status", field, "_id"),
			plain("path_"+field, "path", "status", field, "_id"))
	}
	return list
}

// keys gives ascending index keys.
func keys(fields ...string) bson.D {
	d := make(bson.D, len(fields))
	for i, f := range fields {
		d[i] = bson.E{Key: f, Value: 1}
	}
	return d
}

// duplicateOf reports whether err says that a value of the index is in use.
func duplicateOf(err error, index string) bool {
	var failed mongo.ServerError
	if !mongo.IsDuplicateKeyError(err) || !errors.As(err, &failed) {
		return false
	}
	return strings.Contains(failed.Error(), "index: "+index+" ")
}

// aggregate runs a pipeline and reads its whole answer in one command.
func aggregate[T any](ctx context.Context, c *mongo.Collection, pipeline bson.A) ([]T, error) {
	cursor, err := c.Aggregate(ctx, pipeline, options.Aggregate().SetBatchSize(batchSize))
	if err != nil {
		return nil, fmt.Errorf("mongodb: aggregate %s: %w", c.Name(), err)
	}
	var all []T
	if err := cursor.All(ctx, &all); err != nil {
		return nil, fmt.Errorf("mongodb: aggregate %s: %w", c.Name(), err)
	}
	return all, nil
}

// find reads all documents that match, in one command.
func find[T any](ctx context.Context, c *mongo.Collection, filter any, opts *options.FindOptionsBuilder) ([]T, error) {
	cursor, err := c.Find(ctx, filter, opts.SetBatchSize(batchSize))
	if err != nil {
		return nil, fmt.Errorf("mongodb: find %s: %w", c.Name(), err)
	}
	var all []T
	if err := cursor.All(ctx, &all); err != nil {
		return nil, fmt.Errorf("mongodb: find %s: %w", c.Name(), err)
	}
	return all, nil
}
