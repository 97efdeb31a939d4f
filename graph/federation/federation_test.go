package federation_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/techmart/techmart/graph/federation"
	"github.com/techmart/techmart/graph/generated"
)

func whole() *ast.Schema {
	return generated.NewExecutableSchema(generated.Config{}).Schema()
}

// subsets are all of the parts but none.
func subsets() [][]federation.Part {
	all := federation.Parts()
	var out [][]federation.Part
	for bits := 1; bits < 1<<len(all); bits++ {
		var one []federation.Part
		for i, p := range all {
			if bits&(1<<i) != 0 {
				one = append(one, p)
			}
		}
		out = append(out, one)
	}
	return out
}

func project(t *testing.T, s *ast.Schema, parts ...federation.Part) *federation.Graph {
	t.Helper()
	g, err := federation.Project(s, parts...)
	if err != nil {
		t.Fatalf("%v: %v", parts, err)
	}
	return g
}

// own tells whether a type is the graph's, not the specification's.
func own(def *ast.Definition) bool { return !def.BuiltIn && !strings.HasPrefix(def.Name, "_") }

// visible are the fields that clients see.
func visible(def *ast.Definition) ast.FieldList {
	var out ast.FieldList
	for _, f := range def.Fields {
		if !strings.HasPrefix(f.Name, "_") {
			out = append(out, f)
		}
	}
	return out
}

func TestEveryFileIsOfAPart(t *testing.T) {
	t.Parallel()
	if missing := federation.Unassigned(whole()); len(missing) > 0 {
		t.Errorf("these SDL files are of no part of the graph; say in graph/federation/federation.go whose they are: %v", missing)
	}
	stray := gqlparser.MustLoadSchema(&ast.Source{Name: "graph/schema/stray.graphqls", Input: "type Query { a: Int }"})
	if _, err := federation.Project(stray, federation.Users); err == nil || !strings.Contains(err.Error(), "stray") {
		t.Errorf("a file of no part is not named: %v", err)
	}
}

func TestEveryNodeHasAKey(t *testing.T) {
	t.Parallel()
	s := whole()
	var entities []string
	for _, def := range s.GetPossibleTypes(s.Types["Node"]) {
		entities = append(entities, def.Name)
		key := def.Directives.ForName("key")
		if key == nil || key.Arguments.ForName("fields").Value.Raw != "id" {
			t.Errorf(`%s needs @key(fields: "id"), as every Node has`, def.Name)
		}
	}
	slices.Sort(entities)
	members := slices.Sorted(slices.Values(s.Types["_Entity"].Types))
	if !slices.Equal(entities, members) {
		t.Errorf("the union _Entity is not that of all Nodes: in graph/schema/federation.graphqls it has\n%v\nand the Nodes are\n%v", members, entities)
	}
}

// Each subset of the parts is a valid schema whose types are those of the whole graph, with nothing that
// is not used.
func TestEverySubset(t *testing.T) {
	t.Parallel()
	s := whole()
	for _, parts := range subsets() {
		t.Run(fmt.Sprint(parts), func(t *testing.T) {
			t.Parallel()
			g := project(t, s, parts...)
			part := g.Schema()
			if part.Query == nil || part.Query.Fields.ForName("_service") == nil || part.Query.Fields.ForName("_entities") == nil {
				t.Error("it is no subgraph")
			}
			for name, def := range part.Types {
				if !own(def) {
					continue
				}
				sameType(t, def, s.Types[name])
			}
			for _, name := range unreachable(part) {
				t.Errorf("nothing leads to %s", name)
			}
			for _, member := range part.Types["_Entity"].Types {
				if kind := g.Entity(member); kind != federation.Own && kind != federation.Extended {
					t.Errorf("%s is to be found by its key, and is %v", member, kind)
				}
			}
			if _, err := gqlparser.LoadSchema(&ast.Source{Input: specification + g.SDL()}); err != nil {
				t.Errorf("its SDL: %v", err)
			}
		})
	}
}

