package mongodb

import (
	"context"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/products"
)

const (
	maxFacetValues = 20
	maxFacetPairs  = 400 // attribute values looked at
	suggestSample  = 300 // products looked at to complete a further word
)

// textMatch gives the conditions of a search. The text index finds what has any of the words; the
// groups leave what has one of each.
func textMatch(q products.Query, f products.Filter) bson.D {
	var words []string
	all := bson.A{}
	for _, g := range q.Groups {
		words = append(words, g...)
		if !q.Any {
			all = append(all, bson.D{{Key: "words", Value: either(g)}})
		}
	}
	all = append(all, matching(f))
	return bson.D{
		{Key: "$text", Value: bson.D{{Key: "$search", Value: strings.Join(words, " ")}}},
		{Key: "$and", Value: all},
	}
}

// Search reads one page and the facets of what matches.
func (s *Store) Search(ctx context.Context, q products.Query, f products.Filter, r page.Request) (*products.Found, error) {
	hits, err := s.hits(r)
	if err != nil {
		return nil, err
	}
	facets := facetStages(s.categories.Name())
	facets = append(facets, bson.E{Key: "hits", Value: hits})
	answers, err := aggregate[searchAnswer](ctx, s.products, bson.A{
		bson.D{{Key: "$match", Value: textMatch(q, f)}},
		bson.D{{Key: "$project", Value: bson.D{
			{Key: "score", Value: bson.D{{Key: "$meta", Value: "textScore"}}},
			{Key: "path", Value: 1}, {Key: "vendor", Value: 1}, {Key: "priceMin", Value: 1}, {Key: "currency", Value: 1},
			{Key: "rating", Value: 1}, {Key: "available", Value: 1}, {Key: "attributes", Value: 1},
		}}},
		bson.D{{Key: "$facet", Value: facets}},
	})
	if err != nil {
		return nil, err
	}
	found := &products.Found{}
	if len(answers) == 0 {
		return found, nil
	}
	a := &answers[0]
	for _, h := range a.Hits {
		if len(h.Product) == 0 { // it was removed since
			continue
		}
		hit := products.Hit{Product: h.Product[0].product(), Score: h.Score}
		for _, c := range h.Categories {
			hit.Categories = append(hit.Categories, c.category())
		}
		found.Hits = append(found.Hits, hit)
	}
	for _, n := range a.Total {
		found.Total = n.Count
	}
	found.Facets = a.facets()
	return found, nil
}

// hits gives the stages that choose the page and then fetch its products and their categories.
func (s *Store) hits(r page.Request) (bson.A, error) {
	direction, beyond := -1, "$lt"
	if r.Backward {
		direction, beyond = 1, "$gt"
	}
	stages := bson.A{bson.D{{Key: "$project", Value: bson.D{{Key: "score", Value: 1}}}}}
	if r.From != nil {
		score, id, err := scorePosition(r.From)
		if err != nil {
			return nil, err
		}
		stages = append(stages, bson.D{{Key: "$match", Value: bson.D{{Key: "$or", Value: bson.A{
			bson.D{{Key: "score", Value: bson.D{{Key: beyond, Value: score}}}},
			bson.D{{Key: "score", Value: score}, {Key: "_id", Value: bson.D{{Key: beyond, Value: id}}}},
		}}}}})
	}
	return append(stages,
		bson.D{{Key: "$sort", Value: bson.D{{Key: "score", Value: direction}, {Key: "_id", Value: direction}}}},
		bson.D{{Key: "$limit", Value: r.Limit + 1}},
		bson.D{{Key: "$lookup", Value: bson.D{
			{Key: "from", Value: s.products.Name()}, {Key: "localField", Value: "_id"}, {Key: "foreignField", Value: "_id"}, {Key: "as", Value: "product"},
			{Key: "pipeline", Value: bson.A{bson.D{{Key: "$project", Value: hidden}}}},
		}}},
		bson.D{{Key: "$lookup", Value: bson.D{
			{Key: "from", Value: s.categories.Name()}, {Key: "localField", Value: "product.path"}, {Key: "foreignField", Value: "_id"}, {Key: "as", Value: "categories"},
		}}},
	), nil
}

