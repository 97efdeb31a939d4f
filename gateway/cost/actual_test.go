package cost_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"

	"github.com/techmart/techmart/gateway/cost"
)

// operation is a parsed operation with its variables, as the executor has them.
type operation struct {
	doc       *ast.QueryDocument
	op        *ast.OperationDefinition
	variables map[string]any
}

// parse reads an operation with variables as JSON.
func parse(t *testing.T, schema *ast.Schema, query, variables string) operation {
	t.Helper()
	doc, faults := gqlparser.LoadQueryWithRules(schema, query, nil)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	given := map[string]any{}
	if variables != "" {
		d := json.NewDecoder(strings.NewReader(variables))
		d.UseNumber()
		if err := d.Decode(&given); err != nil {
			t.Fatal(err)
		}
	}
	op := doc.Operations[0]
	coerced, err := validator.VariableValues(schema, op, given)
	if err != nil {
		t.Fatal(err)
	}
	return operation{doc, op, coerced}
}

func (o operation) estimate(a *cost.Analyzer) int { return a.Estimate(o.doc, o.op, o.variables) }

func (o operation) actual(a *cost.Analyzer, data string) int {
	return a.Actual(o.doc, o.op, o.variables, []byte(data))
}

func TestActual(t *testing.T) {
	t.Parallel()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: sdl})
	a := cost.New(schema)
	for _, c := range []struct {
		name, query, variables, data string
		want                         int
	}{
		{"object", `{ one { id } }`, "", `{"one":{"id":"1"}}`, 1},
		{"null", `{ one { id } }`, "", `{"one":null}`, 0},
		{"asking for null", `{ dear { id } }`, "", `{"dear":null}`, 5},
		{"short list", `{ undecided(first: 10) { id } }`, "", `{"undecided":[{"id":"1"},null,{"id":"2"}]}`, 2},
		{"empty list", `{ undecided(first: 10) { id } }`, "", `{"undecided":[]}`, 0},
		{"list beyond what was assumed", `{ assumed { id } }`, "", `{"assumed":[{"id":"1"},{"id":"1"},{"id":"1"},{"id":"1"},{"id":"1"}]}`, 3},
		{"nested lists", `{ undecided(first: 5) { parts(first: 4) { id } } }`, "", `{"undecided":[{"parts":[{"id":"1"}]},{"parts":[]}]}`, 3},
		{"connection", `{ things(first: 5) { nodes { id } totalCount } }`, "", `{"things":{"nodes":[{"id":"1"},{"id":"2"}],"totalCount":2}}`, 8},
		{"size by variable", `query($n: Int) { things(first: $n) { nodes { id } } }`, `{"n": 1}`, `{"things":{"nodes":[{"id":"1"},{"id":"2"}]}}`, 2},
		{"weighted leaf", `{ one { big } }`, "", `{"one":{"big":{"deep":[1,{"x":"}"}]}}}`, 3},
		{"weighted leaf is null", `{ one { big } }`, "", `{"one":{"big":null}}`, 1},
		{"spaces", `{ one { id } }`, "", " { \"one\" : { \"id\" : \"1\" } } ", 1},
		{"escapes", `{ one { id up { id } } }`, "", `{"one":{"id":"\\\"}\\","up":{"id":"x"}}}`, 2},
		{"other order", `{ a: one { id } b: dear { id } }`, "", `{"b":null,"a":{"id":"1"}}`, 6},
		{"what was not asked for", `{ one { id } }`, "", `{"two":{"one":{"one":[]}},"one":{"id":"1"}}`, 1},
		{"the type that it says", `{ any { __typename id } }`, "", `{"any":{"__typename":"Thing","id":"1"}}`, 1},
		{"the type by an alias", `{ any { kind: __typename id } }`, "", `{"any":{"id":"1","kind":"Heavy"}}`, 50},
		{"the dearest where nothing tells", `{ any { id } }`, "", `{"any":{"id":"1"}}`, 50},
		{"the dearest that fits", `{ any { id ... on Thing { up { id } } } }`, "", `{"any":{"id":"1","up":null}}`, 1},
		{"the dearest that has just these", `{ any { id ... on Thing { up { id } } } }`, "", `{"any":{"id":"1"}}`, 50},
		{"just these before more than these", `{ any { id ... on Heavy { more: id } } }`, "", `{"any":{"id":"1"}}`, 1},
		{"beyond what was assumed beside less", `{ assumed { id } plain { id } }`, "", `{"assumed":[{"id":"1"},{"id":"1"},{"id":"1"},{"id":"1"}],"plain":[{"id":"1"}]}`, 4},
		{"nothing fits", `{ any { id ... on Thing { up { id } } } }`, "", `{"any":{"other":"1"}}`, 50},
		{"an argument", `{ search(sorted: true) { id } }`, "", `{"search":null}`, 8},
		{"skipped", `query($s: Boolean!) { one { id } dear @skip(if: $s) { id } }`, `{"s": true}`, `{"one":{"id":"1"}}`, 1},
		{"introspection", `{ __schema { types { name } } }`, "", `{"__schema":{"types":[{"name":"a"}]}}`, 50},
		{"part of a deferred answer", `{ one { id } dear { id } }`, "", `{"one":{"id":"1"}}`, 1},
		{"no data", `{ dear { id } }`, "", `null`, 6},
		{"nothing", `{ dear { id } }`, "", ``, 6},
		{"broken", `{ dear { id } }`, "", `{"dear":{"id":"1"}`, 6},
		{"broken text", `{ dear { id } }`, "", `{"dear":{"id":"1`, 6},
		{"more than one", `{ dear { id } }`, "", `{"dear":null}{"dear":null}`, 6},
		{"the same key again", `{ one { id } }`, "", `{"one":{"id":"1"},"one":{"id":"1"}}`, 1},
		{"no object where one should be", `{ one { up { id } } }`, "", `{"one":[1]}`, 1},
		{"no list where one should be", `{ plain { id } }`, "", `{"plain":{"id":"1"}}`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := parse(t, schema, c.query, c.variables)
			if got := o.actual(a, c.data); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}
