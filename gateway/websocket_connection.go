package gateway

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	coderws "github.com/coder/websocket"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/techmart/techmart/services/errs"
)

// socket is one connection of graphql-transport-ws. One goroutine reads, one writes, and one runs
// for each operation.
type socket struct {
	g     *Gateway
	conn  *coderws.Conn
	place *place
	ctx   context.Context // ends when the connection is gone
	gone  context.CancelFunc
	out   *outbox
	ops   *operations

	initTimer   *time.Timer
	initialized bool       // connection_init has come; known to the reader only
	authority   *authority // from connection_init on; known to the reader only

	mu     sync.Mutex
	ended  bool
	code   coderws.StatusCode // with which it closes
	reason string
	abort  bool            // without another message
	idle   <-chan struct{} // closed once no operation runs
	ending chan struct{}   // closed when ended
}

func newSocket(g *Gateway, conn *coderws.Conn, p *place, ctx context.Context) *socket {
	s := &socket{g: g, conn: conn, place: p, ops: newOperations(g.streams.limits.Operations), ending: make(chan struct{})}
	s.ctx, s.gone = context.WithCancel(ctx)
	s.out = newOutbox(s.ctx, g.streams.limits.SlowReader, func() {
		if s.end(closeTryLater, "The reader is too slow", errSlowReader, true) {
			g.streams.metrics.slow.Inc()
		}
	})
	conn.SetReadLimit(g.config.MaxBodyBytes)
	return s
}

// serve runs the connection until it is closed.
func (s *socket) serve() {
	defer s.gone()
	s.initTimer = time.AfterFunc(s.g.config.InitTimeout, func() {
		s.end(closeInitTimeout, "Connection initialisation timeout", http.ErrHandlerTimeout, true)
	})
	defer s.initTimer.Stop()
	stop := context.AfterFunc(s.g.streams.ctx, func() { s.end(closeGoingAway, "Going away", errClosing, false) })
	defer stop()
	written := make(chan struct{})
	go func() {
		defer close(written)
		s.write()
	}()
	go s.keepAlive()
	s.read()
	s.end(coderws.StatusNormalClosure, "", context.Canceled, true) // the client has closed, or is gone
	<-written
	if s.authority != nil {
		s.authority.release()
	}
}

// end closes the connection: at once, or after the queries and mutations that run have finished and
// the last messages are written. The first reason counts; it is false for any other.
func (s *socket) end(code coderws.StatusCode, reason string, cause error, abort bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		if abort { // the client is gone while the rest is finished for it
			s.ops.drain(cause, true)
		}
		return false
	}
	s.ended, s.code, s.reason, s.abort = true, code, reason, abort
	s.idle = s.ops.drain(cause, abort)
	close(s.ending)
	return true
}

// read handles messages until the connection is gone or a message is against the protocol.
func (s *socket) read() {
	for {
		kind, data, err := s.conn.Read(s.ctx)
		if err != nil {
			return
		}
		if kind != coderws.MessageText {
			s.refuse(closeBadRequest, "Invalid message: not a text")
			return
		}
		m, fault := parseMessage(data)
		if fault != "" {
			s.refuse(closeBadRequest, fault)
			return
		}
		if !s.handle(m) {
			return
		}
	}
}

// refuse closes the connection of a client that is against the protocol or a bound.
func (s *socket) refuse(code coderws.StatusCode, reason string) {
	s.end(code, reason, context.Canceled, true)
}

// handle answers a message; false ends the reading.
func (s *socket) handle(m clientMessage) bool {
	switch m.kind {
	case typeInit:
		return s.initialize(m)
	case typePing:
		return s.ping(m)
	case typePong:
		return true
	case typeComplete:
		s.ops.complete(m.id)
		return true
	}
	return s.subscribe(m)
}

// initialize answers connection_init.
func (s *socket) initialize(m clientMessage) bool {
	if s.initialized {
		s.refuse(closeTooManyInits, "Too many initialisation requests")
		return false
	}
	s.initialized = true
	s.initTimer.Stop()
	ctx, err := s.g.identify(s.ctx, m.payload)
	switch {
	case errs.Is(err, errs.Unauthenticated):
		s.refuse(closeForbidden, "Forbidden")
		return false
	case err != nil:
		s.refuse(closeTryLater, "It cannot be told now who connects")
		return false
	}
	if s.place.claim(owner(ctx)) != nil {
		s.refuse(closeTryLater, "Too many connections of the account")
		return false
	}
	s.authority = s.g.authorize(ctx, func(reason error) {
		text := "The session has ended"
		if errors.Is(reason, errExpired) {
			text = "The access token has expired"
		}
		s.end(closeForbidden, text, reason, false)
	})
	return s.out.push(serverMessage(typeAck, "", expiryPayload(s.authority.expires())))
}

