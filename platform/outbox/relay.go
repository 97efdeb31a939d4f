package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/platform/postgres"
)

// Relay publishes the events of one outbox. Any number of relays, in one
// process or many, may run on the same outbox: each shard is held by one of
// them at a time. Pool, Schema and Publish are needed.
type Relay struct {
	Pool   *pgxpool.Pool
	Schema string
	// Publish sends events, in order, and returns nil only once all of them
	// are safe at the broker. On an error the whole batch is published again
	// later: delivery is at least once.
	Publish func(ctx context.Context, events []Event) error
	// Batch bounds the events of a shard in one call of Publish; 0 means 100.
	Batch int
	// Poll is the time between looks without a notification; 0 means 5 s.
	Poll time.Duration
	// Every is the least time between the starts of two passes, so that events of about the same time share one; an
	// event that comes later than that after the last one is relayed at once. 0 means 20 ms.
	Every time.Duration
	// MaxBackoff bounds the wait after repeated failures; 0 means 30 s.
	MaxBackoff time.Duration
	// Log takes failures; nil means slog.Default().
	Log *slog.Logger
}

const (
	firstBackoff   = 100 * time.Millisecond
	publishTimeout = 30 * time.Second
)

// Run relays until ctx ends, and then returns nil. Failures of the database
// or the broker are logged and retried with growing waits.
func (r *Relay) Run(ctx context.Context) error {
	if r.Pool == nil || r.Schema == "" || r.Publish == nil {
		return errors.New("outbox: a relay needs Pool, Schema and Publish")
	}
	wake := make(chan struct{}, 1)
	var listening sync.WaitGroup
	listening.Go(func() { r.listen(ctx, wake) })
	defer listening.Wait()

	backoff := newBackoff(cmp.Or(r.MaxBackoff, 30*time.Second))
	for ctx.Err() == nil {
		wait, began := cmp.Or(r.Poll, 5*time.Second), time.Now()
		more, err := r.relay(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			wait = backoff.next()
			r.log().ErrorContext(ctx, "outbox: relay failed, will try again",
				"schema", r.Schema, "wait", wait, "error", err)
			sleep(ctx, wait, nil) // notifications do not shorten a back-off
			continue
		}
		backoff.reset()
		if !more {
			sleep(ctx, wait, wake)
			sleep(ctx, cmp.Or(r.Every, 20*time.Millisecond)-time.Since(began), nil)
		}
	}
	return nil
}

// relay makes one pass over the shards that have events, in two round trips: one that takes their locks and reads
// a batch of each, and one that deletes what was published. The locks are held until the deletion
// commits, so that no other relay publishes a later event of a shard before an earlier one is
// done. more tells that some shard had a full batch, so that there may be another one behind it.
func (r *Relay) relay(ctx context.Context) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	err = postgres.InSteadyPipeline(ctx, r.Pool, func(p *postgres.Pipeline) error {
		positions, events, full, err := r.take(ctx, p)
		if err != nil || len(events) == 0 {
			return err
		}
		if err := r.Publish(ctx, events); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
		more = full
		gone := &pgx.Batch{}
		gone.Queue(`DELETE FROM `+table(r.Schema)+` WHERE position = ANY($1)`, positions)
		return p.CommitBatch(ctx, gone)
	})
	return more && err == nil, err
}

// take locks every shard that has events and is free, and reads the oldest events of each. The
// events are read by a statement behind the locks, which sees what the locks' previous holders
// deleted; it reads those of all shards, and what another relay holds is left out here.
func (r *Relay) take(ctx context.Context, p *postgres.Pipeline) (positions []int64, events []Event, full bool, err error) {
	limit := cmp.Or(r.Batch, 100)
	locked := make(map[int16]bool)
	perShard := make(map[int16]int)
	batch := &pgx.Batch{}
	batch.Queue(`WITH busy AS MATERIALIZED (
  SELECT shard FROM generate_series(0, $1) AS shard WHERE EXISTS (SELECT FROM `+table(r.Schema)+` AS o WHERE o.shard = shard.shard)
)
SELECT shard::smallint FROM busy WHERE pg_try_advisory_xact_lock($2, shard)`,
		Shards-1, lockClass(r.Schema)).Query(func(rows pgx.Rows) error {
		shards, err := pgx.CollectRows(rows, pgx.RowTo[int16])
		for _, s := range shards {
			locked[s] = true
		}
		return err
	})
	batch.Queue(`SELECT o.shard, o.position, o.id, o.type, o.source, o.subject, o.sequence, o.time, o.data
FROM generate_series(0, $1) AS s(shard) CROSS JOIN LATERAL (
  SELECT * FROM `+table(r.Schema)+` AS o WHERE o.shard = s.shard ORDER BY o.position LIMIT $2) AS o
ORDER BY o.position`, Shards-1, limit).Query(func(rows pgx.Rows) error {
		var (
			shard    int16
			position int64
			e        Event
		)
		_, err := pgx.ForEachRow(rows, []any{&shard, &position, &e.ID, &e.Type, &e.Source, &e.Subject, &e.Sequence, &e.Time, &e.Data}, func() error {
			if locked[shard] {
				positions, events = append(positions, position), append(events, e)
				perShard[shard]++
				full = full || perShard[shard] == limit
			}
			e = Event{} // the next row must not scan into this one's data
			return nil
		})
		return err
	})
	return positions, events, full, p.SendBatch(ctx, batch).Close()
}

// listen signals wake on each notification. It holds a connection of its own,
// outside of the pool, and makes it anew when it breaks; the poll covers the
// gap, and each new connection wakes the relay once.
func (r *Relay) listen(ctx context.Context, wake chan<- struct{}) {
	backoff := newBackoff(cmp.Or(r.MaxBackoff, 30*time.Second))
	for ctx.Err() == nil {
		err := r.listenOnce(ctx, wake, backoff.reset)
		if ctx.Err() != nil {
			return
		}
		wait := backoff.next()
		r.log().WarnContext(ctx, "outbox: lost the notification connection",
			"schema", r.Schema, "wait", wait, "error", err)
		sleep(ctx, wait, nil)
	}
}

func (r *Relay) listenOnce(ctx context.Context, wake chan<- struct{}, connected func()) error {
	conn, err := pgx.ConnectConfig(ctx, r.Pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing) // it is given up either way
	}()
	if _, err := conn.Exec(ctx, `LISTEN `+pgx.Identifier{channel(r.Schema)}.Sanitize()); err != nil {
		return err
	}
	connected()
	for {
		select {
		case wake <- struct{}{}:
		default:
		}
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
	}
}

func (r *Relay) log() *slog.Logger { return cmp.Or(r.Log, slog.Default()) }

// lockClass is the first half of the advisory locks of one outbox; the shard
// is the second.
func lockClass(schema string) int32 {
	h := fnv.New32a()
	h.Write([]byte(channel(schema)))
	return int32(h.Sum32())
}

// sleep waits for d, the end of ctx, or a signal, whichever comes first.
func sleep(ctx context.Context, d time.Duration, signal <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-signal:
	case <-timer.C:
	}
}

// backoff grows waits by half up to a bound, with jitter.
type backoff struct{ wait, limit time.Duration }

func newBackoff(limit time.Duration) *backoff { return &backoff{wait: firstBackoff, limit: limit} }

func (b *backoff) reset() { b.wait = firstBackoff }

func (b *backoff) next() time.Duration {
	wait := b.wait
	b.wait = min(b.wait*2, b.limit)
	return min(wait/2+rand.N(wait), b.limit)
}
