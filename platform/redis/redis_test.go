package redis_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/platform/redis"
	"github.com/techmart/techmart/platform/telemetry"
)

func open(t *testing.T, url, prefix string) *redis.Client {
	t.Helper()
	client, err := redis.Open(t.Context(), redis.Config{URL: url, Prefix: prefix, ApplicationName: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func setup(t *testing.T) *redis.Client {
	t.Helper()
	url, prefix := stacktest.Redis(t)
	return open(t, url, prefix)
}

func openHub(t *testing.T, client *redis.Client) *redis.Hub {
	t.Helper()
	hub := redis.NewHub(client)
	t.Cleanup(func() { _ = hub.Close() })
	return hub
}

func TestKeys(t *testing.T) {
	t.Parallel()
	url, prefix := stacktest.Redis(t)
	if got, want := open(t, url, prefix).Key("cart", "7"), prefix+":cart:7"; got != want {
		t.Errorf("key %q, want %q", got, want)
	}
	if got := open(t, url, "").Key("cart", "7"); got != "cart:7" {
		t.Errorf("key without a prefix %q", got)
	}
}

func TestCommandsAreCounted(t *testing.T) {
	t.Parallel()
	client := setup(t)
	ctx, calls := telemetry.WithCalls(t.Context())
	if err := client.Get(ctx, client.Key("none")).Err(); err != goredis.Nil {
		t.Errorf("a missing key gave %v", err)
	}
	if _, err := client.Pipelined(ctx, func(p goredis.Pipeliner) error {
		for i := range 5 {
			p.Set(ctx, client.Key(fmt.Sprint(i)), i, time.Minute)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := calls.Redis.Load(); got != 2 {
		t.Errorf("a command and a pipeline made %d calls, want 2", got)
	}
}

func TestOpenFails(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "http://localhost", "redis://127.0.0.1:1/0"} {
		if _, err := redis.Open(t.Context(), redis.Config{URL: url}); err == nil {
			t.Errorf("%q was opened", url)
		}
	}
}

// receive waits for the next message.
func receive(t *testing.T, messages <-chan []byte) string {
	t.Helper()
	select {
	case m, ok := <-messages:
		if !ok {
			t.Fatal("the subscription ended")
		}
		return string(m)
	case <-time.After(10 * time.Second):
		t.Fatal("no message within 10 s")
		return ""
	}
}

// ended waits for the end of the subscription.
func ended(t *testing.T, messages <-chan []byte) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case _, ok := <-messages:
			if !ok {
				return
			}
		case <-deadline:
			t.Fatal("the subscription did not end within 10 s")
		}
	}
}

func subscribe(t *testing.T, ctx context.Context, hub *redis.Hub, channel string) <-chan []byte {
	t.Helper()
	messages, err := hub.Subscribe(ctx, channel)
	if err != nil {
		t.Fatal(err)
	}
	return messages
}

func publish(t *testing.T, hub *redis.Hub, channel, payload string) {
	t.Helper()
	if err := hub.Publish(t.Context(), channel, []byte(payload)); err != nil {
		t.Fatal(err)
	}
}

func TestHubReachesAllProcesses(t *testing.T) {
	t.Parallel()
	url, prefix := stacktest.Redis(t)
	one, two := openHub(t, open(t, url, prefix)), openHub(t, open(t, url, prefix))
	a, b := subscribe(t, t.Context(), one, "orders"), subscribe(t, t.Context(), one, "orders")
	c, other := subscribe(t, t.Context(), two, "orders"), subscribe(t, t.Context(), two, "payments")
	publish(t, one, "orders", "first")
	publish(t, two, "orders", "second")
	publish(t, one, "payments", "paid")
	if err := two.PublishAll(t.Context(), func(yield func(string, []byte) bool) {
		_ = yield("orders", []byte("third")) && yield("payments", []byte("refunded"))
	}); err != nil {
		t.Fatal(err)
	}
	for _, messages := range []<-chan []byte{a, b, c} {
		if got := receive(t, messages) + " " + receive(t, messages) + " " + receive(t, messages); got != "first second third" {
			t.Errorf("received %q", got)
		}
	}
	if got := receive(t, other) + " " + receive(t, other); got != "paid refunded" {
		t.Errorf("received %q on the other channel", got)
	}
}

func TestHubSubscriptionEnds(t *testing.T) {
	t.Parallel()
	hub := openHub(t, setup(t))
	ctx, cancel := context.WithCancel(t.Context())
	gone, stays := subscribe(t, ctx, hub, "c"), subscribe(t, t.Context(), hub, "c")
	cancel()
	ended(t, gone)
	publish(t, hub, "c", "still")
	if got := receive(t, stays); got != "still" {
		t.Errorf("received %q", got)
	}
	if _, err := hub.Subscribe(ctx, "c"); err == nil {
		t.Error("subscribed with an ended context")
	}
	// The last one leaves, and the channel is subscribed to again.
	for i := range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		again := subscribe(t, ctx, hub, "d")
		publish(t, hub, "d", fmt.Sprint(i))
		if got := receive(t, again); got != fmt.Sprint(i) {
			t.Fatalf("round %d: received %q", i, got)
		}
		cancel()
		ended(t, again)
	}
	if err := hub.Close(); err != nil {
		t.Fatal(err)
	}
	ended(t, stays)
	if _, err := hub.Subscribe(t.Context(), "c"); err == nil {
		t.Error("subscribed to a closed hub")
	}
	if err := hub.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

func TestHubDropsTheOldestOfASlowSubscriber(t *testing.T) {
	t.Parallel()
	hub := openHub(t, setup(t))
	slow, fast := subscribe(t, t.Context(), hub, "c"), subscribe(t, t.Context(), hub, "c")
	const n = 200
	for i := range n {
		publish(t, hub, "c", fmt.Sprint(i))
		if got := receive(t, fast); got != fmt.Sprint(i) {
			t.Fatalf("the fast one received %q, want %d", got, i)
		}
	}
	// The fan-out handles one message at a time: when the fast one has this
	// one, the slow one has all before it.
	publish(t, hub, "c", "end")
	receive(t, fast)
	publish(t, hub, "c", "after")
	receive(t, fast)
	var got []string
	for m := ""; m != "end"; {
		m = receive(t, slow)
		got = append(got, m)
	}
	if len(got) > 64 || got[0] == "0" {
		t.Errorf("the slow one received %d messages from %s on", len(got), got[0])
	}
	if tail := strings.Join(got[len(got)-3:], " "); tail != "198 199 end" {
		t.Errorf("its last messages are %q", tail)
	}
}

func TestHubReconnects(t *testing.T) {
	t.Parallel()
	url, prefix := stacktest.Redis(t)
	client, err := redis.Open(t.Context(), redis.Config{URL: url, Prefix: prefix, ApplicationName: prefix})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	hub := openHub(t, client)
	messages := subscribe(t, t.Context(), hub, "c")

	admin := open(t, url, "")
	list, err := admin.ClientList(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	killed := 0
	for line := range strings.Lines(list) {
		fields := make(map[string]string)
		for field := range strings.FieldsSeq(line) {
			name, value, _ := strings.Cut(field, "=")
			fields[name] = value
		}
		if fields["name"] == prefix && fields["sub"] != "0" {
			if err := admin.ClientKillByFilter(t.Context(), "ID", fields["id"]).Err(); err != nil {
				t.Fatal(err)
			}
			killed++
		}
	}
	if killed != 1 {
		t.Fatalf("%d pub/sub connections of one hub, want 1", killed)
	}
	// Nothing tells from outside when it is subscribed again, so publish until
	// a message comes through.
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-messages:
			return
		case <-tick.C:
			publish(t, hub, "c", "again")
		case <-deadline:
			t.Fatal("no message after the connection was cut")
		}
	}
}

// Two hundred signals at the same time arrive, and share round trips.
func TestSignalsShareRoundTrips(t *testing.T) {
	t.Parallel()
	const signals, most = 200, 50
	hub := openHub(t, setup(t))
	channels := make([]<-chan []byte, signals)
	for i := range channels {
		var err error
		if channels[i], err = hub.Subscribe(t.Context(), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, calls := telemetry.WithCalls(t.Context())
	var all sync.WaitGroup
	for i := range channels {
		all.Go(func() {
			if err := hub.Publish(ctx, fmt.Sprint(i), []byte(fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i, news := range channels {
		select {
		case got := <-news:
			if string(got) != fmt.Sprint(i) {
				t.Errorf("channel %d got %q", i, got)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("nothing came to channel %d", i)
		}
	}
	if n := calls.Redis.Load(); n > most {
		t.Errorf("%d signals took %d round trips", signals, n)
	}
}
