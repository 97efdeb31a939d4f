package mongodb

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/products"
)

func (s *Store) findCategories(ctx context.Context, filter any) ([]*products.Category, error) {
	docs, err := find[*categoryDoc](ctx, s.categories, filter, options.Find().SetSort(keys("parent", "position", "name", "_id")))
	if err != nil {
		return nil, err
	}
	list := make([]*products.Category, len(docs))
	for i, d := range docs {
		list[i] = d.category()
	}
	return list, nil
}

// Categories gives categories by id.
func (s *Store) Categories(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*products.Category, error) {
	list, err := s.findCategories(ctx, bson.D{{Key: "_id", Value: in(ids)}})
	if err != nil {
		return nil, err
	}
	return byID(list), nil
}

func byID(list []*products.Category) map[uuid.UUID]*products.Category {
	found := make(map[uuid.UUID]*products.Category, len(list))
	for _, c := range list {
		found[c.ID] = c
	}
	return found
}

// CategoriesBySlug gives categories by slug.
func (s *Store) CategoriesBySlug(ctx context.Context, slugs []string) (map[string]*products.Category, error) {
	list, err := s.findCategories(ctx, bson.D{{Key: "slug", Value: in(slugs)}})
	if err != nil {
		return nil, err
	}
	found := make(map[string]*products.Category, len(list))
	for _, c := range list {
		found[c.Slug] = c
	}
	return found, nil
}

// Children gives the categories right below each parent, by position and name.
func (s *Store) Children(ctx context.Context, parentIDs []uuid.UUID) (map[uuid.UUID][]*products.Category, error) {
	parents := make([]*uuid.UUID, len(parentIDs))
	for i := range parentIDs {
		if parentIDs[i] != uuid.Nil {
			parents[i] = &parentIDs[i]
		}
	}
	list, err := s.findCategories(ctx, bson.D{{Key: "parent", Value: in(parents)}})
	if err != nil {
		return nil, err
	}
	found := make(map[uuid.UUID][]*products.Category, len(parentIDs))
	for _, id := range parentIDs {
		found[id] = nil
	}
	for _, c := range list {
		found[c.ParentID] = append(found[c.ParentID], c)
	}
	return found, nil
}

// InsertCategory adds a category and sets its Path.
func (s *Store) InsertCategory(ctx context.Context, c *products.Category) error {
	return s.locked(ctx, func(ctx context.Context) error {
		n, err := s.categories.EstimatedDocumentCount(ctx)
		if err != nil {
			return fmt.Errorf("mongodb: count categories: %w", err)
		}
		if n >= products.MaxCategories {
			return errs.New(errs.LimitExceeded, "The tree has as many categories as it can hold.")
		}
		if c.Path, err = s.pathBelow(ctx, c.ParentID); err != nil {
			return err
		}
		if len(c.Path) >= products.MaxLevels {
			return products.ErrTooDeep()
		}
		if _, err := s.categories.InsertOne(ctx, newCategoryDoc(c)); err != nil {
			return refusedCategory(err)
		}
		return nil
	})
}

// pathBelow gives the path of what is right below the parent. It fails with NOT_FOUND at parentId.
func (s *Store) pathBelow(ctx context.Context, parent uuid.UUID) ([]uuid.UUID, error) {
	if parent == uuid.Nil {
		return nil, nil
	}
	found, err := s.Categories(ctx, []uuid.UUID{parent})
	if err != nil {
		return nil, err
	}
	if found[parent] == nil {
		return nil, products.ErrNoCategory("parentId")
	}
	return append(slices.Clone(found[parent].Path), parent), nil
}

func refusedCategory(err error) error {
	switch {
	case duplicateOf(err, "slug"):
		return products.ErrSlugTaken()
	case duplicateOf(err, "_id_"):
		return errs.New(errs.Conflict, "It exists.")
	}
	return fmt.Errorf("mongodb: write category: %w", err)
}

