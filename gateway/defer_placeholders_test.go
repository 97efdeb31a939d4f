package gateway

import (
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

func TestPlaceholdersOfDeferredFields(t *testing.T) {
	t.Parallel()
	doc, err := parser.ParseQuery(&ast.Source{Input: `{
		list { id kept: name ...Late @defer child { id ... @defer { slow } } }
		other { both ... @defer { both slow } }
	} fragment Late on Thing { kept: name slow none deep { x } }`})
	if err != nil {
		t.Fatal(err)
	}
	p := newPlaceholders(doc.Operations[0], doc.Fragments)
	first, err := p.first([]byte(`{"list":[{"id":"\u003ca\"","kept":null,"slow":null,"none":null,"deep":null,"child":null},{"id":1.50,"kept":"b","slow":null,"none":"x","deep":null,"child":{"id":2,"slow":null}}],"other":{"both":null,"slow":null}}`))
	if want := `{"list":[{"id":"\u003ca\"","kept":null,"child":null},{"id":1.50,"kept":"b","none":"x","child":{"id":2}}],"other":{"both":null}}`; err != nil || string(first) != want {
		t.Errorf("first part: %s %v", first, err)
	}
	for _, part := range []struct {
		path ast.Path
		data string
	}{
		{ast.Path{ast.PathName("list"), ast.PathIndex(0)}, `{"slow":1,"deep":{"x":null}}`},
		{ast.Path{ast.PathName("list"), ast.PathIndex(1)}, `null`},
		{ast.Path{ast.PathName("other")}, `{"slow":null}`},
	} {
		if got, err := p.next([]byte(part.data), part.path); err != nil || string(got) != part.data {
			t.Errorf("part of %v: %s %v", part.path, got, err)
		}
	}
	rest, err := p.rest()
	if want := `,{"data":{"none":null},"path":["list",0]},{"data":{"slow":null},"path":["list",1,"child"]}`; err != nil || string(rest) != want {
		t.Errorf("what is left: %s %v", rest, err)
	}
}
