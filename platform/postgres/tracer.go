package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/platform/telemetry"
)

// tracer counts and times round trips: a query, a whole batch and a COPY are
// one each. The statements inside a batch are not counted by themselves.
type tracer struct{ metrics *telemetry.Metrics }

var (
	_ pgx.QueryTracer    = (*tracer)(nil)
	_ pgx.BatchTracer    = (*tracer)(nil)
	_ pgx.CopyFromTracer = (*tracer)(nil)
)

type startedKey struct{}

func start(ctx context.Context) context.Context {
	return context.WithValue(ctx, startedKey{}, time.Now())
}

func (t *tracer) end(ctx context.Context, operation string, err error) {
	var took time.Duration
	if at, ok := ctx.Value(startedKey{}).(time.Time); ok {
		took = time.Since(at)
	}
	t.metrics.Observe(ctx, telemetry.Postgres, operation, took, err)
}

func (t *tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return start(ctx)
}

func (t *tracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	t.end(ctx, "query", data.Err)
}

func (t *tracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return start(ctx)
}

func (t *tracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

func (t *tracer) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchEndData) {
	t.end(ctx, "batch", data.Err)
}

func (t *tracer) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromStartData) context.Context {
	return start(ctx)
}

func (t *tracer) TraceCopyFromEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromEndData) {
	t.end(ctx, "copy", data.Err)
}
