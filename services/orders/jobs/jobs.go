// Package jobs does the durable work of orders with River, in the schema orders: it drives sagas, settles
// parcels, and takes up what was lost.
//
// A process that only takes orders needs a [Client]; one that works has a [Worker] as well.
package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"github.com/techmart/techmart/platform/telemetry"
	"github.com/techmart/techmart/services/orders"
)

// Schema is the namespace of River's tables.
const Schema = "orders"

// Queues of River.
const (
	queueSettle = "orders_settle"
	queueShip   = "orders_ship"
	queueUpkeep = "orders_upkeep"
)

// migrateLock is the advisory lock of Migrate.
const migrateLock = 7_205_759_403

// unused are indexes of River for who lists jobs by kind, arguments or metadata. Nobody does, and each change of a job's state would
// write to all of them.
var unused = []string{"river_job_args_index", "river_job_kind", "river_job_metadata_index"}

// Migrate creates River's tables, or brings them up to date. Many processes may call it at once: one migrates, the others
// wait for it.
func Migrate(ctx context.Context, pool *pgxpool.Pool) error {
	m, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: Schema, Logger: quiet(nil)})
	if err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0`); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(migrateLock)); err != nil {
			return err
		}
		if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
			return fmt.Errorf("jobs: migrate: %w", err)
		}
		for _, name := range unused {
			if _, err := tx.Exec(ctx, `DROP INDEX IF EXISTS `+pgx.Identifier{Schema, name}.Sanitize()); err != nil {
				return fmt.Errorf("jobs: migrate: %w", err)
			}
		}
		return nil
	})
}

// live are the states of jobs that are still to end; one job of a kind for the same thing is in them.
var live = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
	rivertype.JobStateRunning, rivertype.JobStateScheduled,
}

type settleArgs struct {
	OrderID uuid.UUID `json:"orderId"`
	Cause   string    `json:"cause"`
}

// Kind implements river.JobArgs.
func (settleArgs) Kind() string { return "orders.settle" }

type shipArgs struct {
	OrderID       uuid.UUID `json:"orderId"`
	FulfillmentID uuid.UUID `json:"fulfillmentId"`
	Cause         string    `json:"cause"`
}

// Kind implements river.JobArgs.
func (shipArgs) Kind() string { return "orders.ship" }

type returnArgs struct {
	OrderID  uuid.UUID `json:"orderId"`
	ReturnID uuid.UUID `json:"returnId"`
	Cause    string    `json:"cause"`
}

// Kind implements river.JobArgs.
func (returnArgs) Kind() string { return "orders.return" }

// Client enqueues jobs and works none.
type Client struct{ river *river.Client[pgx.Tx] }

// NewClient makes a Client on the database of the orders.
func NewClient(pool *pgxpool.Pool, log *slog.Logger) (*Client, error) {
	c, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Schema: Schema, Logger: quiet(log),
		FetchCooldown: river.FetchCooldownMin, // of who only enqueues it is the least time between two notifications: a job without one waits for the poll
	})
	if err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	return &Client{river: c}, nil
}

// EnqueueTx adds jobs in the transaction that makes them necessary. A job for what another one, not yet
// ended, is for already, adds nothing.
func (c *Client) EnqueueTx(ctx context.Context, tx pgx.Tx, jobs []orders.Job) error {
	params := make([]river.InsertManyParams, len(jobs))
	for i, j := range jobs {
		opts := &river.InsertOpts{Queue: queueSettle, MaxAttempts: maxAttempts, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: live}}
		switch j.Kind {
		case orders.JobSettle:
			params[i] = river.InsertManyParams{Args: settleArgs{OrderID: j.OrderID, Cause: j.Cause}, InsertOpts: opts}
		case orders.JobShip:
			opts.Queue = queueShip
			params[i] = river.InsertManyParams{Args: shipArgs{OrderID: j.OrderID, FulfillmentID: j.FulfillmentID, Cause: j.Cause}, InsertOpts: opts}
		case orders.JobReturn:
			opts.Queue = queueShip
			params[i] = river.InsertManyParams{Args: returnArgs{OrderID: j.OrderID, ReturnID: j.ReturnID, Cause: j.Cause}, InsertOpts: opts}
		default:
			return fmt.Errorf("jobs: unknown kind %q", j.Kind)
		}
	}
	ctx = telemetry.WithPart(ctx, telemetry.PartJobs)
	if _, err := c.river.InsertManyTx(ctx, tx, params); err != nil {
		return fmt.Errorf("jobs: enqueue: %w", err)
	}
	return nil
}

// Config bounds a Worker. The zero value is fit for use.
type Config struct {
	Settlers   int           // sagas at the same time; 0 means 32
	Shippers   int           // parcels and returns at the same time; 0 means 8
	SweepEvery time.Duration // 0 means 30 s
	SweepIdle  time.Duration // how long an order may not move before it is taken up; 0 means 1 min
	// JobTimeout ends an execution; 0 means 75 s, longer than a saga owns an order. River takes a job up whose process was
	// killed a little later; the sweep is sooner.
	JobTimeout time.Duration
	Log        *slog.Logger // nil for the default
}

const (
	// maxAttempts of a job come to about 4 minutes; then a saga gives the failing step up, and undoes the others.
	maxAttempts  = 10
	firstBackoff = 500 * time.Millisecond
	lastBackoff  = time.Minute
	busyWait     = 2 * time.Second
	// pollInterval bounds the wait for a job whose notification was lost.
	pollInterval = 500 * time.Millisecond
	// fetchCooldown is the least time between two looks for jobs: those of about the same time are taken together, and
	// stay together from step to step, so that each step is one call for all.
	fetchCooldown = 30 * time.Millisecond
	purgeEvery    = time.Hour
)

// Worker works jobs of orders. Any number of processes may have one.
type Worker struct{ river *river.Client[pgx.Tx] }

// NewWorker makes a Worker for the service, whose store has to be on the same pool's database.
func NewWorker(pool *pgxpool.Pool, service *orders.Service, c Config) (*Worker, error) {
	timeout := cmp.Or(c.JobTimeout, 75*time.Second)
	workers := river.NewWorkers()
	err := errors.Join(
		river.AddWorkerSafely(workers, &settler{service: service}),
		river.AddWorkerSafely(workers, &shipper{service: service}),
		river.AddWorkerSafely(workers, &returner{service: service}),
		river.AddWorkerSafely(workers, &sweeper{service: service, idle: cmp.Or(c.SweepIdle, time.Minute)}),
		river.AddWorkerSafely(workers, &purger{service: service}),
	)
	if err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Schema:  Schema,
		Logger:  quiet(c.Log),
		Workers: workers,
		Queues: map[string]river.QueueConfig{
			queueSettle: {MaxWorkers: cmp.Or(c.Settlers, 32)},
			queueShip:   {MaxWorkers: cmp.Or(c.Shippers, 8)},
			queueUpkeep: {MaxWorkers: 1},
		},
		FetchCooldown:        fetchCooldown,
		FetchPollInterval:    pollInterval,
		ReindexerIndexNames:  reindexed(),
		JobTimeout:           timeout,
		MaxAttempts:          maxAttempts,
		RescueStuckJobsAfter: min(2*timeout, timeout+15*time.Second), // a claim keeps out what is still at it
		RetryPolicy:          &backoff{},
		PeriodicJobs: []*river.PeriodicJob{
			periodic(cmp.Or(c.SweepEvery, 30*time.Second), sweepArgs{}),
			periodic(purgeEvery, purgeArgs{}),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	return &Worker{river: client}, nil
}

// reindexed are the indexes that River builds anew each night: those that are there.
func reindexed() []string {
	return slices.DeleteFunc(river.ReindexerIndexNamesDefault(), func(name string) bool { return slices.Contains(unused, name) })
}

// Start works until Stop is called or ctx ends.
func (w *Worker) Start(ctx context.Context) error { return w.river.Start(ctx) }

// Stop lets the jobs that are under way end, and cancels them when ctx ends before; cancelled ones are tried again later.
func (w *Worker) Stop(ctx context.Context) error {
	err := w.river.Stop(ctx)
	if ctx.Err() == nil {
		return err
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return w.river.StopAndCancel(last)
}

// periodic makes the job of the whole shop for upkeep, which runs at the start, too. There is one at a time for each
// period: the job of a worker that was killed, which counts as running until River takes it up, keeps only
// its own period.
func periodic(every time.Duration, args river.JobArgs) *river.PeriodicJob {
	period := max(every, time.Second) // River knows no shorter one
	return river.NewPeriodicJob(river.PeriodicInterval(every), func() (river.JobArgs, *river.InsertOpts) {
		return args, &river.InsertOpts{Queue: queueUpkeep, MaxAttempts: 3, UniqueOpts: river.UniqueOpts{ByArgs: true, ByPeriod: period, ByState: live}}
	}, &river.PeriodicJobOpts{RunOnStart: true})
}

// quiet gives a logger of what goes wrong only: River tells of each of its parts otherwise.
func quiet(log *slog.Logger) *slog.Logger {
	if log == nil {
		log = slog.Default()
	}
	return slog.New(atLeast{log.Handler(), slog.LevelWarn})
}

// atLeast drops what is below a level.
type atLeast struct {
	slog.Handler
	level slog.Level
}

// Enabled implements slog.Handler.
func (h atLeast) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.level && h.Handler.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (h atLeast) WithAttrs(attrs []slog.Attr) slog.Handler {
	return atLeast{h.Handler.WithAttrs(attrs), h.level}
}

// WithGroup implements slog.Handler.
func (h atLeast) WithGroup(name string) slog.Handler {
	return atLeast{h.Handler.WithGroup(name), h.level}
}
