package rabbitmq_test

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/platform/fault"
	"github.com/techmart/techmart/platform/rabbitmq"
	"github.com/techmart/techmart/platform/telemetry"
)

// While the server is away publications are refused at once, as the metrics say; when it is back they go on.
func TestBreaker(t *testing.T) {
	t.Parallel()
	address, namespace := stacktest.RabbitMQ(t)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(t, u.Host)
	u.Host = p.listener.Addr().String()
	reg := prometheus.NewRegistry()
	b, err := rabbitmq.Open(t.Context(), u.String(), rabbitmq.Options{
		Namespace: namespace, PublishTimeout: 50 * time.Millisecond, Log: slog.New(slog.DiscardHandler), Metrics: telemetry.NewMetrics(reg)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close(context.Background()) }) // it may be cut
	declare(t, b, rabbitmq.Queue{Name: "q"})
	state := func() float64 { return gauge(t, reg, "breaker_state") }
	eventually := func(what string, done func() bool) {
		t.Helper()
		for deadline := time.Now().Add(15 * time.Second); !done(); {
			if time.Now().After(deadline) {
				t.Fatalf("it does not come true: %s; the state is %v", what, state())
			}
		}
	}
	send := func() error { return b.Publish(t.Context(), rabbitmq.Message{ID: "m", Queue: "q"}) }
	eventually("it is published", func() bool { return send() == nil })
	if state() != 0 {
		t.Errorf("at first the state is %v", state())
	}
	p.cut(true)
	eventually("the breaker opens", func() bool { return errors.Is(send(), fault.ErrOpen) })
	if state() != 1 || gauge(t, reg, "calls_rejected_total") < 1 {
		t.Errorf("refused in the state %v", state())
	}
	p.cut(false)
	eventually("it is published again", func() bool { return send() == nil })
	if state() != 0 {
		t.Errorf("afterwards the state is %v", state())
	}
}

// gauge gives the value of the only metric of a name.
func gauge(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return 0
}
