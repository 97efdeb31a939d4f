package cost

import (
	"slices"
	"sync"
	"weak"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/vektah/gqlparser/v2/ast"
)

// Bounds of the plans that are kept.
const (
	keptOperations = 1000
	keptVariants   = 8       // plans of one operation, by its @skip and @include
	keptPlanNodes  = 4096    // of one plan; larger ones are made each time
	keptNodes      = 200_000 // of all together
)

// plans keeps the plans of the operations that were asked for last. It does not keep the operations
// themselves: whoever holds a parsed document decides for how long it is known.
type plans struct {
	mu    sync.Mutex
	kept  *simplelru.LRU[weak.Pointer[ast.OperationDefinition], *entry]
	nodes int
}

// entry is what is kept of one operation.
type entry struct {
	conditions []string         // variables that @skip and @include read
	plans      map[uint64]*plan // by the conditions that are true, as bits
	nodes      int
}

func newPlans() *plans {
	p := &plans{}
	kept, err := simplelru.NewLRU(keptOperations, func(_ weak.Pointer[ast.OperationDefinition], e *entry) { p.nodes -= e.nodes })
	if err != nil {
		panic("cost: a cache of a fixed size: " + err.Error())
	}
	p.kept = kept
	return p
}

// plan gives the plan of an operation for the values that its @skip and @include have.
func (a *Analyzer) plan(doc *ast.QueryDocument, op *ast.OperationDefinition, variables map[string]any) *plan {
	key := weak.Make(op)
	e, p, bits := a.plans.find(key, variables)
	if p != nil {
		return p
	}
	if e == nil {
		e = &entry{conditions: conditions(doc, op), plans: make(map[uint64]*plan, 1)}
		bits = e.bits(variables)
	}
	p = a.newPlan(doc, op, variables)
	if len(e.conditions) <= 64 {
		a.plans.keep(key, e, bits, p)
	}
	return p
}

// find gives what is known of an operation, nil where nothing is, and its plan for the variables.
func (p *plans) find(key weak.Pointer[ast.OperationDefinition], variables map[string]any) (*entry, *plan, uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.kept.Get(key)
	if !ok {
		return nil, nil, 0
	}
	bits := e.bits(variables)
	return e, e.plans[bits], bits
}

// bits tells which conditions are true.
func (e *entry) bits(variables map[string]any) (bits uint64) {
	for i, name := range e.conditions {
		if is, _ := variables[name].(bool); is {
			bits |= 1 << i
		}
	}
	return bits
}

// keep keeps a plan, and forgets the oldest operations until all are within bounds.
func (p *plans) keep(key weak.Pointer[ast.OperationDefinition], e *entry, bits uint64, made *plan) {
	if made.nodes > keptPlanNodes {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if there, ok := p.kept.Get(key); ok {
		e = there
	} else {
		p.nodes += e.nodes
		p.kept.Add(key, e)
	}
	if _, ok := e.plans[bits]; ok || len(e.plans) >= keptVariants {
		return
	}
	e.plans[bits] = made
	e.nodes += made.nodes
	p.nodes += made.nodes
	for p.nodes > keptNodes {
		p.kept.RemoveOldest()
	}
}

// conditions gives the variables that @skip and @include of an operation read.
func conditions(doc *ast.QueryDocument, op *ast.OperationDefinition) []string {
	var names []string
	read := func(list ast.DirectiveList) {
		for _, directive := range [...]string{"skip", "include"} {
			if v := condition(list, directive); v != nil && v.Kind == ast.Variable && !slices.Contains(names, v.Raw) {
				names = append(names, v.Raw)
			}
		}
	}
	var walk func(ast.SelectionSet)
	walk = func(set ast.SelectionSet) {
		for _, s := range set {
			switch s := s.(type) {
			case *ast.Field:
				read(s.Directives)
				walk(s.SelectionSet)
			case *ast.InlineFragment:
				read(s.Directives)
				walk(s.SelectionSet)
			case *ast.FragmentSpread:
				read(s.Directives)
			}
		}
	}
	walk(op.SelectionSet)
	for _, f := range doc.Fragments {
		walk(f.SelectionSet)
	}
	return names
}
