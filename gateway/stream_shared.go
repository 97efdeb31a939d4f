package gateway

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/techmart/techmart/graph/request"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// streamTokenHeader carries the token of a reserved stream; the parameter token does too, as a
// browser's EventSource sends no header.
const streamTokenHeader = "X-GraphQL-Event-Stream-Token"

// maxStreamToken bounds what is looked up at all.
const maxStreamToken = 100

func streamToken(r *http.Request) string {
	if token := r.Header.Get(streamTokenHeader); token != "" {
		return token
	}
	return r.URL.Query().Get("token")
}

// reservations are the shared streams of this process: graphql-sse in single connection mode.
type reservations struct {
	mu      sync.Mutex
	byToken map[string]*room
}

// room is one shared stream, from its reservation on. Its operations come by requests of their own.
type room struct {
	*events
	token     string
	place     *place
	authority *authority
	expiry    *time.Timer // of the reservation
	opened    bool        // by a reader; guarded by reservations.mu
}

// find gives the stream of a token for a viewer; nil where there is none, or it is somebody else's.
// A reader may come with the token only.
func (s *reservations) find(token string, v viewer.Viewer, reader bool) *room {
	if token == "" || len(token) > maxStreamToken {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.byToken[token]
	if r == nil {
		return nil
	}
	owner := r.authority.viewer // who that is does not change
	if reader && !v.Authenticated() {
		return r
	}
	if v.UserID != owner.UserID || v.SessionID != owner.SessionID || v.ClientID != owner.ClientID {
		return nil
	}
	return r
}

// open gives the stream to its reader; false where it has one.
func (s *reservations) open(r *room) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.opened || !r.expiry.Stop() {
		return false
	}
	r.opened = true
	return true
}

// close ends a stream for good.
func (s *reservations) close(r *room, cause error) {
	s.mu.Lock()
	known := s.byToken[r.token] == r
	delete(s.byToken, r.token)
	s.mu.Unlock()
	if !known {
		return
	}
	r.expiry.Stop()
	r.end(cause, true)
	r.authority.release()
	r.place.leave()
}

// sharesStream tells whether a request reserves a stream, or completes an operation on one.
func sharesStream(r *http.Request) bool {
	switch r.Method {
	case http.MethodPut:
		return r.ContentLength == 0
	case http.MethodDelete:
		return streamToken(r) != "" || r.URL.Query().Has("operationId")
	}
	return false
}

// shared answers PUT, which reserves a stream, and DELETE, which completes an operation on it.
func (g *Gateway) shared(w http.ResponseWriter, r *http.Request) {
	ctx, ok := g.authenticate(r.Context(), w, r)
	if !ok {
		return
	}
	if r.Method == http.MethodPut {
		g.reserve(ctx, w, r)
		return
	}
	room := g.streams.rooms.find(streamToken(r), viewer.FromContext(ctx), false)
	id := r.URL.Query().Get("operationId")
	switch {
	case room == nil:
		refuse(w, http.StatusNotFound, string(errs.NotFound), "There is no such event stream: reserve one with PUT.")
	case id == "":
		refuse(w, http.StatusBadRequest, codeBadRequest, "operationId is missing.")
	default:
		room.ops.complete(id)
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusOK)
	}
}

// reserve makes a stream and answers its token.
func (g *Gateway) reserve(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	p, ok := g.admit(w, r)
	if !ok {
		return
	}
	if err := p.claim(owner(ctx)); err != nil {
		p.leave()
		refuseStream(w, err)
		return
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	made := &room{token: base64.RawURLEncoding.EncodeToString(secret), place: p}
	made.events = newEvents(g, context.WithoutCancel(ctx), g.streams.limits.Operations)
	made.authority = g.authorize(made.ctx, func(reason error) { made.finish(reason) })
	rooms := &g.streams.rooms
	rooms.mu.Lock()
	made.expiry = time.AfterFunc(g.streams.limits.Reservation, func() { rooms.close(made, context.Canceled) })
	rooms.byToken[made.token] = made
	rooms.mu.Unlock()
	context.AfterFunc(g.streams.ctx, func() { made.finish(errClosing) })
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, made.token) // the client may have left: the reservation expires
}

