package gateway

import (
	"bytes"
	"context"
	"net/http"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/techmart/techmart/graph/request"
	"github.com/techmart/techmart/platform/telemetry"
)

// defaultBatch bounds a batch where the configuration does not.
const defaultBatch = 10

func (g *Gateway) batchLimit() int {
	if g.config.Limits.Batch > 0 {
		return g.config.Limits.Batch
	}
	return defaultBatch
}

// answerBatch runs the operations of a batch in their order, one after another, so that each sees
// what those before it have written. They share one deadline; each is charged, has its own loaders,
// and gets its own response in the list that is the answer. The answer's status is 200: what befell
// an operation is in its response.
func (g *Gateway) answerBatch(ctx context.Context, w http.ResponseWriter, r *http.Request, list []*graphql.RawParams, kind mediaType, calls *telemetry.Calls) {
	if kind == eventStream {
		refuse(w, http.StatusNotAcceptable, codeBadRequest, "A batch is answered as application/json or application/graphql-response+json.")
		return
	}
	g.metrics.batches.Observe(float64(len(list)))
	recordOf(ctx).note(func(rec *recorded) { rec.batch = len(list) })
	ctx, cancel := context.WithTimeout(ctx, g.config.OperationTimeout)
	defer cancel()
	b := newBuffer()
	defer b.release()
	b.WriteByte('[')
	for i, params := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		resp, executed := g.inBatch(ofBatch(ctx, i), params, r.Header)
		if r.Context().Err() != nil { // the client has left
			panic(http.ErrAbortHandler)
		}
		if err := encode(&b.Buffer, resp, executed); err != nil {
			panic(err)
		}
	}
	b.WriteByte(']')
	if g.config.ShowBackendCalls {
		w.Header().Set("X-TechMart-Backend-Calls", backendCalls(calls))
	}
	g.reply(w, r, outcome{kind: kind, status: http.StatusOK, body: b.Bytes()})
}

// inBatch runs one operation of a batch.
func (g *Gateway) inBatch(ctx context.Context, params *graphql.RawParams, headers http.Header) (_ *graphql.Response, executed bool) {
	params.Headers = headers
	ctx = graphql.StartOperationTrace(ctx)
	op, faults := g.exec.CreateOperationContext(ctx, params)
	if faults == nil && op.Operation.Operation == ast.Subscription {
		faults = gqlerror.List{coded(codeBadRequest, "A batch has no subscriptions: they need Accept: text/event-stream, or a WebSocket.")}
	}
	if faults != nil {
		return g.exec.DispatchError(graphql.WithOperationContext(ctx, op), faults), false
	}
	recordOperation(ctx, op)
	responses, running := g.exec.DispatchOperation(ctx, op)
	if resp := responses(running); resp != nil {
		return resp, true
	}
	late := coded(codeTimeout, "The batch took too long: this operation was not run.")
	return g.exec.DispatchError(graphql.WithOperationContext(ctx, op), gqlerror.List{late}), false
}

// ofBatch makes the Idempotency-Key of a request distinct for each operation of its batch: it says of
// the batch as a whole that it comes again.
func ofBatch(ctx context.Context, i int) context.Context {
	if i == 0 {
		return ctx
	}
	return request.WithPart(ctx, strconv.Itoa(i))
}

// buffer is a buffer that is used again.
type buffer struct{ bytes.Buffer }

func newBuffer() *buffer { return buffers.Get().(*buffer) }

// release gives the buffer back; what was in it is gone.
func (b *buffer) release() {
	if b.Cap() <= maxPooled {
		b.Reset()
		buffers.Put(b)
	}
}