// scorePosition reads a key that products.Hit.Key made.
func scorePosition(k page.Key) (score float64, id uuid.UUID, err error) {
	if len(k) == 2 {
		if score, err = strconv.ParseFloat(k[0], 64); err == nil {
			id, err = uuid.Parse(k[1])
		}
	}
	if len(k) != 2 || err != nil {
		return 0, id, errs.New(errs.CursorMismatch, "This cursor was not made by this list.")
	}
	return score, id, nil
}

// Suggest completes the last of the words.
func (s *Store) Suggest(ctx context.Context, text string, words []string, limit int) ([]string, error) {
	if len(words) == 0 {
		return nil, nil
	}
	head, last := words[:len(words)-1], words[len(words)-1]
	titles := bson.A{
		bson.D{{Key: "$match", Value: bson.D{{Key: "status", Value: products.Active}, {Key: "titleKey", Value: beginning(text)}}}},
		bson.D{{Key: "$sort", Value: keys("titleKey", "_id")}},
		bson.D{{Key: "$limit", Value: limit}},
		bson.D{{Key: "$project", Value: bson.D{{Key: "_id", Value: 0}, {Key: "text", Value: "$title"}}}},
	}
	byCount := bson.A{
		bson.D{{Key: "$sort", Value: bson.D{{Key: "count", Value: -1}, {Key: "_id", Value: 1}}}},
		bson.D{{Key: "$limit", Value: limit}},
		bson.D{{Key: "$project", Value: bson.D{{Key: "_id", Value: 0}, {Key: "word", Value: "$_id"}}}},
	}
	completions := append(bson.A{
		bson.D{{Key: "$match", Value: bson.D{{Key: "_id", Value: beginning(last)}, {Key: "count", Value: bson.D{{Key: "$gt", Value: 0}}}}}},
	}, byCount...)
	from := s.terms.Name()
	if len(head) > 0 {
		from = s.products.Name()
		completions = append(completionsAmong(head, last), byCount...)
	}
	// The first part of a union decides the collection that it is run on.
	start, rest, other := titles, completions, from
	if len(head) > 0 {
		start, rest, other = completions, titles, s.products.Name()
	}
	type suggestion struct {
		Text string `bson:"text"`
		Word string `bson:"word"`
	}
	found, err := aggregate[suggestion](ctx, s.products, append(start,
		bson.D{{Key: "$unionWith", Value: bson.D{{Key: "coll", Value: other}, {Key: "pipeline", Value: rest}}}}))
	if err != nil {
		return nil, err
	}
	var single, whole []string
	for _, one := range found {
		if one.Word != "" {
			single = append(single, strings.Join(append(head[:len(head):len(head)], one.Word), " "))
		} else {
			whole = append(whole, one.Text)
		}
	}
	return mix(single, whole, limit), nil
}

// completionsAmong counts the words that begin with the prefix, in products that have the other words.
func completionsAmong(head []string, prefix string) bson.A {
	groups := make([][]string, len(head))
	for i, w := range head {
		groups[i] = []string{w}
	}
	match := textMatch(products.Query{Groups: groups}, products.Filter{Statuses: []products.Status{products.Active}})
	return bson.A{
		bson.D{{Key: "$match", Value: append(match, bson.E{Key: "words", Value: bson.D{{Key: "$elemMatch", Value: beginning(prefix)}}})}},
		bson.D{{Key: "$limit", Value: suggestSample}},
		bson.D{{Key: "$project", Value: bson.D{{Key: "words", Value: 1}}}},
		bson.D{{Key: "$unwind", Value: "$words"}},
		bson.D{{Key: "$match", Value: bson.D{{Key: "words", Value: beginning(prefix)}}}},
		bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: "$words"}, {Key: "count", Value: bson.D{{Key: "$sum", Value: 1}}}}}},
	}
}

// mix gives words first and whole titles after them, half of each where both abound, each text once.
func mix(single, whole []string, limit int) []string {
	half := max(limit-len(whole), (limit+1)/2)
	single = single[:min(len(single), half)]
	seen := make(map[string]bool)
	mixed := make([]string, 0, limit)
	for _, list := range [][]string{single, whole} {
		for _, text := range list {
			if key := products.Fold(text); !seen[key] && len(mixed) < limit {
				seen[key] = true
				mixed = append(mixed, text)
			}
		}
	}
	return mixed
}
