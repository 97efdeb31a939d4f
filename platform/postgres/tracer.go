package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/platform/telemetry"
)

// tracer counts and times round trips: a query, a whole batch and a COPY are
// one each. It counts statements and commits, too: those inside of a batch, each.
// It ends those that take too long, and tells the breaker how they ended.
type tracer struct {
	metrics *telemetry.Metrics
	guard   *guard
	answer  time.Duration // bounds a round trip of who has no deadline; 0 for none
	entered bool          // connections of this tracer were let through by the guard
}

var (
	_ pgx.QueryTracer    = (*tracer)(nil)
	_ pgx.BatchTracer    = (*tracer)(nil)
	_ pgx.CopyFromTracer = (*tracer)(nil)
	_ pgx.ConnectTracer  = (*tracer)(nil)

	_ pgxpool.AcquireTracer = (*tracer)(nil)
)

type startedKey struct{}

type started struct {
	at     time.Time
	cancel context.CancelFunc // nil for none
}

func (t *tracer) start(ctx context.Context) context.Context {
	s := started{at: time.Now()}
	if _, bounded := ctx.Deadline(); !bounded && t.answer > 0 {
		ctx, s.cancel = context.WithTimeout(ctx, t.answer)
	}
	return context.WithValue(ctx, startedKey{}, s)
}

func (t *tracer) end(ctx context.Context, operation string, err error) {
	var took time.Duration
	if s, ok := ctx.Value(startedKey{}).(started); ok {
		took = time.Since(s.at)
		if s.cancel != nil {
			s.cancel()
		}
	}
	t.guard.Note(away(err))
	t.metrics.Observe(ctx, telemetry.Postgres, operation, took, err)
}

// count counts what a round trip carries: its statements, and the transaction that it ends. A statement or batch
// outside of a transaction is one by itself.
func (t *tracer) count(ctx context.Context, conn *pgx.Conn, sql ...string) {
	statements, commits := 0, 0
	if conn.PgConn().TxStatus() == 'I' && len(sql) > 0 && sql[0] != "begin" {
		commits++
	}
	for _, s := range sql {
		switch s {
		case "begin", "rollback", steadily:
		case "commit":
			commits++
		default:
			statements++
		}
	}
	t.metrics.Worked(ctx, telemetry.Statements, statements)
	t.metrics.Worked(ctx, telemetry.Commits, commits)
}

func (t *tracer) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	t.count(ctx, conn, data.SQL)
	return t.start(ctx)
}

func (t *tracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	t.end(ctx, "query", data.Err)
}

func (t *tracer) TraceBatchStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	sql := make([]string, len(data.Batch.QueuedQueries))
	for i, q := range data.Batch.QueuedQueries {
		sql[i] = q.SQL
	}
	t.count(ctx, conn, sql...)
	return t.start(ctx)
}

func (t *tracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

func (t *tracer) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchEndData) {
	t.end(ctx, "batch", data.Err)
}

func (t *tracer) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromStartData) context.Context {
	return t.start(ctx)
}

func (t *tracer) TraceCopyFromEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromEndData) {
	t.end(ctx, "copy", data.Err)
}
