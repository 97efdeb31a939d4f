package rabbitmq_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/platform/rabbitmq"
	"github.com/techmart/techmart/platform/telemetry"
)

// patience bounds every wait of these tests; nothing normally takes so long.
const patience = 2 * time.Minute

// implementations run each test of the conformance suite on both Brokers.
func implementations(t *testing.T, test func(t *testing.T, open func(t *testing.T) rabbitmq.Broker)) {
	t.Helper()
	t.Parallel()
	open := func(t *testing.T, url string, o rabbitmq.Options) rabbitmq.Broker {
		o.Log = slog.New(slog.DiscardHandler)
		b, err := rabbitmq.Open(t.Context(), url, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if err := b.Close(ctx); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		return b
	}
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		test(t, func(t *testing.T) rabbitmq.Broker {
			return open(t, rabbitmq.MemoryURL, rabbitmq.Options{Namespace: "test"})
		})
	})
	t.Run("amqp", func(t *testing.T) {
		t.Parallel()
		url, namespace := stacktest.RabbitMQ(t)
		test(t, func(t *testing.T) rabbitmq.Broker {
			return open(t, url, rabbitmq.Options{Namespace: namespace})
		})
	})
}

func declare(t *testing.T, b rabbitmq.Broker, queues ...rabbitmq.Queue) {
	t.Helper()
	if err := b.Declare(t.Context(), queues...); err != nil {
		t.Fatal(err)
	}
}

func publish(t *testing.T, b rabbitmq.Broker, m rabbitmq.Message) {
	t.Helper()
	if err := b.Publish(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

// consume runs a consumer until the test ends, or stop is called, which waits
// for it.
func consume(t *testing.T, b rabbitmq.Broker, queue string, prefetch int, h rabbitmq.Handler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Consume(ctx, queue, prefetch, h); close(done) }()
	stop = func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("consume: %v", err)
			}
		case <-time.After(patience):
			t.Error("the consumer did not end")
		}
	}
	t.Cleanup(stop)
	return stop
}

// into returns a handler that passes deliveries to a channel and answers with
// what result says.
func into(deliveries chan<- rabbitmq.Delivery, result func(rabbitmq.Delivery) error) rabbitmq.Handler {
	return func(_ context.Context, d rabbitmq.Delivery) error {
		deliveries <- d
		return result(d)
	}
}

func succeed(rabbitmq.Delivery) error { return nil }

func next(t *testing.T, deliveries <-chan rabbitmq.Delivery) rabbitmq.Delivery {
	t.Helper()
	select {
	case d := <-deliveries:
		return d
	case <-time.After(patience):
		t.Fatal("no delivery")
		return rabbitmq.Delivery{}
	}
}

// deadLetters waits until the queue has n dead letters.
func deadLetters(t *testing.T, b rabbitmq.Broker, queue string, n int) []rabbitmq.DeadLetter {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(patience)
	for {
		letters, err := b.DeadLetters(t.Context(), queue, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(letters) == n {
			return letters
		}
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("%d dead letters, want %d", len(letters), n)
		}
	}
}

func ids(letters []rabbitmq.DeadLetter) []string {
	out := make([]string, len(letters))
	for i, l := range letters {
		out[i] = l.ID
	}
	return out
}

