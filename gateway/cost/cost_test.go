package cost_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/techmart/techmart/gateway/cost"
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
  cheap(approximate: Boolean @cost(weight: "-3")): Thing @cost(weight: "4")
  filtered(filter: Filter): Thing
  files(list: [Upload], one: Upload, kind: Kind): Thing
  free(file: Upload @cost(weight: "0")): Thing
  within(input: Page = {size: {first: 6}}): [Thing] @listSize(slicingArguments: ["input.size.first", "input.ids"], requireOneSlicingArgument: false)
  standard(input: Standard): [Thing] @listSize(slicingArguments: ["input.first"], assumedSize: 30)
  grid: [[Thing]] @listSize(assumedSize: 3)
  coloured: [Colour] @listSize(assumedSize: 4)
  owner: Owner
  exactly(first: Int, last: Int): [Thing] @listSize(slicingArguments: ["first", "last"], assumedSize: 7)
  exactlyOrDefault(first: Int = 3, last: Int): [Thing] @listSize(slicingArguments: ["first", "last"])
}
input Filter { text: String @cost(weight: "5") all: [Filter] file: Upload plain: Int }
input Page { size: Size ids: [ID!] }
input Size { first: Int }
input Standard { first: Int = 9 other: Int }
scalar Upload @cost(weight: "7")
enum Kind @cost(weight: "3") { SMALL LARGE }
enum Colour @cost(weight: "2") { RED }
interface Owner { assets(first: Int): [Thing] @listSize(slicingArguments: ["first"], assumedSize: 2) name: String }
type Person implements Owner { assets(first: Int): [Thing] @cost(weight: "100") name: String }
type Firm implements Owner { assets(first: Int): [Thing] @listSize(slicingArguments: ["first"], assumedSize: 50) name: String @cost(weight: "9") }
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
	return parse(t, schema, query, variables).estimate(cost.New(schema))
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
		{"the larger of two variables", `query($a: Int, $b: Int) { sliced(first: $a, last: $b) { id } }`, `{"a": 9, "b": 2}`, 9},
		{"the larger of a variable and a literal", `query($a: Int) { sliced(first: $a, last: 8) { id } }`, `{"a": 3}`, 8},
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
		{"negative weight of an argument", `{ cheap(approximate: true) { id } }`, "", 2},
		{"field of an input object", `{ filtered(filter: {text: "a"}) { id } }`, "", 6},
		{"nested input objects", `{ filtered(filter: {text: "a", all: [{text: "b"}, {text: "c", file: "f"}]}) { id } }`, "", 23},
		{"input object without weights", `{ filtered(filter: {plain: 3}) { id } }`, "", 1},
		{"input object in a variable", `query($f: Filter) { filtered(filter: $f) { id } }`, `{"f": {"text": "a", "all": [{"file": "f"}]}}`, 13},
		{"variable within an input object", `query($t: String) { filtered(filter: {text: $t, all: [{text: $t}]}) { id } }`, `{"t": "a"}`, 11},
		{"variable within an input object left out", `query($t: String) { filtered(filter: {text: $t}) { id } }`, ``, 1},
		{"variable of an argument left out", `query($s: Boolean) { search(sorted: $s) { id } }`, ``, 1},
		{"variable of an argument", `query($s: Boolean) { search(sorted: $s) { id } }`, `{"s": true}`, 9},
		{"scalar", `{ files(one: "f") { id } }`, "", 8},
		{"scalar that is null", `{ files(one: null) { id } }`, "", 1},
		{"list of scalars", `{ files(list: ["f", "g", "h"]) { id } }`, "", 22},
		{"list of scalars in a variable", `query($l: [Upload]) { files(list: $l) { id } }`, `{"l": ["f", "g"]}`, 15},
		{"enum", `{ files(kind: LARGE) { id } }`, "", 4},
		{"weight of the argument instead of its type's", `{ free(file: "f") { id } }`, "", 1},
		{"nested slicing argument", `{ within(input: {size: {first: 3}}) { id } }`, "", 3},
		{"nested slicing argument by variable", `query($n: Int) { within(input: {size: {first: $n}}) { id } }`, `{"n": 4}`, 4},
		{"nested slicing argument in a variable", `query($p: Page) { within(input: $p) { id } }`, `{"p": {"size": {"first": 5}}}`, 5},
		{"nested list as slicing argument", `{ within(input: {ids: ["a", "b"]}) { id } }`, "", 2},
		{"nested default of the argument", `{ within { id } }`, "", 6},
		{"nested default of the input field", `{ standard(input: {other: 1}) { id } }`, "", 9},
		{"nested argument left out", `{ standard { id } }`, "", 30},
		{"one value for a list", `{ byIDs(ids: "a") { id } }`, "", 1},
		{"list of lists", `{ grid { id } }`, "", 30},
		{"list of weighted leaves", `{ coloured }`, "", 8},
		{"size by the interface", `{ owner { assets(first: 5) { id } } }`, "", 106},
		{"size by the object", `{ owner { ... on Firm { assets { id } } } }`, "", 51},
		{"field that is dear on one type", `{ owner { name } }`, "", 10},
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
	schema := graphSchema(t)
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
					if !leads(schema, f, strings.Split(child.Value.Raw, ".")) {
						t.Errorf("%s.%s has no argument %s", def.Name, f.Name, child.Value.Raw)
					}
				}
			}
			if f.Type.NamedType != "" && d.Arguments.ForName("sizedFields") == nil {
				t.Errorf("%s.%s is no list, and has none that it sizes", def.Name, f.Name)
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

// leads tells whether the path of a slicing argument leads to an argument or input field.
func leads(schema *ast.Schema, f *ast.FieldDefinition, path []string) bool {
	arg := f.Arguments.ForName(path[0])
	if arg == nil {
		return false
	}
	typ := arg.Type
	for _, name := range path[1:] {
		within := schema.Types[typ.Name()].Fields.ForName(name)
		if within == nil {
			return false
		}
		typ = within.Type
	}
	return true
}

// Where @listSize requires it, exactly one slicing argument has to be given.
func TestCheck(t *testing.T) {
	t.Parallel()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: sdl})
	a := cost.New(schema)
	for _, c := range []struct {
		query, variables string
		want             int // arguments given; 1 is right
	}{
		{`{ exactly(first: 1) { id } }`, "", 1},
		{`{ exactly(last: 1) { id } }`, "", 1},
		{`{ exactly { id } }`, "", 0},
		{`{ exactly(first: null) { id } }`, "", 0},
		{`{ exactly(first: 1, last: 2) { id } }`, "", 2},
		{`query($n: Int) { exactly(first: $n, last: 1) { id } }`, `{}`, 1},
		{`query($n: Int) { exactly(first: $n, last: 1) { id } }`, `{"n": 1}`, 2},
		{`query($n: Int) { exactly(first: $n) { id } }`, ``, 0},
		{`query($n: Int = 2) { exactly(first: $n) { id } }`, ``, 1},
		{`{ exactlyOrDefault { id } }`, "", 1},
		{`{ exactlyOrDefault(last: 2) { id } }`, "", 1},
		{`{ exactlyOrDefault(first: 1, last: 2) { id } }`, "", 2},
		{`{ one { parts { id } } within { id } }`, "", 0},
		{`query($s: Boolean!) { one { id } exactly @skip(if: $s) { id } }`, `{"s": true}`, 1},
		{`{ within(input: {size: {first: 1}, ids: ["a"]}) { id } }`, "", 1}, // need not be one
		{`{ one { id } }`, "", 1},
	} {
		o := parse(t, schema, c.query, c.variables)
		err := a.Check(o.doc, o.op, o.variables)
		var fault *cost.SlicingError
		switch {
		case c.want == 1 && err != nil:
			t.Errorf("%s %s: %v", c.query, c.variables, err)
		case c.want != 1 && (!errors.As(err, &fault) || fault.Given != c.want):
			t.Errorf("%s %s: %v, want %d given", c.query, c.variables, err, c.want)
		}
	}
}

