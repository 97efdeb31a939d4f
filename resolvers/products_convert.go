package resolvers

import (
	"context"
	"math"

	"github.com/google/uuid"

	"github.com/techmart/techmart/dataloaders"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/products"
)

// showProduct shows a product that was read by another way than its loader, and keeps it there.
func showProduct(ctx context.Context, p *products.Product) *model.Product {
	dataloaders.For(ctx).Products.Prime(ctx, p)
	return newProduct(p)
}

func showProducts(ctx context.Context, list []*products.Product) []*model.Product {
	out := make([]*model.Product, len(list))
	for i, p := range list {
		out[i] = showProduct(ctx, p)
	}
	return out
}

func newProduct(p *products.Product) *model.Product {
	m := &model.Product{
		ID: model.ID(model.PrefixProduct, p.ID), ProductID: p.ID, CategoryID: p.CategoryID,
		Slug: p.Slug, Title: p.Title, Description: p.Description, DescriptionHTML: p.DescriptionHTML, Vendor: p.Vendor,
		Status: model.ProductStatus(p.Status), Options: make([]*model.ProductOption, len(p.Options)),
		Variants: make([]*model.ProductVariant, len(p.Variants)), Media: make([]*model.Media, len(p.Media)),
		Attributes: make([]*model.ProductAttribute, len(p.Attributes)), Tags: append([]string{}, p.Tags...),
		PriceRange: &model.PriceRange{Min: newMoney(p.PriceMin), Max: newMoney(p.PriceMax)}, Available: p.Available,
		Rating: newRating(p.Rating), CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt, Version: p.Version,
	}
	for i, o := range p.Options {
		m.Options[i] = &model.ProductOption{Name: o.Name, Values: o.Values}
	}
	for i := range p.Variants {
		m.Variants[i] = newVariant(p, &p.Variants[i])
	}
	for i := range p.Media {
		m.Media[i] = newMedia(&p.Media[i])
	}
	for i, a := range p.Attributes {
		m.Attributes[i] = &model.ProductAttribute{Key: a.Key, Name: a.Name, Value: a.Value, Unit: optional(a.Unit)}
	}
	if !p.PublishedAt.IsZero() {
		m.PublishedAt = &p.PublishedAt
	}
	return m
}

func newRating(r products.Rating) *model.Rating {
	m := &model.Rating{Count: r.Count}
	if r.Count > 0 {
		average := float64(r.Tenths()) / 10
		m.Average = &average
	}
	return m
}

func newVariant(p *products.Product, v *products.Variant) *model.ProductVariant {
	m := &model.ProductVariant{
		ID: model.ID(model.PrefixVariant, v.ID), VariantID: v.ID, ProductID: p.ID, Sku: v.SKU, Title: v.Title,
		SelectedOptions: make([]*model.SelectedOption, len(v.Options)), Price: newMoney(v.Price),
		Barcode: optional(v.Barcode), WeightGrams: v.WeightGrams, Image: newMedia(v.Image),
	}
	for i, o := range v.Options {
		m.SelectedOptions[i] = &model.SelectedOption{Name: o.Name, Value: o.Value}
	}
	if v.CompareAt != nil {
		m.CompareAtPrice = newMoney(*v.CompareAt)
	}
	return m
}

func newProductVariant(v products.ProductVariant) *model.ProductVariant {
	return newVariant(v.Product, v.Variant)
}

func newMedia(m *products.Media) *model.Media {
	if m == nil {
		return nil
	}
	return &model.Media{URL: m.URL, Alt: m.Alt, Width: m.Width, Height: m.Height}
}

func newCategory(c *products.Category) *model.Category {
	return &model.Category{
		ID: model.ID(model.PrefixCategory, c.ID), CategoryID: c.ID, ParentID: c.ParentID, Slug: c.Slug, Name: c.Name,
		Description: optional(c.Description), Position: c.Position, Version: c.Version,
	}
}

func newCategories(list []*products.Category) []*model.Category {
	out := make([]*model.Category, len(list))
	for i, c := range list {
		out[i] = newCategory(c)
	}
	return out
}

func newFacets(list []products.Facet) []*model.SearchFacet {
	out := make([]*model.SearchFacet, len(list))
	for i, f := range list {
		out[i] = &model.SearchFacet{Key: f.Key, Name: f.Name, Values: make([]*model.FacetValue, len(f.Values))}
		for j, v := range f.Values {
			value := v.Value
			if u, err := uuid.Parse(value); f.Key == "category" && err == nil {
				value = model.ID(model.PrefixCategory, u)
			}
			out[i].Values[j] = &model.FacetValue{Value: value, Label: v.Label, Count: v.Count}
		}
	}
	return out
}