func TestRouting(t *testing.T) {
	implementations(t, func(t *testing.T, open func(*testing.T) rabbitmq.Broker) {
		b := open(t)
		declare(t, b,
			rabbitmq.Queue{Name: "orders", Bindings: []string{"orders.#"}},
			rabbitmq.Queue{Name: "placed", Bindings: []string{"*.order.placed"}},
			rabbitmq.Queue{Name: "direct"})
		orders, placed, direct := make(chan rabbitmq.Delivery, 9), make(chan rabbitmq.Delivery, 9), make(chan rabbitmq.Delivery, 9)
		consume(t, b, "orders", 1, into(orders, succeed))
		consume(t, b, "placed", 1, into(placed, succeed))
		consume(t, b, "direct", 1, into(direct, succeed))

		at := time.Date(2026, 5, 4, 3, 2, 1, 999, time.UTC)
		publish(t, b, rabbitmq.Message{ID: "1", Type: "order.placed", RoutingKey: "orders.order.placed",
			Headers: map[string]string{"trace": "abc"}, Body: []byte(`{"n":1}`), Time: at})
		publish(t, b, rabbitmq.Message{ID: "2", RoutingKey: "orders.order.shipped.late"})
		publish(t, b, rabbitmq.Message{ID: "3", RoutingKey: "returns.order.placed"})
		publish(t, b, rabbitmq.Message{ID: "4", Queue: "direct", RoutingKey: "anything", ContentType: "text/plain"})
		publish(t, b, rabbitmq.Message{ID: "5", RoutingKey: "nobody.listens"})

		d := next(t, orders)
		if d.ID != "1" || d.Type != "order.placed" || d.RoutingKey != "orders.order.placed" || d.Headers["trace"] != "abc" || len(d.Headers) != 1 ||
			string(d.Body) != `{"n":1}` || !d.Time.Equal(at.Truncate(time.Second)) || d.ContentType != "application/json" || d.Attempt != 1 || d.Redelivered {
			t.Errorf("delivered %+v", d)
		}
		if d := next(t, orders); d.ID != "2" {
			t.Errorf("orders: %s, want 2", d.ID)
		}
		if a, b := next(t, placed), next(t, placed); a.ID != "1" || b.ID != "3" {
			t.Errorf("placed: %s and %s, want 1 and 3", a.ID, b.ID)
		}
		if d := next(t, direct); d.ID != "4" || d.RoutingKey != "anything" || d.ContentType != "text/plain" {
			t.Errorf("direct: %+v", d)
		}
	})
}

func TestUnbound(t *testing.T) {
	implementations(t, func(t *testing.T, open func(*testing.T) rabbitmq.Broker) {
		b := open(t)
		declare(t, b, rabbitmq.Queue{Name: "q", Bindings: []string{"orders.#"}})
		declare(t, b, rabbitmq.Queue{Name: "q", Bindings: []string{"orders.shipped"}, Unbound: []string{"orders.#", "never.bound"}})
		got := make(chan rabbitmq.Delivery, 9)
		consume(t, b, "q", 1, into(got, succeed))
		publish(t, b, rabbitmq.Message{ID: "1", RoutingKey: "orders.placed"})
		publish(t, b, rabbitmq.Message{ID: "2", RoutingKey: "orders.shipped"})
		if d := next(t, got); d.ID != "2" {
			t.Errorf("got %s, want 2 alone", d.ID)
		}
	})
}

func TestUnroutable(t *testing.T) {
	implementations(t, func(t *testing.T, open func(*testing.T) rabbitmq.Broker) {
		b := open(t)
		declare(t, b, rabbitmq.Queue{Name: "some", Bindings: []string{"some.*"}})
		errs := b.PublishBatch(t.Context(), []rabbitmq.Message{
			{ID: "1", RoutingKey: "nobody", Mandatory: true},
			{ID: "2", RoutingKey: "some.key", Mandatory: true},
			{ID: "3", Queue: "absent"},
			{ID: "4", RoutingKey: "nobody"},
		})
		for i, want := range []error{rabbitmq.ErrUnroutable, nil, rabbitmq.ErrUnroutable, nil} {
			if !errors.Is(errs[i], want) {
				t.Errorf("message %d: %v, want %v", i+1, errs[i], want)
			}
		}
		if errs := b.PublishBatch(t.Context(), nil); len(errs) != 0 {
			t.Errorf("no messages gave %v", errs)
		}
	})
}

func TestBatchKeepsOrder(t *testing.T) {
	implementations(t, func(t *testing.T, open func(*testing.T) rabbitmq.Broker) {
		b := open(t)
		declare(t, b, rabbitmq.Queue{Name: "q", Bindings: []string{"#"}})
		ctx, calls := telemetry.WithCalls(t.Context())
		batch := make([]rabbitmq.Message, 200)
		for i := range batch {
			batch[i] = rabbitmq.Message{ID: fmt.Sprint(i), RoutingKey: "k"}
		}
		if err := errors.Join(b.PublishBatch(ctx, batch)...); err != nil {
			t.Fatal(err)
		}
		if got := calls.RabbitMQ.Load(); got != 1 {
			t.Errorf("a batch made %d calls, want 1", got)
		}
		deliveries := make(chan rabbitmq.Delivery, len(batch))
		consume(t, b, "q", 1, into(deliveries, succeed))
		for i := range batch {
			if d := next(t, deliveries); d.ID != fmt.Sprint(i) {
				t.Fatalf("delivery %d is %s", i, d.ID)
			}
		}
	})
}

