package postgres

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Pipeline is a transaction that costs no round trips of its own: its BEGIN travels with the first
// statements, and its COMMIT with the last ones. Of pgx.Tx it has what stores need: Query, QueryRow, Exec,
// Commit and SendBatch, whose result must be closed before the next call. It is for one goroutine.
type Pipeline struct {
	pgx.Tx // nil: what the Pipeline does not have panics
	conn   *pgxpool.Conn
	begun  bool
	ended  bool
	steady bool // see InSteadyPipeline
}

// InPipeline runs fn in one read-committed transaction. fn ends it with CommitBatch, which sends the
// last batch; a transaction that fn does not commit is rolled back, also when fn returns nil. A serialization
// failure or deadlock runs fn again, as InTx does. fn's error is returned unchanged.
func InPipeline(ctx context.Context, pool *pgxpool.Pool, fn func(p *Pipeline) error) error {
	return retry(ctx, pool, func() error {
		conn, err := pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release() // closes a connection whose transaction has not ended
		p := &Pipeline{conn: conn}
		err = fn(p)
		p.rollback(ctx)
		return err
	})
}

// rollbackTimeout bounds the end of a transaction that came to nothing.
const rollbackTimeout = 5 * time.Second

func (p *Pipeline) rollback(ctx context.Context) {
	p.ended = true
	if c := p.conn.Conn(); c.IsClosed() || c.PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	_, _ = p.conn.Exec(ctx, "rollback") // Release closes the connection if this fails
}

var errEnded = errors.New("postgres: the transaction has ended")

// Conn gives the connection.
func (p *Pipeline) Conn() *pgx.Conn { return p.conn.Conn() }

// SendBatch sends a batch, with BEGIN before the first one.
func (p *Pipeline) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if p.ended {
		return failedBatch{err: errEnded}
	}
	if p.begun {
		return p.conn.SendBatch(ctx, b)
	}
	p.begun = true
	before := []string{"begin"}
	if p.steady {
		before = append(before, steadily)
	}
	results := p.conn.SendBatch(ctx, behind(before, b))
	for range before {
		if _, err := results.Exec(); err != nil {
			return failedBatch{err: errors.Join(err, results.Close())}
		}
	}
	return results
}

// behind gives a batch with statements before it.
func behind(before []string, b *pgx.Batch) *pgx.Batch {
	all := &pgx.Batch{}
	for _, sql := range before {
		all.Queue(sql)
	}
	all.QueuedQueries = append(all.QueuedQueries, b.QueuedQueries...)
	return all
}

// Commit commits.
func (p *Pipeline) Commit(ctx context.Context) error { return p.CommitBatch(ctx, nil) }

// CommitBatch sends a batch, which may be empty or nil, and commits. The whole transaction may be this one batch.
func (p *Pipeline) CommitBatch(ctx context.Context, b *pgx.Batch) error {
	if p.ended {
		return errEnded
	}
	p.ended = true
	last := &pgx.Batch{} // fn may run again with the same one
	if p.steady && !p.begun {
		last.Queue(steadily)
	}
	if b != nil {
		last.QueuedQueries = append(last.QueuedQueries, b.QueuedQueries...)
	}
	if p.begun {
		// What failed before makes of COMMIT a ROLLBACK, which is no error to the server.
		last.Queue("commit").Exec(func(tag pgconn.CommandTag) error {
			if tag.String() == "ROLLBACK" {
				return pgx.ErrTxCommitRollback
			}
			return nil
		})
	}
	if last.Len() == 0 {
		return nil
	}
	// Without a BEGIN the batch is a transaction by itself.
	return p.conn.SendBatch(ctx, last).Close()
}

// Query runs a statement that answers rows.
func (p *Pipeline) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if p.begun && !p.ended {
		return p.conn.Query(ctx, sql, args...)
	}
	b := &pgx.Batch{}
	b.Queue(sql, args...)
	results := p.SendBatch(ctx, b)
	rows, err := results.Query()
	if err != nil {
		return nil, errors.Join(err, results.Close())
	}
	return &batchRows{Rows: rows, results: results}, nil
}

// QueryRow runs a statement that answers one row.
func (p *Pipeline) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := p.Query(ctx, sql, args...)
	return batchRow{rows: rows, err: err}
}

// Exec runs a statement.
func (p *Pipeline) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if p.begun && !p.ended {
		return p.conn.Exec(ctx, sql, args...)
	}
	b := &pgx.Batch{}
	b.Queue(sql, args...)
	results := p.SendBatch(ctx, b)
	tag, err := results.Exec()
	return tag, errors.Join(err, results.Close())
}

// batchRows are the rows of a batch's only statement; the batch is closed with them.
type batchRows struct {
	pgx.Rows
	results pgx.BatchResults
	closed  error
	done    bool
}

// Next goes to the next row, and closes the batch behind the last one.
func (r *batchRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

// Close ends the batch.
func (r *batchRows) Close() {
	r.Rows.Close()
	if !r.done {
		r.done, r.closed = true, r.results.Close()
	}
}

// Err gives what went wrong.
func (r *batchRows) Err() error { return errors.Join(r.Rows.Err(), r.closed) }

// batchRow is one row.
type batchRow struct {
	rows pgx.Rows
	err  error
}

// Scan reads the row. It fails with pgx.ErrNoRows when there is none.
func (r batchRow) Scan(into ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		return cmp.Or(r.rows.Err(), error(pgx.ErrNoRows))
	}
	if err := r.rows.Scan(into...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}

// failedBatch is a batch that could not be sent, or whose transaction could not begin.
type failedBatch struct {
	pgx.BatchResults // nil
	err              error
}

// Exec fails.
func (f failedBatch) Exec() (pgconn.CommandTag, error) { return pgconn.CommandTag{}, f.err }

// Query fails.
func (f failedBatch) Query() (pgx.Rows, error) { return nil, f.err }

// QueryRow fails.
func (f failedBatch) QueryRow() pgx.Row { return batchRow{err: f.err} }

// Close fails.
func (f failedBatch) Close() error { return f.err }
