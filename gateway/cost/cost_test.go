package cost_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"

	"github.com/techmart/techmart/gateway/cost"
	"github.com/techmart/techmart/graph"
)

const sdl = `
directive @cost(weight: String!) on ARGUMENT_DEFINITION | ENUM | FIELD_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT | SCALAR
directive @listSize(assumedSize: Int, slicingArguments: [String!], sizedFields: [String!], requireOneSlicingArgument: Boolean = true) on FIELD_DEFINITION
type Query {
  leaf: Int
  one: Thing
  dear: Thing @cost(weight: "5")
  plain: [Thing]
  assumed: [Thing] @listSize(assumedSize: 3)
  sliced(first: Int = 4, last: Int): [Thing] @listSize(slicingArguments: ["first", "last"], assumedSize: 7)
  undecided(first: Int): [Thing] @listSize(slicingArguments: ["first"], assumedSize: 7)
  byIDs(ids: [ID!]!): [Thing] @listSize(slicingArguments: ["ids"])
  things(first: Int): Connection @listSize(slicingArguments: ["first"], sizedFields: ["edges", "nodes"], assumedSize: 20)
  any: Any
  search(sorted: Boolean @cost(weight: "8")): Thing
}
type Mutation { change: Thing @cost(weight: "10") }
type Subscription { changed: Thing }
type Connection { edges: [Edge] nodes: [Thing] pageInfo: Info totalCount: Int @cost(weight: "5") }
type Info { more: Boolean }
type Edge { cursor: String node: Thing }
interface Any { id: ID }
type Thing implements Any { id: ID parts(first: Int): [Thing] @listSize(slicingArguments: ["first"], assumedSize: 10) up: Thing big: Blob }
type Heavy implements Any @cost(weight: "50") { id: ID }
scalar Blob @cost(weight: "2")
`

// estimate gives the cost of a query with variables as JSON.
func estimate(t *testing.T, schema *ast.Schema, query, variables string) int {
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
	return cost.New(schema).Estimate(doc, op, coerced)
}

