package cost

import (
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
)

// A FieldCost is what one field adds to the estimate of an operation.
type FieldCost struct {
	Path  []string // of response keys, from the root: products, nodes, category
	Field string   // its place in the schema: Product.category
	Times int      // how often it is asked for at most
	Items int      // how many items each time has at most; 1 where it is no list
	Cost  int      // all these times, without what is selected beneath
	Total int      // with what is selected beneath
}

// Breakdown gives what each field adds to the estimate, in the order of the operation. Fields that
// add nothing are left out. Of an abstract type the fields of the dearest possible one are there.
func (a *Analyzer) Breakdown(doc *ast.QueryDocument, op *ast.OperationDefinition, variables map[string]any) []FieldCost {
	p := a.plan(doc, op, variables)
	b := breakdown{variables: variables}
	if !p.dear {
		b.shape(&p.root, 1, nil)
	}
	return b.fields
}

type breakdown struct {
	variables map[string]any
	fields    []FieldCost
}

// shape adds the fields of so many objects.
func (b *breakdown) shape(s *shape, times float64, path []string) {
	for i := range s.nodes {
		n := &s.nodes[i]
		total := times * n.cost(b.variables)
		if total == 0 {
			continue
		}
		here := append(slices.Clone(path), n.key)
		if n.field == nil {
			b.fields = append(b.fields, FieldCost{Path: here, Field: s.types[0] + "." + n.name, Times: whole(times), Items: 1, Cost: whole(total), Total: whole(total)})
			continue
		}
		items, each := n.items(b.variables), n.leaf
		dearest := n.dearest(b.variables)
		if dearest != nil {
			each = dearest.weight
		}
		b.fields = append(b.fields, FieldCost{
			Path: here, Field: n.field.coordinate, Times: whole(times), Items: whole(items),
			Cost: whole(times * (n.once(b.variables) + items*each)), Total: whole(total),
		})
		if dearest != nil {
			b.shape(dearest, times*items, here)
		}
	}
}
