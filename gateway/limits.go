package gateway

import (
	"context"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
)

// maxInputDepth bounds how deep lists and objects are nested in an input value.
const maxInputDepth = 32

// shapeLimit bounds a document's shape before it is validated: validation itself grows with it.
// Documents that were validated before are not looked at again, their variables each time.
type shapeLimit struct {
	extension
	limits    Limits
	documents graphql.Cache[*ast.QueryDocument]
}

// ExtensionName names the extension.
func (shapeLimit) ExtensionName() string { return "ShapeLimit" }

// MutateOperationParameters refuses a document that is out of bounds.
func (l shapeLimit) MutateOperationParameters(ctx context.Context, p *graphql.RawParams) *gqlerror.Error {
	if len(p.Variables) > 0 {
		in := input{most: l.limits.ListItems}
		in.object(p.Variables, 0)
		if err := in.fault("The variables"); err != nil {
			return err
		}
	}
	if _, known := l.documents.Get(ctx, p.Query); known {
		return nil
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: p.Query}, l.limits.Tokens)
	if err != nil {
		if strings.Contains(err.Error(), "exceeded token limit") {
			return coded(codeTokens, "The document has more than %d tokens.", l.limits.Tokens)
		}
		return nil // the executor says what is wrong
	}
	return l.check(doc)
}

func (l shapeLimit) check(doc *ast.QueryDocument) *gqlerror.Error {
	if n := len(doc.Fragments); n > l.limits.Fragments {
		return coded(codeFragments, "The document has %d fragments; at most %d are allowed.", n, l.limits.Fragments)
	}
	s := shape{
		fragments: doc.Fragments, depths: make(map[string]int), roots: make(map[string]int), cycles: make(map[string]bool),
		input: input{most: l.limits.ListItems},
	}
	for _, f := range doc.Fragments {
		if s.cyclic(f) {
			return coded(codeCycle, "The fragment %s spreads itself.", clip(f.Name, 100))
		}
		s.count(f.Directives, f.SelectionSet)
	}
	for _, op := range doc.Operations {
		for _, v := range op.VariableDefinitions {
			s.input.literal(v.DefaultValue, 0)
			s.directed(v.Directives)
		}
		s.count(op.Directives, op.SelectionSet)
		if d := s.depth(op.SelectionSet); d > l.limits.Depth {
			return coded(codeDepth, "Fields are nested %d deep; at most %d levels are allowed.", d, l.limits.Depth)
		}
		if n := s.rootFields(op.SelectionSet); n > l.limits.RootFields {
			return coded(codeRootFields, "The operation has %d fields at its root; at most %d are allowed.", n, l.limits.RootFields)
		}
	}
	switch {
	case s.aliases > l.limits.Aliases:
		return coded(codeAliases, "The document has %d aliases; at most %d are allowed.", s.aliases, l.limits.Aliases)
	case s.directives > l.limits.Directives:
		return coded(codeDirectives, "The document has %d directives; at most %d are allowed.", s.directives, l.limits.Directives)
	}
	return s.input.fault("The document's arguments")
}

// shape measures a document in time linear to its text, however often fragments are spread.
type shape struct {
	fragments  ast.FragmentDefinitionList
	aliases    int
	directives int
	depths     map[string]int  // of fragments, by name
	roots      map[string]int  // fields of fragments at their top, by name
	cycles     map[string]bool // of fragments looked at, by name; true while one is
	input      input
}

// cyclic tells whether a fragment spreads itself, directly or by others.
func (s *shape) cyclic(def *ast.FragmentDefinition) bool {
	if open, seen := s.cycles[def.Name]; seen {
		return open
	}
	s.cycles[def.Name] = true
	defer func() { s.cycles[def.Name] = false }()
	return s.spreadsOpen(def.SelectionSet)
}

func (s *shape) spreadsOpen(set ast.SelectionSet) bool {
	for _, one := range set {
		var inner ast.SelectionSet
		switch one := one.(type) {
		case *ast.Field:
			inner = one.SelectionSet
		case *ast.InlineFragment:
			inner = one.SelectionSet
		case *ast.FragmentSpread:
			if def := s.fragments.ForName(one.Name); def != nil && s.cyclic(def) {
				return true
			}
		}
		if s.spreadsOpen(inner) {
			return true
		}
	}
	return false
}

// directed counts directives and their arguments.
func (s *shape) directed(list ast.DirectiveList) {
	s.directives += len(list)
	for _, d := range list {
		for _, arg := range d.Arguments {
			s.input.literal(arg.Value, 0)
		}
	}
}

// count counts aliases, directives and arguments as they are written.
func (s *shape) count(list ast.DirectiveList, set ast.SelectionSet) {
	s.directed(list)
	for _, one := range set {
		switch one := one.(type) {
		case *ast.Field:
			if one.Alias != one.Name {
				s.aliases++
			}
			for _, arg := range one.Arguments {
				s.input.literal(arg.Value, 0)
			}
			s.count(one.Directives, one.SelectionSet)
		case *ast.InlineFragment:
			s.count(one.Directives, one.SelectionSet)
		case *ast.FragmentSpread:
			s.directed(one.Directives)
		}
	}
}

// depth gives how deep fields are nested. Introspection does not count: its own rule bounds it.
func (s *shape) depth(set ast.SelectionSet) int {
	deepest := 0
	for _, one := range set {
		switch one := one.(type) {
		case *ast.Field:
			if !strings.HasPrefix(one.Name, "__") {
				deepest = max(deepest, 1+s.depth(one.SelectionSet))
			}
		case *ast.InlineFragment:
			deepest = max(deepest, s.depth(one.SelectionSet))
		case *ast.FragmentSpread:
			deepest = max(deepest, s.fragment(one.Name, s.depths, s.depth))
		}
	}
	return deepest
}

// rootFields counts the fields of a selection with those of its fragments.
func (s *shape) rootFields(set ast.SelectionSet) int {
	n := 0
	for _, one := range set {
		switch one := one.(type) {
		case *ast.Field:
			n++
		case *ast.InlineFragment:
			n += s.rootFields(one.SelectionSet)
		case *ast.FragmentSpread:
			n += s.fragment(one.Name, s.roots, s.rootFields)
		}
		if n > maxRoots {
			return maxRoots
		}
	}
	return n
}

// maxRoots ends a count that doubles with each fragment.
const maxRoots = 1 << 20

// fragment measures a fragment once.
func (s *shape) fragment(name string, known map[string]int, measure func(ast.SelectionSet) int) int {
	if n, ok := known[name]; ok {
		return n
	}
	def := s.fragments.ForName(name)
	if def == nil {
		return 0
	}
	known[name] = 0 // while it is being measured
	n := measure(def.SelectionSet)
	known[name] = n
	return n
}
