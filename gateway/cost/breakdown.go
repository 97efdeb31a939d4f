package cost

import "github.com/vektah/gqlparser/v2/ast"

// A FieldCost is what one field adds to the estimate of an operation.
type FieldCost struct {
	Path  []string // of response keys, from the root: products, nodes, category
	Field string   // its place in the schema: Product.category
	Times int      // how often it is asked for at most
	Cost  int      // all these times, without what is selected beneath
	Total int      // with what is selected beneath
}

// Breakdown gives what each field adds to the estimate, in the order of the operation.
func (a *Analyzer) Breakdown(doc *ast.QueryDocument, op *ast.OperationDefinition, variables map[string]any) []FieldCost {
	return nil
}
