package gateway

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"golang.org/x/sync/semaphore"

	"github.com/techmart/techmart/graph/request"
	"github.com/techmart/techmart/services/viewer"
)

// outlet takes what an operation answers to its client.
type outlet interface {
	// next is a response. It is false when nobody listens any more.
	next(resp *graphql.Response) bool
	// fail is the last word of an operation that did not run, or may not run on.
	fail(resp *graphql.Response)
	// complete is the last word of every other one.
	complete()
	// cut is the last word of a subscription that the server ends: it closes, or the access token
	// has expired.
	cut(reason error)
}

// play runs an operation and hands what it answers over.
func (g *Gateway) play(ctx context.Context, op *graphql.OperationContext, out outlet) {
	defer func() {
		if p := recover(); p != nil { // out of reach of the request's own recovery
			out.fail(&graphql.Response{Errors: gqlerror.List{g.present(ctx, g.recoverPanic(ctx, p))}})
		}
	}()
	subscribed := op.Operation.Operation == ast.Subscription
	responses, running := g.exec.DispatchOperation(ctx, op)
	for {
		resp := responses(running)
		switch {
		case resp == nil && subscribed && interrupted(ctx):
			out.cut(context.Cause(ctx))
			return
		case resp == nil:
			out.complete()
			return
		case len(resp.Data) == 0 && len(resp.Errors) > 0 && resp.HasNext == nil:
			out.fail(resp)
			return
		case !out.next(resp):
			return
		case !subscribed && (resp.HasNext == nil || !*resp.HasNext):
			out.complete()
			return
		}
	}
}

// interrupted tells whether the server has ended an operation that its client could go on with.
func interrupted(ctx context.Context) bool {
	cause := context.Cause(ctx)
	return errors.Is(cause, errClosing) || errors.Is(cause, errExpired)
}

// recordedOperation gives the context of one operation on a connection of many, and what writes its
// line of the access log.
func (g *Gateway) recordedOperation(ctx context.Context, transport string) (context.Context, func()) {
	began, kept := time.Now(), new(record)
	v := viewer.FromContext(ctx)
	kept.viewer = v
	ctx = context.WithValue(ctx, recordKey{}, kept)
	g.streams.metrics.operations.Inc()
	return ctx, func() {
		g.streams.metrics.operations.Dec()
		rec := kept.read()
		attrs := []slog.Attr{
			slog.String("requestId", request.FromContext(ctx).ID), slog.String("transport", transport),
			slog.String("operation", rec.operation), slog.String("kind", rec.kind), slog.Int("cost", rec.cost),
			slog.Duration("duration", time.Since(began)),
		}
		if v.UserID != uuid.Nil {
			attrs = append(attrs, slog.String("viewer", v.UserID.String()))
		}
		if v.ClientID != uuid.Nil {
			attrs = append(attrs, slog.String("client", v.ClientID.String()))
		}
		if rec.document != "" {
			attrs = append(attrs, slog.String("document", documentHash(rec.document)))
		}
		if rec.code != "" {
			attrs = append(attrs, slog.String("code", rec.code))
		}
		g.log.LogAttrs(ctx, slog.LevelInfo, "operation", attrs...)
	}
}

// responseText writes a response as JSON; false where it cannot be, which is logged.
func (g *Gateway) responseText(ctx context.Context, resp *graphql.Response, executed bool) ([]byte, bool) {
	var b bytes.Buffer
	if err := encode(&b, resp, executed); err != nil {
		g.log.ErrorContext(ctx, "internal error", "requestId", request.FromContext(ctx).ID, "error", err)
		return nil, false
	}
	return b.Bytes(), true
}

// Why an operation is not taken.
var (
	errRunning           = errors.New("gateway: an operation with this id runs already")
	errTooManyOperations = errors.New("gateway: too many operations on the connection")
)

// operations are those of one connection, by the id that the client gave them.
type operations struct {
	limit int

	mu       sync.Mutex
	byID     map[string]*operation
	active   int           // those that still run, completed by their client or not
	draining error         // why no more are taken
	idle     chan struct{} // closed when draining and none is active
}

// operation is one of them.
type operation struct {
	id         string
	ctx        context.Context
	cancel     context.CancelCauseFunc
	subscribed bool // it ends when the server closes; others finish
}

func newOperations(limit int) *operations {
	return &operations{limit: limit, byID: make(map[string]*operation), idle: make(chan struct{})}
}