func TestRetriesThenDeadLetter(t *testing.T) {
	implementations(t, func(t *testing.T, open func(*testing.T) rabbitmq.Broker) {
		b := open(t)
		delays := []time.Duration{50 * time.Millisecond, 120 * time.Millisecond}
		declare(t, b, rabbitmq.Queue{Name: "q", Bindings: []string{"a.*"}, RetryDelays: delays})
		type attempt struct {
			rabbitmq.Delivery
			at time.Time
		}
		attempts := make(chan attempt, 9)
		consume(t, b, "q", 4, func(_ context.Context, d rabbitmq.Delivery) error {
			attempts <- attempt{d, time.Now()}
			return fmt.Errorf("failure %d", d.Attempt)
		})
		publish(t, b, rabbitmq.Message{ID: "1", Type: "t", RoutingKey: "a.b", Body: []byte("body"), Headers: map[string]string{"h": "v"}})
		letter := deadLetters(t, b, "q", 1)[0]
		close(attempts)
		var before time.Time
		n := 0
		for a := range attempts {
			n++
			if a.Attempt != n || a.RoutingKey != "a.b" || string(a.Body) != "body" || a.Headers["h"] != "v" || len(a.Headers) != 1 {
				t.Errorf("attempt %d: %+v", n, a.Delivery)
			}
			if n > 1 && a.at.Sub(before) < delays[n-2] {
				t.Errorf("attempt %d came after %s, want %s", n, a.at.Sub(before), delays[n-2])
			}
			before = a.at
		}
		if n != 3 {
			t.Errorf("%d attempts, want 3", n)
		}
		if letter.ID != "1" || letter.Type != "t" || letter.RoutingKey != "a.b" || string(letter.Body) != "body" ||
			letter.Reason != "failure 3" || letter.Attempts != 3 || time.Since(letter.DiedAt) > time.Minute || letter.Headers["h"] != "v" {
			t.Errorf("dead letter %+v", letter)
		}
	})
}

// What waits for something else comes back as often as it has to: that costs it no attempt.
func TestLaterIsNoAttempt(t *testing.T) {
	implementations(t, func(t *testing.T, open func(*testing.T) rabbitmq.Broker) {
		b := open(t)
		declare(t, b, rabbitmq.Queue{Name: "q", Bindings: []string{"#"}, RetryDelays: []time.Duration{time.Hour, 30 * time.Millisecond}})
		deliveries := make(chan rabbitmq.Delivery, 9)
		n := 0
		consume(t, b, "q", 1, into(deliveries, func(rabbitmq.Delivery) error {
			if n++; n <= 4 {
				return rabbitmq.Later(errors.New("another has it"), time.Minute)
			}
			return rabbitmq.Permanent(errors.New("bad"))
		}))
		publish(t, b, rabbitmq.Message{ID: "m", RoutingKey: "k"})
		for range 5 {
			if d := next(t, deliveries); d.Attempt != 1 {
				t.Errorf("attempt %d", d.Attempt)
			}
		}
		if l := deadLetters(t, b, "q", 1)[0]; l.Attempts != 1 || l.Reason != "bad" {
			t.Errorf("dead letter %+v", l)
		}
		if rabbitmq.Later(nil, time.Second) != nil {
			t.Error("no error is one later")
		}
	})
}

func TestPermanentFailuresAndPanics(t *testing.T) {
	implementations(t, func(t *testing.T, open func(*testing.T) rabbitmq.Broker) {
		b := open(t)
		declare(t, b,
			rabbitmq.Queue{Name: "bad", RetryDelays: []time.Duration{time.Hour}},
			rabbitmq.Queue{Name: "panics"})
		consume(t, b, "bad", 1, func(context.Context, rabbitmq.Delivery) error {
			return fmt.Errorf("wrapped: %w", rabbitmq.Permanent(errors.New("malformed")))
		})
		consume(t, b, "panics", 1, func(context.Context, rabbitmq.Delivery) error { panic("oops") })
		publish(t, b, rabbitmq.Message{ID: "1", Queue: "bad"})
		publish(t, b, rabbitmq.Message{ID: "2", Queue: "panics"})
		if l := deadLetters(t, b, "bad", 1)[0]; l.Attempts != 1 || l.Reason != "wrapped: malformed" {
			t.Errorf("permanent: %+v", l)
		}
		if l := deadLetters(t, b, "panics", 1)[0]; l.Reason != "rabbitmq: handler panicked: oops" {
			t.Errorf("panic: %+v", l)
		}
	})
}

