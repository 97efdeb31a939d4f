package mongodb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/products"
)

// InsertProduct adds a product.
func (s *Store) InsertProduct(ctx context.Context, p *products.Product) error {
	path, err := s.place(ctx, p.CategoryID)
	if err != nil {
		return err
	}
	doc := newProductDoc(p)
	doc.setTree(p, path)
	if _, err := s.products.InsertOne(ctx, doc); err != nil {
		return refused(err, p)
	}
	p.CategoryPath = doc.Tree.Path
	if err := s.countWords(ctx, wordChange(nil, doc)); err != nil {
		return err
	}
	return s.settle(ctx, p, path)
}

// UpdateProduct stores what staff can change of p.
func (s *Store) UpdateProduct(ctx context.Context, p *products.Product) error {
	path, err := s.place(ctx, p.CategoryID)
	if err != nil {
		return err
	}
	doc := newProductDoc(p)
	doc.setTree(p, path)
	var before productDoc
	err = s.products.FindOneAndUpdate(ctx,
		bson.D{{Key: "_id", Value: p.ID}, {Key: "version", Value: p.Version - 1}}, change(doc),
		options.FindOneAndUpdate().SetProjection(bson.D{{Key: "words", Value: 1}, {Key: "status", Value: 1}}),
	).Decode(&before)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return s.outdated(ctx, s.products, p.ID)
	}
	if err != nil {
		return refused(err, p)
	}
	p.CategoryPath = doc.Tree.Path
	if err := s.countWords(ctx, wordChange(&before, doc)); err != nil {
		return err
	}
	return s.settle(ctx, p, path)
}

// change gives the update that stores all of a document but what is refreshed elsewhere.
func change(d *productDoc) bson.D {
	return bson.D{{Key: "$set", Value: struct {
		Body    productBody `bson:",inline"`
		Tree    productTree `bson:",inline"`
		Version int         `bson:"version"`
	}{d.Body, d.Tree, d.Version}}}
}

// outdated says why a change by version found nothing.
func (s *Store) outdated(ctx context.Context, c *mongo.Collection, id uuid.UUID) error {
	var now struct {
		Version int `bson:"version"`
	}
	err := c.FindOne(ctx, bson.D{{Key: "_id", Value: id}}, options.FindOne().SetProjection(bson.D{{Key: "version", Value: 1}})).Decode(&now)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return errs.At(errs.NotFound, "There is no such thing.", "id")
	}
	if err != nil {
		return fmt.Errorf("mongodb: find %s: %w", c.Name(), err)
	}
	return products.ErrConflict(now.Version)
}

// refused says which unique value of p is in use.
func refused(err error, p *products.Product) error {
	switch {
	case duplicateOf(err, "slug"):
		return products.ErrSlugTaken()
	case duplicateOf(err, "sku"):
		for i := range p.Variants {
			if strings.Contains(err.Error(), "variants.sku: "+strconv.Quote(p.Variants[i].SKU)) {
				return products.ErrSKUTaken(p.Variants[i].SKU, "variants", strconv.Itoa(i), "sku")
			}
		}
		return errs.At(errs.Taken, "A SKU is in use.", "variants")
	case duplicateOf(err, "_id_"):
		return errs.New(errs.Conflict, "It exists.")
	}
	return fmt.Errorf("mongodb: write product: %w", err)
}

// place gives the categories from the top to the one with the id; none for no id. It fails with
// NOT_FOUND at categoryId.
func (s *Store) place(ctx context.Context, id uuid.UUID) ([]*products.Category, error) {
	if id == uuid.Nil {
		return nil, nil
	}
	type placed struct {
		Category categoryDoc    `bson:",inline"`
		Above    []*categoryDoc `bson:"above"`
	}
	docs, err := aggregate[*placed](ctx, s.categories, bson.A{
		bson.D{{Key: "$match", Value: bson.D{{Key: "_id", Value: id}, {Key: "closing", Value: bson.D{{Key: "$ne", Value: true}}}}}},
		bson.D{{Key: "$lookup", Value: bson.D{{Key: "from", Value: s.categories.Name()}, {Key: "localField", Value: "path"}, {Key: "foreignField", Value: "_id"}, {Key: "as", Value: "above"}}}},
	})
	if err != nil {
		return nil, err
	}
	if len(docs) == 0 {
		return nil, products.ErrNoCategory("categoryId")
	}
	tree := map[uuid.UUID]*products.Category{id: docs[0].Category.category()}
	for _, d := range docs[0].Above {
		tree[d.ID] = d.category()
	}
	return pathTo(tree, id), nil
}

