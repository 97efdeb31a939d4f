// Package fault keeps a server that is away from taking the rest of the process with it: a circuit breaker
// refuses calls at once while a server does not answer, and a bulkhead bounds how many calls wait for one.
package fault

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"github.com/techmart/techmart/platform/telemetry"
)

const (
	defaultFailures = 5
	defaultRest     = time.Second
)

// Error is a call that a server did not answer, or that was not made as it does not.
type Error struct {
	Server string
	Err    error
}

// Error says what went wrong.
func (e *Error) Error() string { return "fault: " + e.Server + " is away: " + e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Unavailable is true: the call may be repeated later.
func (e *Error) Unavailable() bool { return true }

// Reasons for which a call is not made.
var (
	// ErrOpen says that the last calls failed, and that it is too early to try again.
	ErrOpen = errors.New("its circuit breaker is open")
	// ErrFull says that too many calls wait for the server.
	ErrFull = errors.New("too many calls wait for it")
)

// Config says when a Guard refuses calls. Only Server is needed.
type Config struct {
	Server   string             // its name in metrics and errors
	Failures uint               // in a row that open the breaker; 0 means 5
	Rest     time.Duration      // for which it stays open; 0 means 1 s. Then one call tries
	Limit    uint               // calls at a time; 0 means as many as come
	Metrics  *telemetry.Metrics // nil records nothing
}

// Guard is the circuit breaker and the bulkhead of one server. A nil *Guard lets everything through.
// It is for many goroutines.
type Guard struct {
	server   string
	breaker  circuitbreaker.CircuitBreaker[any]
	bulkhead bulkhead.Bulkhead[any] // nil for none
	metrics  *telemetry.Metrics
}

// New makes a Guard, whose breaker is closed.
func New(c Config) *Guard {
	if c.Failures == 0 {
		c.Failures = defaultFailures
	}
	if c.Rest == 0 {
		c.Rest = defaultRest
	}
	g := &Guard{server: c.Server, metrics: c.Metrics}
	g.breaker = circuitbreaker.NewBuilder[any]().
		WithFailureThreshold(c.Failures).
		WithSuccessThreshold(1).
		WithDelay(c.Rest).
		OnStateChanged(func(e circuitbreaker.StateChangedEvent) { c.Metrics.Breaker(c.Server, int(e.NewState)) }).
		Build()
	if c.Limit > 0 {
		g.bulkhead = bulkhead.New[any](c.Limit)
	}
	c.Metrics.Breaker(c.Server, int(circuitbreaker.ClosedState))
	return g
}

// Enter asks whether a call may be made. It fails with an Error; otherwise Leave must follow.
func (g *Guard) Enter() error {
	if g == nil {
		return nil
	}
	if g.bulkhead != nil && !g.bulkhead.TryAcquirePermit() {
		return g.refuse("full", ErrFull)
	}
	if !g.breaker.TryAcquirePermit() {
		if g.bulkhead != nil {
			g.bulkhead.ReleasePermit()
		}
		return g.refuse("open", ErrOpen)
	}
	return nil
}

func (g *Guard) refuse(reason string, err error) error {
	g.metrics.Rejected(g.server, reason)
	return &Error{g.server, err}
}

// Full refuses a call for want of room, where the bulkhead is another's.
func (g *Guard) Full() error { return g.refuse("full", ErrFull) }

// Leave ends a call that Enter let through, and gives its error: as an Error where the server did not answer.
func (g *Guard) Leave(err error) error {
	if g == nil {
		return err
	}
	if g.bulkhead != nil {
		g.bulkhead.ReleasePermit()
	}
	switch {
	case Lost(err):
		g.breaker.RecordFailure()
		return &Error{g.server, err}
	case !errors.Is(err, context.Canceled):
		g.breaker.RecordSuccess()
	case !g.breaker.IsClosed(): // who tried did not wait for the answer
		g.breaker.RecordFailure()
	}
	return err
}

// Note tells of a call that Enter was not asked for. It opens the breaker, but does not close it.
func (g *Guard) Note(err error) {
	if g == nil || !g.breaker.IsClosed() || errors.Is(err, context.Canceled) {
		return
	}
	if Lost(err) {
		g.breaker.RecordFailure()
	} else {
		g.breaker.RecordSuccess()
	}
}

// Closed tells that the server answers, as far as is known.
func (g *Guard) Closed() bool { return g == nil || g.breaker.IsClosed() }

// Lost tells whether err says that a server could not be reached, did not answer in time, or hung up; any
// other error is its answer.
func Lost(err error) bool {
	if err == nil {
		return false
	}
	var network net.Error // context.DeadlineExceeded is one, too
	var away *Error
	return errors.As(err, &network) || errors.As(err, &away) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
