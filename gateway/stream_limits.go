package gateway

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
)

// StreamLimits bound the connections that stay open: WebSockets and event streams. A zero is the
// default.
type StreamLimits struct {
	PerViewer   int           // of an account; 20
	PerAddress  int           // from an IP address, of IPv6 from a /64; 200
	Total       int           // of the process; 10,000
	Operations  int           // on one connection at a time; 50
	SlowReader  time.Duration // for which a message may wait for its reader; 10 s
	Reservation time.Duration // of an event stream for its reader; 30 s
}

func (l StreamLimits) withDefaults() StreamLimits {
	return StreamLimits{
		PerViewer: cmp.Or(l.PerViewer, 20), PerAddress: cmp.Or(l.PerAddress, 200), Total: cmp.Or(l.Total, 10_000),
		Operations: cmp.Or(l.Operations, 50), SlowReader: cmp.Or(l.SlowReader, 10*time.Second), Reservation: cmp.Or(l.Reservation, 30*time.Second),
	}
}

// Codes of refused streams.
const (
	codeConnections = "CONNECTION_LIMIT_EXCEEDED"
	codeOperations  = "OPERATION_LIMIT_EXCEEDED"
)

// Why a connection is not let in, or ends.
var (
	errClosing        = errors.New("gateway: the server is closing")
	errTooManyStreams = errors.New("gateway: too many streams")
	errSlowReader     = errors.New("gateway: the reader is too slow")
)

// streamMetrics of the connections that stay open:
//
//	graphql_stream_refusals_total{limit}    counter: total, address, viewer or operations
//	graphql_websocket_closed_total{code}    counter, by the code that the server gave
//	graphql_stream_slow_readers_total       counter, connections cut off
//	graphql_stream_operations               gauge, operations that run on streams
type streamMetrics struct {
	refusals   *prometheus.CounterVec
	closed     *prometheus.CounterVec
	slow       prometheus.Counter
	operations prometheus.Gauge
}

func newStreamMetrics(reg prometheus.Registerer) *streamMetrics {
	m := &streamMetrics{
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "graphql_stream_refusals_total", Help: "Streams and operations on them that were refused, by limit (total, address, viewer, operations).",
		}, []string{"limit"}),
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "graphql_websocket_closed_total", Help: "WebSockets that the server closed, by code.",
		}, []string{"code"}),
		slow: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "graphql_stream_slow_readers_total", Help: "Connections cut off as their reader was too slow.",
		}),
		operations: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "graphql_stream_operations", Help: "Operations that run on WebSockets and event streams.",
		}),
	}
	reg.MustRegister(m.refusals, m.closed, m.slow, m.operations)
	return m
}

// streams are the connections that stay open: they are counted, as a server's shutdown does not wait
// for them by itself, and bounded.
type streams struct {
	limits  StreamLimits
	metrics *streamMetrics
	ctx     context.Context // ends when the edge closes
	cancel  context.CancelFunc
	rooms   reservations

	mu        sync.Mutex
	open      int
	addresses map[string]int
	viewers   map[uuid.UUID]int
	empty     chan struct{} // closed when closing and none is open
	closed    bool
}

func (s *streams) init(limits StreamLimits, reg prometheus.Registerer) {
	s.limits = limits.withDefaults()
	s.metrics = newStreamMetrics(reg)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.empty = make(chan struct{})
	s.addresses, s.viewers = make(map[string]int), make(map[uuid.UUID]int)
	s.rooms.byToken = make(map[string]*room)
}

// place is one connection among the streams.
type place struct {
	s       *streams
	address string
	viewer  uuid.UUID
	left    bool
}

// enter counts a connection in. It fails with errClosing or errTooManyStreams.
func (s *streams) enter(address string) (*place, error) {
	address = bucketAddress(address)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, errClosing
	case s.open >= s.limits.Total:
		s.metrics.refusals.WithLabelValues("total").Inc()
		return nil, errTooManyStreams
	case s.addresses[address] >= s.limits.PerAddress:
		s.metrics.refusals.WithLabelValues("address").Inc()
		return nil, errTooManyStreams
	}
	s.open++
	s.addresses[address]++
	return &place{s: s, address: address}, nil
}

// claim counts the connection as one of the account. It fails with errTooManyStreams.
func (p *place) claim(userID uuid.UUID) error {
	if userID == uuid.Nil {
		return nil
	}
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	if p.s.viewers[userID] >= p.s.limits.PerViewer {
		p.s.metrics.refusals.WithLabelValues("viewer").Inc()
		return errTooManyStreams
	}
	p.viewer = userID
	p.s.viewers[userID]++
	return nil
}

// leave counts the connection out.
func (p *place) leave() {
	s := p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.left {
		return
	}
	p.left = true
	if s.addresses[p.address]--; s.addresses[p.address] == 0 {
		delete(s.addresses, p.address)
	}
	if p.viewer != uuid.Nil {
		if s.viewers[p.viewer]--; s.viewers[p.viewer] == 0 {
			delete(s.viewers, p.viewer)
		}
	}
	if s.open--; s.closed && s.open == 0 {
		close(s.empty)
	}
}

// closing tells whether the edge takes no more requests.
func (s *streams) closing() bool { return s.ctx.Err() != nil }

// close takes no more connections, and tells those that are open to end.
func (s *streams) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	s.cancel()
	if s.open == 0 {
		close(s.empty)
	}
}

// wait waits until none is open, or ctx ends.
func (s *streams) wait(ctx context.Context) {
	select {
	case <-s.empty:
	case <-ctx.Done():
	}
}