// pathTo gives the categories of the tree from the top to the one with the id; none for an unknown one.
func pathTo(tree map[uuid.UUID]*products.Category, id uuid.UUID) []*products.Category {
	c := tree[id]
	if c == nil {
		return nil
	}
	var path []*products.Category
	for _, above := range c.Path {
		if a := tree[above]; a != nil {
			path = append(path, a)
		}
	}
	return append(path, c)
}

// settle makes a product that was written follow its category, should that have been moved,
// renamed or removed since path was read.
func (s *Store) settle(ctx context.Context, p *products.Product, path []*products.Category) error {
	if p.CategoryID == uuid.Nil {
		return nil
	}
	now, err := s.place(ctx, p.CategoryID)
	if errs.Is(err, errs.NotFound) {
		p.CategoryID, p.CategoryPath = uuid.Nil, nil
		return s.detach(ctx, p.ID)
	}
	if err != nil {
		return err
	}
	same := slices.EqualFunc(now, path, func(a, b *products.Category) bool { return a.ID == b.ID && a.Name == b.Name })
	if same {
		return nil
	}
	p.CategoryPath = p.CategoryPath[:0:0]
	for _, c := range now {
		p.CategoryPath = append(p.CategoryPath, c.ID)
	}
	return s.follow(ctx, bson.D{{Key: "_id", Value: p.ID}})
}

// detach takes a product out of a category that was removed.
func (s *Store) detach(ctx context.Context, id uuid.UUID) error {
	_, err := s.products.UpdateByID(ctx, id, bson.D{{Key: "$set", Value: bson.D{
		{Key: "category", Value: nil}, {Key: "path", Value: bson.A{}}, {Key: "categoryNames", Value: ""}}}})
	if err != nil {
		return fmt.Errorf("mongodb: detach product: %w", err)
	}
	return nil
}

// RefreshAvailable sets whether the product can be bought.
func (s *Store) RefreshAvailable(ctx context.Context, productID uuid.UUID, compute func(context.Context) (bool, error)) error {
	return s.refresh(ctx, productID, "availableTicket", func() (bson.D, error) {
		available, err := compute(ctx)
		return bson.D{{Key: "available", Value: available}}, err
	})
}

// RefreshRating sets what buyers think of the product.
func (s *Store) RefreshRating(ctx context.Context, productID uuid.UUID, compute func(context.Context) (products.Rating, error)) error {
	return s.refresh(ctx, productID, "ratingTicket", func() (bson.D, error) {
		rating, err := compute(ctx)
		return ratingFields(rating), err
	})
}

func ratingFields(r products.Rating) bson.D {
	return bson.D{{Key: "rating", Value: r.Tenths()}, {Key: "ratingCount", Value: r.Count}, {Key: "ratingSum", Value: r.Sum}}
}

// refresh draws a ticket, computes, and stores the result unless a later ticket was drawn: whoever
// holds that one computes from data that is at least as new.
func (s *Store) refresh(ctx context.Context, id uuid.UUID, ticket string, compute func() (bson.D, error)) error {
	var drawn bson.M
	err := s.products.FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: id}},
		bson.D{{Key: "$inc", Value: bson.D{{Key: ticket, Value: int64(1)}}}},
		options.FindOneAndUpdate().SetReturnDocument(options.After).SetProjection(bson.D{{Key: ticket, Value: 1}}),
	).Decode(&drawn)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("mongodb: refresh product: %w", err)
	}
	fields, err := compute()
	if err != nil {
		return err
	}
	_, err = s.products.UpdateOne(ctx, bson.D{{Key: "_id", Value: id}, {Key: ticket, Value: drawn[ticket]}}, bson.D{{Key: "$set", Value: fields}})
	if err != nil {
		return fmt.Errorf("mongodb: refresh product: %w", err)
	}
	return nil
}

// SetAvailable sets availability in bulk.
func (s *Store) SetAvailable(ctx context.Context, available map[uuid.UUID]bool) error {
	return updateEach(ctx, s.products, available, func(a bool) bson.D {
		return bson.D{{Key: "$set", Value: bson.D{{Key: "available", Value: a}}}}
	})
}

// SetRatings sets ratings in bulk.
func (s *Store) SetRatings(ctx context.Context, ratings map[uuid.UUID]products.Rating) error {
	return updateEach(ctx, s.products, ratings, func(r products.Rating) bson.D {
		return bson.D{{Key: "$set", Value: ratingFields(r)}}
	})
}

