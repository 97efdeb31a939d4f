package mongodb

import (
	"strconv"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/products"
)

// in matches one of the values; none of an empty list.
func in[T any](values []T) bson.D {
	if values == nil {
		values = []T{}
	}
	return bson.D{{Key: "$in", Value: values}}
}

// nothing matches no document.
func nothing() bson.D { return bson.D{{Key: "_id", Value: in[uuid.UUID](nil)}} }

// within narrows a filter to a category and below.
func within(f products.Filter, category uuid.UUID) products.Filter {
	f.Categories = append([][]uuid.UUID{{category}}, f.Categories...)
	return f
}

// either matches the value, or one of several.
func either[T any](values []T) any {
	if len(values) == 1 {
		return values[0]
	}
	return in(values)
}

// matching gives the conditions of a filter.
func matching(f products.Filter) bson.D {
	statuses := f.Statuses
	if len(statuses) == 0 {
		statuses = []products.Status{products.Active, products.Draft, products.Archived}
	}
	all := bson.A{bson.D{{Key: "status", Value: either(statuses)}}}
	add := func(field string, condition any) {
		all = append(all, bson.D{{Key: field, Value: condition}})
	}
	for _, any := range f.Categories {
		add("path", either(any))
	}
	if len(f.Vendors) > 0 {
		add("vendor", either(f.Vendors))
	}
	if f.PriceMin != nil || f.PriceMax != nil {
		var price bson.D
		if f.PriceMin != nil {
			price = append(price, bson.E{Key: "$gte", Value: *f.PriceMin})
			add("priceMax", bson.D{{Key: "$gte", Value: *f.PriceMin}})
		}
		if f.PriceMax != nil {
			price = append(price, bson.E{Key: "$lte", Value: *f.PriceMax})
			add("priceMin", bson.D{{Key: "$lte", Value: *f.PriceMax}})
		}
		add("variants", bson.D{{Key: "$elemMatch", Value: bson.D{{Key: "price", Value: price}}}})
	}
	for _, a := range f.Attributes {
		add("attributes", bson.D{{Key: "$elemMatch", Value: bson.D{{Key: "key", Value: a.Key}, {Key: "value", Value: either(a.Values)}}}})
	}
	if f.Available != nil {
		add("available", *f.Available)
	}
	if f.RatingMin > 0 {
		add("rating", bson.D{{Key: "$gte", Value: f.RatingMin}})
	}
	for _, tag := range f.Tags {
		add("tags", tag)
	}
	if f.UpdatedGTE != nil {
		add("updated", bson.D{{Key: "$gte", Value: *f.UpdatedGTE}})
	}
	if f.UpdatedLT != nil {
		add("updated", bson.D{{Key: "$lt", Value: *f.UpdatedLT}})
	}
	return bson.D{{Key: "$and", Value: all}}
}

// listing gives the conditions and the order of a part of a list.
func listing(f products.Filter, by products.Sort, r page.Request) (where, order bson.D, err error) {
	field, ok := sortFields[by.Field]
	if !ok {
		field = sortFields[products.ByPublished]
	}
	direction, beyond := 1, "$gt"
	if by.Ascending == r.Backward {
		direction, beyond = -1, "$lt"
	}
	where = matching(f)
	order = bson.D{{Key: field, Value: direction}, {Key: "_id", Value: direction}}
	if r.From == nil {
		return where, order, nil
	}
	value, id, err := position(field, r.From)
	if err != nil {
		return nil, nil, err
	}
	// The first condition bounds the index; the second leaves out the ties that were read.
	where = bson.D{{Key: "$and", Value: bson.A{
		where,
		bson.D{{Key: field, Value: bson.D{{Key: beyond + "e", Value: value}}}},
		bson.D{{Key: "$or", Value: bson.A{
			bson.D{{Key: field, Value: bson.D{{Key: beyond, Value: value}}}},
			bson.D{{Key: "_id", Value: bson.D{{Key: beyond, Value: id}}}},
		}}},
	}}}
	return where, order, nil
}

// position reads a key that products.Sort.Key made.
func position(field string, k page.Key) (value any, id uuid.UUID, err error) {
	broken := errs.New(errs.CursorMismatch, "This cursor was not made by this list.")
	if len(k) != 2 {
		return nil, id, broken
	}
	if id, err = uuid.Parse(k[1]); err != nil {
		return nil, id, broken
	}
	if field == "titleKey" {
		return k[0], id, nil
	}
	n, err := strconv.ParseInt(k[0], 10, 64)
	if err != nil {
		return nil, id, broken
	}
	if field == "published" || field == "updated" {
		return time.UnixMilli(n).UTC(), id, nil
	}
	return n, id, nil
}
