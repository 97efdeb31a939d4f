package mongodb

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/techmart/techmart/devstack/stacktest"
	platform "github.com/techmart/techmart/platform/mongodb"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/products/storetest"
)

// TestPlans asks the server how it would answer each filter in each order, at the start of the list
// and further on: it must never read a whole collection.
func TestPlans(t *testing.T) {
	t.Parallel()
	s := openSeeded(t)
	var categories []uuid.UUID
	for range 4 {
		categories = append(categories, uuid.New())
	}
	for name, f := range storetest.Filters(categories) {
		for _, by := range storetest.Sorts() {
			for _, from := range []page.Key{nil, by.Key(&products.Product{ID: uuid.New(), Title: "m"})} {
				where, order, err := listing(f, by, page.Request{Limit: 20, From: from})
				if err != nil {
					t.Fatal(err)
				}
				s.noScan(t, fmt.Sprintf("%s by %v from %v", name, by, from), bson.D{
					{Key: "find", Value: "products"}, {Key: "filter", Value: where}, {Key: "sort", Value: order}, {Key: "limit", Value: 21}})
			}
		}
		s.noScan(t, "count of "+name, bson.D{{Key: "aggregate", Value: "products"}, {Key: "cursor", Value: bson.D{}},
			{Key: "pipeline", Value: bson.A{bson.D{{Key: "$match", Value: matching(f)}}, bson.D{{Key: "$count", Value: "n"}}}}})
		q := products.Query{Groups: [][]string{{"lamp"}}}
		s.noScan(t, "search in "+name, bson.D{{Key: "find", Value: "products"}, {Key: "filter", Value: textMatch(q, f)}})
	}
}

// TestSortIsServed checks that lists of a status or a category come out of an index in their order.
func TestSortIsServed(t *testing.T) {
	t.Parallel()
	s := openSeeded(t)
	active := []products.Status{products.Active}
	for _, by := range storetest.Sorts() {
		for name, f := range map[string]products.Filter{
			"status":   {Statuses: active},
			"statuses": {},
			"category": {Statuses: active, Categories: [][]uuid.UUID{{uuid.New()}}},
		} {
			where, order, err := listing(f, by, page.Request{Limit: 20, From: by.Key(&products.Product{ID: uuid.New(), Title: "m"})})
			if err != nil {
				t.Fatal(err)
			}
			stages := s.stages(t, bson.D{{Key: "find", Value: "products"}, {Key: "filter", Value: where}, {Key: "sort", Value: order}, {Key: "limit", Value: 21}})
			if slices.Contains(stages, "SORT") {
				t.Errorf("%s by %v: %v", name, by, stages)
			}
		}
	}
}

// TestOtherPlans does the same for every other way of reading.
func TestOtherPlans(t *testing.T) {
	t.Parallel()
	s := openSeeded(t)
	id := uuid.New()
	for name, filter := range map[string]bson.D{
		"slug":     {{Key: "slug", Value: in([]string{"a", "b"})}},
		"SKU":      {{Key: "variants.sku", Value: in([]string{"a", "b"})}},
		"variant":  {{Key: "variants.id", Value: in([]uuid.UUID{id, uuid.New()})}},
		"category": {{Key: "category", Value: in([]uuid.UUID{id, uuid.New()})}},
		"title":    {{Key: "status", Value: products.Active}, {Key: "titleKey", Value: beginning("lap")}},
	} {
		s.noScan(t, name, bson.D{{Key: "find", Value: "products"}, {Key: "filter", Value: filter}})
	}
	for name, filter := range map[string]bson.D{
		"words":     {{Key: "_id", Value: in([]string{"a", "b"})}},
		"stems":     {{Key: "stem", Value: in([]string{"a", "b"})}},
		"deletions": {{Key: "deletions", Value: in([]string{"a", "b"})}},
		"beginning": {{Key: "_id", Value: beginning("a")}},
	} {
		s.noScan(t, name, bson.D{{Key: "find", Value: "search_terms"}, {Key: "filter", Value: filter}})
	}
	for name, filter := range map[string]bson.D{
		"children": {{Key: "parent", Value: in([]uuid.UUID{id, uuid.New()})}},
		"below":    {{Key: "path", Value: id}},
		"slug":     {{Key: "slug", Value: in([]string{"a", "b"})}},
	} {
		s.noScan(t, name, bson.D{{Key: "find", Value: "categories"}, {Key: "filter", Value: filter}})
	}
	p := &products.Product{ID: id, CategoryID: id}
	s.noScan(t, "related", bson.D{{Key: "aggregate", Value: "products"}, {Key: "pipeline", Value: s.related(p, 8)}, {Key: "cursor", Value: bson.D{}}})
}

func openSeeded(t *testing.T) *Store {
	t.Helper()
	s := openEmpty(t)
	storetest.Stock(t, s, 300)
	return s
}

// openEmpty gives the store of a fresh database.
func openEmpty(t *testing.T) *Store {
	t.Helper()
	db, disconnect, err := platform.Open(t.Context(), platform.Config{URL: stacktest.MongoDB(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = disconnect(context.Background()) })
	s := New(db)
	if err := s.EnsureIndexes(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *Store) noScan(t *testing.T, what string, command bson.D) {
	t.Helper()
	if stages := s.stages(t, command); slices.Contains(stages, "COLLSCAN") {
		t.Errorf("%s reads the whole collection: %v", what, stages)
	}
}

// stages gives the stages of the plan that the server would choose.
func (s *Store) stages(t *testing.T, command bson.D) []string {
	t.Helper()
	var plan bson.D
	err := s.db.RunCommand(t.Context(), bson.D{{Key: "explain", Value: command}, {Key: "verbosity", Value: "queryPlanner"}}).Decode(&plan)
	if err != nil {
		t.Fatal(err)
	}
	var stages []string
	collect(plan, false, &stages)
	if len(stages) == 0 {
		t.Fatalf("no plan in %v", plan)
	}
	return stages
}

// collect gathers the stages of winning plans.
func collect(value any, winning bool, stages *[]string) {
	switch v := value.(type) {
	case bson.D:
		for _, e := range v {
			if name, ok := e.Value.(string); ok && winning && e.Key == "stage" {
				*stages = append(*stages, name)
			}
			if e.Key != "rejectedPlans" {
				collect(e.Value, winning || e.Key == "winningPlan", stages)
			}
		}
	case bson.A:
		for _, one := range v {
			collect(one, winning, stages)
		}
	}
}
