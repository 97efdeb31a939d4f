package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/platform/outbox"
	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/platform/telemetry"
)

const (
	schema   = "shop"
	patience = 2 * time.Minute
)

func setup(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(t.Context(), postgres.Config{URL: stacktest.Postgres(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if _, err := pool.Exec(t.Context(), `CREATE SCHEMA shop; `+outbox.DDL(schema)); err != nil {
		t.Fatal(err)
	}
	return pool
}

func event(subject string, sequence int) outbox.Event {
	return outbox.Event{ID: uuid.Must(uuid.NewV7()), Type: "shop.order.placed", Source: "/shop", Subject: subject,
		Sequence: int64(sequence), Time: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), Data: json.RawMessage(`{"total": 12}`)}
}

func write(t *testing.T, pool *pgxpool.Pool, events ...outbox.Event) {
	t.Helper()
	if err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		return outbox.Write(t.Context(), tx, schema, events...)
	}); err != nil {
		t.Fatal(err)
	}
}

// run runs a relay until the test ends, or stop is called.
func run(t *testing.T, r *outbox.Relay) (stop func()) {
	t.Helper()
	r.Log = slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx); close(done) }()
	stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("relay: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func next[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("nothing was published")
		panic("unreachable")
	}
}

func left(t *testing.T, pool *pgxpool.Pool) (n int) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM shop.outbox`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// drained waits until the outbox is empty.
func drained(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(patience)
	for left(t, pool) > 0 {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("%d events were left", left(t, pool))
		}
	}
}

func TestCloudEvents(t *testing.T) {
	t.Parallel()
	e := event("ord_1", 3)
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(b, &fields); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"specversion": "1.0", "id": e.ID.String(), "type": "shop.order.placed", "source": "/shop", "subject": "ord_1",
		"sequence": float64(3), "time": "2026-01-02T03:04:05.000006Z", "datacontenttype": "application/json",
	} {
		if fields[name] != want {
			t.Errorf("%s is %v, want %v", name, fields[name], want)
		}
	}
	var back outbox.Event
	if err := json.Unmarshal(b, &back); err != nil || back.ID != e.ID || !back.Time.Equal(e.Time) || back.Sequence != 3 {
		t.Errorf("read back %+v, %v", back, err)
	}
	for _, bad := range []string{`{"specversion":"0.3"}`, `[]`} {
		if err := json.Unmarshal([]byte(bad), &back); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

func TestWriteIsOneCallInTheTransaction(t *testing.T) {
	t.Parallel()
	pool := setup(t)
	ctx, calls := telemetry.WithCalls(t.Context())
	refused := errors.New("refused")
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		before := calls.Postgres.Load()
		if err := outbox.Write(ctx, tx, schema, event("a", 1), event("b", 1)); err != nil {
			return err
		}
		if got := calls.Postgres.Load() - before; got != 1 {
			t.Errorf("%d calls, want 1", got)
		}
		return refused
	})
	if !errors.Is(err, refused) || left(t, pool) != 0 {
		t.Errorf("rolled back with %v and %d events left", err, left(t, pool))
	}
	e := event("a", 1)
	write(t, pool, e)
	write(t, pool)
	if err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return outbox.Write(ctx, tx, schema, e) }); !postgres.IsUniqueViolation(err, "outbox_id_key") {
		t.Errorf("the same event twice: %v", err)
	}
}

func TestInvalidEventsAreRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*outbox.Event){
		"ID":      func(e *outbox.Event) { e.ID = uuid.Nil },
		"type":    func(e *outbox.Event) { e.Type = "" },
		"subject": func(e *outbox.Event) { e.Subject = "" },
		"time":    func(e *outbox.Event) { e.Time = time.Time{} },
		"data":    func(e *outbox.Event) { e.Data = nil },
	} {
		e := event("a", 1)
		spoil(&e)
		var batch pgx.Batch
		if err := outbox.Queue(&batch, schema, e); err == nil || batch.Len() != 0 {
			t.Errorf("an event with a bad %s was queued", name)
		}
	}
	if err := (&outbox.Relay{}).Run(t.Context()); err == nil {
		t.Error("an empty relay ran")
	}
}

func TestRelayIsWokenByCommit(t *testing.T) {
	t.Parallel()
	pool := setup(t)
	published := make(chan outbox.Event, 9)
	run(t, &outbox.Relay{Pool: pool, Schema: schema, Poll: time.Hour, Publish: func(_ context.Context, events []outbox.Event) error {
		for _, e := range events {
			published <- e
		}
		return nil
	}})
	first := event("a", 1)
	write(t, pool, first)
	got := next(t, published)
	if got.ID != first.ID || got.Type != first.Type || got.Source != first.Source || got.Subject != "a" || got.Sequence != 1 ||
		!got.Time.Equal(first.Time) || string(got.Data) != `{"total": 12}` {
		t.Errorf("published %+v, want %+v", got, first)
	}
	var batch pgx.Batch
	if err := outbox.Queue(&batch, schema, event("b", 7)); err != nil {
		t.Fatal(err)
	}
	if err := outbox.Queue(&batch, schema); err != nil || batch.Len() != 1 {
		t.Fatalf("queueing nothing: %v, %d statements", err, batch.Len())
	}
	if err := pool.SendBatch(t.Context(), &batch).Close(); err != nil {
		t.Fatal(err)
	}
	if got := next(t, published); got.Sequence != 7 {
		t.Errorf("published %+v", got)
	}
	drained(t, pool)
}

// Three relays and four writers at once: every event comes out at least once,
// and those of a subject in order.
func TestRelaysKeepOrderPerSubject(t *testing.T) {
	t.Parallel()
	pool := setup(t)
	const subjects, each = 12, 25
	var (
		mu   sync.Mutex
		last = make(map[string]int64)
	)
	for range 3 {
		run(t, &outbox.Relay{Pool: pool, Schema: schema, Batch: 4, Poll: 50 * time.Millisecond, Publish: func(_ context.Context, events []outbox.Event) error {
			mu.Lock()
			defer mu.Unlock()
			for _, e := range events {
				if e.Sequence != last[e.Subject]+1 {
					t.Errorf("%s: %d came after %d", e.Subject, e.Sequence, last[e.Subject])
				}
				last[e.Subject] = e.Sequence
			}
			return nil
		}})
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for n := 1; n <= each; n++ {
				for s := w; s < subjects; s += 4 {
					if err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
						return outbox.Write(t.Context(), tx, schema, event(fmt.Sprintf("s%d", s), n))
					}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	drained(t, pool)
	mu.Lock()
	defer mu.Unlock()
	for s := range subjects {
		if got := last[fmt.Sprintf("s%d", s)]; got != each {
			t.Errorf("s%d: %d events, want %d", s, got, each)
		}
	}
}

func TestRelayRetriesTheWholeBatch(t *testing.T) {
	t.Parallel()
	pool := setup(t)
	write(t, pool, event("a", 1), event("a", 2))
	attempts := make(chan []outbox.Event, 9)
	var tries int
	run(t, &outbox.Relay{Pool: pool, Schema: schema, MaxBackoff: 10 * time.Millisecond, Publish: func(_ context.Context, events []outbox.Event) error {
		tries++
		attempts <- events
		if tries < 3 {
			return errors.New("broker is down")
		}
		return nil
	}})
	for range 3 {
		if got := next(t, attempts); len(got) != 2 || got[0].Sequence != 1 || got[1].Sequence != 2 {
			t.Errorf("attempt with %+v", got)
		}
	}
	drained(t, pool)
}

func TestRelayListensAgainAfterItsConnectionWasCut(t *testing.T) {
	t.Parallel()
	pool := setup(t)
	published := make(chan outbox.Event, 9)
	run(t, &outbox.Relay{Pool: pool, Schema: schema, Poll: time.Hour, MaxBackoff: 10 * time.Millisecond, Publish: func(_ context.Context, events []outbox.Event) error {
		published <- events[0]
		return nil
	}})
	for n := 1; n <= 3; n++ {
		write(t, pool, event("a", n))
		if got := next(t, published); got.Sequence != int64(n) {
			t.Fatalf("published %d, want %d", got.Sequence, n)
		}
		if _, err := pool.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND query LIKE 'LISTEN%'`); err != nil {
			t.Fatal(err)
		}
	}
}