// AddSold adds pieces sold by product.
func (s *Store) AddSold(ctx context.Context, pieces map[uuid.UUID]int) error {
	return updateEach(ctx, s.products, pieces, func(n int) bson.D {
		return bson.D{{Key: "$inc", Value: bson.D{{Key: "sold", Value: n}}}}
	})
}

// updateEach updates documents by id in one command.
func updateEach[T any](ctx context.Context, c *mongo.Collection, values map[uuid.UUID]T, update func(T) bson.D) error {
	writes := make([]mongo.WriteModel, 0, len(values))
	for id, v := range values {
		writes = append(writes, mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: id}}).SetUpdate(update(v)))
	}
	return bulk(ctx, c, writes)
}

// bulk runs independent writes.
func bulk(ctx context.Context, c *mongo.Collection, writes []mongo.WriteModel) error {
	if len(writes) == 0 {
		return nil
	}
	if _, err := c.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false)); err != nil {
		return fmt.Errorf("mongodb: bulk write %s: %w", c.Name(), err)
	}
	return nil
}

// keyDoc is one use of a mutation.
type keyDoc struct {
	ID      keyID     `bson:"_id"`
	Hash    []byte    `bson:"hash"`
	Result  uuid.UUID `bson:"result"`
	Created time.Time `bson:"created"`
	Until   time.Time `bson:"until,omitempty"` // of the lease of the call that is at it; none once it is answered
}

type keyID struct {
	Owner     uuid.UUID `bson:"owner"`
	Operation string    `bson:"operation"`
	Key       string    `bson:"key"`
}

// ClaimKey records that owner uses an idempotency key.
func (s *Store) ClaimKey(ctx context.Context, k products.IdempotencyKey, proposed uuid.UUID, lease time.Duration) (products.Claim, error) {
	id, now := keyID{k.Owner, k.Operation, k.Key}, time.Now().UTC().Truncate(time.Millisecond)
	doc := keyDoc{ID: id, Hash: k.Hash, Result: proposed, Created: now, Until: now.Add(lease)}
	_, err := s.keys.InsertOne(ctx, doc)
	if err == nil {
		return products.Claim{ID: proposed, First: true}, nil
	}
	if !mongo.IsDuplicateKeyError(err) {
		return products.Claim{}, fmt.Errorf("mongodb: claim key: %w", err)
	}
	doc = keyDoc{}
	err = s.keys.FindOne(ctx, bson.D{{Key: "_id", Value: id}}).Decode(&doc)
	switch {
	case errors.Is(err, mongo.ErrNoDocuments): // released in between
		return products.Claim{}, keyInFlight()
	case err != nil:
		return products.Claim{}, fmt.Errorf("mongodb: claim key: %w", err)
	case !slices.Equal(doc.Hash, k.Hash):
		return products.Claim{}, products.ErrIdempotencyReused()
	case doc.Until.IsZero():
		return products.Claim{ID: doc.Result, Answered: true}, nil
	case doc.Until.After(now):
		return products.Claim{}, keyInFlight()
	}
	// The call that was at it is gone: one of those that come takes it over.
	taken, err := s.keys.UpdateOne(ctx, bson.D{{Key: "_id", Value: id}, {Key: "until", Value: doc.Until}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "until", Value: now.Add(lease)}}}})
	switch {
	case err != nil:
		return products.Claim{}, fmt.Errorf("mongodb: claim key: %w", err)
	case taken.ModifiedCount == 0:
		return products.Claim{}, keyInFlight()
	}
	return products.Claim{ID: doc.Result}, nil
}

func keyInFlight() error {
	return errs.At(errs.InFlight, "A call with this key is being worked on: try again in a moment.", "idempotencyKey").With("retryAfter", 1)
}

// FinishKey says that the call of a key is answered.
func (s *Store) FinishKey(ctx context.Context, k products.IdempotencyKey) error {
	_, err := s.keys.UpdateByID(ctx, keyID{k.Owner, k.Operation, k.Key}, bson.D{{Key: "$unset", Value: bson.D{{Key: "until", Value: ""}}}})
	if err != nil {
		return fmt.Errorf("mongodb: finish key: %w", err)
	}
	return nil
}

// ReleaseKey forgets a key whose operation was refused.
func (s *Store) ReleaseKey(ctx context.Context, k products.IdempotencyKey) error {
	if _, err := s.keys.DeleteOne(ctx, bson.D{{Key: "_id", Value: keyID{k.Owner, k.Operation, k.Key}}}); err != nil {
		return fmt.Errorf("mongodb: release key: %w", err)
	}
	return nil
}
