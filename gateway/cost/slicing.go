package cost

import (
	"fmt"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// choice is a field of an operation that needs exactly one of its slicing arguments.
type choice struct {
	field  *field
	path   []string
	slices []slice
}

// A SlicingError is an operation that does not say how long a list may be, or says it twice.
type SlicingError struct {
	Path      []string // of response keys
	Field     string   // its place in the schema: Query.products
	Arguments []string // of which one has to be given
	Given     int      // how many are
}

func (e *SlicingError) Error() string {
	return fmt.Sprintf("%s needs exactly one of the arguments %s; %d are given.", e.Field, strings.Join(e.Arguments, ", "), e.Given)
}

// Check gives a SlicingError for an operation with a field whose @listSize requires exactly one
// slicing argument and that has none or several. An argument with a default need not be given.
func (a *Analyzer) Check(doc *ast.QueryDocument, op *ast.OperationDefinition, variables map[string]any) error {
	for _, c := range a.plan(doc, op, variables).oneOf {
		if n := c.count(variables); n != 1 {
			names := make([]string, len(c.slices))
			for i, s := range c.slices {
				names[i] = strings.Join(s.def.path, ".")
			}
			return &SlicingError{Path: c.path, Field: c.field.coordinate, Arguments: names, Given: n}
		}
	}
	return nil
}

// count tells how many slicing arguments are given; where none is, a default stands for one.
func (c choice) count(variables map[string]any) int {
	explicit, standard := 0, 0
	for _, s := range c.slices {
		switch _, is, said := s.in(variables); {
		case said:
			explicit++
		case is:
			standard = 1
		}
	}
	if explicit > 0 {
		return explicit
	}
	return standard
}
