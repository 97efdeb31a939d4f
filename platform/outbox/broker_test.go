package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/platform/outbox"
	"github.com/techmart/techmart/platform/rabbitmq"
)

// audience takes events as a consumer does: repeats are dropped.
type audience struct {
	t       *testing.T
	mu      sync.Mutex
	seen    map[uuid.UUID]bool
	last    map[string]int64
	repeats int
}

func (a *audience) hear(_ context.Context, d rabbitmq.Delivery) error {
	var e outbox.Event
	if err := json.Unmarshal(d.Body, &e); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen[e.ID] {
		a.repeats++
		return nil
	}
	a.seen[e.ID] = true
	if e.Sequence != a.last[e.Subject]+1 {
		a.t.Errorf("%s: %d came after %d", e.Subject, e.Sequence, a.last[e.Subject])
	}
	a.last[e.Subject] = e.Sequence
	return nil
}

func (a *audience) heard() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.seen)
}

// Three relays with connections of their own, four writers, and a broker whose connections break in mid-publish and that is
// killed and comes back: every event comes out, and those of a subject in order.
func TestRelaysOutliveTheBroker(t *testing.T) {
	t.Parallel()
	const subjects = 12
	pool, stack := setup(t), stacktest.Private(t)
	zerolog.SetGlobalLevel(zerolog.Disabled) // toxiproxy traces each piece of data
	real, err := url.Parse(stack.URLs().RabbitMQ)
	if err != nil {
		t.Fatal(err)
	}
	line := toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop()), "rabbitmq", "127.0.0.1:0", real.Host)
	if err := line.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(line.Stop)
	real.Host = line.Listen
	log := slog.New(slog.DiscardHandler)
	open := func() rabbitmq.Broker {
		b, err := rabbitmq.Open(t.Context(), real.String(), rabbitmq.Options{Namespace: "relays", Log: log})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close(context.Background()) }) // its connection may be cut just then
		return b
	}

	listener, a := open(), &audience{t: t, seen: make(map[uuid.UUID]bool), last: make(map[string]int64)}
	if err := listener.Declare(t.Context(), rabbitmq.Queue{Name: "audience", Bindings: []string{"shop.#"}}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() {
		if err := listener.Consume(ctx, "audience", 1, a.hear); err != nil {
			t.Error(err)
		}
	})
	for range 3 {
		b := open()
		run(t, &outbox.Relay{Pool: pool, Schema: schema, Batch: 10, Poll: 50 * time.Millisecond, MaxBackoff: 200 * time.Millisecond,
			Publish: func(ctx context.Context, events []outbox.Event) error {
				messages := make([]rabbitmq.Message, len(events))
				for i, e := range events {
					body, err := json.Marshal(e)
					if err != nil {
						return err
					}
					messages[i] = rabbitmq.Message{ID: e.ID.String(), Type: e.Type, RoutingKey: e.Type, Body: body}
				}
				return errors.Join(b.PublishBatch(ctx, messages)...)
			}})
	}

	// Writers go on until the broker has been through it all.
	over := make(chan struct{})
	pace := time.NewTicker(15 * time.Millisecond)
	defer pace.Stop()
	var writers sync.WaitGroup
	wrote := make([]int, 4)
	for w := range wrote {
		writers.Go(func() {
			for n := 1; ; n++ {
				select {
				case <-over:
					return
				case <-pace.C:
				}
				for s := w; s < subjects; s += len(wrote) {
					if err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
						return outbox.Write(t.Context(), tx, schema, event(fmt.Sprintf("s%d", s), n))
					}); err != nil {
						t.Error(err)
						return
					}
					wrote[w]++
				}
			}
		})
	}
	more := func(what string) {
		t.Helper()
		enough := a.heard() + subjects
		until(t, "events come "+what, func() bool { return a.heard() >= enough })
	}
	// What is published, or its confirmation, is cut off in the middle, again and again for a while.
	cuts := func() {
		for _, stream := range []string{"upstream", "downstream"} {
			for _, bytes := range []int{1_500, 8_000} {
				toxic := `{"type": "limit_data", "stream": "` + stream + `", "attributes": {"bytes": ` + strconv.Itoa(bytes) + `}}`
				if _, err := line.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
					t.Fatal(err)
				}
				<-time.After(250 * time.Millisecond) // as long as the fault lasts
				line.Toxics.ResetToxics(context.Background())
				more("after a cut")
			}
		}
	}
	more("at first")
	cuts()
	again, err := stack.Crash(t.Context(), "RabbitMQ", 300*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	back, err := url.Parse(again)
	if err != nil {
		t.Fatal(err)
	}
	if err := line.Update(&toxiproxy.Proxy{Listen: line.Listen, Upstream: back.Host, Enabled: true}); err != nil {
		t.Fatal(err)
	}
	more("after the broker was killed")
	cuts()
	close(over)
	writers.Wait()
	drained(t, pool)
	total := 0
	for _, n := range wrote {
		total += n
	}
	until(t, fmt.Sprintf("all %d events come", total), func() bool { return a.heard() >= total })
	if got := a.heard(); got != total {
		t.Errorf("%d of %d events came", got, total)
	}
	t.Logf("%d events, %d came again", total, a.repeats)
}

// until asks again and again until done.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(patience)
	for !done() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("it does not come true: %s", what)
		}
	}
}