func productSort(in *model.ProductSort) products.Sort {
	if in == nil {
		return products.Sort{Field: products.ByPublished}
	}
	return products.Sort{Field: products.SortField(in.Field), Ascending: in.Direction == model.SortDirectionAsc}
}

// productWhere reads a filter. It fails with BAD_USER_INPUT.
func (r *Resolver) productWhere(in *model.ProductWhere) (products.Where, error) {
	var w products.Where
	if in == nil {
		return w, nil
	}
	if in.CategoryIds != nil {
		// An id of nothing finds nothing.
		ids := []uuid.UUID{}
		for _, text := range in.CategoryIds {
			if u, err := model.ParseID(model.PrefixCategory, text); err == nil {
				ids = append(ids, u)
			}
		}
		w.Categories = [][]uuid.UUID{ids}
	}
	if in.CategorySlug != nil {
		w.CategorySlug = *in.CategorySlug
	}
	w.Vendors, w.Tags, w.Available = in.Vendors, in.Tags, in.Available
	var c errs.Collector
	if in.Price != nil {
		w.PriceMin = r.priceBound(&c, in.Price.Gte, "gte")
		w.PriceMax = r.priceBound(&c, in.Price.Lte, "lte")
	}
	for _, a := range in.Attributes {
		w.Attributes = append(w.Attributes, products.AttributeFilter{Key: a.Key, Values: a.Values})
	}
	if in.RatingAtLeast != nil {
		w.RatingMin = ratingTenths(*in.RatingAtLeast)
	}
	for _, s := range in.Statuses {
		w.Statuses = append(w.Statuses, products.Status(s))
	}
	if in.UpdatedAt != nil {
		w.UpdatedGTE, w.UpdatedLT = in.UpdatedAt.Gte, in.UpdatedAt.Lt
	}
	return w, c.Err()
}

func (r *Resolver) priceBound(c *errs.Collector, amount *string, name string) *int64 {
	if amount == nil {
		return nil
	}
	m, err := money.Parse(*amount, r.Currency)
	if err != nil {
		c.Add(errs.BadInput, "This is no amount of "+string(r.Currency)+".", "where", "price", name)
		return nil
	}
	return &m.Amount
}

// ratingTenths gives the tenths of a star that are at least the stars given; those that no rating
// can have become -1.
func ratingTenths(stars float64) int {
	if math.IsNaN(stars) || stars < 0 || stars > 5 {
		return -1
	}
	return int(math.Ceil(stars*10 - 1e-9))
}

// variantInputs reads variants. What is wrong with them goes to c; they come nevertheless, so that
// the rest is checked, too.
func (r *Resolver) variantInputs(c *errs.Collector, list []*model.ProductVariantInput) []products.Variant {
	if list == nil {
		return nil
	}
	out := make([]products.Variant, len(list))
	for i, in := range list {
		v := products.Variant{SKU: in.Sku, WeightGrams: in.WeightGrams, Price: money.New(0, r.Currency)}
		at := func(name string) []string { return index("variants", i, name) }
		if in.ID != nil {
			u, err := id(model.PrefixVariant, *in.ID, at("id")...)
			c.Merge(err)
			v.ID = u
		}
		for _, o := range in.SelectedOptions {
			v.Options = append(v.Options, products.SelectedOption{Name: o.Name, Value: o.Value})
		}
		price, err := moneyInput(in.Price, at("price")...)
		c.Merge(err)
		if price != nil {
			v.Price = *price
		}
		v.CompareAt, err = moneyInput(in.CompareAtPrice, at("compareAtPrice")...)
		c.Merge(err)
		if in.Barcode != nil {
			v.Barcode = *in.Barcode
		}
		out[i] = v
	}
	return out
}

func optionInputs(list []*model.ProductOptionInput) []products.Option {
	return convert(list, func(in *model.ProductOptionInput) products.Option {
		return products.Option{Name: in.Name, Values: append([]string{}, in.Values...)}
	})
}

func mediaInputs(list []*model.MediaInput) []products.Media {
	return convert(list, func(in *model.MediaInput) products.Media {
		return products.Media{URL: in.URL, Alt: in.Alt, Width: in.Width, Height: in.Height}
	})
}

func attributeInputs(list []*model.ProductAttributeInput) []products.Attribute {
	return convert(list, func(in *model.ProductAttributeInput) products.Attribute {
		a := products.Attribute{Key: in.Key, Name: in.Name, Value: in.Value}
		if in.Unit != nil {
			a.Unit = *in.Unit
		}
		return a
	})
}

// convert converts a list; one that was not given stays nil.
func convert[T, U any](list []T, f func(T) U) []U {
	if list == nil {
		return nil
	}
	out := make([]U, len(list))
	for i, in := range list {
		out[i] = f(in)
	}
	return out
}
