package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/services/clients"
	"github.com/techmart/techmart/services/users"
)

const queryCost = `query($d: String!, $o: String, $v: JSON) { queryCost(document: $d, operationName: $o, variables: $v) {
  total limit breakdown { path field times items cost total } } }`

// costs is what queryCost answers.
type costs struct {
	QueryCost struct {
		Total, Limit int
		Breakdown    []struct {
			Path                      []string
			Field                     string
			Times, Items, Cost, Total int
		}
	}
}

// charged gives the requested and the actual cost of an answer.
func (a answer) charged(t *testing.T) (requested, actual int) {
	t.Helper()
	shown, _ := a.Extensions["cost"].(map[string]any)
	first, ok := shown["requestedQueryCost"].(float64)
	second, also := shown["actualQueryCost"].(float64)
	if !ok || !also {
		t.Fatalf("extensions are %v", a.Extensions)
	}
	return int(first), int(second)
}

// What queryCost says is what is charged, and what an answer turns out to cost is no more.
func TestQueryCost(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for i := range 3 {
		s.product(fmt.Sprintf("Lamp %d", i), "12.90", 5)
	}
	c := s.anonymous()
	const page = `query Page($first: Int) { products(first: $first) { nodes { id title priceRange { min { amount } } } totalCount } } query Other { __typename }`
	for _, first := range []int{1, 10, 50} {
		var said costs
		c.must(&said, queryCost, vars{"d": page, "o": "Page", "v": vars{"first": first}})
		got := said.QueryCost
		if want := 1 + 5 + first*3; got.Total != want || got.Limit != s.config.MaxCost {
			t.Errorf("first: %d costs %d of %d, want %d of %d", first, got.Total, got.Limit, want, s.config.MaxCost)
		}
		var lines []string
		for _, f := range got.Breakdown {
			lines = append(lines, fmt.Sprintf("%s %s %dx%d %d/%d", strings.Join(f.Path, "."), f.Field, f.Times, f.Items, f.Cost, f.Total))
		}
		want := []string{
			fmt.Sprintf("products Query.products 1x1 1/%d", got.Total),
			fmt.Sprintf("products.nodes ProductConnection.nodes 1x%d %d/%d", first, first, 3*first),
			fmt.Sprintf("products.nodes.priceRange Product.priceRange %dx1 %d/%d", first, first, 2*first),
			fmt.Sprintf("products.nodes.priceRange.min PriceRange.min %dx1 %d/%d", first, first, first),
			"products.totalCount ProductConnection.totalCount 1x1 5/5",
		}
		if !slices.Equal(lines, want) {
			t.Errorf("first: %d: got\n%s\nwant\n%s", first, strings.Join(lines, "\n"), strings.Join(want, "\n"))
		}
		run, _, _ := strings.Cut(page, " query Other")
		requested, actual := c.do(run, vars{"first": first}).charged(t)
		if requested != got.Total {
			t.Errorf("first: %d: %d is charged, queryCost says %d", first, requested, got.Total)
		}
		if want := 1 + 5 + 3*min(first, 3); actual != want {
			t.Errorf("first: %d: the answer cost %d, want %d", first, actual, want)
		}
	}
	// An error may have taken away what was done: then nothing is given back.
	a := c.do(`{ products(first: 40) { nodes { id } } me { id } locations { id } }`, nil)
	if requested, actual := a.charged(t); a.code() != "UNAUTHENTICATED" || actual != requested {
		t.Errorf("%s: %d of %d are charged", a.code(), actual, requested)
	}
}

// A document that would be refused is told so, under the same bounds, and nothing of it is run.
func TestQueryCostOfBadDocuments(t *testing.T) {
	t.Parallel()
	s := setup(t, func(c *app.Config) { c.MaxDepth, c.MaxTokens, c.MaxAliases = 6, 300, 5 })
	c := s.anonymous()
	deep := strings.Repeat("category { parent { ", 4) + "id" + strings.Repeat(" } }", 4)
	for _, at := range []struct {
		name, document, operation string
		variables                 any
		argument, message         string
	}{
		{"no GraphQL", `{ products(`, "", nil, "document", "line 1"},
		{"nothing", ``, "", nil, "document", "no operation"},
		{"no such field", "{\n  shelves { id }\n}", "", nil, "document", `line 2, column 3: Cannot query field "shelves"`},
		{"two faults", `{ shelves racks }`, "", nil, "document", `"racks"`},
		{"too deep", `{ product(slug: "x") { ` + deep + ` } }`, "", nil, "document", "levels"},
		{"too many aliases", `{ ` + repeated("a%d: me { id } ", 6) + `}`, "", nil, "document", "aliases"},
		{"too many tokens", `{ ` + repeated("me { id } # %d\n", 100) + `}`, "", nil, "document", "token limit"},
		{"fragments in a circle", `{ me { ...A } } fragment A on User { ...B } fragment B on User { ...A }`, "", nil, "document", ""},
		{"no such operation", `query A { me { id } }`, "B", nil, "operationName", "no such operation"},
		{"wrong variables", `query($first: Int) { products(first: $first) { nodes { id } } }`, "", vars{"first": "many"}, "variables", "first"},
		{"missing variables", `query($slug: String!) { product(slug: $slug) { id } }`, "", nil, "variables", "slug"},
	} {
		a := c.do(queryCost, vars{"d": at.document, "o": at.operation, "v": at.variables})
		argument := ""
		if len(a.Errors) > 0 {
			argument, _ = a.Errors[0].Extensions["argument"].(string)
		}
		if a.code() != "BAD_USER_INPUT" || argument != at.argument || !strings.Contains(a.Errors[0].Message, at.message) {
			t.Errorf("%s: got %s at %q: %+v", at.name, a.code(), argument, a.Errors)
		}
	}
}

// In production the answers to guesses give nothing away: no suggestions, and to a client of trusted
// documents not even what is wrong.
func TestQueryCostKeepsTheSchema(t *testing.T) {
	t.Parallel()
	s := setup(t, func(c *app.Config) {
		c.Mode, c.SMTPURL, c.SecondFactorKeys = app.Production, "smtp://127.0.0.1:1", users.GenerateKey()
	})
	for _, document := range []string{`{ productt { id } }`, `{ products(fist: 1) { nodes { id } } }`, `{ me { __typename ... on Usr { id } } }`} {
		a := s.anonymous().do(queryCost, vars{"d": document})
		if a.code() != "BAD_USER_INPUT" || strings.Contains(a.Errors[0].Message, "Did you mean") {
			t.Errorf("%s: %+v", document, a.Errors)
		}
	}
	key := s.apiClient("kiosk", clients.Only)
	s.publishDocuments("kiosk", "1", apollo(operation(sha(queryCost), "Cost", "query", strings.Replace(queryCost, "query(", "query Cost(", 1))))
	a := s.send(key, vars{"query": strings.Replace(queryCost, "query(", "query Cost(", 1), "variables": vars{"d": `{ productt { id } }`}})
	if a.code() != "BAD_USER_INPUT" || a.Errors[0].Message != "The document is not valid." {
		t.Errorf("got %s: %+v", a.code(), a.Errors)
	}
}
