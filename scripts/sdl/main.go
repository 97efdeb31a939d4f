// Command sdl writes the schema as a client sees it into graph/schema.graphql: the contract. What is for
// the code generator, and for the routers of a federated graph, is left out.
package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"

	"github.com/techmart/techmart/graph"
)

const header = "# The whole graph as its clients see it. Generated from graph/schema by `make generate`; do not edit.\n\n"

// routing are the directives that only routers read.
var routing = []string{"link", "key", "shareable", "inaccessible", "composeDirective", "external", "extends", "interfaceObject", "override", "provides", "requires", "tag"}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: sdl FILE")
		os.Exit(2)
	}
	text, err := contract()
	if err == nil {
		err = os.WriteFile(os.Args[1], []byte(text), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sdl:", err)
		os.Exit(1)
	}
}

// contract gives the SDL, types and directives by name.
func contract() (string, error) {
	entries, err := graph.Schema.ReadDir("schema")
	if err != nil {
		return "", err
	}
	var sources []*ast.Source
	for _, e := range entries {
		text, err := graph.Schema.ReadFile("schema/" + e.Name())
		if err != nil {
			return "", err
		}
		sources = append(sources, &ast.Source{Name: e.Name(), Input: string(text)})
	}
	schema, err := gqlparser.LoadSchema(sources...)
	if err != nil {
		return "", err
	}
	doc := &ast.SchemaDocument{}
	for _, name := range slices.Sorted(maps.Keys(schema.Directives)) {
		if d := schema.Directives[name]; !hidden(name) && (!d.Position.Src.BuiltIn || name == "defer") {
			own := *d
			own.Position = &ast.Position{Src: &ast.Source{}} // @defer is in no released specification yet: tools have to be told of it
			doc.Directives = append(doc.Directives, &own)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(schema.Types)) {
		def := schema.Types[name]
		if def.BuiltIn || strings.HasPrefix(name, "_") || def.Directives.ForName("inaccessible") != nil {
			continue
		}
		doc.Definitions = append(doc.Definitions, public(def))
	}
	var b strings.Builder
	b.WriteString(header)
	formatter.NewFormatter(&b, formatter.WithIndent("  ")).FormatSchemaDocument(doc)
	return b.String(), nil
}

// hidden tells whether a directive says nothing to clients.
func hidden(directive string) bool {
	return strings.HasPrefix(directive, "go") || slices.Contains(routing, directive)
}

func public(def *ast.Definition) *ast.Definition {
	out := *def
	out.Directives = visible(def.Directives)
	out.Fields, out.EnumValues = nil, nil
	for _, f := range def.Fields {
		if strings.HasPrefix(f.Name, "_") || f.Directives.ForName("inaccessible") != nil {
			continue
		}
		field := *f
		field.Directives = visible(f.Directives)
		field.Arguments = nil
		for _, a := range f.Arguments {
			arg := *a
			arg.Directives = visible(a.Directives)
			field.Arguments = append(field.Arguments, &arg)
		}
		out.Fields = append(out.Fields, &field)
	}
	for _, v := range def.EnumValues {
		value := *v
		value.Directives = visible(v.Directives)
		out.EnumValues = append(out.EnumValues, &value)
	}
	return &out
}

func visible(list ast.DirectiveList) ast.DirectiveList {
	var kept ast.DirectiveList
	for _, d := range list {
		if !hidden(d.Name) {
			kept = append(kept, d)
		}
	}
	return kept
}
