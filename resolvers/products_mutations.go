package resolvers

import (
	"context"
	"strconv"

	"github.com/google/uuid"

	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/graph/request"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/products"
)

// index gives the path of a field of an item of a list.
func index(list string, i int, field string) []string {
	return []string{list, strconv.Itoa(i), field}
}

// optionalID reads an id that may be left out; what is wrong with it goes to c.
func optionalID(c *errs.Collector, prefix string, text *string, field string) *uuid.UUID {
	if text == nil {
		return nil
	}
	u, err := id(prefix, *text, field)
	c.Merge(err)
	return &u
}

// ProductCreate answers Mutation.productCreate.
func (m mutationResolver) ProductCreate(ctx context.Context, input model.ProductCreateInput) (*model.ProductCreatePayload, error) {
	var c errs.Collector
	content := products.Product{
		Title: input.Title, Slug: text(input.Slug), DescriptionHTML: text(input.DescriptionHTML), Vendor: input.Vendor,
		Options: optionInputs(input.Options), Variants: m.r.variantInputs(&c, input.Variants), Media: mediaInputs(input.Media),
		Attributes: attributeInputs(input.Attributes), Tags: input.Tags, Status: products.Status(input.Status),
	}
	if u := optionalID(&c, model.PrefixCategory, input.CategoryID, "categoryId"); u != nil {
		content.CategoryID = *u
	}
	payload := &model.ProductCreatePayload{}
	p, err := m.r.Products.Create(ctx, products.NewProduct{Content: content,
		IdempotencyKey: request.IdempotencyKey(ctx, input.IdempotencyKey), Faults: c.Err(), Replayed: &payload.Replayed})
	if err == nil {
		payload.Product = showProduct(ctx, p)
	}
	payload.UserErrors, err = userErrors(err)
	return payload, err
}

// ProductUpdate answers Mutation.productUpdate.
func (m mutationResolver) ProductUpdate(ctx context.Context, input model.ProductUpdateInput) (*model.ProductUpdatePayload, error) {
	var c errs.Collector
	change := products.Change{
		Title: input.Title, Slug: input.Slug, DescriptionHTML: input.DescriptionHTML, Vendor: input.Vendor,
		CategoryID: optionalID(&c, model.PrefixCategory, input.CategoryID, "categoryId"),
		Options:    optionInputs(input.Options), Variants: m.r.variantInputs(&c, input.Variants), Media: mediaInputs(input.Media),
		Attributes: attributeInputs(input.Attributes), Tags: input.Tags, Status: (*products.Status)(input.Status),
	}
	if input.ClearCategory {
		if input.CategoryID != nil {
			c.Add(errs.Invalid, "Give categoryId or clearCategory, not both.", "clearCategory")
		}
		change.CategoryID = &uuid.Nil
	}
	change.Faults = c.Err()
	payload := &model.ProductUpdatePayload{}
	u, err := id(model.PrefixProduct, input.ID, "id")
	if err == nil {
		var p *products.Product
		if p, err = m.r.Products.Update(ctx, u, input.ExpectedVersion, change); err == nil {
			payload.Product = showProduct(ctx, p)
		}
	}
	payload.UserErrors, err = userErrors(err)
	return payload, err
}

// ProductArchive answers Mutation.productArchive.
func (m mutationResolver) ProductArchive(ctx context.Context, input model.ProductArchiveInput) (*model.ProductArchivePayload, error) {
	payload := &model.ProductArchivePayload{}
	u, err := id(model.PrefixProduct, input.ID, "id")
	if err == nil {
		var p *products.Product
		if p, err = m.r.Products.Archive(ctx, u, input.ExpectedVersion); err == nil {
			payload.Product = showProduct(ctx, p)
		}
	}
	payload.UserErrors, err = userErrors(err)
	return payload, err
}
