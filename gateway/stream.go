package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/techmart/techmart/graph/request"
)

// writeTimeout bounds one write to a reader of a stream: a slow one is cut off.
const writeTimeout = 10 * time.Second

// stream answers an operation as server-sent events: graphql-sse in distinct connections mode
// (https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md).
func (g *Gateway) stream(ctx context.Context, w http.ResponseWriter, r *http.Request, params *graphql.RawParams) {
	op, faults := g.exec.CreateOperationContext(ctx, params)
	if faults != nil {
		resp := g.exec.DispatchError(graphql.WithOperationContext(ctx, op), faults)
		g.write(w, graphqlResponse, http.StatusBadRequest, resp, false)
		return
	}
	recordOperation(ctx, op)
	if op.Operation.Operation == ast.Mutation && r.Method == http.MethodGet {
		w.Header().Set("Allow", "POST")
		refuse(w, http.StatusMethodNotAllowed, codeBadRequest, "Use POST for a mutation.")
		return
	}
	ctx, leave, ok := g.streams.enter(ctx)
	if !ok {
		refuse(w, http.StatusServiceUnavailable, "UNAVAILABLE", "This server is closing. Try again.")
		return
	}
	defer leave()
	g.metrics.streams.WithLabelValues("sse").Inc()
	defer g.metrics.streams.WithLabelValues("sse").Dec()

	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	out := events{w: w, control: http.NewResponseController(w)}
	if err := out.control.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return
	}
	if out.send(":\n\n") != nil {
		return
	}
	responses := make(chan string)
	go g.produce(ctx, op, responses)
	alive := time.NewTicker(g.config.KeepAlive)
	defer alive.Stop()
	for {
		select {
		case resp, more := <-responses:
			if !more {
				_ = out.send("event: complete\ndata:\n\n") // the last write
				return
			}
			if out.send("event: next\ndata: "+resp+"\n\n") != nil {
				return
			}
		case <-alive.C:
			if out.send(":\n\n") != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

// produce runs an operation and hands its responses over as JSON until it or ctx ends. They are
// written here because the executor uses the memory of a response for the next one.
func (g *Gateway) produce(ctx context.Context, op *graphql.OperationContext, out chan<- string) {
	defer close(out)
	defer func() {
		if p := recover(); p != nil { // out of reach of the request's own recovery
			_ = g.recoverPanic(ctx, p) // logged; the stream ends
		}
	}()
	responses, operation := g.exec.DispatchOperation(ctx, op)
	for {
		resp := responses(operation)
		if resp == nil {
			return
		}
		var b bytes.Buffer
		if err := encode(&b, resp, true); err != nil {
			g.log.ErrorContext(ctx, "internal error", "requestId", request.FromContext(ctx).ID, "error", err)
			return
		}
		select {
		case out <- b.String():
		case <-ctx.Done():
			return
		}
	}
}

// events writes server-sent events.
type events struct {
	w       io.Writer
	control *http.ResponseController
}

func (e events) send(text string) error {
	if err := e.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := io.WriteString(e.w, text); err != nil {
		return err
	}
	return e.control.Flush()
}
