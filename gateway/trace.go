package gateway

import (
	"context"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/techmart/techmart/platform/telemetry"
)

// traceHeader asks for extensions.trace. It is answered in development only.
const traceHeader = "X-TechMart-Trace"

// maxTraced bounds the resolvers of a trace.
const maxTraced = 500

// traceExtension is extensions.trace of a response: when its resolvers and the calls to the servers behind them
// began and how long they took. Times are milliseconds since the operation began.
type traceExtension struct {
	Duration  float64          `json:"duration"`
	Resolvers []tracedResolver `json:"resolvers"` // the first 500
	Calls     []tracedCall     `json:"calls"`     // the first 500
}

type tracedResolver struct {
	Path     string  `json:"path"`
	Start    float64 `json:"start"`
	Duration float64 `json:"duration"`
}

type tracedCall struct {
	Backend   telemetry.Backend `json:"backend"`
	Operation string            `json:"operation"`
	Start     float64           `json:"start"`
	Duration  float64           `json:"duration"`
}

// trace gathers the resolvers of one response.
type trace struct {
	began     time.Time
	mu        sync.Mutex
	resolvers []tracedResolver
}

func (t *trace) add(path string, start time.Time) {
	done := tracedResolver{path, milliseconds(start.Sub(t.began)), milliseconds(time.Since(start))}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.resolvers) < maxTraced {
		t.resolvers = append(t.resolvers, done)
	}
}

type traceKey struct{}

// tracing shows developers who ask for it what an operation did.
type tracing struct{ extension }

// ExtensionName names the extension.
func (tracing) ExtensionName() string { return "Trace" }

// InterceptResponse traces a response and adds extensions.trace.
func (tracing) InterceptResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	if !graphql.HasOperationContext(ctx) {
		return next(ctx)
	}
	op := graphql.GetOperationContext(ctx)
	if op.Headers.Get(traceHeader) == "" || op.Operation == nil || op.Operation.Operation == ast.Subscription {
		return next(ctx)
	}
	t := &trace{began: time.Now()}
	ctx, timeline := telemetry.WithTimeline(context.WithValue(ctx, traceKey{}, t))
	resp := next(ctx)
	if resp == nil {
		return nil
	}
	shown := traceExtension{Duration: milliseconds(time.Since(t.began)), Calls: []tracedCall{}}
	for _, c := range timeline.Calls() {
		shown.Calls = append(shown.Calls, tracedCall{c.Backend, c.Operation, milliseconds(c.Start), milliseconds(c.Duration)})
	}
	t.mu.Lock()
	shown.Resolvers = append([]tracedResolver{}, t.resolvers...)
	t.mu.Unlock()
	if resp.Extensions == nil {
		resp.Extensions = make(map[string]any, 1)
	}
	resp.Extensions["trace"] = shown
	return resp
}

// InterceptField times a field that is resolved by code.
func (tracing) InterceptField(ctx context.Context, next graphql.Resolver) (any, error) {
	t, ok := ctx.Value(traceKey{}).(*trace)
	if !ok {
		return next(ctx)
	}
	field := graphql.GetFieldContext(ctx)
	if !field.IsResolver {
		return next(ctx)
	}
	defer t.add(field.Path().String(), time.Now())
	return next(ctx)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
