// Package cost estimates what an operation costs before it runs, by the IBM GraphQL cost
// specification (https://ibm.github.io/graphql-specs/cost-spec.html).
//
// A field costs its @cost weight once (0 where it has none) and, for every item that it gives, the
// weight of its type (1 for an object, 0 for a leaf, unless @cost says otherwise) and what is
// selected beneath it. @listSize says how many items a list has. Fields of the same response key
// are merged first, as they are when the operation runs, and of an abstract type the dearest
// possible one counts.
package cost

import (
	"math"
	"strconv"
	"strings"

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

// maxVisits bounds the work of one estimate; an operation beyond it is too dear to be estimated.
const maxVisits = 50_000

// TooDear is the estimate of an operation that is too large to be estimated.
const TooDear = math.MaxInt32

// An Analyzer knows the costs of one schema. It may be used by many goroutines.
type Analyzer struct {
	schema  *ast.Schema
	fields  map[*ast.FieldDefinition]field
	weights map[string]float64 // of types, by name
}

// field is what the schema says of a field's cost.
type field struct {
	weight    float64
	isList    bool
	hasSize   bool // @listSize is there
	assumed   int  // -1 where not given
	slicing   []string
	sized     map[string]bool
	arguments []argument // those with a weight
}

type argument struct {
	name   string
	weight float64
}

// New reads the costs of a schema.
func New(schema *ast.Schema) *Analyzer {
	a := &Analyzer{schema: schema, fields: make(map[*ast.FieldDefinition]field), weights: make(map[string]float64)}
	for name, def := range schema.Types {
		if def.IsCompositeType() {
			a.weights[name] = defaultObjectWeight
		}
		if w, ok := weight(def.Directives); ok {
			a.weights[name] = w
		}
		for _, f := range def.Fields {
			a.fields[f] = readField(f)
		}
	}
	return a
}

func readField(f *ast.FieldDefinition) field {
	out := field{isList: f.Type.NamedType == "", assumed: -1}
	out.weight, _ = weight(f.Directives)
	for _, arg := range f.Arguments {
		if w, ok := weight(arg.Directives); ok {
			out.arguments = append(out.arguments, argument{arg.Name, w})
		}
	}
	d := f.Directives.ForName("listSize")
	if d == nil {
		return out
	}
	out.hasSize = true
	if arg := d.Arguments.ForName("assumedSize"); arg != nil {
		if n, err := strconv.Atoi(arg.Value.Raw); err == nil {
			out.assumed = n
		}
	}
	out.slicing = texts(d, "slicingArguments")
	for _, name := range texts(d, "sizedFields") {
		if out.sized == nil {
			out.sized = make(map[string]bool)
		}
		out.sized[name] = true
	}
	return out
}

func weight(list ast.DirectiveList) (float64, bool) {
	d := list.ForName("cost")
	if d == nil {
		return 0, false
	}
	arg := d.Arguments.ForName("weight")
	if arg == nil {
		return 0, false
	}
	w, err := strconv.ParseFloat(arg.Value.Raw, 64)
	return w, err == nil
}

func texts(d *ast.Directive, name string) []string {
	arg := d.Arguments.ForName(name)
	if arg == nil {
		return nil
	}
	var out []string
	for _, child := range arg.Value.Children {
		out = append(out, child.Value.Raw)
	}
	return out
}

// Estimate gives what a valid operation costs at most with these variables (coerced ones, as the
// executor has them). It is TooDear for an operation that is too large to be estimated.
func (a *Analyzer) Estimate(doc *ast.QueryDocument, op *ast.OperationDefinition, variables map[string]any) int {
	root := a.root(op.Operation)
	if root == nil {
		return 0
	}
	e := &estimate{a: a, doc: doc, variables: variables}
	total := e.object(root, []ast.SelectionSet{op.SelectionSet}, nil, 0)
	if e.visits > maxVisits || total >= TooDear {
		return TooDear
	}
	return max(0, int(math.Ceil(total)))
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

// estimate is the state of one call of Estimate.
type estimate struct {
	a         *Analyzer
	doc       *ast.QueryDocument
	variables map[string]any
	visits    int
}

// item gives the cost of one item of a type with what is selected on it. sized are the fields of it
// that hold size items each, by the @listSize of the field above.
func (e *estimate) item(def *ast.Definition, sets []ast.SelectionSet, sized map[string]bool, size int) float64 {
	if !def.IsAbstractType() {
		return e.a.weights[def.Name] + e.object(def, sets, sized, size)
	}
	var dearest float64
	for _, possible := range e.a.schema.GetPossibleTypes(def) {
		dearest = max(dearest, e.item(possible, sets, sized, size))
	}
	return dearest
}

// object gives the cost of what is selected on an object, without its own weight.
func (e *estimate) object(def *ast.Definition, sets []ast.SelectionSet, sized map[string]bool, size int) float64 {
	c := collector{e: e, object: def, byKey: make(map[string]int)}
	for _, set := range sets {
		c.collect(set)
	}
	var total float64
	for _, group := range c.groups {
		if e.visits > maxVisits {
			return TooDear
		}
		total += e.field(group, sized, size)
	}
	return total
}

// field gives the cost of the fields of one response key.
func (e *estimate) field(group []*ast.Field, sized map[string]bool, size int) float64 {
	first := group[0]
	if strings.HasPrefix(first.Name, "__") {
		return introspectionCost[first.Name]
	}
	f, known := e.a.fields[first.Definition]
	if !known {
		return 0
	}
	total := f.weight
	for _, arg := range f.arguments {
		if first.Arguments.ForName(arg.name) != nil {
			total += arg.weight
		}
	}
	items := 1
	own := 0 // what sizedFields hold
	switch {
	case f.hasSize && len(f.sized) > 0:
		own = e.size(f, first)
	case f.hasSize:
		items = e.size(f, first)
	case sized[first.Name]:
		items = size
	case f.isList:
		items = defaultListSize
	}
	name := first.Definition.Type.Name()
	each := e.a.weights[name]
	if def := e.a.schema.Types[name]; def != nil && def.IsCompositeType() {
		sets := make([]ast.SelectionSet, len(group))
		for i, one := range group {
			sets[i] = one.SelectionSet
		}
		each = e.item(def, sets, f.sized, own)
	}
	return total + float64(items)*each
}

// size gives how many items a list has at most: the largest of its slicing arguments, else the
// assumed size.
func (e *estimate) size(f field, use *ast.Field) int {
	largest := -1
	for _, name := range f.slicing {
		if n, given := e.slicing(use, name); given {
			largest = max(largest, n)
		}
	}
	switch {
	case largest >= 0:
		return largest
	case f.assumed >= 0:
		return f.assumed
	}
	return defaultListSize
}

// slicing reads a slicing argument: a number, or the length of a list.
func (e *estimate) slicing(use *ast.Field, name string) (int, bool) {
	var value any
	if arg := use.Arguments.ForName(name); arg != nil {
		v, err := arg.Value.Value(e.variables)
		if err != nil {
			return 0, false
		}
		value = v
	} else if def := use.Definition.Arguments.ForName(name); def != nil && def.DefaultValue != nil {
		v, err := def.DefaultValue.Value(nil)
		if err != nil {
			return 0, false
		}
		value = v
	}
	switch v := value.(type) {
	case int:
		return max(0, v), true
	case int32:
		return max(0, int(v)), true
	case int64:
		return int(min(max(0, v), TooDear)), true
	case float64:
		return int(min(max(0, v), TooDear)), true
	case interface{ Int64() (int64, error) }: // json.Number
		n, err := v.Int64()
		return int(min(max(0, n), TooDear)), err == nil
	case []any:
		return len(v), true
	}
	return 0, false
}