func TestDeadLettersReplayAndDiscard(t *testing.T) {
	implementations(t, func(t *testing.T, open func(*testing.T) rabbitmq.Broker) {
		b := open(t)
		declare(t, b, rabbitmq.Queue{Name: "q", Bindings: []string{"k"}})
		var healthy atomic.Bool
		deliveries := make(chan rabbitmq.Delivery, 99)
		consume(t, b, "q", 1, into(deliveries, func(rabbitmq.Delivery) error {
			if healthy.Load() {
				return nil
			}
			return errors.New("down")
		}))
		for i := range 6 {
			publish(t, b, rabbitmq.Message{ID: fmt.Sprint(i), RoutingKey: "k"})
			next(t, deliveries)
		}
		for range 3 { // looking changes nothing
			if got := ids(deadLetters(t, b, "q", 6)); !slices.Equal(got, []string{"0", "1", "2", "3", "4", "5"}) {
				t.Fatalf("dead letters %v", got)
			}
		}
		if some, err := b.DeadLetters(t.Context(), "q", 2); err != nil || !slices.Equal(ids(some), []string{"0", "1"}) {
			t.Errorf("the first two are %v, %v", ids(some), err)
		}
		healthy.Store(true)
		if n, err := b.Replay(t.Context(), "q", "1", "4", "none"); n != 2 || err != nil {
			t.Errorf("replayed %d, %v; want 2", n, err)
		}
		for _, want := range []string{"1", "4"} {
			if d := next(t, deliveries); d.ID != want || d.Attempt != 1 || d.RoutingKey != "k" {
				t.Errorf("replayed %+v, want %s", d, want)
			}
		}
		if n, err := b.Discard(t.Context(), "q", "0"); n != 1 || err != nil {
			t.Errorf("discarded %d, %v; want 1", n, err)
		}
		if got := ids(deadLetters(t, b, "q", 3)); !slices.Equal(got, []string{"2", "3", "5"}) {
			t.Errorf("left are %v", got)
		}
		if n, err := b.Replay(t.Context(), "q"); n != 3 || err != nil {
			t.Errorf("replayed %d, %v; want all 3", n, err)
		}
		deadLetters(t, b, "q", 0)
		if n, err := b.Discard(t.Context(), "q"); n != 0 || err != nil {
			t.Errorf("discarded %d of none, %v", n, err)
		}
	})
}

func TestPrefetchBoundsHandlers(t *testing.T) {
	implementations(t, func(t *testing.T, open func(*testing.T) rabbitmq.Broker) {
		b := open(t)
		declare(t, b, rabbitmq.Queue{Name: "q"})
		const prefetch, n = 3, 12
		var running, most atomic.Int64
		started, release, finished := make(chan struct{}, n), make(chan struct{}), make(chan struct{}, n)
		consume(t, b, "q", prefetch, func(context.Context, rabbitmq.Delivery) error {
			now := running.Add(1)
			for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
			}
			started <- struct{}{}
			<-release
			running.Add(-1)
			finished <- struct{}{}
			return nil
		})
		batch := make([]rabbitmq.Message, n)
		for i := range batch {
			batch[i] = rabbitmq.Message{ID: fmt.Sprint(i), Queue: "q"}
		}
		if err := errors.Join(b.PublishBatch(t.Context(), batch)...); err != nil {
			t.Fatal(err)
		}
		wait := func(c <-chan struct{}, times int) {
			t.Helper()
			for range times {
				select {
				case <-c:
				case <-time.After(patience):
					t.Fatal("the handlers stand still")
				}
			}
		}
		wait(started, prefetch)
		close(release)
		wait(finished, n)
		if got := most.Load(); got != prefetch {
			t.Errorf("%d handlers at once, want %d", got, prefetch)
		}
	})
}

func TestStoppingWaitsForHandlers(t *testing.T) {
	implementations(t, func(t *testing.T, open func(*testing.T) rabbitmq.Broker) {
		b := open(t)
		declare(t, b, rabbitmq.Queue{Name: "q"})
		started, release := make(chan struct{}, 2), make(chan struct{})
		var alive atomic.Bool
		stop := consume(t, b, "q", 1, func(ctx context.Context, _ rabbitmq.Delivery) error {
			started <- struct{}{}
			<-release
			alive.Store(ctx.Err() == nil)
			return nil
		})
		publish(t, b, rabbitmq.Message{ID: "1", Queue: "q"})
		publish(t, b, rabbitmq.Message{ID: "2", Queue: "q"})
		<-started
		stopped := make(chan struct{})
		go func() { stop(); close(stopped) }()
		select {
		case <-stopped:
			t.Fatal("stopped in the middle of a handler")
		case <-started:
			t.Fatal("took another message")
		case <-time.After(100 * time.Millisecond): // long enough to see either
		}
		close(release)
		<-stopped
		if !alive.Load() {
			t.Error("the handler's context ended before its time")
		}
		// The first was settled, the second was not touched.
		deliveries := make(chan rabbitmq.Delivery, 9)
		consume(t, b, "q", 1, into(deliveries, succeed))
		if d := next(t, deliveries); d.ID != "2" {
			t.Errorf("delivered %s, want 2", d.ID)
		}
	})
}