// specification is what every subgraph's SDL relies on.
const specification = `
scalar federation__Any
directive @link(url: String!, as: String, for: String, import: [String]) repeatable on SCHEMA
directive @key(fields: String!, resolvable: Boolean = true) repeatable on OBJECT | INTERFACE
directive @shareable repeatable on OBJECT | FIELD_DEFINITION
directive @authenticated on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM
directive @requiresScopes(scopes: [[String!]!]!) on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM
directive @cost(weight: Int!) on ARGUMENT_DEFINITION | ENUM | FIELD_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT | SCALAR
directive @listSize(assumedSize: Int, slicingArguments: [String!], sizedFields: [String!], requireOneSlicingArgument: Boolean = true) on FIELD_DEFINITION
directive @tag(name: String!) repeatable on FIELD_DEFINITION | OBJECT | INTERFACE | UNION | ARGUMENT_DEFINITION | SCALAR | ENUM | ENUM_VALUE | INPUT_OBJECT | INPUT_FIELD_DEFINITION
directive @inaccessible on FIELD_DEFINITION | OBJECT | INTERFACE | UNION | ARGUMENT_DEFINITION | SCALAR | ENUM | ENUM_VALUE | INPUT_OBJECT | INPUT_FIELD_DEFINITION
`

// sameType checks that all that a projection says of a type is what the whole graph says.
func sameType(t *testing.T, got, want *ast.Definition) {
	t.Helper()
	if want == nil {
		t.Errorf("%s is not of the graph", got.Name)
		return
	}
	if got.Kind != want.Kind || got.Description != want.Description || len(got.EnumValues) != len(want.EnumValues) || !slices.Equal(got.Interfaces, want.Interfaces) {
		t.Errorf("%s is another one than in the whole graph", got.Name)
	}
	for _, f := range visible(got) {
		if a, b := describe(f), describe(want.Fields.ForName(f.Name)); a != b {
			t.Errorf("%s.%s is %s, and %s in the whole graph", got.Name, f.Name, a, b)
		}
	}
}

