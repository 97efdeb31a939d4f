package federation

import (
	"maps"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// projection gathers what a subgraph has.
type projection struct {
	whole    *ast.Schema
	parts    map[Part]bool
	types    map[string]*ast.Definition
	entities map[string]Kind
}

// has tells whether a definition is of one of the parts.
func (p *projection) has(at *ast.Position) bool {
	part := partOf(at)
	return part == "" || p.parts[part]
}

func (p *projection) run() {
	for _, d := range p.directives() {
		for _, arg := range d.Arguments {
			p.add(arg.Type.Name())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.whole.Types)) {
		if def := p.whole.Types[name]; isEntity(def) && p.has(def.Position) {
			p.add(name)
		}
	}
	for _, root := range []*ast.Definition{p.whole.Query, p.whole.Mutation, p.whole.Subscription} {
		if root != nil {
			p.addRoot(root)
		}
	}
	// Fields that the parts add to entities which they do not lead to.
	for _, name := range slices.Sorted(maps.Keys(p.whole.Types)) {
		if def := p.whole.Types[name]; isEntity(def) && !p.has(def.Position) && len(p.fields(def)) > 1 {
			p.add(name)
		}
	}
	p.close()
}

// close makes the union of what can be asked for by a key.
func (p *projection) close() {
	union, query := p.types["_Entity"], p.types["Query"]
	if union == nil || query == nil {
		return
	}
	union.Types = nil
	for _, name := range slices.Sorted(maps.Keys(p.entities)) {
		if p.entities[name] != Stub {
			union.Types = append(union.Types, name)
		}
	}
}

func isEntity(def *ast.Definition) bool {
	return def.Kind == ast.Object && def.Directives.ForName("key") != nil
}

// addRoot adds the fields of a root that are of the parts; those of no domain are the home's.
func (p *projection) addRoot(root *ast.Definition) {
	out := *root
	out.Fields = nil
	for _, f := range root.Fields {
		if strings.HasPrefix(f.Name, "__") {
			continue
		}
		part := partOf(f.Position)
		if part == "" && !strings.HasPrefix(f.Name, "_") {
			part = Home
		}
		if part == "" || p.parts[part] {
			out.Fields = append(out.Fields, f)
		}
	}
	if len(out.Fields) == 0 {
		return
	}
	p.types[root.Name] = &out
	p.addFields(out.Fields)
}

// add adds a type and all that it leads to.
func (p *projection) add(name string) {
	def := p.whole.Types[name]
	if def == nil || def.BuiltIn || p.types[name] != nil {
		return
	}
	out := *def
	p.types[name] = &out
	switch def.Kind {
	case ast.Object:
		out.Fields = p.fields(def)
		if isEntity(def) {
			p.entities[name] = p.kind(def, out.Fields)
			out.Directives = keyed(def.Directives, p.entities[name])
		}
	case ast.Interface:
		for _, possible := range p.whole.GetPossibleTypes(def) {
			if !isEntity(possible) || p.parts[Home] { // which answers node
				p.add(possible.Name)
			}
		}
	case ast.Union:
		for _, member := range def.Types {
			if name != "_Entity" {
				p.add(member)
			}
		}
	}
	for _, i := range def.Interfaces {
		p.add(i)
	}
	p.addFields(out.Fields)
}

func (p *projection) addFields(list ast.FieldList) {
	for _, f := range list {
		for _, arg := range f.Arguments {
			p.add(arg.Type.Name())
		}
		p.add(f.Type.Name())
	}
}

// fields are those of a type that the parts have: its own ones where it is of them or of all, and those
// that they add to it. An entity has its key everywhere.
func (p *projection) fields(def *ast.Definition) ast.FieldList {
	owner := partOf(def.Position)
	own := !isEntity(def) || p.has(def.Position)
	var out ast.FieldList
	for _, f := range def.Fields {
		part := partOf(f.Position)
		if own && part == owner || part != owner && p.parts[part] || isEntity(def) && f.Name == "id" {
			out = append(out, f)
		}
	}
	return out
}

func (p *projection) kind(def *ast.Definition, fields ast.FieldList) Kind {
	switch {
	case p.has(def.Position):
		return Own
	case len(fields) > 1:
		return Extended
	}
	return Stub
}

// keyed says of a stub that it cannot be asked for here.
func keyed(list ast.DirectiveList, kind Kind) ast.DirectiveList {
	if kind != Stub {
		return list
	}
	out := slices.Clone(list)
	for i, d := range out {
		if d.Name == "key" {
			key := *d
			key.Arguments = append(slices.Clone(d.Arguments), &ast.Argument{
				Name: "resolvable", Value: &ast.Value{Kind: ast.BooleanValue, Raw: "false"},
			})
			out[i] = &key
		}
	}
	return out
}

// directives are those of the graph, without those of the code generator, sorted.
func (p *projection) directives() []*ast.DirectiveDefinition {
	var out []*ast.DirectiveDefinition
	for _, name := range slices.Sorted(maps.Keys(p.whole.Directives)) {
		if d := p.whole.Directives[name]; d.Position != nil && !d.Position.Src.BuiltIn && !strings.HasPrefix(name, "go") {
			out = append(out, d)
		}
	}
	return out
}
