// Package federation projects the graph onto some of its parts, as a subgraph by the Federation 2
// specification (https://www.apollographql.com/docs/graphos/reference/federation/subgraph-spec).
//
// A part is what one team would own. It has the types and root fields of its SDL files, and the fields
// that these add to entities of other parts. Entities have @key in the SDL; one of another part is there
// with its key alone. Types that several parts use are marked @shareable in the SDL, and are whole in
// each of them.
//
// A projection is executed by the same executor as the whole graph: it only allows less.
package federation

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

// Part is one part of the graph.
type Part string

// The parts.
const (
	Users         Part = "users"
	Products      Part = "products"
	Orders        Part = "orders" // from the cart to the return
	Payments      Part = "payments"
	Notifications Part = "notifications" // whatever leaves the shop: messages to customers, webhooks to integrators
)

// Home is the part that answers the root fields that are of no domain: node, nodes and queryCost.
const Home = Users

// Parts are all parts.
func Parts() []Part { return []Part{Users, Products, Orders, Payments, Notifications} }

// files says whose the SDL files are, by their names.
var files = map[string]Part{
	"users": Users, "products": Products,
	"carts": Orders, "promotions": Orders, "orders": Orders, "returns": Orders,
	"payments": Payments, "notifications": Notifications, "webhooks": Notifications,
	"common": "", "federation": "", "gqlgen": "", // of all
}

// Parse reads the names of parts; no names for the whole graph.
func Parse(names []string) ([]Part, error) {
	var parts []Part
	for _, name := range names {
		p := Part(strings.TrimSpace(name))
		if !slices.Contains(Parts(), p) {
			return nil, fmt.Errorf("federation: %q is no part of the graph; those are %v", name, Parts())
		}
		if !slices.Contains(parts, p) {
			parts = append(parts, p)
		}
	}
	return parts, nil
}

// Kind says what a graph has of an entity.
type Kind int

// The kinds.
const (
	None     Kind = iota // nothing
	Own                  // all that its part gives
	Extended             // the key, and fields that other parts add to it
	Stub                 // the key alone
)

// Graph is the whole graph or a projection.
type Graph struct {
	schema   *ast.Schema
	sdl      string
	entities map[string]Kind
}

// Schema is what is executed.
func (g *Graph) Schema() *ast.Schema { return g.schema }

// SDL is what a federated graph is composed of.
func (g *Graph) SDL() string { return g.sdl }

// Entity says what there is of the entity with the name.
func (g *Graph) Entity(name string) Kind { return g.entities[name] }

// Project gives the subgraph of the parts, of the whole graph for none. It fails for a schema with an
// SDL file that no part has.
//
// The whole graph is executed without what is @inaccessible, as a router shows it to its clients; a router
// needs it of the parts, which have it.
func Project(whole *ast.Schema, parts ...Part) (*Graph, error) {
	all := Parts()
	if len(parts) == 0 {
		parts = all
	}
	if missing := Unassigned(whole); len(missing) > 0 {
		return nil, fmt.Errorf("federation: the SDL files %s are of no part", strings.Join(missing, ", "))
	}
	p := &projection{whole: whole, parts: make(map[Part]bool), types: make(map[string]*ast.Definition), entities: make(map[string]Kind)}
	for _, part := range parts {
		p.parts[part] = true
	}
	p.run()
	g := &Graph{schema: whole, sdl: p.sdl(), entities: p.entities}
	hides := len(p.parts) == len(all) && hidden(whole)
	if len(p.parts) < len(all) || hides {
		schema, err := gqlparser.LoadSchema(&ast.Source{Name: "subgraph", Input: p.executed(hides)})
		if err != nil {
			return nil, fmt.Errorf("federation: %w", err)
		}
		g.schema = schema
	}
	return g, nil
}

// Unassigned are the SDL files of a schema that are of no part, sorted.
func Unassigned(whole *ast.Schema) []string {
	var missing []string
	note := func(at *ast.Position) {
		if at == nil || at.Src == nil || at.Src.BuiltIn {
			return
		}
		if name := file(at); !known(name) && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	for _, def := range whole.Types {
		note(def.Position)
		for _, f := range def.Fields {
			note(f.Position)
		}
	}
	slices.Sort(missing)
	return missing
}

func known(name string) bool {
	_, is := files[name]
	return is
}

// file gives the name of the SDL file, without its ending.
func file(at *ast.Position) string {
	return strings.TrimSuffix(path.Base(at.Src.Name), ".graphqls")
}

// partOf tells whose a definition is; "" for those of all.
func partOf(at *ast.Position) Part {
	if at == nil || at.Src == nil {
		return ""
	}
	return files[file(at)]
}
