// Package cost tells what an operation costs, before it runs and after, by the IBM GraphQL cost
// specification (https://ibm.github.io/graphql-specs/cost-spec.html).
//
// A field costs its @cost weight once (0 where it has none) with the weights of its arguments and,
// for every item that it gives, the weight of its type (1 for an object, 0 for a leaf, unless @cost
// says otherwise) and what is selected beneath it. @listSize says how many items a list has. Fields
// of the same response key are merged first, as they are when the operation runs, and of an
// abstract type the dearest possible one counts.
//
// Whatever does not depend on the values of variables is worked out once for a document and kept:
// see [Analyzer.plan].
package cost

import (
	"math"

	"github.com/vektah/gqlparser/v2/ast"
)

// Weights and sizes where the schema says nothing.
const (
	defaultObjectWeight = 1
	defaultListSize     = 10
)

// introspectionCost are the costs of the fields by which the schema shows itself, whatever is
// selected beneath: a rule of validation bounds that, and nothing is looked up for it.
var introspectionCost = map[string]float64{"__schema": 50, "__type": 5}

// maxVisits bounds the work of one plan; an operation beyond it is too dear to be estimated.
const maxVisits = 50_000

// TooDear is the estimate of an operation that is too large to be estimated.
const TooDear = math.MaxInt32

// An Analyzer knows the costs of one schema. It may be used by many goroutines.
type Analyzer struct {
	schema  *ast.Schema
	fields  map[*ast.FieldDefinition]*field
	weights map[string]float64 // of types, by name
	inputs  map[string]*inputType
	plans   *plans
}

// New reads the costs of a schema.
func New(schema *ast.Schema) *Analyzer {
	a := &Analyzer{
		schema: schema, fields: make(map[*ast.FieldDefinition]*field), weights: make(map[string]float64),
		plans: newPlans(),
	}
	for name, def := range schema.Types {
		if def.IsCompositeType() {
			a.weights[name] = defaultObjectWeight
		}
		if w, ok := weight(def.Directives); ok {
			a.weights[name] = max(0, w)
		}
	}
	a.inputs = readInputs(schema, a.weights)
	for _, def := range schema.Types {
		if def.Kind != ast.Object && def.Kind != ast.Interface {
			continue
		}
		for _, f := range def.Fields {
			a.fields[f] = a.readField(def.Name, f)
		}
	}
	return a
}

// Estimate gives what a valid operation costs at most with these variables (coerced ones, as the
// executor has them). It is TooDear for an operation that is too large to be estimated.
func (a *Analyzer) Estimate(doc *ast.QueryDocument, op *ast.OperationDefinition, variables map[string]any) int {
	return a.plan(doc, op, variables).estimate(variables)
}

func (p *plan) estimate(variables map[string]any) int {
	if p.dear {
		return TooDear
	}
	return whole(p.root.cost(variables))
}

// whole rounds up to an integer cost.
func whole(cost float64) int {
	if cost >= TooDear {
		return TooDear
	}
	return max(0, int(math.Ceil(cost)))
}

func (a *Analyzer) root(op ast.Operation) *ast.Definition {
	switch op {
	case ast.Mutation:
		return a.schema.Mutation
	case ast.Subscription:
		return a.schema.Subscription
	}
	return a.schema.Query
}
