package mongodb

import (
	"fmt"
	"math"
	"strconv"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/products"
)

// priceSteps are the bounds of the price facet, in major units.
var priceSteps = []int64{0, 25, 50, 100, 250, 500, 1000, 2500}

// maxAttributeFacets bounds the attributes that are offered to narrow by.
const maxAttributeFacets = 10

type searchAnswer struct {
	Hits []struct {
		Score      float64        `bson:"score"`
		Product    []*productDoc  `bson:"product"`
		Categories []*categoryDoc `bson:"categories"`
	} `bson:"hits"`
	Total      []counted[int]         `bson:"total"`
	Categories []countedCategory      `bson:"categories"`
	Vendors    []counted[string]      `bson:"vendors"`
	Prices     []countedPrice         `bson:"prices"`
	Ratings    []counted[int]         `bson:"ratings"`
	Available  []counted[bool]        `bson:"available"`
	Attributes []counted[attributeID] `bson:"attributes"`
}

type counted[T any] struct {
	ID    T   `bson:"_id"`
	Count int `bson:"count"`
}

type countedCategory struct {
	ID       uuid.UUID `bson:"_id"`
	Count    int       `bson:"count"`
	Category []struct {
		Name string `bson:"name"`
	} `bson:"category"`
}

type countedPrice struct {
	ID       int64  `bson:"_id"`
	Count    int    `bson:"count"`
	Currency string `bson:"currency"`
}

type attributeID struct {
	Key   string `bson:"key"`
	Name  string `bson:"name"`
	Value string `bson:"value"`
	Unit  string `bson:"unit"`
}

// facetStages counts what matches by everything that it can be narrowed by.
func facetStages(categories string) bson.D {
	by := func(expression any, limit int, before ...any) bson.A {
		return append(append(bson.A{}, before...),
			bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: expression}, {Key: "count", Value: bson.D{{Key: "$sum", Value: 1}}}}}},
			bson.D{{Key: "$sort", Value: bson.D{{Key: "count", Value: -1}, {Key: "_id", Value: 1}}}},
			bson.D{{Key: "$limit", Value: limit}})
	}
	category := append(by("$path", maxFacetValues, bson.D{{Key: "$unwind", Value: "$path"}}),
		bson.D{{Key: "$lookup", Value: bson.D{
			{Key: "from", Value: categories}, {Key: "localField", Value: "_id"}, {Key: "foreignField", Value: "_id"}, {Key: "as", Value: "category"},
			{Key: "pipeline", Value: bson.A{bson.D{{Key: "$project", Value: bson.D{{Key: "name", Value: 1}}}}}},
		}}})
	attribute := bson.D{
		{Key: "key", Value: "$attributes.key"}, {Key: "name", Value: "$attributes.name"},
		{Key: "value", Value: "$attributes.value"}, {Key: "unit", Value: "$attributes.unit"},
	}
	return bson.D{
		{Key: "total", Value: bson.A{bson.D{{Key: "$count", Value: "count"}}}},
		{Key: "categories", Value: category},
		{Key: "vendors", Value: by("$vendor", maxFacetValues)},
		{Key: "prices", Value: bson.A{
			bson.D{{Key: "$group", Value: bson.D{
				{Key: "_id", Value: priceStep()}, {Key: "count", Value: bson.D{{Key: "$sum", Value: 1}}},
				{Key: "currency", Value: bson.D{{Key: "$first", Value: "$currency"}}},
			}}},
			bson.D{{Key: "$sort", Value: keys("_id")}},
		}},
		{Key: "ratings", Value: by("$rating", 60)},
		{Key: "available", Value: by("$available", 2)},
		{Key: "attributes", Value: by(attribute, maxFacetPairs, bson.D{{Key: "$unwind", Value: "$attributes"}})},
	}
}

// priceStep gives the lower bound, in major units, of the step that a product's price is in.
func priceStep() bson.D {
	var branches bson.A
	for i := len(priceSteps) - 1; i > 0; i-- {
		branches = append(branches, bson.D{
			{Key: "case", Value: bson.D{{Key: "$gte", Value: bson.A{"$priceMin", bson.D{{Key: "$multiply", Value: bson.A{priceSteps[i], minorUnits()}}}}}}},
			{Key: "then", Value: priceSteps[i]},
		})
	}
	return bson.D{{Key: "$switch", Value: bson.D{{Key: "branches", Value: branches}, {Key: "default", Value: priceSteps[0]}}}}
}