func TestClose(t *testing.T) {
	implementations(t, func(t *testing.T, open func(*testing.T) rabbitmq.Broker) {
		b := open(t)
		declare(t, b, rabbitmq.Queue{Name: "q"})
		deliveries := make(chan rabbitmq.Delivery, 9)
		consume(t, b, "q", 1, into(deliveries, succeed))
		publish(t, b, rabbitmq.Message{ID: "0", Queue: "q"})
		next(t, deliveries)
		if err := b.Ping(t.Context()); err != nil {
			t.Errorf("ping: %v", err)
		}
		if err := b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := b.Close(t.Context()); err != nil {
			t.Errorf("close again: %v", err)
		}
		if err := b.Publish(t.Context(), rabbitmq.Message{ID: "1", Queue: "q"}); !errors.Is(err, rabbitmq.ErrClosed) {
			t.Errorf("publish: %v", err)
		}
		if err := b.Consume(t.Context(), "q", 1, nil); !errors.Is(err, rabbitmq.ErrClosed) {
			t.Errorf("consume: %v", err)
		}
		if err := b.Declare(t.Context(), rabbitmq.Queue{Name: "r"}); !errors.Is(err, rabbitmq.ErrClosed) {
			t.Errorf("declare: %v", err)
		}
		if err := b.Ping(t.Context()); !errors.Is(err, rabbitmq.ErrClosed) {
			t.Errorf("ping: %v", err)
		}
	})
}

func TestUnknownQueue(t *testing.T) {
	implementations(t, func(t *testing.T, open func(*testing.T) rabbitmq.Broker) {
		b := open(t)
		_, letters := b.DeadLetters(t.Context(), "none", 1)
		_, replay := b.Replay(t.Context(), "none")
		_, discard := b.Discard(t.Context(), "none")
		for name, err := range map[string]error{"consume": b.Consume(t.Context(), "none", 1, nil), "dead letters": letters, "replay": replay, "discard": discard} {
			if !errors.Is(err, rabbitmq.ErrUnknownQueue) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestDeclareAgain(t *testing.T) {
	implementations(t, func(t *testing.T, open func(*testing.T) rabbitmq.Broker) {
		b := open(t)
		declare(t, b, rabbitmq.Queue{Name: "q", Bindings: []string{"a"}, RetryDelays: []time.Duration{time.Hour}})
		declare(t, b, rabbitmq.Queue{Name: "q", Bindings: []string{"b"}, RetryDelays: []time.Duration{time.Millisecond}})
		deliveries := make(chan rabbitmq.Delivery, 9)
		consume(t, b, "q", 1, into(deliveries, func(d rabbitmq.Delivery) error {
			if d.Attempt == 1 {
				return errors.New("once")
			}
			return nil
		}))
		for _, key := range []string{"a", "b"} {
			publish(t, b, rabbitmq.Message{ID: key, RoutingKey: key, Mandatory: true})
			if first, second := next(t, deliveries), next(t, deliveries); first.ID != key || second.ID != key || second.Attempt != 2 {
				t.Errorf("%s: %+v, then %+v", key, first, second)
			}
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "http://localhost", "amqp://127.0.0.1:1/", "amqp://x:hunter2@[::1/", "amqp://localhost/?queue_idle_expiry=soon"} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		if _, err := rabbitmq.Open(ctx, url, rabbitmq.Options{Namespace: "n", Log: slog.New(slog.DiscardHandler)}); err == nil {
			t.Errorf("%q was opened", url)
		}
		cancel()
	}
	if _, err := rabbitmq.Open(t.Context(), rabbitmq.MemoryURL, rabbitmq.Options{}); err == nil {
		t.Error("no namespace was accepted")
	}
	if rabbitmq.Permanent(nil) != nil {
		t.Error("Permanent(nil) is an error")
	}
}
