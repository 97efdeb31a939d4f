package cost_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	gql "github.com/vektah/gqlparser/v2/ast"
	gqlparse "github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/techmart/techmart/gateway/cost"
	"github.com/techmart/techmart/graph"
)

// graphSchema is the whole graph.
func graphSchema(t testing.TB) *gql.Schema {
	t.Helper()
	entries, err := graph.Schema.ReadDir("schema")
	if err != nil {
		t.Fatal(err)
	}
	var sources []*gql.Source
	for _, e := range entries {
		text, err := graph.Schema.ReadFile("schema/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, &gql.Source{Name: e.Name(), Input: string(text)})
	}
	return gqlparser.MustLoadSchema(sources...)
}

// endToEndQueries are the texts in the end-to-end tests and in bench that look like operations.
func endToEndQueries(t testing.TB) []string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"../../e2e/*.go", "../../bench/*.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	var queries []string
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			continue
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				text, err := strconv.Unquote(lit.Value)
				if err == nil && isOperation(text) {
					queries = append(queries, text)
				}
			}
			return true
		})
	}
	if len(queries) < 20 {
		t.Fatalf("only %d operations found in the end-to-end tests", len(queries))
	}
	return queries
}

func isOperation(text string) bool {
	text = strings.TrimSpace(text)
	for _, start := range []string{"{", "query", "mutation", "subscription"} {
		if strings.HasPrefix(text, start) && strings.HasSuffix(text, "}") {
			return true
		}
	}
	return false
}

// hostile are operations that try what end-to-end tests do not.
var hostile = []string{
	`query($n: Int, $s: Boolean = true) { products(first: $n) @skip(if: $s) { nodes { id variants(first: $n) { id } } edges { node { ...P } } totalCount } } fragment P on Product { id related(first: $n) { id } }`,
	`query($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Product { title tags category { ancestors { id } } } ... on Order { lines { title } timeline(first: 3) { nodes { id } } } ... on User { id } } }`,
	`{ a: node(id: "x") { k: __typename ... on Product { reviews(first: 100) { nodes { id } } } } b: node(id: "y") { id ... on Node { id } } }`,
	`{ products(last: 100) { nodes { related { related { related { related { id } } } } } } }`,
	`{ __schema { types { name fields { name } } } __typename }`,
	`mutation { a: cartLinesAdd(input: {lines: []}) { userErrors { code ... on InsufficientStockError { available } ... on ConflictError { currentVersion } } } }`,
	`query($first: Int = 2147483647) { products(first: $first) { nodes { reviews(first: $first) { nodes { id } } } } }`,
}

// FuzzEstimate answers any valid operation with any lists, and holds the estimate against what the
// answer costs, worked out once by the program and once by the rules of the specification.
func FuzzEstimate(f *testing.F) {
	schema := graphSchema(f)
	for i, query := range append(endToEndQueries(f), hostile...) {
		f.Add(query, `{"first": 3, "n": 2, "s": false, "ids": ["a", "b"], "query": "x", "slug": "x", "id": "x"}`, uint64(i), "")
	}
	f.Add(`{ products { nodes { id } } }`, `{}`, uint64(1), `{"products":{"nodes":[{"id":"\"}]`)
	a := cost.New(schema)
	f.Fuzz(func(t *testing.T, query, variables string, seed uint64, data string) {
		doc, err := gqlparse.ParseQueryWithTokenLimit(&gql.Source{Input: query}, 2000)
		if err != nil || len(doc.Operations) == 0 {
			return
		}
		if faults := validator.ValidateWithRules(schema, doc, rules.NewDefaultRules()); len(faults) > 0 {
			return
		}
		var given map[string]any
		decoder := json.NewDecoder(strings.NewReader(variables))
		decoder.UseNumber()
		if decoder.Decode(&given) != nil {
			return
		}
		for _, op := range doc.Operations {
			coerced, err := validator.VariableValues(schema, op, given)
			if err != nil {
				continue
			}
			check(t, schema, a, operation{doc, op, coerced}, seed, data)
		}
	})
}

func check(t *testing.T, schema *gql.Schema, a *cost.Analyzer, o operation, seed uint64, data string) {
	estimate := o.estimate(a)
	if again := o.estimate(a); again != estimate {
		t.Fatalf("estimated %d, then %d", estimate, again)
	}
	if fresh := o.estimate(cost.New(schema)); fresh != estimate {
		t.Fatalf("estimated %d, and %d where nothing is kept", estimate, fresh)
	}
	if got := o.actual(a, data); got > estimate {
		t.Fatalf("%s costs %d, estimated %d", data, got, estimate)
	}
	_ = a.Check(o.doc, o.op, o.variables) // must not panic
	total := 0
	for _, field := range a.Breakdown(o.doc, o.op, o.variables) {
		if field.Total < field.Cost {
			t.Fatalf("%v costs %d, and less with what is beneath: %d", field.Path, field.Cost, field.Total)
		}
		if len(field.Path) == 1 {
			total += field.Total
		}
	}
	if estimate < cost.TooDear && total != estimate {
		t.Fatalf("the fields cost %d, together %d", total, estimate)
	}
	if estimate >= cost.TooDear {
		return
	}
	answer := newAnswerer(schema, o, seed).answer()
	got, broken := a.Unbounded(o.doc, o.op, o.variables, answer.data)
	switch {
	case broken:
		t.Fatalf("cannot be read: %s", answer.data)
	case answer.cost > estimate:
		t.Fatalf("%s costs %d, estimated %d", answer.data, answer.cost, estimate)
	case got > estimate:
		t.Fatalf("%s was read as costing %d, estimated %d", answer.data, got, estimate)
	case got < answer.cost, !answer.unsure && got != answer.cost:
		t.Fatalf("%s was read as costing %d, and costs %d", answer.data, got, answer.cost)
	}
}
