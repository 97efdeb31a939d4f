package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/techmart/techmart/gateway/cost"
	"github.com/techmart/techmart/services/errs"
)

// Bounds of what QueryCost answers.
const (
	shownFaults = 5
	shownFields = 100
)

// QueryCost is what an operation would cost.
type QueryCost struct {
	Total     int
	Limit     int              // of one operation
	Breakdown []cost.FieldCost // of the dearest fields, in the order of the operation
}

// QueryCost tells what an operation would cost, without running it. It fails with BAD_USER_INPUT at
// document where that is no valid document or out of bounds, at operationName where it has no such
// operation, and at variables where those do not fit.
func (g *Gateway) QueryCost(ctx context.Context, document, operationName string, variables map[string]any) (QueryCost, error) {
	doc, err := g.validDocument(document)
	if err != nil {
		if (documentPolicy{g: g}).asking(ctx).mode == DocumentsOnly { // it is not to learn the schema by guessing
			return QueryCost{}, errs.At(errs.BadInput, "The document is not valid.", "document")
		}
		return QueryCost{}, err
	}
	op := doc.Operations.ForName(operationName)
	if op == nil {
		return QueryCost{}, errs.At(errs.BadInput, "The document has no such operation; where it has several, one must be named.", "operationName")
	}
	given, err := validator.VariableValues(g.whole, op, variables)
	if err != nil {
		return QueryCost{}, errs.At(errs.BadInput, g.withoutHints(err.Error()), "variables")
	}
	if err := g.costs.Check(doc, op, given); err != nil {
		return QueryCost{}, errs.At(errs.BadInput, err.Error(), "document")
	}
	return QueryCost{
		Total: g.costs.Estimate(doc, op, given), Limit: g.config.Limits.Cost,
		Breakdown: dearestFields(g.costs.Breakdown(doc, op, given)),
	}, nil
}

// validDocument parses and validates a document under the same bounds as one that is to be run.
func (g *Gateway) validDocument(text string) (*ast.QueryDocument, error) {
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, g.config.Limits.Tokens)
	if err != nil {
		return nil, g.documentFaults(gqlerror.List{asFault(err)})
	}
	if len(doc.Operations) == 0 {
		return nil, errs.At(errs.BadInput, "The document has no operation.", "document")
	}
	if err := (shapeLimit{limits: g.config.Limits}).check(doc); err != nil {
		return nil, g.documentFaults(gqlerror.List{err})
	}
	if faults := validator.ValidateWithRules(g.whole, doc, g.validationRules()); len(faults) > 0 {
		return nil, g.documentFaults(faults)
	}
	return doc, nil
}

// validationRules are those of the specification. In production they suggest nothing.
func (g *Gateway) validationRules() *rules.Rules {
	all := rules.NewDefaultRules()
	if g.config.Production {
		for loud, quiet := range map[string]validator.Rule{
			rules.FieldsOnCorrectTypeRule.Name: rules.FieldsOnCorrectTypeRuleWithoutSuggestions,
			rules.KnownArgumentNamesRule.Name:  rules.KnownArgumentNamesRuleWithoutSuggestions,
			rules.KnownTypeNamesRule.Name:      rules.KnownTypeNamesRuleWithoutSuggestions,
			rules.ScalarLeafsRule.Name:         rules.ScalarLeafsRuleWithoutSuggestions,
			rules.ValuesOfCorrectTypeRule.Name: rules.ValuesOfCorrectTypeRuleWithoutSuggestions,
		} {
			all.RemoveRule(loud)
			all.AddRule(quiet.Name, quiet.RuleFunc)
		}
	}
	return all
}

// documentFaults says what is wrong with a document, and where.
func (g *Gateway) documentFaults(faults gqlerror.List) error {
	var texts []string
	for _, f := range faults {
		text := g.withoutHints(f.Message)
		if len(f.Locations) > 0 {
			text = fmt.Sprintf("line %d, column %d: %s", f.Locations[0].Line, f.Locations[0].Column, text)
		}
		if texts = append(texts, text); len(texts) == shownFaults {
			break
		}
	}
	return errs.At(errs.BadInput, strings.Join(texts, " "), "document")
}

func asFault(err error) *gqlerror.Error {
	var fault *gqlerror.Error
	if !errors.As(err, &fault) {
		fault = gqlerror.Wrap(err)
	}
	return fault
}

// dearestFields gives the dearest of many fields, in their order.
func dearestFields(all []cost.FieldCost) []cost.FieldCost {
	if len(all) <= shownFields {
		return all
	}
	byCost := make([]int, len(all))
	for i := range all {
		byCost[i] = i
	}
	slices.SortStableFunc(byCost, func(i, j int) int { return all[j].Total - all[i].Total })
	byCost = byCost[:shownFields]
	slices.Sort(byCost)
	out := make([]cost.FieldCost, 0, shownFields)
	for _, i := range byCost {
		out = append(out, all[i])
	}
	return out
}