// start takes an operation. It fails with errRunning, errTooManyOperations, or why none is taken.
func (o *operations) start(ctx context.Context, id string) (*operation, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.draining != nil:
		return nil, o.draining
	case o.byID[id] != nil:
		return nil, errRunning
	case o.active >= o.limit:
		return nil, errTooManyOperations
	}
	op := &operation{id: id}
	op.ctx, op.cancel = context.WithCancelCause(ctx)
	o.byID[id] = op
	o.active++
	return op, nil
}

// subscribe marks an operation as one that has no end of its own.
func (o *operations) subscribe(op *operation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	op.subscribed = true
	if o.draining != nil {
		op.cancel(o.draining)
	}
}

// finish lets go of an operation that has ended.
func (o *operations) finish(op *operation) {
	op.cancel(nil)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byID[op.id] == op {
		delete(o.byID, op.id)
	}
	if o.active--; o.draining != nil && o.active == 0 {
		close(o.idle)
	}
}

// complete ends an operation for its client, who wants no more of it. One that is not there was
// completed on both sides at once.
func (o *operations) complete(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if op := o.byID[id]; op != nil {
		delete(o.byID, id)
		op.cancel(context.Canceled)
	}
}

// current runs f while the operation is its client's, and lets nothing come between. last frees the
// id first: its client may use it again.
func (o *operations) current(op *operation, last bool, f func()) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byID[op.id] != op {
		return false
	}
	if last {
		delete(o.byID, op.id)
	}
	f()
	return true
}

// drain takes no more operations and ends the subscriptions, or all of them. The channel is closed
// once none runs.
func (o *operations) drain(reason error, all bool) <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.draining == nil {
		o.draining = reason
		if o.active == 0 {
			close(o.idle)
		}
	}
	for _, op := range o.byID {
		if all || op.subscribed {
			op.cancel(reason)
		}
	}
	return o.idle
}

// Bounds of what waits for a reader.
const (
	maxQueuedBytes = 1 << 20
	minQueued      = 4 << 10 // what even the shortest message counts as
)

// lastChance is for how long a reader that is too slow may still take what is being written to it,
// and so hear why it is cut off.
const lastChance = 5 * time.Second

// outbox is what waits to be written to a connection, bounded in bytes: the fast producer of a slow
// reader waits, and gives up after a while.
type outbox struct {
	room  *semaphore.Weighted
	queue chan []byte
	wait  time.Duration
	ctx   context.Context // ends with the connection
	slow  func()          // told when the reader is too slow
}

func newOutbox(ctx context.Context, wait time.Duration, slow func()) *outbox {
	return &outbox{
		room: semaphore.NewWeighted(maxQueuedBytes), queue: make(chan []byte, maxQueuedBytes/minQueued),
		wait: wait, ctx: ctx, slow: slow,
	}
}

func weight(message []byte) int64 { return int64(min(max(len(message), minQueued), maxQueuedBytes)) }

// admit waits for room for a message; false when the reader is too slow or gone. Then put follows.
func (o *outbox) admit(message []byte) bool {
	if o.room.TryAcquire(weight(message)) {
		return true
	}
	ctx, cancel := context.WithTimeout(o.ctx, o.wait)
	defer cancel()
	if o.room.Acquire(ctx, weight(message)) == nil {
		return true
	}
	if o.ctx.Err() == nil {
		o.slow()
	}
	return false
}

// put queues an admitted message; it never waits.
func (o *outbox) put(message []byte) { o.queue <- message }

// drop gives the room of an admitted message back.
func (o *outbox) drop(message []byte) { o.room.Release(weight(message)) }

// busy tells whether anything waits or is being written.
func (o *outbox) busy() bool {
	if !o.room.TryAcquire(maxQueuedBytes) {
		return true
	}
	o.room.Release(maxQueuedBytes)
	return false
}

// push queues a message; false when the reader is too slow or gone.
func (o *outbox) push(message []byte) bool {
	if !o.admit(message) {
		return false
	}
	o.put(message)
	return true
}

// send queues a message of an operation unless its client has completed it.
func (o *outbox) send(ops *operations, op *operation, message []byte, last bool) bool {
	if !o.admit(message) {
		return false
	}
	if !ops.current(op, last, func() { o.put(message) }) {
		o.drop(message)
		return false
	}
	return true
}
