package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// events is one connection of graphql-sse (https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md):
// a stream of server-sent events with the answers of one operation, or of many.
type events struct {
	g    *Gateway
	ctx  context.Context // ends with the stream
	gone context.CancelFunc
	out  *outbox
	ops  *operations

	tooSlow func() // counts the reader as such, once

	mu     sync.Mutex
	ended  bool
	idle   <-chan struct{} // closed once no operation runs
	ending chan struct{}   // closed when ended
}

func newEvents(g *Gateway, ctx context.Context, limit int) *events {
	e := &events{g: g, ops: newOperations(limit), ending: make(chan struct{})}
	e.ctx, e.gone = context.WithCancel(ctx)
	e.out = newOutbox(e.ctx, g.streams.limits.SlowReader, func() {
		e.tooSlow()
		e.end(errSlowReader, true)
	})
	e.tooSlow = sync.OnceFunc(g.streams.metrics.slow.Inc)
	return e
}

// end ends the stream: at once, or after the queries and mutations that run have finished and the
// last events are written.
func (e *events) end(cause error, abort bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.ended {
		e.ended = true
		e.idle = e.ops.drain(cause, abort)
		close(e.ending)
	} else if abort {
		e.ops.drain(cause, true)
	}
	if abort {
		e.gone()
	}
}

// serve writes the events until the stream ends or its reader is gone.
func (e *events) serve(w http.ResponseWriter, r *http.Request) {
	defer e.end(context.Canceled, true)
	e.g.metrics.streams.WithLabelValues("sse").Inc()
	defer e.g.metrics.streams.WithLabelValues("sse").Dec()
	stop := context.AfterFunc(e.g.streams.ctx, func() { e.end(errClosing, false) })
	defer stop()
	left := context.AfterFunc(r.Context(), func() { e.end(context.Canceled, true) })
	defer left()

	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	out := eventWriter{w: w, control: http.NewResponseController(w), patience: 2 * e.out.wait}
	if err := out.control.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return
	}
	if out.write([]byte(":\n\n")) != nil {
		return
	}
	alive := time.NewTicker(e.g.config.KeepAlive)
	defer alive.Stop()
	ending := e.ending
	var idle <-chan struct{}
	for {
		select {
		case m := <-e.out.queue:
			err := out.write(m)
			e.out.drop(m)
			if err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					e.tooSlow()
				}
				return
			}
		case <-alive.C:
			if out.write([]byte(":\n\n")) != nil {
				return
			}
		case <-e.ctx.Done():
			return
		case <-ending:
			ending, idle = nil, e.idle
		case <-idle:
			if len(e.out.queue) == 0 {
				return
			}
		}
	}
}

// followed tells whether a GET is of an EventSource on an allowed page, which can send no header that
// needs a preflight. The browser says truly whose page it is, and lets no other one read the stream.
func (g *Gateway) followed(r *http.Request, kind mediaType) bool {
	return kind == eventStream && r.Header.Get("Origin") != "" && g.sameOrigin(r)
}

// stream answers an operation as server-sent events of its own: graphql-sse in distinct connections
// mode. What is wrong with the operation is an event too: a browser shows no page a failed request.
func (g *Gateway) stream(ctx context.Context, w http.ResponseWriter, r *http.Request, params *graphql.RawParams) {
	p, ok := g.admit(w, r)
	if !ok {
		return
	}
	defer p.leave()
	if err := p.claim(owner(ctx)); err != nil {
		refuseStream(w, err)
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e := newEvents(g, ctx, 1)
	a := g.authorize(ctx, func(reason error) { e.end(reason, false) })
	defer a.release()
	op, err := e.ops.start(a.base, "")
	if err != nil {
		refuseStream(w, err)
		return
	}
	oc, faults := g.exec.CreateOperationContext(op.ctx, params)
	if faults == nil {
		recordOperation(ctx, oc)
		if oc.Operation.Operation == ast.Mutation && r.Method == http.MethodGet {
			w.Header().Set("Allow", "POST")
			refuse(w, http.StatusMethodNotAllowed, codeBadRequest, "Use POST for a mutation.")
			return
		}
		if oc.Operation.Operation == ast.Subscription {
			e.ops.subscribe(op)
		}
	}
	go func() {
		defer e.end(context.Canceled, false)
		defer e.ops.finish(op)
		out := lane{e: e, op: op}
		if faults != nil {
			out.fail(g.exec.DispatchError(graphql.WithOperationContext(op.ctx, oc), faults))
			return
		}
		g.play(op.ctx, oc, out)
	}()
	e.serve(w, r)
}

// lane is the outlet of an operation on a stream. With an id its events say whose they are.
type lane struct {
	e  *events
	op *operation
	id []byte // as JSON; nil where the stream has one operation
}

func (l lane) next(resp *graphql.Response) bool {
	text, ok := l.e.g.responseText(l.op.ctx, resp, true)
	return ok && l.e.out.send(l.e.ops, l.op, l.event(nil, text), false)
}

func (l lane) fail(resp *graphql.Response) {
	text, ok := l.e.g.responseText(l.op.ctx, resp, false)
	if !ok {
		l.complete()
		return
	}
	l.e.out.send(l.e.ops, l.op, l.completion(l.event(nil, text)), true)
}

func (l lane) complete() { l.e.out.send(l.e.ops, l.op, l.completion(nil), true) }

// cut says why: another word than the last event there is not.
func (l lane) cut(reason error) {
	l.fail(&graphql.Response{Errors: gqlerror.List{lastWord(reason)}})
}

// event appends a response as an event.
func (l lane) event(b, response []byte) []byte {
	if l.id == nil {
		return append(append(append(b, "event: next\ndata: "...), response...), "\n\n"...)
	}
	b = append(append(append(b, `event: next`+"\n"+`data: {"id":`...), l.id...), `,"payload":`...)
	return append(append(b, response...), "}\n\n"...)
}

// completion appends the last event. Without a data line a browser would not tell of it.
func (l lane) completion(b []byte) []byte {
	if l.id == nil {
		return append(b, "event: complete\ndata:\n\n"...)
	}
	return append(append(append(b, `event: complete`+"\n"+`data: {"id":`...), l.id...), "}\n\n"...)
}

// eventWriter writes server-sent events. A reader that takes none for long is cut off.
type eventWriter struct {
	w        io.Writer
	control  *http.ResponseController
	patience time.Duration
}

func (e eventWriter) write(text []byte) error {
	if err := e.control.SetWriteDeadline(time.Now().Add(e.patience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := e.w.Write(text); err != nil {
		return err
	}
	return e.control.Flush()
}
