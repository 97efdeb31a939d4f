package federation

import (
	"maps"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"
)

// executed writes the projection as it is executed, without what is @inaccessible where it hides that.
func (p *projection) executed(hides bool) string {
	doc := &ast.SchemaDocument{}
	doc.Directives = p.directives()
	for _, name := range slices.Sorted(maps.Keys(p.types)) {
		def := without(p.types[name], nil)
		if hides {
			if def = p.accessible(def); def == nil {
				continue
			}
		}
		doc.Definitions = append(doc.Definitions, def)
	}
	return text(doc)
}

// hidden tells whether anything of a schema is @inaccessible.
func hidden(s *ast.Schema) bool {
	for _, def := range s.Types {
		if inaccessible(def.Directives) {
			return true
		}
		for _, f := range def.Fields {
			if inaccessible(f.Directives) || slices.ContainsFunc(f.Arguments, func(a *ast.ArgumentDefinition) bool { return inaccessible(a.Directives) }) {
				return true
			}
		}
		if slices.ContainsFunc(def.EnumValues, func(v *ast.EnumValueDefinition) bool { return inaccessible(v.Directives) }) {
			return true
		}
	}
	return false
}

func inaccessible(list ast.DirectiveList) bool { return list.ForName("inaccessible") != nil }

// accessible takes what is @inaccessible out of a copy of a definition; nil for one that is so itself.
func (p *projection) accessible(def *ast.Definition) *ast.Definition {
	gone := func(name string) bool {
		other := p.whole.Types[name]
		return other != nil && inaccessible(other.Directives)
	}
	if inaccessible(def.Directives) {
		return nil
	}
	def.Types = slices.DeleteFunc(slices.Clone(def.Types), gone)
	def.Interfaces = slices.DeleteFunc(slices.Clone(def.Interfaces), gone)
	def.EnumValues = slices.DeleteFunc(slices.Clone(def.EnumValues), func(v *ast.EnumValueDefinition) bool { return inaccessible(v.Directives) })
	def.Fields = slices.DeleteFunc(def.Fields, func(f *ast.FieldDefinition) bool { return inaccessible(f.Directives) || gone(f.Type.Name()) })
	for _, f := range def.Fields {
		f.Arguments = slices.DeleteFunc(f.Arguments, func(a *ast.ArgumentDefinition) bool { return inaccessible(a.Directives) || gone(a.Type.Name()) })
	}
	return def
}

// sdl writes the projection as it is composed: without what the federation specification itself gives
// to each subgraph, and with @cost as it is there, where a weight is an integer and a list is sliced by
// integers alone.
func (p *projection) sdl() string {
	doc := &ast.SchemaDocument{SchemaExtension: ast.SchemaDefinitionList{{Directives: p.whole.SchemaDirectives}}}
	for _, d := range p.directives() {
		if !p.given(d.Name) {
			doc.Directives = append(doc.Directives, d)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.types)) {
		if !strings.HasPrefix(name, "_") {
			doc.Definitions = append(doc.Definitions, without(p.types[name], p.composable))
		}
	}
	return text(doc)
}

func text(doc *ast.SchemaDocument) string {
	var b strings.Builder
	formatter.NewFormatter(&b, formatter.WithIndent("  ")).FormatSchemaDocument(doc)
	return b.String()
}

// given tells whether a directive is one of the specification: @link and what it imports.
func (p *projection) given(directive string) bool {
	if directive == "link" {
		return true
	}
	for _, link := range p.whole.SchemaDirectives.ForNames("link") {
		if list := link.Arguments.ForName("import"); list != nil {
			for _, item := range list.Value.Children {
				if item.Value.Raw == "@"+directive {
					return true
				}
			}
		}
	}
	return false
}

// composable gives a directive on a field or argument as it is composed.
func (p *projection) composable(d *ast.Directive, f *ast.FieldDefinition) *ast.Directive {
	out := *d
	out.Arguments = nil
	for _, arg := range d.Arguments {
		a := *arg
		switch {
		case d.Name == "cost" && arg.Name == "weight":
			a.Value = &ast.Value{Kind: ast.IntValue, Raw: arg.Value.Raw}
		case d.Name == "listSize" && arg.Name == "assumedSize" && f != nil && slicedByDefault(d, f):
			continue // nothing is assumed where the schema says it
		case d.Name == "listSize" && arg.Name == "slicingArguments" && f != nil:
			v := *arg.Value
			v.Children = nil
			for _, child := range arg.Value.Children {
				if by := f.Arguments.ForName(child.Value.Raw); by != nil && by.Type.NamedType == "Int" {
					v.Children = append(v.Children, child)
				}
			}
			if len(v.Children) == 0 {
				continue
			}
			a.Value = &v
		}
		out.Arguments = append(out.Arguments, &a)
	}
	return &out
}

// slicedByDefault tells whether one of the arguments that slice a list has a default.
func slicedByDefault(d *ast.Directive, f *ast.FieldDefinition) bool {
	list := d.Arguments.ForName("slicingArguments")
	if list == nil {
		return false
	}
	for _, child := range list.Value.Children {
		if by := f.Arguments.ForName(child.Value.Raw); by != nil && by.DefaultValue != nil {
			return true
		}
	}
	return false
}

// without copies a definition without the code generator's directives and without fields for routers
// where it is to be composed; change, where there is one, gives each other directive its form.
func without(def *ast.Definition, change func(*ast.Directive, *ast.FieldDefinition) *ast.Directive) *ast.Definition {
	out := *def
	directives := func(list ast.DirectiveList, f *ast.FieldDefinition) ast.DirectiveList {
		var kept ast.DirectiveList
		for _, d := range list {
			if strings.HasPrefix(d.Name, "go") {
				continue
			}
			if change != nil {
				d = change(d, f)
			}
			kept = append(kept, d)
		}
		return kept
	}
	out.Directives = directives(def.Directives, nil)
	out.Fields = nil
	for _, f := range def.Fields {
		if strings.HasPrefix(f.Name, "__") || change != nil && strings.HasPrefix(f.Name, "_") {
			continue
		}
		field := *f
		field.Directives = directives(f.Directives, f)
		field.Arguments = nil
		for _, arg := range f.Arguments {
			a := *arg
			a.Directives = directives(arg.Directives, f)
			field.Arguments = append(field.Arguments, &a)
		}
		out.Fields = append(out.Fields, &field)
	}
	return &out
}