func TestBreakdown(t *testing.T) {
	t.Parallel()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: sdl})
	a := cost.New(schema)
	o := parse(t, schema, `query($n: Int) {
  __schema { types { name } }
  list: things(first: $n) { nodes { id parts(first: 2) { big } } totalCount }
  any { ... on Thing { id } ... on Heavy { id } }
  leaf
}`, `{"n": 4}`)
	var got []string
	top := 0
	for _, f := range a.Breakdown(o.doc, o.op, o.variables) {
		got = append(got, fmt.Sprintf("%s %s %dx%d %d %d", strings.Join(f.Path, "."), f.Field, f.Times, f.Items, f.Cost, f.Total))
		if len(f.Path) == 1 {
			top += f.Total
		}
	}
	want := []string{
		"__schema Query.__schema 1x1 50 50",
		"list Query.things 1x1 1 34",
		"list.nodes Connection.nodes 1x4 4 28",
		"list.nodes.parts Thing.parts 4x2 8 24",
		"list.nodes.parts.big Thing.big 8x1 16 16",
		"list.totalCount Connection.totalCount 1x1 5 5",
		"any Query.any 1x1 50 50",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if total := o.estimate(a); top != total {
		t.Errorf("the fields of the root add up to %d, the estimate is %d", top, total)
	}
}
