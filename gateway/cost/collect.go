package cost

import "github.com/vektah/gqlparser/v2/ast"

// collector groups the fields that an object answers by response key, fragments included, as the
// executor does.
type collector struct {
	e      *estimate
	object *ast.Definition
	groups [][]*ast.Field
	byKey  map[string]int
	seen   map[string]bool // fragments
}

func (c *collector) collect(set ast.SelectionSet) {
	for _, s := range set {
		if c.e.visits++; c.e.visits > maxVisits {
			return
		}
		switch s := s.(type) {
		case *ast.Field:
			if s.Definition != nil && c.e.included(s.Directives) {
				c.add(s)
			}
		case *ast.InlineFragment:
			if c.applies(s.TypeCondition) && c.e.included(s.Directives) {
				c.collect(s.SelectionSet)
			}
		case *ast.FragmentSpread:
			def := c.e.doc.Fragments.ForName(s.Name)
			if def == nil || c.seen[s.Name] || !c.applies(def.TypeCondition) || !c.e.included(s.Directives) {
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
	def := c.e.a.schema.Types[condition]
	if def == nil {
		return false
	}
	for _, possible := range c.e.a.schema.GetPossibleTypes(def) {
		if possible.Name == c.object.Name {
			return true
		}
	}
	return false
}

// included reads @skip and @include with the variables of the request.
func (e *estimate) included(list ast.DirectiveList) bool {
	return !e.says(list, "skip", true) && !e.says(list, "include", false)
}

func (e *estimate) says(list ast.DirectiveList, name string, want bool) bool {
	d := list.ForName(name)
	if d == nil {
		return false
	}
	arg := d.Arguments.ForName("if")
	if arg == nil {
		return false
	}
	v, err := arg.Value.Value(e.variables)
	is, ok := v.(bool)
	return err == nil && ok && is == want
}
