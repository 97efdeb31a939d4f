package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/techmart/techmart/graph/request"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// selectionVariable is the variable that stands for the thing that is selected from.
const selectionVariable = "id"

// Selections runs queries on single things for the program itself, such as those that shape payloads of webhooks: without
// HTTP, budgets and the policy of documents, with the same limits, access rules and errors.
type Selections struct {
	g    *Gateway
	exec *executor.Executor
	cost int
}

// NewSelections makes Selections over the whole graph, none of which may cost more than this.
func (g *Gateway) NewSelections(whole graphql.ExecutableSchema, cost int) *Selections {
	e := executor.New(whole)
	e.SetQueryCache(documentCache{lru.New[*ast.QueryDocument](cachedDocuments)})
	e.SetParserTokenLimit(g.config.Limits.Tokens)
	e.SetErrorPresenter(g.present)
	e.SetRecoverFunc(g.recoverPanic)
	e.AroundResponses(func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
		return next(g.deps.Loaders(ctx))
	})
	return &Selections{g: g, exec: e, cost: cost}
}

// Check fails with INVALID, and a sentence that says why, for a document that is not one query of one of the root fields by
// its variable $id: ID!, or that is out of bounds. The sentence comes without a field.
func (s *Selections) Check(document string, roots []string) error {
	doc, err := s.g.validDocument(document)
	if err != nil {
		message := "This is no valid document."
		if list := errs.All(err); len(list) == 1 {
			message = list[0].Message
		}
		return errs.New(errs.Invalid, message)
	}
	if len(doc.Operations) != 1 || doc.Operations[0].Operation != ast.Query {
		return errs.New(errs.Invalid, "A selection is one query.")
	}
	op := doc.Operations[0]
	if len(op.VariableDefinitions) != 1 || op.VariableDefinitions[0].Variable != selectionVariable || op.VariableDefinitions[0].Type.String() != "ID!" {
		return errs.New(errs.Invalid, "A selection has the one variable $id: ID!.")
	}
	var root *ast.Field
	if len(op.SelectionSet) == 1 {
		root, _ = op.SelectionSet[0].(*ast.Field)
	}
	if root == nil || !slices.Contains(roots, root.Name) || !ofVariable(root) {
		return errs.Newf(errs.Invalid, "A selection reads the one field %s of its variable $id.", strings.Join(roots, " or "))
	}
	if deferred(doc) {
		return errs.New(errs.Invalid, "A selection is answered at once: it has no @defer.")
	}
	variables := map[string]any{selectionVariable: ""}
	if err := s.g.costs.Check(doc, op, variables); err != nil {
		return errs.New(errs.Invalid, err.Error())
	}
	if n := s.g.costs.Estimate(doc, op, variables); n > s.cost {
		return errs.Newf(errs.Invalid, "The selection costs %d; at most %d are allowed.", n, s.cost)
	}
	return nil
}

// ofVariable tells whether the field's only argument is the id in the variable.
func ofVariable(f *ast.Field) bool {
	return len(f.Arguments) == 1 && f.Arguments[0].Name == "id" && f.Arguments[0].Value.Kind == ast.Variable && f.Arguments[0].Value.Raw == selectionVariable
}

// deferred tells whether a document has @defer anywhere.
func deferred(doc *ast.QueryDocument) bool {
	var in func(ast.SelectionSet) bool
	in = func(set ast.SelectionSet) bool {
		return slices.ContainsFunc(set, func(one ast.Selection) bool {
			switch one := one.(type) {
			case *ast.Field:
				return in(one.SelectionSet)
			case *ast.InlineFragment:
				return one.Directives.ForName("defer") != nil || in(one.SelectionSet)
			case *ast.FragmentSpread:
				return one.Directives.ForName("defer") != nil
			}
			return false
		})
	}
	return slices.ContainsFunc(doc.Operations, func(op *ast.OperationDefinition) bool { return in(op.SelectionSet) }) ||
		slices.ContainsFunc(doc.Fragments, func(f *ast.FragmentDefinition) bool { return in(f.SelectionSet) })
}

// Run runs a document with the viewer's rights on the thing with the id. faults are what the viewer may not read, or what is no
// longer in the schema. It fails where a server that is needed is away, or something is broken.
func (s *Selections) Run(ctx context.Context, v viewer.Viewer, document, id string) (data json.RawMessage, faults gqlerror.List, err error) {
	ctx, cancel := context.WithTimeout(viewer.NewContext(ctx, v), s.g.config.OperationTimeout)
	defer cancel()
	ctx = graphql.StartOperationTrace(request.NewContext(ctx, request.Info{ID: request.FromContext(ctx).ID}))
	now := time.Now()
	op, refused := s.exec.CreateOperationContext(ctx, &graphql.RawParams{
		Query: document, Variables: map[string]any{selectionVariable: id}, ReadTime: graphql.TraceTiming{Start: now, End: now},
	})
	if len(refused) > 0 {
		return json.RawMessage("null"), refused, nil
	}
	responses, ctx := s.exec.DispatchOperation(graphql.WithOperationContext(ctx, op), op)
	resp := responses(ctx)
	if resp == nil {
		return nil, nil, fmt.Errorf("gateway: a selection was not answered: %w", ctx.Err())
	}
	for _, fault := range resp.Errors {
		switch fault.Extensions["code"] {
		case codeInternal, string(errs.Unavailable), codeTimeout:
			return nil, nil, fmt.Errorf("gateway: a selection failed with %v at %s", fault.Extensions["code"], fault.Path)
		}
	}
	return resp.Data, resp.Errors, nil
}
