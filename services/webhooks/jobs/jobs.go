// Package jobs delivers webhooks by durable jobs of River, in the schema webhooks.
//
// A process that only takes events in needs a [Client]; one that delivers has a [Worker] as well.
package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"github.com/techmart/techmart/platform/telemetry"
	"github.com/techmart/techmart/services/viewer"
	"github.com/techmart/techmart/services/webhooks"
	webhookspostgres "github.com/techmart/techmart/services/webhooks/postgres"
)

// Schema is the namespace of River's tables.
const Schema = webhookspostgres.Schema

// Queues of River.
const (
	queueDeliver = "webhooks_deliver"
	queueUpkeep  = "webhooks_upkeep"
)

// migrateLock is the advisory lock of Migrate.
const migrateLock = 7_205_759_404

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
		return nil
	})
}

type deliverArgs struct {
	EndpointID uuid.UUID `json:"endpointId"`
	NotBefore  time.Time `json:"notBefore,omitzero"`
}

// Kind implements river.JobArgs.
func (deliverArgs) Kind() string { return "webhooks.deliver" }

type sweepArgs struct{}

// Kind implements river.JobArgs.
func (sweepArgs) Kind() string { return "webhooks.sweep" }

// Client enqueues jobs and works none. It is webhookspostgres.Jobs.
type Client struct{ river *river.Client[pgx.Tx] }

var _ webhookspostgres.Jobs = (*Client)(nil)

// NewClient makes a Client on the database of the webhooks.
func NewClient(pool *pgxpool.Pool, log *slog.Logger) (*Client, error) {
	c, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Schema: Schema, Logger: quiet(log), FetchCooldown: river.FetchCooldownMin})
	if err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	return &Client{river: c}, nil
}

// WakeTx adds jobs that deliver to endpoints. Each event brings its own, so that one that comes while others are under way is not
// passed over; a job that finds nothing to do ends at once.
func (c *Client) WakeTx(ctx context.Context, tx pgx.Tx, wakes ...webhookspostgres.Wake) error {
	params := make([]river.InsertManyParams, len(wakes))
	for i, w := range wakes {
		opts := &river.InsertOpts{Queue: queueDeliver, MaxAttempts: maxAttempts}
		if time.Until(w.At) > soon {
			opts.ScheduledAt = w.At
		}
		params[i] = river.InsertManyParams{Args: deliverArgs{EndpointID: w.EndpointID, NotBefore: w.At}, InsertOpts: opts}
	}
	if _, err := c.river.InsertManyTx(telemetry.WithPart(ctx, telemetry.PartJobs), tx, params); err != nil {
		return fmt.Errorf("jobs: enqueue: %w", err)
	}
	return nil
}

// Config bounds a Worker. The zero value is fit for use.
type Config struct {
	Workers    int           // jobs at the same time; 0 means 32
	SweepEvery time.Duration // 0 means 30 s
	Attempt    time.Duration // how long a request may take; 0 means 15 s
	Log        *slog.Logger  // nil for the default
}

const (
	maxAttempts  = 5 // the sweep takes up what is left
	pollInterval = 500 * time.Millisecond
	// soon is when a job puts itself off instead of being scheduled: River looks at scheduled ones every 5 s only.
	soon          = 6 * time.Second
	fetchCooldown = 5 * time.Millisecond
	longestRound  = 10 * time.Minute
)

// Worker delivers. Any number of processes may have one.
type Worker struct{ river *river.Client[pgx.Tx] }

// NewWorker makes a Worker for the service, whose store has to be on the same pool's database.
func NewWorker(pool *pgxpool.Pool, service *webhooks.Service, c Config) (*Worker, error) {
	overdue := cmp.Or(c.SweepEvery, 30*time.Second)
	workers := river.NewWorkers()
	err := errors.Join(
		river.AddWorkerSafely(workers, &deliverer{service: service}),
		river.AddWorkerSafely(workers, &sweeper{service: service, overdue: overdue}),
	)
	if err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Schema: Schema, Logger: quiet(c.Log), Workers: workers,
		Queues:               map[string]river.QueueConfig{queueDeliver: {MaxWorkers: cmp.Or(c.Workers, 32)}, queueUpkeep: {MaxWorkers: 1}},
		FetchCooldown:        fetchCooldown,
		FetchPollInterval:    pollInterval,
		JobTimeout:           longestRound,
		MaxAttempts:          maxAttempts,
		RescueStuckJobsAfter: 2 * longestRound,
		PeriodicJobs: []*river.PeriodicJob{river.NewPeriodicJob(river.PeriodicInterval(overdue), func() (river.JobArgs, *river.InsertOpts) {
			return sweepArgs{}, &river.InsertOpts{Queue: queueUpkeep, MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByPeriod: max(overdue, time.Second), ByState: live}}
		}, &river.PeriodicJobOpts{RunOnStart: true})},
	})
	if err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	return &Worker{river: client}, nil
}

// live are the states of jobs that are still to end.
var live = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
}

// Start works until Stop is called or ctx ends.
func (w *Worker) Start(ctx context.Context) error { return w.river.Start(ctx) }

// Stop lets the jobs that are under way end, and cancels them when ctx ends before; what they had in hand is tried again later.
func (w *Worker) Stop(ctx context.Context) error {
	err := w.river.Stop(ctx)
	if ctx.Err() == nil {
		return err
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return w.river.StopAndCancel(last)
}

// deliverer sends what is due to an endpoint.
type deliverer struct {
	river.WorkerDefaults[deliverArgs]
	service *webhooks.Service
}

// Work implements river.Worker.
func (w *deliverer) Work(ctx context.Context, job *river.Job[deliverArgs]) error {
	ctx = telemetry.WithPart(viewer.NewContext(ctx, viewer.System), telemetry.PartJobs)
	if wait := time.Until(job.Args.NotBefore); wait > 0 {
		return river.JobSnooze(wait)
	}
	return w.service.Deliver(ctx, job.Args.EndpointID)
}

// sweeper takes up what was lost.
type sweeper struct {
	river.WorkerDefaults[sweepArgs]
	service *webhooks.Service
	overdue time.Duration
}

// Work implements river.Worker.
func (w *sweeper) Work(ctx context.Context, _ *river.Job[sweepArgs]) error {
	ctx = telemetry.WithPart(viewer.NewContext(ctx, viewer.System), telemetry.PartUpkeep)
	return w.service.Sweep(ctx, w.overdue)
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
