package gateway

import (
	"context"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
)

// shapeLimit bounds a document's shape before it is validated: validation itself grows with it.
// Documents that were validated before are not looked at again.
type shapeLimit struct {
	extension
	limits    Limits
	documents graphql.Cache[*ast.QueryDocument]
}

// ExtensionName names the extension.
func (shapeLimit) ExtensionName() string { return "ShapeLimit" }

// MutateOperationParameters refuses a document that is out of bounds.
func (l shapeLimit) MutateOperationParameters(ctx context.Context, p *graphql.RawParams) *gqlerror.Error {
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
	s := shape{fragments: doc.Fragments, depths: make(map[string]int), roots: make(map[string]int)}
	for _, f := range doc.Fragments {
		s.count(f.Directives, f.SelectionSet)
	}
	for _, op := range doc.Operations {
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
	return nil
}

// shape measures a document in time linear to its text, however often fragments are spread.
// A fragment that spreads itself counts once here; validation refuses it.
type shape struct {
	fragments  ast.FragmentDefinitionList
	aliases    int
	directives int
	depths     map[string]int // of fragments, by name
	roots      map[string]int // fields of fragments at their top, by name
}

// count counts aliases and directives as they are written.
func (s *shape) count(list ast.DirectiveList, set ast.SelectionSet) {
	s.directives += len(list)
	for _, one := range set {
		switch one := one.(type) {
		case *ast.Field:
			if one.Alias != one.Name {
				s.aliases++
			}
			s.count(one.Directives, one.SelectionSet)
		case *ast.InlineFragment:
			s.count(one.Directives, one.SelectionSet)
		case *ast.FragmentSpread:
			s.directives += len(one.Directives)
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
