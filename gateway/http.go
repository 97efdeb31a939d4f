package gateway

import (
	"context"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/techmart/techmart/platform/telemetry"
)

// graphHandler speaks GraphQL over HTTP (https://graphql.github.io/graphql-over-http/draft/) with
// POST and GET, graphql-sse in both of its modes, and graphql-transport-ws.
func (g *Gateway) graphHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			g.serveWebSocket(w, r)
			return
		}
		if sharesStream(r) {
			g.shared(w, r)
			return
		}
		if r.Method != http.MethodPost && r.Method != http.MethodGet {
			w.Header().Set("Allow", "GET, POST")
			refuse(w, http.StatusMethodNotAllowed, codeBadRequest, "Use POST, or GET for a query.")
			return
		}
		want, ok := negotiate(r.Header.Values("Accept"))
		if !ok {
			refuse(w, http.StatusNotAcceptable, codeBadRequest, "Answers are application/graphql-response+json, application/json, text/event-stream or multipart/mixed; deferSpec=20220824.")
			return
		}
		token := streamToken(r)
		if token != "" && want.kind == eventStream {
			g.read(w, r, token)
			return
		}
		if r.Method == http.MethodGet && !preflighted(r) && !g.followed(r, want.kind) {
			refuse(w, http.StatusBadRequest, codeCSRF, "A page of another origin must send a header that needs a preflight, such as Apollo-Require-Preflight.")
			return
		}
		ctx, calls := telemetry.WithCalls(r.Context())
		ctx, ok = g.authenticate(ctx, w, r)
		if !ok {
			return
		}
		list, batch, ok := g.operations(w, r)
		if !ok {
			return
		}
		if batch && token == "" {
			g.answerBatch(ctx, w, r, list, want.kind, calls)
			return
		}
		if batch {
			refuse(w, http.StatusBadRequest, codeBadRequest, "Send one operation, not a list of them.")
			return
		}
		params := list[0]
		params.Headers = r.Header
		ctx = graphql.StartOperationTrace(ctx)
		switch {
		case token != "":
			g.operate(ctx, w, r, params, want.kind, token)
		case want.kind == eventStream:
			g.stream(ctx, w, r, params)
		default:
			g.answer(ctx, w, r, params, want, calls)
		}
	})
}

// answer runs one query or mutation.
func (g *Gateway) answer(ctx context.Context, w http.ResponseWriter, r *http.Request, params *graphql.RawParams, want accepted, calls *telemetry.Calls) {
	var parts *deferral
	if want.deferred {
		ctx, parts = withParts(ctx)
	}
	op, faults := g.exec.CreateOperationContext(ctx, params)
	if faults != nil || op.Operation.Operation == ast.Mutation && r.Method == http.MethodGet {
		g.refuseOperation(ctx, w, op, faults, want.kind)
		return
	}
	recordOperation(ctx, op)
	switch {
	case op.Operation.Operation == ast.Subscription:
		refuse(w, http.StatusNotAcceptable, codeBadRequest, "Subscriptions need Accept: text/event-stream, or a WebSocket.")
		return
	case parts != nil && (parts.used || want.parts):
		g.answerInParts(ctx, w, r, op, parts, want, calls)
		return
	}
	responses, running := g.exec.DispatchOperation(ctx, op)
	resp := responses(running)
	if resp == nil { // the client has left
		panic(http.ErrAbortHandler)
	}
	g.answered(ctx, w, r, op, resp, want.kind, calls)
}

// answered sends the response of an operation that has run.
func (g *Gateway) answered(ctx context.Context, w http.ResponseWriter, r *http.Request, op *graphql.OperationContext, resp *graphql.Response, kind mediaType, calls *telemetry.Calls) {
	if g.config.ShowBackendCalls {
		w.Header().Set("X-TechMart-Backend-Calls", backendCalls(calls))
	}
	control, shared := g.keepable(ctx, r, op, resp)
	b := newBuffer()
	defer b.release()
	if err := encode(&b.Buffer, resp, true); err != nil {
		panic(err)
	}
	// Answers to mutations hold tokens beside what the client has sent: their size tells nothing.
	g.reply(w, r, outcome{
		kind: kind, status: http.StatusOK, body: b.Bytes(), control: control, tagged: shared,
		compress: op.Operation.Operation == ast.Query,
	})
}
