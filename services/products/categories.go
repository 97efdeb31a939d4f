package products

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// Bounds of the category tree.
const (
	MaxCategories = 1000
	MaxLevels     = 5
)

// CategoryChange says what of a category to change; what is nil stays.
type CategoryChange struct {
	Name        *string
	Slug        *string
	Description *string
	ParentID    *uuid.UUID // zero: to the top
	Position    *int
}

// Categories gives categories by id, in one command.
func (s *Service) Categories(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Category, error) {
	return s.catalog.Categories(ctx, ids)
}

// CategoryBySlug gives the category with the slug. It fails with NOT_FOUND.
func (s *Service) CategoryBySlug(ctx context.Context, slug string) (*Category, error) {
	found, err := s.catalog.CategoriesBySlug(ctx, []string{slug})
	return one(found, slug, err)
}

// Children gives the categories right below each parent (zero: the top) in the shop's order, in one command.
func (s *Service) Children(ctx context.Context, parentIDs []uuid.UUID) (map[uuid.UUID][]*Category, error) {
	return s.catalog.Children(ctx, parentIDs)
}

// CreateCategory adds a category: of c what staff may say is taken. It fails with what is wrong
// with its fields, TAKEN at slug, NOT_FOUND at parentId and LIMIT_EXCEEDED.
func (s *Service) CreateCategory(ctx context.Context, c *Category) (*Category, error) {
	if err := viewer.FromContext(ctx).Require(viewer.CatalogWrite); err != nil {
		return nil, err
	}
	fresh := &Category{ID: newID(), Version: 1, Slug: c.Slug, Name: c.Name, Description: c.Description, ParentID: c.ParentID, Position: c.Position}
	made := c.Slug == ""
	if made {
		fresh.Slug = MakeSlug(c.Name)
	}
	if fresh.Slug == "" {
		fresh.Slug = "category-" + suffix(fresh.ID)
	}
	if err := fresh.check(); err != nil {
		return nil, err
	}
	err := s.catalog.InsertCategory(ctx, fresh)
	if made && slugTaken(err) {
		fresh.Slug = fresh.Slug[:min(len(fresh.Slug), maxSlugSize-9)] + "-" + suffix(fresh.ID)
		err = s.catalog.InsertCategory(ctx, fresh)
	}
	if err != nil {
		return nil, err
	}
	return fresh, nil
}

// check trims the texts of a category and reports all that is wrong with it.
func (c *Category) check() error {
	c.Name, c.Slug, c.Description = strings.TrimSpace(c.Name), strings.TrimSpace(c.Slug), strings.TrimSpace(c.Description)
	faults := &checker{}
	faults.text(c.Name, 1, maxName, "name")
	faults.slug(c.Slug)
	if utf8.RuneCountInString(c.Description) > maxDescription {
		faults.Addf([]string{"description"}, errs.TooLong, "It has more than %d characters.", maxDescription)
	}
	const maxPosition = 1_000_000
	if c.Position < -maxPosition || c.Position > maxPosition {
		faults.Add(errs.OutOfRange, "A position is between minus and plus one million.", "position")
	}
	return faults.Err()
}

// UpdateCategory changes or moves a category; what is below follows. It fails with NOT_FOUND,
// CONFLICT (Data currentVersion), what is wrong with its fields, TAKEN at slug, NOT_FOUND or
// INVALID at parentId, and LIMIT_EXCEEDED.
func (s *Service) UpdateCategory(ctx context.Context, id uuid.UUID, expectedVersion int, ch CategoryChange) (*Category, error) {
	if err := viewer.FromContext(ctx).Require(viewer.CatalogWrite); err != nil {
		return nil, err
	}
	found, err := s.catalog.Categories(ctx, []uuid.UUID{id})
	if err != nil {
		return nil, err
	}
	c := found[id]
	if c == nil {
		return nil, errs.At(errs.NotFound, "There is no such category.", "id")
	}
	if c.Version != expectedVersion {
		return nil, ErrConflict(c.Version)
	}
	set(&c.Name, ch.Name)
	set(&c.Slug, ch.Slug)
	set(&c.Description, ch.Description)
	set(&c.ParentID, ch.ParentID)
	set(&c.Position, ch.Position)
	if err := c.check(); err != nil {
		return nil, err
	}
	c.Version++
	if err := s.catalog.UpdateCategory(ctx, c); err != nil {
		return nil, err
	}
	return c, nil
}

// DeleteCategory removes an empty category. It fails with NOT_FOUND and INVALID_STATE.
func (s *Service) DeleteCategory(ctx context.Context, id uuid.UUID) error {
	if err := viewer.FromContext(ctx).Require(viewer.CatalogWrite); err != nil {
		return err
	}
	return s.catalog.DeleteCategory(ctx, id)
}