// UpdateCategory stores c and lets categories and products below follow.
func (s *Store) UpdateCategory(ctx context.Context, c *products.Category) error {
	return s.locked(ctx, func(ctx context.Context) error {
		found, err := s.Categories(ctx, []uuid.UUID{c.ID})
		if err != nil {
			return err
		}
		now := found[c.ID]
		if now == nil {
			return errs.At(errs.NotFound, "There is no such category.", "id")
		}
		if now.Version != c.Version-1 {
			return products.ErrConflict(now.Version)
		}
		if c.Path, err = s.pathBelow(ctx, c.ParentID); err != nil {
			return err
		}
		if err := s.checkMove(ctx, c); err != nil {
			return err
		}
		doc := newCategoryDoc(c)
		doc.Pending = now.Name != c.Name || !slices.Equal(now.Path, c.Path)
		if _, err := s.categories.ReplaceOne(ctx, bson.D{{Key: "_id", Value: c.ID}}, doc); err != nil {
			return refusedCategory(err)
		}
		if !doc.Pending {
			return nil
		}
		return s.spread(ctx, c)
	})
}

// checkMove refuses a place below itself, or too far down for what is below.
func (s *Store) checkMove(ctx context.Context, c *products.Category) error {
	if slices.Contains(c.Path, c.ID) {
		return errs.At(errs.Invalid, "A category cannot be below itself.", "parentId")
	}
	below, err := s.findCategories(ctx, bson.D{{Key: "path", Value: c.ID}})
	if err != nil {
		return err
	}
	levels := len(c.Path) + 1
	for _, b := range below {
		levels = max(levels, len(c.Path)+1+len(b.Path)-slices.Index(b.Path, c.ID))
	}
	if levels > products.MaxLevels {
		return products.ErrTooDeep()
	}
	return nil
}

// spread lets what is below c follow its path and name, then notes that it did. It can be repeated.
func (s *Store) spread(ctx context.Context, c *products.Category) error {
	below, err := s.findCategories(ctx, bson.D{{Key: "path", Value: c.ID}})
	if err != nil {
		return err
	}
	ids := []uuid.UUID{c.ID}
	var writes []mongo.WriteModel
	for _, b := range below {
		ids = append(ids, b.ID)
		path := slices.Concat(c.Path, b.Path[slices.Index(b.Path, c.ID):])
		if !slices.Equal(path, b.Path) {
			writes = append(writes, mongo.NewUpdateOneModel().
				SetFilter(bson.D{{Key: "_id", Value: b.ID}}).
				SetUpdate(bson.D{{Key: "$set", Value: bson.D{{Key: "path", Value: path}}}}))
		}
	}
	if err := bulk(ctx, s.categories, writes); err != nil {
		return err
	}
	if err := s.follow(ctx, bson.D{{Key: "category", Value: in(ids)}}); err != nil {
		return err
	}
	if _, err := s.categories.UpdateByID(ctx, c.ID, bson.D{{Key: "$unset", Value: bson.D{{Key: "pending", Value: ""}}}}); err != nil {
		return fmt.Errorf("mongodb: write category: %w", err)
	}
	return nil
}

// DeleteCategory removes a category that is empty.
func (s *Store) DeleteCategory(ctx context.Context, id uuid.UUID) error {
	return s.locked(ctx, func(ctx context.Context) error {
		// From here on no product can enter it: settle takes out those that were about to.
		err := s.categories.FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: id}},
			bson.D{{Key: "$set", Value: bson.D{{Key: "closing", Value: true}}}}).Err()
		if errors.Is(err, mongo.ErrNoDocuments) {
			return errs.At(errs.NotFound, "There is no such category.", "id")
		}
		if err != nil {
			return fmt.Errorf("mongodb: delete category: %w", err)
		}
		for _, part := range []struct {
			in    *mongo.Collection
			field string
			what  string
		}{{s.categories, "parent", "It holds other categories."}, {s.products, "category", "It holds products."}} {
			n, err := part.in.CountDocuments(ctx, bson.D{{Key: part.field, Value: id}}, options.Count().SetLimit(1))
			if err != nil {
				return fmt.Errorf("mongodb: delete category: %w", err)
			}
			if n > 0 {
				return errors.Join(errs.At(errs.InvalidState, part.what, "id"), s.reopen(ctx))
			}
		}
		if _, err := s.categories.DeleteOne(ctx, bson.D{{Key: "_id", Value: id}}); err != nil {
			return fmt.Errorf("mongodb: delete category: %w", err)
		}
		return nil
	})
}

// reopen ends removals that did not come about.
func (s *Store) reopen(ctx context.Context) error {
	_, err := s.categories.UpdateMany(ctx, bson.D{{Key: "closing", Value: true}}, bson.D{{Key: "$unset", Value: bson.D{{Key: "closing", Value: ""}}}})
	if err != nil {
		return fmt.Errorf("mongodb: write category: %w", err)
	}
	return nil
}