// finish ends a stream with the last words of its operations, where there is somebody to hear them.
func (r *room) finish(reason error) {
	rooms := &r.g.streams.rooms
	rooms.mu.Lock()
	heard := r.opened
	rooms.mu.Unlock()
	if heard {
		r.end(reason, false)
		return
	}
	rooms.close(r, reason)
}

// read gives a reserved stream to its reader, who may be known by the token only.
func (g *Gateway) read(w http.ResponseWriter, r *http.Request, token string) {
	ctx, ok := g.authenticate(r.Context(), w, r)
	if !ok {
		return
	}
	room := g.streams.rooms.find(token, viewer.FromContext(ctx), true)
	switch {
	case room == nil:
		refuse(w, http.StatusNotFound, string(errs.NotFound), "There is no such event stream: reserve one with PUT.")
		return
	case !g.streams.rooms.open(room):
		refuse(w, http.StatusConflict, string(errs.Conflict), "The event stream has a reader.")
		return
	}
	defer g.streams.rooms.close(room, context.Canceled)
	recordOf(ctx).note(func(rec *recorded) { rec.kind = "connection" })
	room.serve(w, r)
}

// operate runs an operation whose answers go to a shared stream. It is answered with 202 once it
// runs, and as any other request where it does not.
func (g *Gateway) operate(ctx context.Context, w http.ResponseWriter, r *http.Request, params *graphql.RawParams, kind mediaType, token string) {
	v := viewer.FromContext(ctx)
	room := g.streams.rooms.find(token, v, false)
	id, _ := params.Extensions["operationId"].(string)
	switch {
	case room == nil:
		refuse(w, http.StatusNotFound, string(errs.NotFound), "There is no such event stream: reserve one with PUT.")
		return
	case id == "" || len(id) > maxOperationID:
		refuse(w, http.StatusBadRequest, codeBadRequest, "extensions.operationId must be a text of 1 to 256 bytes.")
		return
	}
	op, err := room.ops.start(viewer.NewContext(request.NewContext(room.authority.base, request.FromContext(ctx)), v), id)
	switch {
	case errors.Is(err, errRunning):
		refuse(w, http.StatusConflict, string(errs.Conflict), "An operation with this operationId runs on the event stream.")
		return
	case errors.Is(err, errTooManyOperations):
		g.streams.metrics.refusals.WithLabelValues("operations").Inc()
		refuse(w, http.StatusTooManyRequests, codeOperations, "Too many operations run on the event stream: complete one.")
		return
	case err != nil:
		refuseStream(w, err)
		return
	}
	if room.authority.prolong(v) != nil && v.Authenticated() {
		room.ops.finish(op)
		refuse(w, http.StatusNotFound, string(errs.NotFound), "There is no such event stream: reserve one with PUT.")
		return
	}
	running, logged := g.recordedOperation(op.ctx, "sse")
	running = graphql.StartOperationTrace(running)
	oc, faults := g.exec.CreateOperationContext(running, params)
	if faults != nil || oc.Operation.Operation == ast.Mutation && r.Method == http.MethodGet {
		logged()
		room.ops.finish(op)
		g.refuseOperation(running, w, oc, faults, kind)
		return
	}
	recordOperation(ctx, oc)
	recordOperation(running, oc)
	if oc.Operation.Operation == ast.Subscription {
		room.ops.subscribe(op)
	}
	idJSON, err := json.Marshal(id)
	if err != nil {
		panic("gateway: a text always marshals: " + err.Error())
	}
	go func() {
		defer logged()
		defer room.ops.finish(op)
		g.play(running, oc, lane{e: room.events, op: op, id: idJSON})
	}()
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusAccepted)
}

// refuseOperation answers an operation that is not run: it has faults, or is a mutation by GET.
func (g *Gateway) refuseOperation(ctx context.Context, w http.ResponseWriter, oc *graphql.OperationContext, faults gqlerror.List, kind mediaType) {
	if faults == nil {
		w.Header().Set("Allow", "POST")
		refuse(w, http.StatusMethodNotAllowed, codeBadRequest, "Use POST for a mutation.")
		return
	}
	resp := g.exec.DispatchError(graphql.WithOperationContext(ctx, oc), faults)
	status := http.StatusOK // application/json: old clients read errors of 200 only
	if kind == graphqlResponse {
		status = http.StatusBadRequest
	}
	if own, ok := statusOf(resp.Errors); ok {
		status = own
	}
	g.write(w, kind, status, resp, false)
}
