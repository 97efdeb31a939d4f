package gateway

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of the edge:
//
//	http_requests_total{route,method,status}       counter
//	http_request_duration_seconds{route}           histogram, seconds
//	graphql_operations_total{kind,outcome}         counter
//	graphql_operation_duration_seconds{kind}       histogram, seconds
//	graphql_operation_cost                         histogram, estimated cost
//	graphql_documents_total{client,kind}           counter, by API client: inline, persisted, trusted, untrusted, refused or missing
//	api_keys_total{outcome}                        counter: good, refused, or unknown where it could not be told
//	graphql_streams{transport}                     gauge, open event streams
//	graphql_batch_operations                       histogram, operations of a batch
//	graphql_deferred_total                         counter, answers in parts
//	graphql_cacheable_total{policy}                counter, answers to GET: public, private, viewer, none, or not_modified
//	http_refusals_total{code}                      counter, requests that were not run, by code
//	http_responses_compressed_total{coding}        counter
type metrics struct {
	requests   *prometheus.CounterVec
	durations  *prometheus.HistogramVec
	operations *prometheus.CounterVec
	runs       *prometheus.HistogramVec
	cost       prometheus.Histogram
	documents  *prometheus.CounterVec
	apiKeys    *prometheus.CounterVec
	streams    *prometheus.GaugeVec
	batches    prometheus.Histogram
	deferred   prometheus.Counter
	cacheable  *prometheus.CounterVec
	refusals   *prometheus.CounterVec
	compressed *prometheus.CounterVec
}

var latencies = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_requests_total", Help: "Requests answered, by route, method and status.",
		}, []string{"route", "method", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "http_request_duration_seconds", Help: "Time to answer a request.", Buckets: latencies,
		}, []string{"route"}),
		operations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "graphql_operations_total", Help: "Operations run, by kind and outcome (ok or error).",
		}, []string{"kind", "outcome"}),
		runs: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "graphql_operation_duration_seconds", Help: "Time to run a query or mutation.", Buckets: latencies,
		}, []string{"kind"}),
		cost: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "graphql_operation_cost", Help: "Estimated cost of operations.",
			Buckets: []float64{1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000},
		}),
		apiKeys: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "api_keys_total", Help: "API keys that requests came with, by outcome: good, refused, or unknown where it could not be told.",
		}, []string{"outcome"}),
		documents: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "graphql_documents_total", Help: "Documents of requests, by API client and by where they come from or why they are not run.",
		}, []string{"client", "kind"}),
		streams: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "graphql_streams", Help: "Event streams that are open, by transport.",
		}, []string{"transport"}),
		batches: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "graphql_batch_operations", Help: "Operations of a batch.", Buckets: []float64{1, 2, 5, 10, 20, 50},
		}),
		deferred: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "graphql_deferred_total", Help: "Answers given in parts.",
		}),
		cacheable: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "graphql_cacheable_total", Help: "Answers to GET, by who may keep them: public, private, viewer (nobody), none, or not_modified.",
		}, []string{"policy"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_refusals_total", Help: "Requests that were not run, by code.",
		}, []string{"code"}),
		compressed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_responses_compressed_total", Help: "Answers of the graph that were compressed, by coding.",
		}, []string{"coding"}),
	}
	reg.MustRegister(m.requests, m.durations, m.operations, m.runs, m.cost, m.documents, m.apiKeys, m.streams,
		m.batches, m.deferred, m.cacheable, m.refusals, m.compressed)
	return m
}

// methodName is a request's method for labels and log: anything may stand there, and it must be
// neither without bound nor somebody's secret.
func methodName(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE":
		return method
	}
	return "other"
}

func (m *metrics) request(route, method string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, method, strconv.Itoa(status)).Inc()
	m.durations.WithLabelValues(route).Observe(took.Seconds())
}

func (m *metrics) operation(kind, outcome string, took time.Duration) {
	m.operations.WithLabelValues(kind, outcome).Inc()
	if took > 0 {
		m.runs.WithLabelValues(kind).Observe(took.Seconds())
	}
}
