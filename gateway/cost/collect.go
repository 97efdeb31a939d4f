package cost

import "github.com/vektah/gqlparser/v2/ast"

// collector groups the fields that an object answers by response key, fragments included, as the
// executor does.
type collector struct {
	p      *planner
	object *ast.Definition
	groups [][]*ast.Field
	byKey  map[string]int
	seen   map[string]bool // fragments
}

// collect groups the fields of the selections that an object answers.
func (p *planner) collect(object *ast.Definition, sets []ast.SelectionSet) [][]*ast.Field {
	c := collector{p: p, object: object, byKey: make(map[string]int)}
	for _, set := range sets {
		c.collect(set)
	}
	return c.groups
}

func (c *collector) collect(set ast.SelectionSet) {
	for _, s := range set {
		if c.p.visits++; c.p.visits > maxVisits {
			return
		}
		switch s := s.(type) {
		case *ast.Field:
			if s.Definition != nil && c.p.included(s.Directives) {
				c.add(s)
			}
		case *ast.InlineFragment:
			if c.applies(s.TypeCondition) && c.p.included(s.Directives) {
				c.collect(s.SelectionSet)
			}
		case *ast.FragmentSpread:
			def := c.p.doc.Fragments.ForName(s.Name)
			if def == nil || c.seen[s.Name] || !c.applies(def.TypeCondition) || !c.p.included(s.Directives) {
				continue
			}
			if c.seen == nil {
				c.seen = make(map[string]bool)
			}
			c.seen[s.Name] = true
			c.collect(def.SelectionSet)
		}
	}
}

func (c *collector) add(f *ast.Field) {
	key := f.Alias
	if key == "" {
		key = f.Name
	}
	i, ok := c.byKey[key]
	if !ok {
		i = len(c.groups)
		c.byKey[key] = i
		c.groups = append(c.groups, nil)
	}
	c.groups[i] = append(c.groups[i], f)
}

// applies tells whether a fragment with the type condition is for the object.
func (c *collector) applies(condition string) bool {
	if condition == "" || condition == c.object.Name {
		return true
	}
	def := c.p.a.schema.Types[condition]
	if def == nil {
		return false
	}
	for _, possible := range c.p.a.schema.GetPossibleTypes(def) {
		if possible.Name == c.object.Name {
			return true
		}
	}
	return false
}

// included reads @skip and @include with the variables of the request.
func (p *planner) included(list ast.DirectiveList) bool {
	return !p.says(list, "skip", true) && !p.says(list, "include", false)
}

func (p *planner) says(list ast.DirectiveList, name string, want bool) bool {
	cond := condition(list, name)
	if cond == nil {
		return false
	}
	v, err := cond.Value(p.variables)
	is, ok := v.(bool)
	return err == nil && ok && is == want
}

// condition gives the "if" of @skip or @include, nil where there is none.
func condition(list ast.DirectiveList, name string) *ast.Value {
	d := list.ForName(name)
	if d == nil {
		return nil
	}
	arg := d.Arguments.ForName("if")
	if arg == nil {
		return nil
	}
	return arg.Value
}
