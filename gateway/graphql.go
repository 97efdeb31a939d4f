package gateway

import (
	"context"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/techmart/techmart/graph/request"
	"github.com/techmart/techmart/services/viewer"
)

// Bounds of the parsed documents that are kept.
const (
	cachedDocuments   = 1000
	maxCachedDocument = 16 << 10 // bytes of a document; larger ones are parsed each time
)

// newExecutor assembles the executor with everything that stands between a request and the
// resolvers, in the order in which it is asked.
func (g *Gateway) newExecutor() graphql.GraphExecutor {
	documents := documentCache{lru.New[*ast.QueryDocument](cachedDocuments)}
	e := executor.New(g.deps.Schema)
	e.SetQueryCache(documents)
	e.SetParserTokenLimit(g.config.Limits.Tokens)
	e.SetDisableSuggestion(g.config.Production)
	e.SetErrorPresenter(g.present)
	e.SetRecoverFunc(g.recoverPanic)
	if !g.config.Production {
		e.Use(tracing{})
	}
	policy := newDocumentPolicy(g)
	e.Use(policy)
	e.Use(shapeLimit{limits: g.config.Limits, documents: documents})
	e.Use(introspection{production: g.config.Production})
	e.Use(deferring{})
	e.Use(costLimit{g: g})
	e.Use(policy.persisted)
	e.AroundOperations(g.measured)
	e.AroundOperations(g.inSession)
	e.AroundRootFields(ofMutation)
	e.AroundResponses(func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
		return next(g.deps.Loaders(ctx))
	})
	return meteredExecutor{GraphExecutor: e, g: g}
}

// ofMutation makes the Idempotency-Key of a request distinct for each mutation of an operation that has several, by
// the name under which it answers.
func ofMutation(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
	op := graphql.GetOperationContext(ctx)
	if op.Operation.Operation != ast.Mutation || request.FromContext(ctx).IdempotencyKey == "" {
		return next(ctx)
	}
	if len(graphql.CollectFields(op, op.Operation.SelectionSet, []string{"Mutation"})) > 1 {
		ctx = request.WithPart(ctx, graphql.GetRootFieldContext(ctx).Field.Alias)
	}
	return next(ctx)
}

// documentCache keeps parsed and validated documents. Large ones are left out, so that its size is
// bounded in bytes too.
type documentCache struct {
	graphql.Cache[*ast.QueryDocument]
}

// Add keeps a document.
func (c documentCache) Add(ctx context.Context, text string, doc *ast.QueryDocument) {
	if len(text) <= maxCachedDocument {
		c.Cache.Add(ctx, text, doc)
	}
}

// extension is what the executor asks of each of its extensions.
type extension struct{}

// Validate has nothing to check.
func (extension) Validate(graphql.ExecutableSchema) error { return nil }

// introspection shows the schema to everybody in development, and to staff in production. To others
// the executor answers each of its fields with null and errNoIntrospection; the rest of the operation
// runs.
type introspection struct {
	extension
	production bool
}

// errNoIntrospection is what the executor says of a field of introspection that is not shown.
const errNoIntrospection = "introspection disabled"

// ExtensionName names the extension.
func (introspection) ExtensionName() string { return "Introspection" }

// MutateOperationContext opens introspection, which the executor keeps closed.
func (i introspection) MutateOperationContext(ctx context.Context, op *graphql.OperationContext) *gqlerror.Error {
	v := viewer.FromContext(ctx)
	op.DisableIntrospection = i.production && !v.System && len(v.Scopes) == 0
	return nil
}

// recordOperation notes for the access log what is run.
func recordOperation(ctx context.Context, op *graphql.OperationContext) {
	recordOf(ctx).note(func(rec *recorded) {
		rec.kind, rec.operation = string(op.Operation.Operation), clip(op.Operation.Name, 100)
		rec.document = op.RawQuery
	})
}

// measured counts, times and bounds operations. A subscription counts when it starts, and has no
// end of its own.
func (g *Gateway) measured(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	kind := string(graphql.GetOperationContext(ctx).Operation.Operation)
	if kind == string(ast.Subscription) {
		g.metrics.operation(kind, "ok", 0)
		return next(ctx)
	}
	began := time.Now()
	responses := next(ctx)
	part := false
	return func(ctx context.Context) *graphql.Response {
		if _, ok := inParts(ctx); !ok { // what is answered in parts has one deadline for all of them
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, g.config.OperationTimeout)
			defer cancel()
		}
		resp := responses(ctx)
		if resp != nil && !part {
			part = true
			outcome := "ok"
			if len(resp.Errors) > 0 {
				outcome = "error"
			}
			g.metrics.operation(kind, outcome, time.Since(began))
		}
		return resp
	}
}
