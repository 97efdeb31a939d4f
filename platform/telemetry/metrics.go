package telemetry

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// NewRegistry returns a Prometheus registry that already holds the Go runtime
// and process collectors.
func NewRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return reg
}

// Metrics records the calls that the process makes to its backends:
//
//	backend_calls_total{backend,operation,outcome}      counter
//	backend_call_duration_seconds{backend,operation}    histogram, seconds
//	work_total{part,kind}                               counter: what each part of the program asks of the
//	                                                    servers, in round trips (by backend), statements,
//	                                                    commits and messages
//	breaker_state{server}                               gauge: 0 closed, 1 open, 2 trying
//	calls_rejected_total{server,reason}                 counter: calls that were not made: open, full
//	calls_retried_total{server}                         counter: calls that were repeated
//	events_missed_total{consumer}                       counter: events that did not come though a later one of their subject did
//	events_repeated_total{consumer}                     counter: events that came again and were dropped
//	batch_size{group}                                   histogram: calls that shared a batch
//
// A nil *Metrics records nothing process-wide; the per-request Calls of the
// context are counted all the same.
type Metrics struct {
	// Called, where set before the first call, is told of each finished call, at once. Tests stop the
	// process there.
	Called func(b Backend, operation string)

	calls    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	work     *prometheus.CounterVec
	breakers *prometheus.GaugeVec
	rejected *prometheus.CounterVec
	retried  *prometheus.CounterVec
	batches  *prometheus.HistogramVec
	missed   *prometheus.CounterVec
	repeated *prometheus.CounterVec
}

// NewMetrics creates the backend metrics and registers them with reg. It
// panics when they are registered there already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "backend_calls_total",
			Help: "Round trips to a backend, by outcome (ok or error).",
		}, []string{"backend", "operation", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "backend_call_duration_seconds",
			Help:    "Duration of round trips to a backend.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"backend", "operation"}),
	}
	m.work = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "work_total",
		Help: "What each part of the program asks of the servers: round trips by backend, SQL statements and commits, messages published.",
	}, []string{"part", "kind"})
	m.breakers = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "breaker_state", Help: "The circuit breaker of a server: 0 closed, 1 open, 2 trying one call.",
	}, []string{"server"})
	m.rejected = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "calls_rejected_total", Help: "Calls that were not made, as the breaker of the server was open, or too many waited for it (full).",
	}, []string{"server", "reason"})
	m.retried = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "calls_retried_total", Help: "Calls and transactions that were repeated, as they certainly had no effect.",
	}, []string{"server"})
	m.missed = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "events_missed_total", Help: "Events that did not come to a consumer though a later one of their subject did.",
	}, []string{"consumer"})
	m.repeated = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "events_repeated_total", Help: "Events that came to a consumer again, and were dropped.",
	}, []string{"consumer"})
	m.batches = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "batch_size", Help: "Calls that shared a batch, by what they are about.", Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128, 256},
	}, []string{"group"})
	reg.MustRegister(m.calls, m.duration, m.work, m.breakers, m.rejected, m.retried, m.batches, m.missed, m.repeated)
	return m
}

// Observe records one finished call: it adds one to the request's Calls, where
// ctx carries them, and to the process-wide metrics. operation must come from a
// small fixed set, as it becomes a label.
func (m *Metrics) Observe(ctx context.Context, b Backend, operation string, took time.Duration, err error) {
	CallsFrom(ctx).Add(counted(ctx, b), 1)
	timelineOf(ctx).add(counted(ctx, b), operation, took)
	if m == nil {
		return
	}
	outcome := "ok"
	if err != nil {
		outcome = "error"
	}
	m.calls.WithLabelValues(string(b), operation, outcome).Inc()
	m.duration.WithLabelValues(string(b), operation).Observe(took.Seconds())
	m.Worked(ctx, string(counted(ctx, b)), 1)
	if m.Called != nil {
		m.Called(b, operation)
	}
}

// Kinds of work beside the round trips to each backend.
const (
	Statements = "statements" // of SQL, also those inside of a batch
	Commits    = "commits"    // of transactions, also those of one statement and those that only read
	Messages   = "messages"   // published
)

// Worked counts n pieces of work of a kind for the part of the program that ctx belongs to. kind must come
// from a small fixed set, as it becomes a label.
func (m *Metrics) Worked(ctx context.Context, kind string, n int) {
	if m != nil {
		m.work.WithLabelValues(part(ctx), kind).Add(float64(n))
	}
}

// Breaker records the state of a server's circuit breaker: 0 closed, 1 open, 2 trying.
func (m *Metrics) Breaker(server string, state int) {
	if m != nil {
		m.breakers.WithLabelValues(server).Set(float64(state))
	}
}

// Rejected counts a call to a server that was not made. reason is open or full.
func (m *Metrics) Rejected(server, reason string) {
	if m != nil {
		m.rejected.WithLabelValues(server, reason).Inc()
	}
}

// Retried counts a call to a server that was repeated.
func (m *Metrics) Retried(server string) {
	if m != nil {
		m.retried.WithLabelValues(server).Inc()
	}
}

// EventMissed counts an event that did not come to a consumer. consumer must come from a small fixed set, as it becomes a label.
func (m *Metrics) EventMissed(consumer string) {
	if m != nil {
		m.missed.WithLabelValues(consumer).Inc()
	}
}

// EventRepeated counts an event that came to a consumer again.
func (m *Metrics) EventRepeated(consumer string) {
	if m != nil {
		m.repeated.WithLabelValues(consumer).Inc()
	}
}

// Batched records that n calls shared a batch. group must come from a small fixed set, as it becomes a label.
func (m *Metrics) Batched(group string, n int) {
	if m != nil {
		m.batches.WithLabelValues(group).Observe(float64(n))
	}
}
