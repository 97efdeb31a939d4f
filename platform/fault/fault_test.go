package fault_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/techmart/techmart/platform/fault"
	"github.com/techmart/techmart/platform/telemetry"
)

func call(g *fault.Guard, answer error) error {
	if err := g.Enter(); err != nil {
		return err
	}
	return g.Leave(answer)
}

func TestGuard(t *testing.T) {
	t.Parallel()
	const rest = 20 * time.Millisecond
	reg := prometheus.NewRegistry()
	g := fault.New(fault.Config{Server: "store", Failures: 3, Rest: rest, Metrics: telemetry.NewMetrics(reg)})
	refusal := errors.New("a refusal is an answer")
	for _, answer := range []error{io.EOF, context.DeadlineExceeded, refusal, io.EOF, io.EOF, nil, io.EOF, context.Canceled, io.EOF} {
		if err := call(g, answer); errors.Is(err, fault.ErrOpen) || !errors.Is(err, answer) || fault.Lost(answer) != fault.Lost(err) {
			t.Fatalf("%v is answered as %v", answer, err)
		}
	}
	if !g.Closed() {
		t.Fatal("open without three losses in a row")
	}
	g.Note(io.EOF)
	var away interface{ Unavailable() bool }
	if err := call(g, nil); !errors.Is(err, fault.ErrOpen) || !errors.As(err, &away) {
		t.Fatalf("after three losses: %v", err)
	}
	g.Note(nil)
	if g.Closed() {
		t.Error("closed by what was not its trial")
	}
	for _, trial := range []error{io.EOF, context.Canceled} { // opens anew
		tried := false
		for end := time.Now().Add(10 * time.Second); !tried && time.Now().Before(end); {
			err := call(g, trial)
			tried = !errors.Is(err, fault.ErrOpen)
		}
		if err := call(g, nil); !tried || !errors.Is(err, fault.ErrOpen) {
			t.Errorf("tried %v: %v", tried, err)
		}
	}
	for end := time.Now().Add(10 * time.Second); !g.Closed() && time.Now().Before(end); {
		if g.Enter() == nil {
			if err := g.Enter(); !errors.Is(err, fault.ErrOpen) {
				t.Errorf("a second trial at once: %v", err)
			}
			_ = g.Leave(nil)
		}
	}
	if err := call(g, nil); err != nil {
		t.Errorf("after a good trial: %v", err)
	}
	if n, err := testutil.GatherAndCount(reg, "breaker_state", "calls_rejected_total"); n != 2 || err != nil {
		t.Errorf("%d series, %v", n, err)
	}
}

func TestBulkhead(t *testing.T) {
	t.Parallel()
	g := fault.New(fault.Config{Server: "store", Limit: 2})
	if err := errors.Join(g.Enter(), g.Enter()); err != nil {
		t.Fatal(err)
	}
	if err := g.Enter(); !errors.Is(err, fault.ErrFull) {
		t.Errorf("a third call: %v", err)
	}
	_ = g.Leave(nil)
	if err := g.Enter(); err != nil {
		t.Errorf("after one has left: %v", err)
	}
	var none *fault.Guard
	if err := call(none, io.EOF); err != io.EOF || !none.Closed() {
		t.Errorf("no guard: %v", err)
	}
}

// What a guard adds to each call.
func BenchmarkGuard(b *testing.B) {
	g := fault.New(fault.Config{Server: "store", Limit: 1024})
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_ = call(g, nil)
		}
	})
}