// describe tells everything of a field.
func describe(f *ast.FieldDefinition) string {
	if f == nil {
		return "nothing"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%q: %s = %v", f.Description, f.Type, f.DefaultValue)
	for _, a := range f.Arguments {
		fmt.Fprintf(&b, " (%q %s: %s = %v)", a.Description, a.Name, a.Type, a.DefaultValue)
	}
	for _, d := range f.Directives {
		if strings.HasPrefix(d.Name, "go") {
			continue
		}
		fmt.Fprintf(&b, " @%s", d.Name)
		for _, a := range d.Arguments {
			fmt.Fprintf(&b, " %s: %s", a.Name, a.Value)
		}
	}
	return b.String()
}

// unreachable are the types that neither a root, nor an entity, nor a directive leads to.
func unreachable(s *ast.Schema) []string {
	seen := make(map[string]bool)
	var visit func(name string)
	visit = func(name string) {
		def := s.Types[name]
		if def == nil || seen[name] {
			return
		}
		seen[name] = true
		for _, f := range def.Fields {
			visit(f.Type.Name())
			for _, a := range f.Arguments {
				visit(a.Type.Name())
			}
		}
		for _, list := range [][]string{def.Interfaces, def.Types} {
			for _, other := range list {
				visit(other)
			}
		}
		if def.IsAbstractType() {
			for _, possible := range s.GetPossibleTypes(def) {
				visit(possible.Name)
			}
		}
	}
	for _, root := range []*ast.Definition{s.Query, s.Mutation, s.Subscription} {
		if root != nil {
			visit(root.Name)
		}
	}
	for _, d := range s.Directives {
		for _, a := range d.Arguments {
			visit(a.Type.Name())
		}
	}
	var out []string
	for name, def := range s.Types {
		if own(def) && !seen[name] {
			out = append(out, name)
		}
	}
	return out
}

// The five parts together are the whole graph, and each field is of one of them, keys and shareable types
// apart.
func TestTheFivePartsAreTheWhole(t *testing.T) {
	t.Parallel()
	s := whole()
	homes := make(map[string][]federation.Part)
	for _, part := range federation.Parts() {
		for _, def := range project(t, s, part).Schema().Types {
			if !own(def) {
				continue
			}
			homes[def.Name] = append(homes[def.Name], part)
			for _, f := range visible(def) {
				homes[def.Name+"."+f.Name] = append(homes[def.Name+"."+f.Name], part)
			}
		}
	}
	for name, def := range s.Types {
		if !own(def) {
			continue
		}
		if len(homes[name]) == 0 {
			t.Errorf("%s is in no part: nothing leads to it", name)
		}
		if def.Kind != ast.Object {
			continue
		}
		shared := def.Directives.ForName("shareable") != nil
		for _, f := range visible(def) {
			at := homes[name+"."+f.Name]
			switch key := def.Directives.ForName("key") != nil && f.Name == "id"; {
			case len(at) == 0:
				t.Errorf("%s.%s is in no part", name, f.Name)
			case len(at) > 1 && !shared && !key && f.Directives.ForName("shareable") == nil:
				t.Errorf("%s.%s is in the parts %v: %s needs @shareable", name, f.Name, at, name)
			}
		}
	}
}

// The parts mean the same as the whole: what is asked of all of them, one by one, is what it has.
func TestAllPartsAtOnceAreTheWholeGraph(t *testing.T) {
	t.Parallel()
	s := whole()
	if got := project(t, s).Schema(); got != s {
		t.Error("without parts another schema than the whole is served")
	}
	if a, b := project(t, s).SDL(), project(t, s, federation.Parts()...).SDL(); a != b {
		t.Error("all parts are not the same as none named")
	}
}

// Access and cost are composed as they are enforced here.
func TestDirectivesOfTheSDL(t *testing.T) {
	t.Parallel()
	s := whole()
	sdl, err := gqlparser.LoadSchema(&ast.Source{Input: specification + project(t, s).SDL()})
	if err != nil {
		t.Fatal(err)
	}
	for name, def := range s.Types {
		if !own(def) {
			continue
		}
		for _, f := range visible(def) {
			theirs := sdl.Types[name].Fields.ForName(f.Name)
			if theirs == nil {
				t.Errorf("%s.%s is not composed", name, f.Name)
				continue
			}
			for _, directive := range []string{"authenticated", "requiresScopes", "deprecated", "tag", "inaccessible", "shareable"} {
				if a, b := said(f.Directives, directive), said(theirs.Directives, directive); a != b {
					t.Errorf("@%s of %s.%s is %s, and composed as %s", directive, name, f.Name, a, b)
				}
			}
			if a, b := strings.ReplaceAll(said(f.Directives, "cost"), `"`, ""), said(theirs.Directives, "cost"); a != b {
				t.Errorf("@cost of %s.%s is %s, and composed as %s", name, f.Name, a, b)
			}
			if (f.Directives.ForName("listSize") == nil) != (theirs.Directives.ForName("listSize") == nil) {
				t.Errorf("@listSize of %s.%s is not composed", name, f.Name)
			}
		}
	}
	link := project(t, s).SDL()
	for _, name := range []string{"@key", "@shareable", "@tag", "@inaccessible", "@authenticated", "@requiresScopes", "@cost", "@listSize"} {
		if !strings.Contains(strings.SplitN(link, "\n", 2)[0], `"`+name+`"`) {
			t.Errorf("%s is not imported from the specification", name)
		}
	}
}

func said(list ast.DirectiveList, name string) string {
	var out []string
	for _, d := range list.ForNames(name) {
		for _, a := range d.Arguments {
			out = append(out, a.Name+": "+a.Value.String())
		}
		out = append(out, ".")
	}
	return strings.Join(out, " ")
}

func TestParse(t *testing.T) {
	t.Parallel()
	got, err := federation.Parse([]string{"orders", " users", "orders"})
	if err != nil || !slices.Equal(got, []federation.Part{federation.Orders, federation.Users}) {
		t.Errorf("%v %v", got, err)
	}
	if got, err = federation.Parse(nil); err != nil || got != nil {
		t.Errorf("nothing is %v %v", got, err)
	}
	if _, err = federation.Parse([]string{"order"}); err == nil || !strings.Contains(err.Error(), "orders") {
		t.Errorf("an unknown part: %v", err)
	}
}

// The stubs of each part, as they are: a change of who knows what of whom is seen here.
func TestStubs(t *testing.T) {
	t.Parallel()
	s := whole()
	got := make(map[federation.Part]map[string][]string)
	for _, part := range federation.Parts() {
		if part == federation.Home {
			continue // it has a stub of everything, for node
		}
		g := project(t, s, part)
		got[part] = make(map[string][]string)
		for _, def := range s.GetPossibleTypes(s.Types["Node"]) {
			switch g.Entity(def.Name) {
			case federation.Stub:
				got[part]["stub"] = append(got[part]["stub"], def.Name)
			case federation.Extended:
				got[part]["extended"] = append(got[part]["extended"], def.Name)
			}
		}
		for _, list := range got[part] {
			slices.Sort(list)
		}
	}
	want := map[federation.Part]map[string][]string{
		federation.Products:      {},
		federation.Orders:        {"extended": {"User"}, "stub": {"Product", "ProductVariant"}},
		federation.Payments:      {"extended": {"Order"}},
		federation.Notifications: {"extended": {"User"}},
	}
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	if string(a) != string(b) {
		t.Errorf("the parts know of each other\n%s\nand not\n%s", a, b)
	}
}

// The fields by which one part leads to an entity of another: their resolvers answer with its key alone where
// it is elsewhere (resolvers/entities_references.go); e2e/federation_rights_test.go counts that this costs nothing.
func TestWaysToOtherParts(t *testing.T) {
	t.Parallel()
	s := whole()
	var got []string
	for _, part := range federation.Parts() {
		g := project(t, s, part)
		for name, def := range g.Schema().Types {
			if !own(def) || def.Kind != ast.Object {
				continue
			}
			for _, f := range visible(def) {
				if kind := g.Entity(f.Type.Name()); kind == federation.Stub || kind == federation.Extended {
					got = append(got, fmt.Sprintf("%s: %s.%s", part, name, f.Name))
				}
			}
		}
	}
	slices.Sort(got)
	want := []string{
		"notifications: WebhookEndpoint.account",
		"orders: CartLine.variant", "orders: Order.customer", "orders: OrderLine.product", "orders: OrderLine.variant",
		"payments: Payment.order",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the ways to other parts are\n%s\nand not\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// What is @inaccessible is for routers: the whole graph is served without it, its parts have it, and it is
// composed.
func TestInaccessible(t *testing.T) {
	t.Parallel()
	s := gqlparser.MustLoadSchema(&ast.Source{Name: "users.graphqls", Input: `
		directive @inaccessible on FIELD_DEFINITION | OBJECT | ARGUMENT_DEFINITION | ENUM_VALUE
		directive @tag(name: String!) repeatable on FIELD_DEFINITION
		type Query { open(all: Boolean @inaccessible, some: Int): State @tag(name: "public") hidden: Int @inaccessible secret: Secret _entities: Int }
		type Secret @inaccessible { value: Int }
		enum State { ON OFF @inaccessible }`})
	g := project(t, s)
	query := g.Schema().Query
	if query.Fields.ForName("open") == nil || query.Fields.ForName("open").Arguments.ForName("some") == nil || query.Fields.ForName("_entities") == nil {
		t.Error("too much is gone")
	}
	if query.Fields.ForName("hidden") != nil || query.Fields.ForName("secret") != nil || g.Schema().Types["Secret"] != nil ||
		query.Fields.ForName("open").Arguments.ForName("all") != nil || len(g.Schema().Types["State"].EnumValues) != 1 {
		t.Error("what is inaccessible is served")
	}
	for _, part := range []*ast.Schema{project(t, s, federation.Users).Schema()} {
		if part.Query.Fields.ForName("hidden") == nil || part.Types["Secret"] == nil || len(part.Types["State"].EnumValues) != 2 {
			t.Error("a router does not get what is inaccessible")
		}
	}
	for _, text := range []string{"hidden: Int @inaccessible", `@tag(name: "public")`, "OFF @inaccessible"} {
		if !strings.Contains(g.SDL(), text) {
			t.Errorf("%s is not composed", text)
		}
	}
}
