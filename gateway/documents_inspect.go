package gateway

import (
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/techmart/techmart/services/errs"
)

// Inspected is what the edge has to say of a document.
type Inspected struct {
	Name string // of its operation; empty for one without
	Kind string // query, mutation or subscription
	Cost int    // estimated, without variables
}

// Inspect looks at a document that a client wants to publish: it has one operation, fits the schema
// and keeps the limits. It fails with BAD_USER_INPUT.
func (g *Gateway) Inspect(text string) (Inspected, error) {
	doc, err := g.validDocument(text)
	if err != nil {
		return Inspected{}, err
	}
	if len(doc.Operations) != 1 {
		return Inspected{}, errs.Newf(errs.BadInput, "A document has one operation, not %d.", len(doc.Operations))
	}
	op := doc.Operations[0]
	return Inspected{Name: op.Name, Kind: string(op.Operation), Cost: g.cost.Estimate(doc, op, nil)}, nil
}

// Schema is what the edge executes.
func (g *Gateway) Schema() *ast.Schema { return g.deps.Schema.Schema() }
