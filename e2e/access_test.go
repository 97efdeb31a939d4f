package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
)

// roles are the columns of the table of access: the customer is Ada.
var roles = []string{"anonymous", "customer", "another", "support", "catalog", "admin"}

// What a cell of the table says beside the code of an error.
const (
	gets    = "yes"  // the thing is given, or done
	getsOwn = "own"  // of a subscription: what is the viewer's own, and not Ada's
	getsNil = "null" // as if it were not there
	isEmpty = "none" // an empty list, nothing done, or zero
)

// An attempt tries one field as one of the roles.
type attempt struct {
	row       string // "Type.field", a space, and which case it is
	operation string
	field     *ast.Field // the one named "it"
	kind      ast.Operation
	variables []string
}

const itself = "it" // the alias of the field in question

// attempts reads access.graphql, and checks that each operation is valid and tries what its row says.
func attempts(t *testing.T, schema *ast.Schema) []attempt {
	t.Helper()
	text, err := os.ReadFile("testdata/access.graphql")
	if err != nil {
		t.Fatal(err)
	}
	var list []attempt
	_, text2, _ := strings.Cut(string(text), "\n\n")
	for block := range strings.SplitSeq(text2, "\n\n") {
		head, operation, _ := strings.Cut(strings.TrimSpace(block), "\n")
		list = append(list, attempt{row: strings.TrimPrefix(head, "# "), operation: operation})
	}
	for _, def := range schema.PossibleTypes["Node"] {
		list = append(list, attempt{
			row: "node of " + def.Name,
			operation: fmt.Sprintf(`query($%[1]s: ID!) { it: node(id: $%[1]s) { id } nodes(ids: [$%[1]s]) { id }
				_entities(representations: [{__typename: "%[2]s", id: $%[1]s}]) { ... on %[2]s { id } } }`, lowerFirst(def.Name), def.Name),
		})
	}
	for i := range list {
		a := &list[i]
		doc, err := parser.ParseQuery(&ast.Source{Name: a.row, Input: a.operation})
		if err != nil || len(doc.Operations) != 1 {
			t.Fatalf("%s: %v", a.row, err)
		}
		if errs := validator.ValidateWithRules(schema, doc, nil); len(errs) > 0 {
			t.Fatalf("%s: %v", a.row, errs)
		}
		a.kind = doc.Operations[0].Operation
		for _, v := range doc.Operations[0].VariableDefinitions {
			a.variables = append(a.variables, v.Variable)
		}
		a.field = aliased(doc.Operations[0].SelectionSet)
		if a.field == nil {
			t.Fatalf("%s: its operation names no field %q", a.row, itself)
		}
		if name := a.subject(); a.row != name && !strings.HasPrefix(a.row, name+" ") && !strings.HasPrefix(a.row, "node of ") {
			t.Errorf("%s: its operation tries %s", a.row, name)
		}
	}
	order := map[ast.Operation]int{ast.Query: 0, ast.Subscription: 1, ast.Mutation: 2} // these change what the others see
	slices.SortStableFunc(list, func(a, b attempt) int { return order[a.kind] - order[b.kind] })
	return list
}

// subject is the field in question.
func (a attempt) subject() string { return a.field.ObjectDefinition.Name + "." + a.field.Name }