// ping answers a ping. One that names an access token renews the connection, and its pong tells
// until when.
func (s *socket) ping(m clientMessage) bool {
	h, err := readHello(m.payload)
	if err != nil || !h.renewal || s.authority == nil {
		if err != nil || h.renewal || h.APIKey != "" {
			m.payload = nil // a secret is not sent back
		}
		return s.out.push(serverMessage(typePong, "", m.payload))
	}
	token, ok := h.token()
	if !ok {
		s.refuse(closeForbidden, "Forbidden")
		return false
	}
	switch err := s.authority.renew(token); {
	case errs.Is(err, errs.Unauthenticated), errors.Is(err, errOther):
		s.refuse(closeForbidden, "Forbidden")
		return false
	case err != nil: // the connection lasts as long as it did
		return s.out.push(serverMessage(typePong, "", expiryPayload(s.authority.expires())))
	}
	return s.out.push(serverMessage(typePong, "", expiryPayload(s.authority.expires())))
}

// subscribe starts an operation.
func (s *socket) subscribe(m clientMessage) bool {
	if s.authority == nil {
		s.refuse(closeUnauthorized, "Unauthorized")
		return false
	}
	params, fault := parseBody(m.payload)
	if fault != "" {
		s.refuse(closeBadRequest, "Invalid message: "+fault)
		return false
	}
	op, err := s.ops.start(s.authority.base, m.id)
	switch {
	case errors.Is(err, errRunning):
		reason := "Subscriber for " + m.id + " already exists"
		if len(reason) > 123 { // what a close frame has room for
			reason = "Subscriber already exists"
		}
		s.refuse(closeRunning, reason)
		return false
	case errors.Is(err, errTooManyOperations):
		s.g.streams.metrics.refusals.WithLabelValues("operations").Inc()
		text := `[{"message":"At most ` + strconv.Itoa(s.ops.limit) + ` operations run on a connection at a time.","extensions":{"code":"` + codeOperations + `"}}]`
		return s.out.push(serverMessage(typeError, m.id, []byte(text)))
	case err != nil: // the connection is closing
		return true
	}
	go s.run(op, params)
	return true
}

// run runs an operation to its end.
func (s *socket) run(op *operation, params *graphql.RawParams) {
	defer s.ops.finish(op)
	ctx, logged := s.g.recordedOperation(op.ctx, "websocket")
	defer logged()
	out := wire{s: s, op: op}
	defer func() {
		if p := recover(); p != nil {
			out.fail(&graphql.Response{Errors: gqlerror.List{s.g.present(ctx, s.g.recoverPanic(ctx, p))}})
		}
	}()
	ctx = graphql.StartOperationTrace(ctx)
	oc, faults := s.g.exec.CreateOperationContext(ctx, params)
	if faults != nil {
		out.fail(s.g.exec.DispatchError(graphql.WithOperationContext(ctx, oc), faults))
		return
	}
	recordOperation(ctx, oc)
	if oc.Operation.Operation == ast.Subscription {
		s.ops.subscribe(op)
	}
	s.g.play(ctx, oc, out)
}

// write writes what is queued, and closes the connection when it has ended.
func (s *socket) write() {
	for {
		select {
		case m := <-s.out.queue:
			if !s.send(m) {
				return
			}
		case <-s.ending:
		}
		select {
		case <-s.ending:
			s.finish()
			return
		default:
		}
	}
}

// send writes a message. A reader that takes none of it for long is cut off.
func (s *socket) send(m []byte) bool {
	ctx, cancel := context.WithTimeout(s.ctx, s.out.wait+lastChance)
	defer cancel()
	err := s.conn.Write(ctx, coderws.MessageText, m)
	s.out.drop(m)
	if err == nil {
		return true
	}
	if s.end(coderws.StatusNormalClosure, "", errSlowReader, true) && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		s.g.streams.metrics.slow.Inc()
	}
	_ = s.conn.CloseNow() // it is broken
	return false
}

// finish writes the last messages, and closes.
func (s *socket) finish() {
	last, cancel := context.WithTimeout(s.ctx, s.g.config.OperationTimeout+s.out.wait)
	defer cancel()
	for running := !s.abort; running; {
		select {
		case m := <-s.out.queue:
			if !s.send(m) {
				return
			}
		case <-s.idle:
			if running = len(s.out.queue) > 0; running {
				running = s.send(<-s.out.queue)
			}
		case <-last.Done():
			running = false
		}
	}
	if s.code != coderws.StatusNormalClosure {
		s.g.streams.metrics.closed.WithLabelValues(strconv.Itoa(int(s.code))).Inc()
	}
	_ = s.conn.Close(s.code, s.reason) // the client may be gone
}

// keepAlive looks whether the client is still there.
func (s *socket) keepAlive() {
	ticker := time.NewTicker(s.g.config.KeepAlive)
	defer ticker.Stop()
	for {
		select {
		case <-s.ending:
			return
		case <-ticker.C:
			if s.out.busy() { // what is being written tells
				continue
			}
			ctx, cancel := context.WithTimeout(s.ctx, s.g.config.KeepAlive)
			err := s.conn.Ping(ctx)
			cancel()
			if err != nil {
				s.end(coderws.StatusNormalClosure, "", err, true)
				_ = s.conn.CloseNow()
				return
			}
		}
	}
}
