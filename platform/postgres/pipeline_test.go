package postgres_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/platform/telemetry"
)

func TestPipeline(t *testing.T) {
	t.Parallel()
	pool := setup(t)
	if _, err := pool.Exec(t.Context(), `CREATE TABLE things (id integer PRIMARY KEY)`); err != nil {
		t.Fatal(err)
	}
	count := func() (n int) {
		t.Helper()
		if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM things`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	const insert = `INSERT INTO things VALUES ($1)`
	adding := func(ids ...int) *pgx.Batch {
		b := &pgx.Batch{}
		for _, id := range ids {
			b.Queue(insert, id)
		}
		return b
	}
	refused := errors.New("refused")
	tests := []struct {
		name  string
		do    func(ctx context.Context, p *postgres.Pipeline) error
		want  error
		rows  int
		calls int64 // round trips; 0 for any number
	}{
		{"one batch", func(ctx context.Context, p *postgres.Pipeline) error { return p.CommitBatch(ctx, adding(1, 2)) }, nil, 2, 1},
		{"two batches", func(ctx context.Context, p *postgres.Pipeline) error {
			if err := p.SendBatch(ctx, adding(1)).Close(); err != nil {
				return err
			}
			return p.CommitBatch(ctx, adding(2))
		}, nil, 2, 2},
		{"a query, a statement, a row and a batch", func(ctx context.Context, p *postgres.Pipeline) error {
			rows, err := p.Query(ctx, `SELECT generate_series(1, 3)`)
			if err != nil {
				return err
			}
			if all, err := pgx.CollectRows(rows, pgx.RowTo[int]); err != nil || len(all) != 3 {
				t.Errorf("%v, %v", all, err)
			}
			if tag, err := p.Exec(ctx, insert, 1); err != nil || tag.RowsAffected() != 1 {
				t.Errorf("%v, %v", tag, err)
			}
			var n int
			if err := p.QueryRow(ctx, `SELECT count(*) FROM things`).Scan(&n); err != nil || n != 1 {
				t.Errorf("%d, %v", n, err)
			}
			return p.CommitBatch(ctx, adding(2))
		}, nil, 2, 4},
		{"nothing", func(ctx context.Context, p *postgres.Pipeline) error { return p.CommitBatch(ctx, nil) }, nil, 0, 0},
		{"a row that is not there", func(ctx context.Context, p *postgres.Pipeline) error {
			return p.QueryRow(ctx, `SELECT id FROM things WHERE id = 9`).Scan(new(int))
		}, pgx.ErrNoRows, 0, 0},
		{"not committed", func(ctx context.Context, p *postgres.Pipeline) error {
			return errors.Join(p.SendBatch(ctx, adding(1)).Close(), refused)
		}, refused, 0, 0},
		{"forgotten", func(ctx context.Context, p *postgres.Pipeline) error { return p.SendBatch(ctx, adding(1)).Close() }, nil, 0, 0},
		{"used after its end", func(ctx context.Context, p *postgres.Pipeline) error {
			if err := p.CommitBatch(ctx, adding(1)); err != nil {
				return err
			}
			if p.SendBatch(ctx, adding(2)).Close() == nil || p.CommitBatch(ctx, nil) == nil {
				t.Error("it goes on")
			}
			_, err := p.Exec(ctx, insert, 3)
			if _, failed := p.Query(ctx, `SELECT 1`); err == nil || failed == nil {
				t.Error("it goes on")
			}
			return nil
		}, nil, 1, 0},
		{"a failure that was swallowed", func(ctx context.Context, p *postgres.Pipeline) error {
			_, _ = p.Exec(ctx, insert, 1)
			_, _ = p.Exec(ctx, insert, 1)
			if err := p.CommitBatch(ctx, nil); !errors.Is(err, pgx.ErrTxCommitRollback) {
				t.Errorf("committed with %v", err)
			}
			return refused
		}, refused, 0, 0},
	}
	for _, tt := range tests {
		for range 2 { // the first time statements are prepared
			if _, err := pool.Exec(t.Context(), `TRUNCATE things`); err != nil {
				t.Fatal(err)
			}
			ctx, calls := telemetry.WithCalls(t.Context())
			err := postgres.InPipeline(ctx, pool, func(p *postgres.Pipeline) error { return tt.do(ctx, p) })
			if !errors.Is(err, tt.want) || tt.want == nil && err != nil {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
			}
			if got := count(); got != tt.rows {
				t.Errorf("%s: %d rows, want %d", tt.name, got, tt.rows)
			}
			if got := calls.Of(telemetry.Postgres); tt.calls > 0 && got != tt.calls {
				t.Errorf("%s: %d round trips, want %d", tt.name, got, tt.calls)
			}
		}
	}
	for name, last := range map[string]*pgx.Batch{"the last batch": adding(5, 5), "a batch by itself": adding(6, 6)} {
		err := postgres.InPipeline(t.Context(), pool, func(p *postgres.Pipeline) error {
			if name == "the last batch" {
				if err := p.SendBatch(t.Context(), adding(4)).Close(); err != nil {
					return err
				}
			}
			return p.CommitBatch(t.Context(), last)
		})
		if !postgres.IsUniqueViolation(err, "things_pkey") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := pool.Exec(t.Context(), `DELETE FROM things WHERE id < 4`); err != nil {
		t.Fatal(err)
	}
	if got := count(); got != 0 {
		t.Errorf("%d rows of transactions that failed", got)
	}
	if total := pool.Stat().TotalConns(); total > 2 {
		t.Errorf("%d connections", total)
	}
}