func TestEstimate(t *testing.T) {
	t.Parallel()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: sdl})
	for _, c := range []struct {
		name, query, variables string
		want                   int
	}{
		{"leaf", `{ leaf }`, "", 0},
		{"object", `{ one { id } }`, "", 1},
		{"nested", `{ one { up { up { id } } } }`, "", 3},
		{"weighted field", `{ dear { id } }`, "", 6},
		{"weighted leaf", `{ one { big } }`, "", 3},
		{"weighted argument", `{ search(sorted: true) { id } }`, "", 9},
		{"argument left out", `{ search { id } }`, "", 1},
		{"list without a size", `{ plain { id } }`, "", 10},
		{"assumed size", `{ assumed { id } }`, "", 3},
		{"literal", `{ sliced(first: 6) { id } }`, "", 6},
		{"default of the argument", `{ sliced { id } }`, "", 4},
		{"the larger of two", `{ sliced(first: 2, last: 9) { id } }`, "", 9},
		{"nothing given", `{ undecided { id } }`, "", 7},
		{"null given", `{ undecided(first: null) { id } }`, "", 7},
		{"negative", `{ undecided(first: -5) { id } }`, "", 0},
		{"variable", `query($n: Int) { undecided(first: $n) { id } }`, `{"n": 12}`, 12},
		{"variable left out", `query($n: Int) { undecided(first: $n) { id } }`, ``, 7},
		{"default of the variable", `query($n: Int = 3) { undecided(first: $n) { id } }`, ``, 3},
		{"length of a list", `{ byIDs(ids: ["a", "b", "c"]) { id } }`, "", 3},
		{"length of a list in a variable", `query($ids: [ID!]!) { byIDs(ids: $ids) { id } }`, `{"ids": ["a", "b"]}`, 2},
		{"nested lists", `{ undecided(first: 5) { parts(first: 4) { id } } }`, "", 25},
		{"connection", `{ things(first: 5) { nodes { id } pageInfo { more } } }`, "", 7},
		{"connection by edges", `{ things(first: 5) { edges { node { id } } } }`, "", 11},
		{"connection both ways", `{ things(first: 5) { nodes { id } edges { cursor } } }`, "", 11},
		{"connection by fragment", `{ things(first: 5) { ...F } } fragment F on Connection { nodes { id } }`, "", 6},
		{"total", `{ things(first: 5) { totalCount } }`, "", 6},
		{"aliases", `{ a: one { id } b: one { id } }`, "", 2},
		{"same key twice", `{ one { id } one { up { id } } }`, "", 2},
		{"same list twice by fragments", `{ undecided(first: 5) { id } ...F } fragment F on Query { undecided(first: 5) { up { id } } }`, "", 10},
		{"dearest type", `{ any { id } }`, "", 50},
		{"dearest fragment", `{ any { ... on Thing { up { id } parts(first: 20) { parts(first: 3) { id } } } ... on Heavy { id } } }`, "", 82},
		{"skipped", `{ one { id } dear @skip(if: true) { id } }`, "", 1},
		{"skipped by variable", `query($s: Boolean!) { one { id } dear @skip(if: $s) { id } }`, `{"s": false}`, 7},
		{"not included", `query($s: Boolean!) { one { id } ... @include(if: $s) { dear { id } } }`, `{"s": false}`, 1},
		{"mutation", `mutation { change { id } }`, "", 11},
		{"subscription", `subscription { changed { id } }`, "", 1},
		{"introspection", `{ __schema { types { fields { type { name } } } } __typename }`, "", 50},
		{"too dear", `{ undecided(first: 2147483647) { parts(first: 2147483647) { id } } }`, "", cost.TooDear},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := estimate(t, schema, c.query, c.variables); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

// The work of an estimate is bounded, however often fragments double.
func TestBoundedWork(t *testing.T) {
	t.Parallel()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: sdl})
	var b strings.Builder
	b.WriteString(`{ one { ...F0 } }`)
	for i := range 20 {
		fmt.Fprintf(&b, ` fragment F%d on Thing { a: up { ...F%d } b: up { ...F%d } }`, i, i+1, i+1)
	}
	b.WriteString(` fragment F20 on Thing { id }`)
	if got := estimate(t, schema, b.String(), ""); got != cost.TooDear {
		t.Errorf("got %d", got)
	}
}

// Every list of the graph says how long it can be.
func TestEveryListHasASize(t *testing.T) {
	t.Parallel()
	entries, err := graph.Schema.ReadDir("schema")
	if err != nil {
		t.Fatal(err)
	}
	var sources []*ast.Source
	for _, e := range entries {
		text, err := graph.Schema.ReadFile("schema/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, &ast.Source{Name: e.Name(), Input: string(text)})
	}
	schema := gqlparser.MustLoadSchema(sources...)
	sized := make(map[string]bool) // "Type.field" of what is sized by the field above
	for _, def := range schema.Types {
		for _, f := range def.Fields {
			d := f.Directives.ForName("listSize")
			if d == nil {
				continue
			}
			if arg := d.Arguments.ForName("sizedFields"); arg != nil {
				for _, child := range arg.Value.Children {
					sized[f.Type.Name()+"."+child.Value.Raw] = true
					if schema.Types[f.Type.Name()].Fields.ForName(child.Value.Raw) == nil {
						t.Errorf("%s.%s sizes %s, which is not there", def.Name, f.Name, child.Value.Raw)
					}
				}
			}
			if arg := d.Arguments.ForName("slicingArguments"); arg != nil {
				for _, child := range arg.Value.Children {
					if f.Arguments.ForName(child.Value.Raw) == nil {
						t.Errorf("%s.%s has no argument %s", def.Name, f.Name, child.Value.Raw)
					}
				}
			}
		}
	}
	for _, def := range schema.Types {
		if def.Kind != ast.Object && def.Kind != ast.Interface || strings.HasPrefix(def.Name, "__") {
			continue
		}
		for _, f := range def.Fields {
			if f.Type.NamedType == "" && f.Directives.ForName("listSize") == nil && !sized[def.Name+"."+f.Name] {
				t.Errorf("%s.%s is a list without @listSize", def.Name, f.Name)
			}
		}
	}
}