// minorUnits gives how many minor units the currency's major unit has.
func minorUnits() bson.D {
	var branches bson.A
	for _, c := range []money.Currency{"JPY", "KRW", "KWD"} {
		branches = append(branches, bson.D{
			{Key: "case", Value: bson.D{{Key: "$eq", Value: bson.A{"$currency", string(c)}}}},
			{Key: "then", Value: int64(math.Pow10(int(c.Digits())))},
		})
	}
	return bson.D{{Key: "$switch", Value: bson.D{{Key: "branches", Value: branches}, {Key: "default", Value: int64(100)}}}}
}

// facets gives what was counted, for people.
func (a *searchAnswer) facets() []products.Facet {
	list := []products.Facet{{Key: "category", Name: "Category"}, {Key: "vendor", Name: "Brand"}, {Key: "price", Name: "Price"}, {Key: "rating", Name: "Rating"}, {Key: "available", Name: "Availability"}}
	for _, c := range a.Categories {
		if len(c.Category) == 1 {
			list[0].Values = append(list[0].Values, products.FacetValue{Value: c.ID.String(), Label: c.Category[0].Name, Count: c.Count})
		}
	}
	for _, c := range a.Vendors {
		list[1].Values = append(list[1].Values, products.FacetValue{Value: c.ID, Label: c.ID, Count: c.Count})
	}
	for _, c := range a.Prices {
		list[2].Values = append(list[2].Values, priceValue(c))
	}
	list[3].Values = a.ratingValues()
	for _, c := range a.Available {
		label := "Out of stock"
		if c.ID {
			label = "In stock"
		}
		list[4].Values = append(list[4].Values, products.FacetValue{Value: strconv.FormatBool(c.ID), Label: label, Count: c.Count})
	}
	list = append(list, a.attributeFacets()...)
	kept := list[:0]
	for _, f := range list {
		if len(f.Values) > 0 {
			kept = append(kept, f)
		}
	}
	return kept
}

func priceValue(c countedPrice) products.FacetValue {
	for i, step := range priceSteps[1:] {
		if c.ID == priceSteps[i] {
			return products.FacetValue{
				Value: fmt.Sprintf("%d-%d", c.ID, step), Label: fmt.Sprintf("%d to %d %s", c.ID, step, c.Currency), Count: c.Count,
			}
		}
	}
	return products.FacetValue{Value: fmt.Sprintf("%d-", c.ID), Label: fmt.Sprintf("%d %s and more", c.ID, c.Currency), Count: c.Count}
}

// ratingValues counts what has at least so many stars.
func (a *searchAnswer) ratingValues() []products.FacetValue {
	var values []products.FacetValue
	for stars := 1; stars <= 4; stars++ {
		n := 0
		for _, r := range a.Ratings {
			if r.ID >= stars*10 {
				n += r.Count
			}
		}
		if n > 0 {
			values = append(values, products.FacetValue{Value: strconv.Itoa(stars), Label: starsAndMore(stars), Count: n})
		}
	}
	return values
}

// attributeFacets gives the attributes that most products have, each with its most frequent values.
func (a *searchAnswer) attributeFacets() []products.Facet {
	var list []products.Facet
	at := make(map[string]int)
	for _, c := range a.Attributes { // most frequent first
		i, ok := at[c.ID.Key]
		if !ok {
			if len(list) == maxAttributeFacets {
				continue
			}
			i = len(list)
			at[c.ID.Key] = i
			list = append(list, products.Facet{Key: c.ID.Key, Name: c.ID.Name})
		}
		if len(list[i].Values) == maxFacetValues {
			continue
		}
		label := c.ID.Value
		if c.ID.Unit != "" {
			label += " " + c.ID.Unit
		}
		list[i].Values = append(list[i].Values, products.FacetValue{Value: c.ID.Value, Label: label, Count: c.Count})
	}
	return list
}

func starsAndMore(n int) string {
	if n == 1 {
		return "1 star and more"
	}
	return fmt.Sprintf("%d stars and more", n)
}
