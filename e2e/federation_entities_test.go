package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// batches asks for many entities of a kind: that takes as many calls as asking for two.
func (s *split) batches(t *testing.T) {
	in := s.within(t)
	admin := in.signIn("admin@techmart.example", demoPassword)
	for name, list := range map[string]string{
		"User": "users", "Order": "orders", "Payment": "payments", "Product": "products", "ProductVariant": "products",
	} {
		inner := "id"
		if name == "ProductVariant" {
			inner = "variants(first: 1) { id }"
		}
		var out map[string]struct{ Nodes []json.RawMessage }
		admin.must(&out, fmt.Sprintf(`{ %s(first: 100) { nodes { %s } } }`, list, inner), nil)
		var all []representation
		for _, raw := range out[list].Nodes {
			var n struct {
				ID       string
				Variants []struct{ ID string }
			}
			if err := json.Unmarshal(raw, &n); err != nil {
				t.Fatal(err)
			}
			if len(n.Variants) > 0 {
				n.ID = n.Variants[0].ID
			}
			all = append(all, representation{"__typename": name, "id": n.ID})
		}
		if len(all) < 20 {
			t.Fatalf("there are only %d of %s", len(all), name)
		}
		few, many := 1<<20, 1<<20
		for range 6 { // what is asked from time to time is no part of it
			_, a := admin.entities("... on "+name+" { id }", all[:2]...)
			few = min(few, backendCalls(a))
			found, a := admin.entities("... on "+name+" { id }", all...)
			many = min(many, backendCalls(a))
			if calls := a.Header.Get("X-TechMart-Backend-Calls"); name == "User" && !strings.Contains(calls, "postgres=1") {
				t.Errorf("%d accounts are not one query: %s", len(all), calls)
			}
			for i, e := range found {
				if e == nil || e["__typename"] != name || e["id"] != all[i]["id"] {
					t.Fatalf("%s: in the place of %v is %v", name, all[i], e)
				}
			}
		}
		if few == 0 || many > few {
			t.Errorf("%d of %s take %d calls, and 2 of them %d", len(all), name, many, few)
		}
		t.Logf("%d of %s: %d calls, as for 2", len(all), name, many)
	}
}

// Representations that are none are told by code and place, beside those that are; there may not be too
// many, and each costs what a thing costs.
func TestEntitiesAreBounded(t *testing.T) {
	t.Parallel()
	s := setup(t)
	thing := s.product("Fjord Camera", "100.00", 5)
	ok := representation{"__typename": "Product", "id": thing.productID}
	fields := "... on Product { title category { name } }"
	for name, bad := range map[string]representation{
		"no name":               {"id": thing.productID},
		"a name that is none":   {"__typename": 7, "id": thing.productID},
		"no id":                 {"__typename": "Product"},
		"an id that is none":    {"__typename": "Product", "id": []any{thing.productID}},
		"what is no entity":     {"__typename": "Money", "id": thing.productID},
		"what is not the graph": {"__typename": "Robot", "id": "1"},
	} {
		list, a := s.anonymous().entities(fields, ok, bad, ok)
		if a.code() != "BAD_USER_INPUT" || len(a.Errors) != 1 || fmt.Sprint(a.Errors[0].Path) != "[_entities 1]" {
			t.Errorf("%s: %+v", name, a.Errors)
		}
		if len(list) != 3 || list[0]["title"] != "Fjord Camera" || list[1] != nil || list[2]["title"] != "Fjord Camera" {
			t.Errorf("%s: %v", name, list)
		}
	}
	for name, gone := range map[string]representation{
		"another kind's id": {"__typename": "User", "id": thing.productID},
		"an unknown id":     {"__typename": "Product", "id": "prod_00000000000000000000000000"},
		"a strange id":      {"__typename": "Product", "id": "'; drop table users"},
	} {
		if list, a := s.anonymous().entities(fields, gone); len(a.Errors) > 0 || len(list) != 1 || list[0] != nil {
			t.Errorf("%s: %v %+v", name, list, a.Errors)
		}
	}
	if a := s.anonymous().do(fmt.Sprintf(entitiesQuery, fields), vars{"of": []any{"Product"}}); a.code() != "BAD_USER_INPUT" {
		t.Errorf("a text in the place of a representation: %+v", a.Errors)
	}
	many := make([]representation, 1001)
	for i := range many {
		many[i] = ok
	}
	if _, a := s.anonymous().entities("... on Product { id }", many...); a.code() != "LIST_LIMIT_EXCEEDED" {
		t.Errorf("1,001 representations: %+v", a.Errors)
	}
	literal := strings.Repeat(`{__typename: "Product", id: "x"} `, 1001)
	if a := s.anonymous().do(`{ _entities(representations: [`+literal+`]) { __typename } }`, nil); a.code() == "" {
		t.Error("1,001 representations in the document are answered")
	}
	cost := func(n int) float64 {
		var out struct{ QueryCost struct{ Total float64 } }
		s.anonymous().must(&out, `query($d: String!, $v: JSON) { queryCost(document: $d, variables: $v) { total } }`,
			vars{"d": fmt.Sprintf(entitiesQuery, fields), "v": vars{"of": many[:n]}})
		return out.QueryCost.Total
	}
	if one, hundred := cost(1), cost(100); one < 2 || hundred != 100*one {
		t.Errorf("one costs %v, a hundred cost %v", one, hundred)
	}
	if _, a := s.anonymous().entities(strings.Replace(fields, "title", "title variants { sku product { title } }", 1), many[:1000]...); a.code() != "COST_LIMIT_EXCEEDED" {
		t.Errorf("what is too dear as a list is answered by key: %+v", a.Errors)
	}
}
