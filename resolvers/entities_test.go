package resolvers

import (
	"reflect"
	"testing"

	"github.com/google/uuid"

	"github.com/techmart/techmart/graph/federation"
	"github.com/techmart/techmart/graph/generated"
	"github.com/techmart/techmart/graph/model"
)

// Whatever a part names of another one can be made of its key, and has its own name.
func TestReferences(t *testing.T) {
	t.Parallel()
	whole := generated.NewExecutableSchema(generated.Config{}).Schema()
	for bits := 1; bits < 1<<len(federation.Parts()); bits++ {
		var parts []federation.Part
		home := false
		for i, p := range federation.Parts() {
			if bits&(1<<i) != 0 {
				parts, home = append(parts, p), home || p == federation.Home
			}
		}
		g, err := federation.Project(whole, parts...)
		if err != nil {
			t.Fatal(err)
		}
		for _, def := range whole.GetPossibleTypes(whole.Types["Node"]) {
			kind := g.Entity(def.Name)
			if kind != federation.Extended && (kind != federation.Stub || home) { // node looks things up
				continue
			}
			if _, ok := references[def.Name]; !ok {
				t.Errorf("%v name a %s, of which resolvers/entities_references.go has no reference", parts, def.Name)
			}
		}
	}
	for name, r := range references {
		id := uuid.Must(uuid.NewV7())
		key := model.ID(r.prefix, id)
		e, ok := reference(name, key).(model.Node)
		if !ok || typeName(e) != name || reflect.ValueOf(e).Elem().FieldByName("ID").String() != key {
			t.Errorf("the reference of %s %s is %+v", name, key, e)
		}
		if got := reference(name, "nonsense"); got != nil {
			t.Errorf("nonsense is a %s: %v", name, got)
		}
	}
}
