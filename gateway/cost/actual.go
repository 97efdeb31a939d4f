package cost

import "github.com/vektah/gqlparser/v2/ast"

// Actual gives what an operation did cost by the data that it answered, as JSON: a list costs the
// items that it has, not those that it could have, and what is null costs no more than asking. It
// is never more than Estimate gives for the same operation and variables: of a list that is longer
// than was assumed only so many items count.
//
// What an error or a later part of the response leaves out of the data does not show: whoever gives
// back the difference should do so for responses without errors that are complete. Where there are
// no data, or what is no answer to the operation, Actual gives the estimate.
func (a *Analyzer) Actual(doc *ast.QueryDocument, op *ast.OperationDefinition, variables map[string]any, data []byte) int {
	p := a.plan(doc, op, variables)
	most := p.estimate(variables)
	if p.dear {
		return most
	}
	s := scanner{data: data, variables: variables}
	if s.peek() != '{' {
		return most
	}
	total := s.object(&p.root)
	if s.peek(); s.broken || s.pos < len(s.data) {
		return most
	}
	return min(most, whole(total))
}

// object reads an object and gives what it cost, without its own weight.
func (s *scanner) object(of *shape) float64 {
	total, next := 0.0, 0
	for more := s.open('{', '}'); more; more = s.next('}') {
		key := s.key()
		i := of.find(key, next)
		if i < 0 {
			s.skip()
			continue
		}
		next = i + 1
		total += s.node(&of.nodes[i])
	}
	return total
}

// find gives the node of a key, -1 for none. Answers have the order of the operation: it is most
// often the next one.
func (s *shape) find(key []byte, next int) int {
	if next < len(s.nodes) && s.nodes[next].key == string(key) {
		return next
	}
	for i := range s.nodes {
		if s.nodes[i].key == string(key) {
			return i
		}
	}
	return -1
}

// node reads the value of a node and gives what it cost.
func (s *scanner) node(n *node) float64 {
	if n.fixed && n.total == 0 || n.field == nil {
		s.skip()
		return n.total
	}
	once := n.once(s.variables)
	if n.lists == 0 {
		return once + s.item(n)
	}
	return once + s.list(n, n.lists, n.size.in(s.variables))
}

// list reads a list of at most so many items that count, and gives what they cost.
func (s *scanner) list(n *node, depth, most int) float64 {
	if s.peek() != '[' {
		s.skip()
		return 0
	}
	total := 0.0
	for more := s.open('[', ']'); more; more = s.next(']') {
		switch most--; {
		case most < 0:
			s.skip()
		case depth > 1:
			total += s.list(n, depth-1, defaultListSize)
		default:
			total += s.item(n)
		}
	}
	return total
}

// item reads one thing and gives what it cost; nothing for null.
func (s *scanner) item(n *node) float64 {
	switch first := s.peek(); {
	case first == 'n':
		s.skip()
		return 0
	case len(n.shapes) == 0 || first != '{':
		s.skip()
		return n.leaf
	}
	of := &n.shapes[0]
	if len(n.shapes) > 1 {
		of = s.fitting(n)
	}
	return of.weight + s.object(of)
}

// fitting gives the shape of the object that comes next, without reading on: the one whose type it
// says it is, else the dearest of those that have just its fields, else the dearest with all of its
// fields, else the dearest of all.
func (s *scanner) fitting(n *node) *shape {
	ahead := *s
	fits := make([]int, len(n.shapes)) // fields found; -1 where one is missing
	count := 0
	for more := ahead.open('{', '}'); more; more = ahead.next('}') {
		key := ahead.key()
		count++
		said := ahead.peek()
		at := ahead.pos
		ahead.skip()
		for i := range n.shapes {
			of := &n.shapes[i]
			found := of.find(key, count-1)
			switch {
			case found < 0 || fits[i] < 0:
				fits[i] = -1
			case found == of.typename && said == '"' && !ahead.broken && of.is(ahead.data[at+1:ahead.pos-1]):
				return of
			default:
				fits[i]++
			}
		}
	}
	var best *shape
	bestRank, bestCost := -1, 0.0
	for i := range n.shapes {
		rank := 0
		if fits[i] >= 0 {
			rank = 1
			if fits[i] == len(n.shapes[i].nodes) {
				rank = 2
			}
		}
		c := n.shapes[i].cost(s.variables)
		if rank > bestRank || rank == bestRank && c > bestCost {
			best, bestRank, bestCost = &n.shapes[i], rank, c
		}
	}
	return best
}

// is tells whether the shape is that of a type.
func (s *shape) is(typename []byte) bool {
	for _, t := range s.types {
		if t == string(typename) {
			return true
		}
	}
	return false
}