func aliased(set ast.SelectionSet) *ast.Field {
	for _, s := range set {
		f, ok := s.(*ast.Field)
		if !ok {
			continue
		}
		if f.Alias == itself {
			return f
		}
		if found := aliased(f.SelectionSet); found != nil {
			return found
		}
	}
	return nil
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// decided are the fields that need a row: all of the roots, and those beneath with a rule or a
// look-up of their own.
func decided(schema *ast.Schema) []string {
	var names []string
	for _, def := range schema.Types {
		root := slices.Contains([]*ast.Definition{schema.Query, schema.Mutation, schema.Subscription}, def)
		if def.Kind != ast.Object || def.BuiltIn {
			continue
		}
		for _, f := range def.Fields {
			own := f.Directives.ForName("authenticated") != nil || f.Directives.ForName("requiresScopes") != nil ||
				f.Directives.ForName("goField") != nil
			if root || own {
				names = append(names, def.Name+"."+f.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// table reads access.txt: the cells of each row.
func table(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("testdata/access.txt")
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string][]string)
	for line := range strings.SplitSeq(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		row, cells, ok := strings.Cut(line, "  ")
		list := strings.Fields(cells)
		if !ok || len(list) != len(roles) {
			t.Fatalf("testdata/access.txt: a row has its name, two spaces or more, and %d cells: %q", len(roles), line)
		}
		if rows[row] != nil {
			t.Errorf("testdata/access.txt has %s twice", row)
		}
		rows[row] = list
	}
	if !slices.Equal(rows["field"], roles) {
		t.Fatalf("testdata/access.txt: the columns are %v, not %v", rows["field"], roles)
	}
	delete(rows, "field")
	return rows
}

// Every field of the roots, every field beneath with a rule of its own and every type with an id is tried as
// everyone, against what was decided in testdata/access.txt. What is not decided fails.
func TestAccess(t *testing.T) {
	t.Parallel()
	schema := loadSchema(t)
	tried, want := attempts(t, schema), table(t)
	known := make(map[string]bool)
	subjects := make(map[string]bool)
	for _, a := range tried {
		known[a.row], subjects[a.subject()] = true, true
	}
	for _, name := range decided(schema) {
		if !subjects[name] {
			t.Errorf("nobody has decided who gets %s: say in testdata/access.graphql how to try it, and in testdata/access.txt what comes of it", name)
		}
	}
	for row := range want {
		if !known[row] {
			t.Errorf("testdata/access.txt decides on %s, which testdata/access.graphql does not try", row)
		}
	}

	w := newWorld(t)
	for _, a := range tried {
		var got []string
		for _, role := range roles {
			got = append(got, w.outcome(a, role))
		}
		if line := fmt.Sprintf(rowFormat, a.row, got[0], got[1], got[2], got[3], got[4], got[5]); want[a.row] == nil {
			t.Errorf("testdata/access.txt has no row for it; if this is as it shall be, add\n%s", line)
		} else if !slices.Equal(got, want[a.row]) {
			t.Errorf("%s\n got %v\nwant %v", a.row, got, want[a.row])
		}
	}
}

const rowFormat = "%-58s  %-22s  %-22s  %-22s  %-22s  %-22s  %s"

// outcome tries a field as a role, in the words of the table.
func (w *world) outcome(a attempt, role string) string {
	variables := make(vars)
	for _, name := range a.variables {
		variables[name] = w.thing(name, role)
	}
	var got string
	if a.kind == ast.Subscription {
		got = w.follow(a, role, variables)
	} else {
		got = told(w.s.t, w.who[role].do(a.operation, variables))
	}
	if got == gets && a.kind == ast.Mutation {
		for _, name := range a.variables {
			delete(w.made, name) // it is used up
		}
	}
	return got
}

// told says what an answer comes to.
func told(t *testing.T, a answer) string {
	t.Helper()
	if code := a.code(); code != "" {
		return code
	}
	var data map[string]any
	if err := json.Unmarshal(a.Data, &data); err != nil {
		t.Fatalf("%d %s: %v", a.Status, a.Data, err)
	}
	got := worth(find(data))
	for _, other := range []string{"nodes", "_entities"} {
		if list, ok := data[other].([]any); ok && worth(list[0]) != got {
			t.Errorf("node and %s disagree: %s", other, a.Data)
		}
	}
	return got
}

// find gives the value of the field in question; nil where the way to it ends earlier.
func find(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if it, ok := v[itself]; ok {
			return it
		}
		for _, child := range v {
			if it := find(child); it != nil {
				return it
			}
		}
	case []any:
		for _, child := range v {
			if it := find(child); it != nil {
				return it
			}
		}
	}
	return nil
}

// worth says in a word what a value gives.
func worth(v any) string {
	switch v := v.(type) {
	case nil:
		return getsNil
	case []any:
		if len(v) == 0 {
			return isEmpty
		}
	case float64:
		if v == 0 {
			return isEmpty
		}
	case bool:
		if !v {
			return isEmpty
		}
	case map[string]any:
		if errs, ok := v["userErrors"].([]any); ok && len(errs) > 0 {
			return errs[0].(map[string]any)["code"].(string)
		}
		for name, child := range v {
			if got := worth(child); got == isEmpty && name != "userErrors" || got == getsNil && v["userErrors"] != nil {
				return isEmpty
			}
		}
	}
	return gets
}

// follow subscribes, and lets come Ada's news first and then the viewer's own.
func (w *world) follow(a attempt, role string, variables vars) string {
	w.s.t.Helper()
	s := w.who[role].serverSentEvents(a.operation, variables)
	defer s.cancel()
	if channel, news := w.news(a.field.Name, role, variables); channel != "" {
		sig := w.sig.client
		eventually(w.s.t, a.row+" listens", func() bool {
			n, err := sig.PubSubNumSub(w.s.t.Context(), sig.Key(channel)).Result()
			return len(s.frames) > 0 || err == nil && n[sig.Key(channel)] > 0
		})
		for _, payload := range news {
			w.sig.send(channel, payload)
		}
	}
	f := s.next()
	if f.code() != "" {
		return f.code()
	}
	var data map[string]any
	if err := json.Unmarshal(f.Data, &data); err != nil {
		w.s.t.Fatal(err)
	}
	adas := []any{w.ids["order"], w.ids["notification"]}
	for _, v := range variables {
		adas = append(adas, v)
	}
	if it, _ := find(data).(map[string]any); slices.Contains(adas, it["id"]) {
		return gets
	}
	return getsOwn
}
