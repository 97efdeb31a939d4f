package resolvers

import (
	"context"

	"github.com/google/uuid"

	"github.com/techmart/techmart/dataloaders"
	"github.com/techmart/techmart/graph/generated"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/products"
)

type categoryResolver struct{ r *Resolver }

// Category gives the resolver of categories.
func (r *Resolver) Category() generated.CategoryResolver { return categoryResolver{r} }

// Category answers Query.category.
func (q queryResolver) Category(ctx context.Context, categoryID, slug *string) (*model.Category, error) {
	if err := exactlyOne("Give exactly one of id and slug.", categoryID, slug); err != nil {
		return nil, err
	}
	c, err := absent(q.category(ctx, categoryID, slug))
	if c == nil || err != nil {
		return nil, err
	}
	dataloaders.For(ctx).Products.PrimeCategories(ctx, c)
	return newCategory(c), nil
}

func (q queryResolver) category(ctx context.Context, categoryID, slug *string) (*products.Category, error) {
	if slug != nil {
		return q.r.Products.CategoryBySlug(ctx, *slug)
	}
	u, err := id(model.PrefixCategory, *categoryID)
	if err != nil {
		return nil, err
	}
	return dataloaders.Load(ctx, dataloaders.For(ctx).Products.CategoryByID, u)
}

// Categories answers Query.categories.
func (q queryResolver) Categories(ctx context.Context) ([]*model.Category, error) {
	return children(ctx, uuid.Nil)
}

func children(ctx context.Context, parent uuid.UUID) ([]*model.Category, error) {
	list, err := dataloaders.Load(ctx, dataloaders.For(ctx).Products.Children, parent)
	if err != nil {
		return nil, err
	}
	return newCategories(list), nil
}

// Parent answers Category.parent.
func (categoryResolver) Parent(ctx context.Context, obj *model.Category) (*model.Category, error) {
	if obj.ParentID == uuid.Nil {
		return nil, nil
	}
	c, found, err := dataloaders.Find(ctx, dataloaders.For(ctx).Products.CategoryByID, obj.ParentID)
	if err != nil || !found {
		return nil, err
	}
	return newCategory(c), nil
}

// Children answers Category.children.
func (categoryResolver) Children(ctx context.Context, obj *model.Category) ([]*model.Category, error) {
	return children(ctx, obj.CategoryID)
}

// Ancestors answers Category.ancestors.
func (categoryResolver) Ancestors(ctx context.Context, obj *model.Category) ([]*model.Category, error) {
	load := dataloaders.For(ctx).Products.CategoryByID
	c, err := dataloaders.Load(ctx, load, obj.CategoryID)
	if err != nil {
		return nil, err
	}
	list, failures := load.LoadMany(ctx, c.Path)()
	above := make([]*products.Category, 0, len(list))
	for i, a := range list {
		switch {
		case i >= len(failures) || failures[i] == nil:
			above = append(above, a)
		case errs.CodeOf(failures[i]) != errs.NotFound: // one that was moved or removed since is left out
			return nil, failures[i]
		}
	}
	return newCategories(above), nil
}

// Products answers Category.products.
func (c categoryResolver) Products(ctx context.Context, obj *model.Category, first *int, after *string, sortBy *model.ProductSort) (*model.ProductConnection, error) {
	list := listName("category.products", obj.ID, sortBy)
	r, err := c.r.Cursors.Request(list, pageArgs(first, after, nil, nil))
	if err != nil {
		return nil, err
	}
	by := productSort(sortBy)
	load := dataloaders.For(ctx).Products
	p, err := dataloaders.Load(ctx, load.InCategory, dataloaders.NewCategoryPage(obj.CategoryID, by, r))
	if err != nil {
		return nil, err
	}
	count := func(ctx context.Context) (int, error) {
		return dataloaders.Load(ctx, load.CountInCategory, obj.CategoryID)
	}
	return c.r.productConnection(ctx, list, p, by.Key, count), nil
}

// CategoryCreate answers Mutation.categoryCreate.
func (m mutationResolver) CategoryCreate(ctx context.Context, input model.CategoryCreateInput) (*model.CategoryCreatePayload, error) {
	payload := &model.CategoryCreatePayload{}
	var faults errs.Collector
	fresh := &products.Category{Name: input.Name, Slug: text(input.Slug), Description: text(input.Description), Position: input.Position}
	if u := optionalID(&faults, model.PrefixCategory, input.ParentID, "parentId"); u != nil {
		fresh.ParentID = *u
	}
	err := faults.Err()
	if err == nil {
		var c *products.Category
		if c, err = m.r.Products.CreateCategory(ctx, fresh); err == nil {
			dataloaders.For(ctx).Products.PrimeCategories(ctx, c)
			payload.Category = newCategory(c)
		}
	}
	payload.UserErrors, err = userErrors(err)
	return payload, err
}

// CategoryUpdate answers Mutation.categoryUpdate.
func (m mutationResolver) CategoryUpdate(ctx context.Context, input model.CategoryUpdateInput) (*model.CategoryUpdatePayload, error) {
	payload := &model.CategoryUpdatePayload{}
	var faults errs.Collector
	u, err := id(model.PrefixCategory, input.ID, "id")
	faults.Merge(err)
	change := products.CategoryChange{
		Name: input.Name, Slug: input.Slug, Description: input.Description, Position: input.Position,
		ParentID: optionalID(&faults, model.PrefixCategory, input.ParentID, "parentId"),
	}
	if input.ToTop {
		if input.ParentID != nil {
			faults.Add(errs.Invalid, "Give parentId or toTop, not both.", "toTop")
		}
		change.ParentID = &uuid.Nil
	}
	if err = faults.Err(); err == nil {
		var c *products.Category
		if c, err = m.r.Products.UpdateCategory(ctx, u, input.ExpectedVersion, change); err == nil {
			dataloaders.For(ctx).Products.PrimeCategories(ctx, c)
			payload.Category = newCategory(c)
		}
	}
	payload.UserErrors, err = userErrors(err)
	return payload, err
}

// CategoryDelete answers Mutation.categoryDelete.
func (m mutationResolver) CategoryDelete(ctx context.Context, input model.CategoryDeleteInput) (*model.CategoryDeletePayload, error) {
	payload := &model.CategoryDeletePayload{}
	u, err := id(model.PrefixCategory, input.ID, "id")
	if err == nil {
		if err = m.r.Products.DeleteCategory(ctx, u); err == nil {
			payload.DeletedCategoryID = &input.ID
		}
	}
	payload.UserErrors, err = userErrors(err)
	return payload, err
}
