package postgres

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/platform/fault"
	"github.com/techmart/techmart/platform/telemetry"
)

const (
	// acquireTimeout bounds the wait for a connection of who has no deadline.
	acquireTimeout = 10 * time.Second
	// maxAcquiring bounds how many wait for a connection. Whoever comes then is refused at once.
	maxAcquiring = 512
	// answerMargin is added to the server's statement timeout, before an answer is not waited for any more.
	answerMargin = 5 * time.Second
	// trialTimeout bounds the question whether the server is back.
	trialTimeout = time.Second
)

// guard refuses connections while the server does not answer, and ends what waits too long.
type guard struct {
	*fault.Guard
	acquiring atomic.Int64
}

// prepare looks at a connection before it is given out: while the breaker is not closed one of them tries.
func (g *guard) prepare(ctx context.Context, conn *pgx.Conn) (bool, error) {
	if g.Closed() {
		return true, nil
	}
	if err := g.Enter(); err != nil {
		return true, err
	}
	ctx, cancel := context.WithTimeout(ctx, trialTimeout)
	defer cancel()
	err := g.Leave(conn.PgConn().Ping(ctx))
	return err == nil, err
}

type acquiringKey struct{}

// TraceAcquireStart gives the wait for a connection its end.
func (t *tracer) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	if t.guard.acquiring.Add(1) > maxAcquiring {
		return refused{ctx, t.guard.Full()}
	}
	if _, bounded := ctx.Deadline(); bounded {
		return ctx
	}
	ctx, cancel := context.WithTimeout(ctx, acquireTimeout)
	return context.WithValue(ctx, acquiringKey{}, cancel)
}

// TraceAcquireEnd ends the wait for a connection.
func (t *tracer) TraceAcquireEnd(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireEndData) {
	t.guard.acquiring.Add(-1)
	if cancel, ok := ctx.Value(acquiringKey{}).(context.CancelFunc); ok {
		cancel()
	}
}

// refused is a context that has ended with an error of our own.
type refused struct {
	context.Context
	err error
}

var ended = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// Done is closed.
func (refused) Done() <-chan struct{} { return ended }

// Err gives the error.
func (r refused) Err() error { return r.err }

// TraceConnectStart does nothing: who connects was let through before.
func (t *tracer) TraceConnectStart(ctx context.Context, _ pgx.TraceConnectStartData) context.Context {
	return ctx
}

// TraceConnectEnd tells the breaker how connecting ended.
func (t *tracer) TraceConnectEnd(_ context.Context, data pgx.TraceConnectEndData) {
	if t.entered {
		_ = t.guard.Leave(away(data.Err)) // the error goes to the caller by another way
	} else {
		t.guard.Note(away(data.Err))
	}
}

// away marks the answers by which a server says that it is going or coming.
func away(err error) error {
	switch Code(err) {
	case pgerrcode.AdminShutdown, pgerrcode.CrashShutdown, pgerrcode.CannotConnectNow:
		return &fault.Error{Server: string(telemetry.Postgres), Err: err}
	}
	return err
}

// configure puts the guard of a server before a pool. answer bounds each round trip of who has no deadline; 0 for none.
func configure(pc *pgxpool.Config, server string, m *telemetry.Metrics, answer time.Duration) {
	g := &guard{Guard: fault.New(fault.Config{Server: server, Metrics: m})}
	pc.ConnConfig.Tracer = &tracer{metrics: m, guard: g, answer: answer}
	entered := &tracer{metrics: m, guard: g, answer: answer, entered: true}
	pc.BeforeConnect = func(_ context.Context, cc *pgx.ConnConfig) error {
		if _, ours := cc.Tracer.(*tracer); !ours { // a copy of the configuration that watches by itself
			return nil
		}
		cc.Tracer = entered
		return g.Enter()
	}
	pc.PrepareConn = g.prepare
	pc.PingTimeout = trialTimeout
	pc.ShouldPing = func(_ context.Context, p pgxpool.ShouldPingParams) bool {
		return p.IdleDuration > time.Second && g.Closed()
	}
}
