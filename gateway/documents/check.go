package documents

import (
	"errors"
	"fmt"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// maxTokens bounds a document; the limits of the edge are stricter.
const maxTokens = 50_000

// Schema reads a schema from SDL files.
func Schema(sources ...*ast.Source) (*ast.Schema, error) {
	schema, err := gqlparser.LoadSchema(sources...)
	if err != nil {
		return nil, fmt.Errorf("the schema is not valid: %w", err)
	}
	return schema, nil
}

// Check parses a document and validates it against a schema. It gives every fault, one sentence
// each, with its place.
func Check(schema *ast.Schema, text string) []error {
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, maxTokens)
	if err != nil {
		return []error{located(err)}
	}
	if len(doc.Operations) != 1 {
		return []error{fmt.Errorf("a document has one operation, not %d", len(doc.Operations))}
	}
	var faults []error
	for _, fault := range validator.ValidateWithRules(schema, doc, rules.NewDefaultRules()) {
		faults = append(faults, located(fault))
	}
	return faults
}

// Describe gives the name and kind of a document's one operation.
func Describe(text string) (name, kind string, err error) {
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, maxTokens)
	if err != nil {
		return "", "", located(err)
	}
	if len(doc.Operations) != 1 {
		return "", "", fmt.Errorf("a document has one operation, not %d", len(doc.Operations))
	}
	return doc.Operations[0].Name, string(doc.Operations[0].Operation), nil
}

// Agrees tells whether a document is what its entry in the manifest says.
func (d Document) Agrees(name, kind string) error {
	switch {
	case d.Name != "" && d.Name != name:
		return fmt.Errorf("the manifest names the operation %.80q, the document %.80q", d.Name, name)
	case d.Kind != "" && d.Kind != kind:
		return fmt.Errorf("the manifest calls it a %s, it is a %s", d.Kind, kind)
	}
	return nil
}

func located(err error) error {
	var fault *gqlerror.Error
	if !errors.As(err, &fault) {
		return err
	}
	if len(fault.Locations) == 0 {
		return errors.New(fault.Message)
	}
	return fmt.Errorf("line %d, column %d: %s", fault.Locations[0].Line, fault.Locations[0].Column, fault.Message)
}
