package cost

import (
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// plan is an operation with everything worked out that does not depend on the values of variables,
// those of @skip and @include apart: a plan is for one choice of these.
type plan struct {
	root  shape
	nodes int
	dear  bool     // too large to be estimated
	oneOf []choice // fields that need exactly one slicing argument
}

// shape is what is selected on an object of one of some types, for which it costs the same.
type shape struct {
	types    []string
	weight   float64 // of the object itself
	nodes    []node
	fixed    float64 // of the object and of the nodes that depend on no variable
	changing []int   // the other nodes
	typename int     // the node that tells the type, -1 for none
}

// node is what one response key gives.
type node struct {
	key    string
	name   string
	field  *field  // nil for introspection
	call   float64 // what asking once costs
	inputs []given // arguments whose cost depends on variables
	lists  int     // how deep the lists are nested
	size   *size   // of the outermost list
	inner  float64 // items of the lists within it, multiplied
	leaf   float64 // weight of a leaf
	shapes []shape // of an object: one for each kind of possible type that makes a difference
	fixed  bool    // depends on no variable; then
	total  float64 // is what it costs with everything beneath
}

// given is an argument with a cost, as the operation gives it.
type given struct {
	cost  input
	value value
}

func (g given) in(variables map[string]any) float64 {
	v, is := g.value.in(variables)
	if !is {
		return 0
	}
	return g.cost.of(v)
}

// size is how many items a list has at most.
type size struct {
	fixed    bool
	items    int     // where it is fixed, or where no slicing argument says more
	slices   []slice // that depend on variables
	smallest int     // of the slicing arguments that do not; -1 for none
}

// slice is a slicing argument as an operation gives it.
type slice struct {
	def   *slicingArgument
	value value
	given bool // not only by default
}

// in gives the number that the argument says; false where it says none. explicit tells whether the
// operation says it, not the schema.
func (s slice) in(variables map[string]any) (n int, is, explicit bool) {
	v, is := s.value.in(variables)
	explicit = s.given && is && v != nil
	if !is || !s.given {
		v = s.def.defaults[0]
	}
	for i, name := range s.def.path[1:] {
		object, ok := v.(map[string]any)
		if !ok {
			return 0, false, false
		}
		if v, ok = object[name]; !ok {
			v, explicit = s.def.defaults[i+1], false
		} else if v == nil {
			explicit = false
		}
	}
	n, is = number(v, s.def.isList)
	return n, is, explicit && is
}

// in gives the largest of what the slicing arguments say, else the assumed size.
func (s *size) in(variables map[string]any) int {
	if s.fixed {
		return s.items
	}
	largest := s.smallest
	for _, one := range s.slices {
		if n, is, _ := one.in(variables); is {
			largest = max(largest, n)
		}
	}
	if largest < 0 {
		return s.items
	}
	return largest
}

// cost gives what an object costs, with everything beneath.
func (s *shape) cost(variables map[string]any) float64 {
	total := s.fixed
	for _, i := range s.changing {
		total += s.nodes[i].cost(variables)
	}
	return total
}

// cost gives what asking for a node once costs, with everything beneath.
func (n *node) cost(variables map[string]any) float64 {
	if n.fixed {
		return n.total
	}
	each := n.leaf
	if d := n.dearest(variables); d != nil {
		each = d.cost(variables)
	}
	return n.once(variables) + n.items(variables)*each
}

// once gives what asking once costs, with the arguments, without items.
func (n *node) once(variables map[string]any) float64 {
	total := n.call
	for _, in := range n.inputs {
		total += in.in(variables)
	}
	return max(0, total)
}

// items gives how many items there are at most.
func (n *node) items(variables map[string]any) float64 {
	if n.lists == 0 {
		return 1
	}
	return float64(n.size.in(variables)) * n.inner
}

// dearest gives the dearest of the possible shapes, nil for a leaf.
func (n *node) dearest(variables map[string]any) *shape {
	switch len(n.shapes) {
	case 0:
		return nil
	case 1:
		return &n.shapes[0]
	}
	best, most := 0, -1.0
	for i := range n.shapes {
		if c := n.shapes[i].cost(variables); c > most {
			best, most = i, c
		}
	}
	return &n.shapes[best]
}

// planner makes a plan.
type planner struct {
	a         *Analyzer
	doc       *ast.QueryDocument
	variables map[string]any
	visits    int
	path      []string
	oneOf     []choice
}

func (a *Analyzer) newPlan(doc *ast.QueryDocument, op *ast.OperationDefinition, variables map[string]any) *plan {
	root := a.root(op.Operation)
	if root == nil {
		return &plan{}
	}
	p := &planner{a: a, doc: doc, variables: variables}
	out := &plan{root: p.shape(root, p.collect(root, []ast.SelectionSet{op.SelectionSet}), 0, nil, nil)}
	out.nodes, out.dear, out.oneOf = p.visits, p.visits > maxVisits, p.oneOf
	if out.dear {
		return &plan{dear: true}
	}
	return out
}

// shape plans what is selected on an object. sized are its fields that hold as many items as size
// says, by the @listSize of the field above.
func (p *planner) shape(def *ast.Definition, groups [][]*ast.Field, weight float64, sized map[string]bool, above *size) shape {
	s := shape{types: []string{def.Name}, weight: weight, fixed: weight, typename: -1}
	if p.visits > maxVisits {
		return s
	}
	s.nodes = make([]node, 0, len(groups))
	for _, group := range groups {
		first := group[0]
		if first.Name == "__typename" && s.typename < 0 {
			s.typename = len(s.nodes)
		}
		var size *size
		if sized[first.Name] {
			size = above
		}
		n := p.node(def, group, size)
		if n.fixed {
			s.fixed += n.total
		} else {
			s.changing = append(s.changing, len(s.nodes))
		}
		s.nodes = append(s.nodes, n)
	}
	return s
}

// node plans the fields of one response key of an object. size is that of the field above where it
// sizes this one.
func (p *planner) node(parent *ast.Definition, group []*ast.Field, above *size) node {
	first := group[0]
	n := node{key: first.Alias, name: first.Name, call: introspectionCost[first.Name], inner: 1}
	if n.key == "" {
		n.key = first.Name
	}
	f := p.a.lookUp(parent, first)
	if strings.HasPrefix(first.Name, "__") || f == nil {
		n.fixed, n.total = true, n.call
		return n
	}
	p.path = append(p.path, n.key)
	defer func() { p.path = p.path[:len(p.path)-1] }()
	n.field, n.call, n.lists = f, f.weight, f.depth
	for _, arg := range f.arguments {
		use := first.Arguments.ForName(arg.name)
		if use == nil {
			continue
		}
		if g := (given{arg.cost, readValue(use.Value)}); g.value.fixed() {
			n.call += g.in(nil)
		} else {
			n.inputs = append(n.inputs, g)
		}
	}
	if len(n.inputs) == 0 {
		n.call = max(0, n.call)
	}
	own := p.size(f, first)
	switch {
	case f.hasSize && len(f.sized) == 0:
		n.size = own
	case above != nil:
		n.size = above
	default:
		n.size = &size{fixed: true, items: defaultListSize}
	}
	for range f.depth - 1 {
		n.inner *= defaultListSize
	}
	n.leaf = p.a.weights[f.returns]
	def := p.a.schema.Types[f.returns]
	if def != nil && def.IsCompositeType() {
		n.shapes = p.shapes(def, group, f.sized, own)
	}
	n.fixed = len(n.inputs) == 0 && (n.lists == 0 || n.size.fixed)
	for _, s := range n.shapes {
		n.fixed = n.fixed && len(s.changing) == 0
	}
	if n.fixed {
		n.fixed = false
		n.total = n.cost(nil)
		n.fixed = true
	}
	return n
}

// lookUp finds what the schema says of a field. On an object that is there by an interface, the
// object's own field counts; where it says no size, the interface's does.
func (a *Analyzer) lookUp(parent *ast.Definition, use *ast.Field) *field {
	asked := a.fields[use.Definition]
	def := parent.Fields.ForName(use.Name)
	if def == nil || def == use.Definition {
		return asked
	}
	own := a.fields[def]
	if own == nil || asked == nil || own.hasSize || !asked.hasSize {
		return own
	}
	both := *own
	both.hasSize, both.assumed, both.slicing, both.one, both.sized = true, asked.assumed, asked.slicing, asked.one, asked.sized
	return &both
}

// shapes plans what is selected on the possible types of a composite type. Types for which the same
// is asked, at the same cost, share one.
func (p *planner) shapes(def *ast.Definition, group []*ast.Field, sized map[string]bool, above *size) []shape {
	sets := make([]ast.SelectionSet, len(group))
	for i, one := range group {
		sets[i] = one.SelectionSet
	}
	if !def.IsAbstractType() {
		return []shape{p.shape(def, p.collect(def, sets), p.a.weights[def.Name], sized, above)}
	}
	var out []shape
	var seen [][][]*ast.Field
	var of []*ast.Definition
next:
	for _, possible := range p.a.schema.GetPossibleTypes(def) {
		groups := p.collect(possible, sets)
		for i := range out {
			if p.same(of[i], possible, seen[i], groups) {
				out[i].types = append(out[i].types, possible.Name)
				continue next
			}
		}
		out = append(out, p.shape(possible, groups, p.a.weights[possible.Name], sized, above))
		seen, of = append(seen, groups), append(of, possible)
	}
	return out
}

// same tells whether two types answer the same fields at the same cost.
func (p *planner) same(a, b *ast.Definition, left, right [][]*ast.Field) bool {
	if p.a.weights[a.Name] != p.a.weights[b.Name] || len(left) != len(right) {
		return false
	}
	for i := range left {
		if len(left[i]) != len(right[i]) {
			return false
		}
		for j := range left[i] {
			if left[i][j] != right[i][j] {
				return false
			}
		}
		if !p.a.lookUp(a, left[i][0]).same(p.a.lookUp(b, right[i][0])) {
			return false
		}
	}
	return true
}

// size plans how many items a field's list has, or those of its sized fields.
func (p *planner) size(f *field, use *ast.Field) *size {
	s := &size{fixed: true, items: defaultListSize, smallest: -1}
	if f.assumed >= 0 {
		s.items = f.assumed
	}
	var all []slice
	for i := range f.slicing {
		one := slice{def: &f.slicing[i]}
		if arg := use.Arguments.ForName(one.def.path[0]); arg != nil {
			one.value, one.given = readValue(arg.Value), true
		}
		all = append(all, one)
		if !one.value.fixed() {
			s.fixed = false
			s.slices = append(s.slices, one)
		} else if n, is, _ := one.in(nil); is {
			s.smallest = max(s.smallest, n)
		}
	}
	if s.fixed && s.smallest >= 0 {
		s.items = s.smallest
	}
	if f.one {
		p.oneOf = append(p.oneOf, choice{field: f, path: append([]string(nil), p.path...), slices: all})
	}
	return s
}
