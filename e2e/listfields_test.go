package e2e

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// A listField is a field of the graph that gives a list of objects or a connection.
type listField struct {
	name string     // "Product.reviews"
	path []*pathHop // fields from Query to the field itself
}

// A pathHop is a field on the way from Query; nodes says that the next one is reached through the connection's nodes.
type pathHop struct {
	parent string
	field  *ast.FieldDefinition
	nodes  bool
}

// Sizes of the lists in a generated query: those on the way, and those beneath the field.
const (
	sizeOnTheWay = 3
	sizeBeneath  = 2
)

// listFields finds every list field that can be reached from Query, each with its shortest path.
// args gives the arguments of fields that need some, by "Type.field"; a field with required
// arguments that args does not know is an error, so that no list is passed over.
func listFields(schema *ast.Schema, args map[string]string) ([]listField, error) {
	var found []listField
	seenType := map[string]bool{}
	seenField := map[string]bool{}
	type place struct {
		def  *ast.Definition
		path []*pathHop
	}
	queue := []place{{def: schema.Query}}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, f := range at.def.Fields {
			name := at.def.Name + "." + f.Name
			def := schema.Types[f.Type.Name()]
			if strings.HasPrefix(f.Name, "__") || seenField[name] || !def.IsCompositeType() {
				continue
			}
			if needsArgs(f) && args[name] == "" {
				return nil, fmt.Errorf("the list test has no arguments for %s: add them", name)
			}
			seenField[name] = true
			hop := &pathHop{parent: at.def.Name, field: f}
			path := append(slices.Clone(at.path), hop)
			node := nodeType(schema, def)
			if isList(f.Type) || node != nil {
				found = append(found, listField{name: name, path: path})
			}
			if node != nil {
				hop.nodes = true
				def = node
			}
			if def.Kind == ast.Object && !seenType[def.Name] {
				seenType[def.Name] = true
				queue = append(queue, place{def: def, path: path})
			}
		}
	}
	return found, nil
}

// query writes a query that reads the field with the size given, and with all its relations.
func (f listField) query(schema *ast.Schema, args map[string]string, size int) string {
	var b strings.Builder
	b.WriteString("query ListField ")
	for i, hop := range f.path {
		n := sizeOnTheWay
		if i == len(f.path)-1 {
			n = size
		}
		b.WriteString("{ " + call(hop.parent, hop.field, args, n) + " ")
		if hop.nodes {
			b.WriteString("{ nodes ")
		}
	}
	last := f.path[len(f.path)-1]
	def := schema.Types[last.field.Type.Name()]
	if last.nodes {
		b.WriteString(selection(schema, nodeType(schema, def), args, 2))
		b.WriteString(" pageInfo { hasNextPage endCursor } edges { cursor }")
		if def.Fields.ForName("totalCount") != nil {
			b.WriteString(" totalCount")
		}
	} else {
		b.WriteString(selection(schema, def, args, 2))
	}
	for _, hop := range f.path {
		if hop.nodes {
			b.WriteString(" }")
		}
		b.WriteString(" }")
	}
	return b.String()
}

// selection selects every field of a type that needs no argument, and of its relations to the depth given.
func selection(schema *ast.Schema, def *ast.Definition, args map[string]string, depth int) string {
	fields := []string{"__typename"}
	if def.Kind != ast.Object {
		return "{ __typename }"
	}
	for _, f := range def.Fields {
		if needsArgs(f) || strings.HasPrefix(f.Name, "__") {
			continue
		}
		of := schema.Types[f.Type.Name()]
		if !of.IsCompositeType() {
			fields = append(fields, f.Name)
			continue
		}
		if depth == 0 {
			continue
		}
		text := call(def.Name, f, args, sizeBeneath) + " "
		if node := nodeType(schema, of); node != nil {
			text += "{ nodes " + selection(schema, node, args, depth-1)
			if of.Fields.ForName("totalCount") != nil {
				text += " totalCount"
			}
			text += " }"
		} else {
			text += selection(schema, of, args, depth-1)
		}
		fields = append(fields, text)
	}
	return "{ " + strings.Join(fields, " ") + " }"
}

// call writes a field with its arguments, first among them where the field has it.
func call(parent string, f *ast.FieldDefinition, args map[string]string, size int) string {
	var list []string
	if given := args[parent+"."+f.Name]; given != "" {
		list = append(list, given)
	}
	if f.Arguments.ForName("first") != nil {
		list = append(list, fmt.Sprintf("first: %d", size))
	}
	if len(list) == 0 {
		return f.Name
	}
	return f.Name + "(" + strings.Join(list, ", ") + ")"
}

func needsArgs(f *ast.FieldDefinition) bool {
	return slices.ContainsFunc(f.Arguments, func(a *ast.ArgumentDefinition) bool {
		return a.Type.NonNull && a.DefaultValue == nil
	})
}

func isList(t *ast.Type) bool { return t.Elem != nil }

// nodeType gives the type of a connection's nodes, or nil for another type.
func nodeType(schema *ast.Schema, def *ast.Definition) *ast.Definition {
	if !strings.HasSuffix(def.Name, "Connection") {
		return nil
	}
	return schema.Types[def.Fields.ForName("nodes").Type.Name()]
}
