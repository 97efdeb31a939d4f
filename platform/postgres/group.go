package postgres

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/platform/group"
	"github.com/techmart/techmart/platform/telemetry"
)

// Result is what becomes of one of many calls.
type Result[V any] = group.Result[V]

// Group gathers the calls of a [Grouped].
type Group[K, V any] = group.Group[K, V]

// Grouped is a change that is made for many callers in one transaction, and for one alone at once. Name, One and
// Many must be given.
type Grouped[K, V any] struct {
	// Name is the label of the metrics.
	Name string
	// One makes the change of one caller.
	One func(ctx context.Context, item K) (V, error)
	// Many makes the changes of all in one transaction, and gives a result for each. Where it fails nothing of it
	// has happened; if the server has refused it, One makes the change of each.
	Many func(ctx context.Context, items []K) ([]Result[V], error)
	// Max bounds the changes of one transaction; 0 means 64.
	Max int
	// Every is the least time between two transactions, for changes that nobody waits for; 0 means none.
	Every time.Duration
	// Lanes bounds the transactions under way at a time, for reads; 0 means 1.
	Lanes int
}

// Group makes the group of a pool.
func (g Grouped[K, V]) Group(pool *pgxpool.Pool) *Group[K, V] {
	return group.New(group.Config[K, V]{Name: g.Name, Max: g.Max, Every: g.Every, Lanes: g.Lanes, Run: g.Run, Metrics: metricsOf(pool)})
}

// Run makes the changes of all.
func (g Grouped[K, V]) Run(ctx context.Context, items []K) ([]Result[V], error) {
	if len(items) > 1 {
		results, err := g.Many(ctx, items)
		if err == nil || !refusal(err) {
			return results, err
		}
	}
	results := make([]Result[V], len(items))
	for i, item := range items {
		results[i].Value, results[i].Err = g.One(ctx, item)
	}
	return results, nil
}

// refusal tells whether the server has ended a transaction for what was in it: nothing of it has happened.
func refusal(err error) bool {
	code := Code(err)
	return code != "" && !pgerrcode.IsOperatorIntervention(code) && !pgerrcode.IsConnectionException(code)
}

// metricsOf gives the metrics that a pool was opened with; nil for none.
func metricsOf(pool *pgxpool.Pool) *telemetry.Metrics {
	if pool == nil {
		return nil
	}
	if t, ok := pool.Config().ConnConfig.Tracer.(*tracer); ok {
		return t.metrics
	}
	return nil
}

// Leavable makes a callback of a grouped change safe to leave: once leave has returned, the callback is not under way
// and does nothing any more but fail.
func Leavable[T any](fn func(T) error) (callback func(T) error, leave func()) {
	var mu sync.Mutex
	left := false
	callback = func(v T) error {
		mu.Lock()
		defer mu.Unlock()
		if left {
			return context.Canceled
		}
		return fn(v)
	}
	leave = func() {
		mu.Lock()
		defer mu.Unlock()
		left = true
	}
	return callback, leave
}

// steadily has the rest of a transaction planned once for each connection, and by its indexes: statements over arrays
// would be planned anew each time otherwise, and by the sizes that tables had when statistics were last made. What
// is changed by many has an index for each look.
const steadily = `SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true),
	set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true), set_config('jit', 'off', true)`

// SendSteadily sends the statements that queue adds as a transaction by itself, in one round trip. They are planned
// once, for the use of indexes.
func SendSteadily(ctx context.Context, pool *pgxpool.Pool, queue func(*pgx.Batch)) error {
	return retry(ctx, pool, func() error {
		batch := &pgx.Batch{}
		batch.Queue(steadily)
		queue(batch)
		return pool.SendBatch(ctx, batch).Close()
	})
}

// InSteadyPipeline is InPipeline for statements that are planned once, for the use of indexes.
func InSteadyPipeline(ctx context.Context, pool *pgxpool.Pool, fn func(p *Pipeline) error) error {
	return InPipeline(ctx, pool, func(p *Pipeline) error {
		p.steady = true
		return fn(p)
	})
}

// Columns turns rows into the arguments of [Unnest]: an array for each column.
func Columns[T any](items []T, row func(T) []any) []any {
	var columns [][]any
	for i, item := range items {
		for c, v := range row(item) {
			if i == 0 {
				columns = append(columns, make([]any, len(items)))
			}
			columns[c][i] = v
		}
	}
	args := make([]any, len(columns))
	for i, c := range columns {
		args[i] = c
	}
	return args
}

// Unnest gives the expression that makes rows of the arguments from the number first on, each an array of the type
// in its place. Types are separated by blanks.
func Unnest(first int, types string) string {
	var b strings.Builder
	b.WriteString("unnest(")
	for i, t := range strings.Fields(types) {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("$" + strconv.Itoa(first+i) + "::" + t + "[]")
	}
	b.WriteString(")")
	return b.String()
}
