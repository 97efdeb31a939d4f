package mongodb

import (
	"bytes"
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

const (
	importBatch  = 500
	importRounds = 3 // for products that are changed by someone else meanwhile
)

// importItem is one product of an import, with what is to be written for it.
type importItem struct {
	product *products.Product
	outcome *products.ImportOutcome
	before  *productDoc // nil for a new one
	after   *productDoc
}

// ImportProducts inserts or replaces products by slug in bulk.
func (s *Store) ImportProducts(ctx context.Context, list []*products.Product, now time.Time) ([]products.ImportOutcome, error) {
	outcomes := make([]products.ImportOutcome, len(list))
	items := make([]importItem, len(list))
	for i, p := range list {
		items[i] = importItem{product: p, outcome: &outcomes[i]}
	}
	// Words are counted once for all: most products share most of theirs.
	words := make(map[string]int)
	err := s.importAll(ctx, items, now, words)
	if err := errors.Join(err, s.countWords(context.WithoutCancel(ctx), words)); err != nil {
		return nil, err
	}
	return outcomes, nil
}

// importAll imports batch after batch, and gathers in words what changes in the dictionary.
func (s *Store) importAll(ctx context.Context, items []importItem, now time.Time, words map[string]int) error {
	for part := range slices.Chunk(items, importBatch) {
		for round := 0; len(part) > 0; round++ {
			if round == importRounds {
				for _, item := range part {
					item.outcome.Err = errs.New(errs.Conflict, "It is being changed by someone else.")
				}
				break
			}
			var err error
			if part, err = s.importPart(ctx, part, now, words); err != nil {
				return err
			}
		}
	}
	return nil
}

// importPart imports a batch and gives those items that have to be tried again.
func (s *Store) importPart(ctx context.Context, part []importItem, now time.Time, words map[string]int) (again []importItem, err error) {
	todo, writes, err := s.plan(ctx, part, now)
	if err != nil || len(writes) == 0 {
		return nil, err
	}
	updates := 0
	for _, item := range todo {
		if item.before != nil {
			updates++
		}
	}
	done, err := s.products.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false))
	failed := make(map[int]bool)
	var refusals mongo.BulkWriteException
	if errors.As(err, &refusals) && refusals.WriteConcernError == nil {
		for _, e := range refusals.WriteErrors {
			failed[e.Index] = true
			item := todo[e.Index]
			if item.outcome.Err = refused(e, item.product); errs.All(item.outcome.Err) == nil {
				return nil, item.outcome.Err
			}
			if item.before != nil {
				updates--
			}
		}
	} else if err != nil {
		return nil, fmt.Errorf("mongodb: import products: %w", err)
	}
	for i, item := range todo {
		if failed[i] {
			continue
		}
		item.outcome.ID, item.outcome.Created, item.outcome.Updated = item.after.ID, item.before == nil, item.before != nil
		item.outcome.Removed = item.removes()
		addWords(words, item.before, -1)
		addWords(words, item.after, 1)
		if item.before != nil {
			again = append(again, item)
		}
	}
	if int(done.MatchedCount) == updates {
		return nil, nil
	}
	// Some were changed by someone else: comparing anew finds which.
	return again, nil
}

// plan compares a batch with what is stored and gives the items to write, each with its write.
func (s *Store) plan(ctx context.Context, part []importItem, now time.Time) (todo []importItem, writes []mongo.WriteModel, err error) {
	tree, err := s.tree(ctx)
	if err != nil {
		return nil, nil, err
	}
	slugs := make([]string, len(part))
	for i, item := range part {
		slugs[i] = item.product.Slug
	}
	docs, err := find[*productDoc](ctx, s.products, bson.D{{Key: "slug", Value: in(slugs)}}, options.Find())
	if err != nil {
		return nil, nil, err
	}
	stored := make(map[string]*productDoc, len(docs))
	for _, d := range docs {
		stored[d.Body.Slug] = d
	}
	for _, item := range part {
		path := pathTo(tree, item.product.CategoryID)
		if path == nil && item.product.CategoryID != uuid.Nil {
			item.outcome.Err = products.ErrNoCategory("categoryId")
			continue
		}
		item.before = stored[item.product.Slug]
		item.prepare(path, now)
		item.outcome.ID = item.after.ID
		if item.before == nil {
			writes = append(writes, mongo.NewInsertOneModel().SetDocument(item.after))
			todo = append(todo, item)
			continue
		}
		same, err := item.equal()
		if err != nil {
			return nil, nil, err
		}
		if same {
			continue
		}
		writes = append(writes, mongo.NewUpdateOneModel().
			SetFilter(bson.D{{Key: "_id", Value: item.after.ID}, {Key: "version", Value: item.before.Version}}).
			SetUpdate(change(item.after)))
		todo = append(todo, item)
	}
	return todo, writes, nil
}

// prepare makes the document to store; of a product that is there, its ids and first publication stay.
func (i *importItem) prepare(path []*products.Category, now time.Time) {
	p := *i.product
	p.Variants = slices.Clone(p.Variants)
	p.Version, p.UpdatedAt = 1, now
	if p.CreatedAt.IsZero() {
		p.CreatedAt = now
	}
	if i.before != nil {
		b := i.before.product()
		p.ID, p.Version, p.CreatedAt = b.ID, b.Version+1, b.CreatedAt
		if !b.PublishedAt.IsZero() {
			p.PublishedAt = b.PublishedAt
		}
		ids := make(map[string]uuid.UUID, len(b.Variants))
		for v := range b.Variants {
			ids[b.Variants[v].SKU] = b.Variants[v].ID
		}
		for v := range p.Variants {
			if id, ok := ids[p.Variants[v].SKU]; ok {
				p.Variants[v].ID = id
			}
		}
	}
	i.after = newProductDoc(&p)
	i.after.setTree(&p, path)
}

// equal reports whether storing the item would change nothing but its version and time.
func (i *importItem) equal() (bool, error) {
	type content struct {
		Body productBody `bson:",inline"`
		Tree productTree `bson:",inline"`
	}
	encode := func(d *productDoc) ([]byte, error) {
		c := content{d.Body, d.Tree}
		c.Body.Updated = time.Time{}
		return bson.Marshal(c)
	}
	before, err := encode(i.before)
	if err != nil {
		return false, fmt.Errorf("mongodb: import products: %w", err)
	}
	after, err := encode(i.after)
	if err != nil {
		return false, fmt.Errorf("mongodb: import products: %w", err)
	}
	return bytes.Equal(before, after), nil
}

// removes reports whether variants end.
func (i *importItem) removes() bool {
	if i.before == nil {
		return false
	}
	return slices.ContainsFunc(i.before.Body.Variants, func(b variantDoc) bool {
		return !slices.ContainsFunc(i.after.Body.Variants, func(a variantDoc) bool { return a.ID == b.ID })
	})
}
