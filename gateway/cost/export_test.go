package cost

import "github.com/vektah/gqlparser/v2/ast"

// Unbounded is Actual without its last bound, the estimate: what was read must be within it anyway.
func (a *Analyzer) Unbounded(doc *ast.QueryDocument, op *ast.OperationDefinition, variables map[string]any, data []byte) (total int, broken bool) {
	s := scanner{data: data, variables: variables}
	total = whole(s.object(&a.plan(doc, op, variables).root))
	return total, s.broken || s.pos < len(s.data)
}

// Kept tells how many operations are kept, and how many nodes of plans.
func (a *Analyzer) Kept() (operations, nodes int) {
	a.plans.mu.Lock()
	defer a.plans.mu.Unlock()
	return a.plans.kept.Len(), a.plans.nodes
}

// Bounds of what is kept.
const (
	KeptOperations = keptOperations
	KeptVariants   = keptVariants
	KeptNodes      = keptNodes
)
