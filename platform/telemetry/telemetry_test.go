package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/techmart/techmart/platform/telemetry"
)

func TestCallsCountPerRequest(t *testing.T) {
	t.Parallel()
	ctx, calls := telemetry.WithCalls(t.Context())
	var m *telemetry.Metrics // nil: only the request counts
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			m.Observe(ctx, telemetry.Postgres, "query", time.Millisecond, nil)
			m.Observe(ctx, telemetry.MongoDB, "find", time.Millisecond, nil)
			m.Observe(ctx, telemetry.Redis, "command", time.Millisecond, errors.New("down"))
			m.Observe(ctx, telemetry.RabbitMQ, "publish", time.Millisecond, nil)
		})
	}
	wg.Wait()
	for _, b := range []telemetry.Backend{telemetry.Postgres, telemetry.MongoDB, telemetry.Redis, telemetry.RabbitMQ} {
		if got := calls.Of(b); got != 50 {
			t.Errorf("%s: %d calls, want 50", b, got)
		}
	}
	if got := calls.Total(); got != 200 {
		t.Errorf("total %d, want 200", got)
	}
	if telemetry.CallsFrom(ctx) != calls {
		t.Error("CallsFrom gives another counter")
	}
}

func TestCallsAreSafeWhereNothingIsCounted(t *testing.T) {
	t.Parallel()
	calls := telemetry.CallsFrom(context.Background())
	calls.Add(telemetry.Postgres, 1)
	new(telemetry.Calls).Add("unknown", 1)
	if calls.Total() != 0 {
		t.Error("a nil counter counted")
	}
}

func TestMetricsAreRegistered(t *testing.T) {
	t.Parallel()
	reg := telemetry.NewRegistry()
	m := telemetry.NewMetrics(reg)
	m.Observe(t.Context(), telemetry.Postgres, "query", 3*time.Millisecond, nil)
	m.Observe(t.Context(), telemetry.Postgres, "query", 3*time.Millisecond, errors.New("broken"))
	want := `
# HELP backend_calls_total Round trips to a backend, by outcome (ok or error).
# TYPE backend_calls_total counter
backend_calls_total{backend="postgres",operation="query",outcome="error"} 1
backend_calls_total{backend="postgres",operation="query",outcome="ok"} 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "backend_calls_total"); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(reg, "backend_call_duration_seconds", "go_goroutines"); err != nil || n != 2 {
		t.Errorf("%d series, %v, want 2", n, err)
	}
}

func TestLogger(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := telemetry.NewLogger(&out, telemetry.LogConfig{Level: "warn"})
	if err != nil {
		t.Fatal(err)
	}
	log.Info("hidden")
	log.Warn("shown", "n", 1)
	var line struct {
		Time time.Time
		Msg  string
		N    int
	}
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("not one JSON object: %v in %s", err, out.String())
	}
	if _, offset := line.Time.Zone(); line.Msg != "shown" || line.N != 1 || offset != 0 {
		t.Errorf("logged %+v", line)
	}

	out.Reset()
	if log, err = telemetry.NewLogger(&out, telemetry.LogConfig{Format: "text"}); err != nil {
		t.Fatal(err)
	}
	log.Info("words")
	if !strings.Contains(out.String(), "msg=words") {
		t.Errorf("text log %q", out.String())
	}
	for _, bad := range []telemetry.LogConfig{{Level: "loud"}, {Format: "xml"}} {
		if _, err := telemetry.NewLogger(&out, bad); err == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
}
