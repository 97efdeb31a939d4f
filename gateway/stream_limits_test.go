package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	coderws "github.com/coder/websocket"

	"github.com/techmart/techmart/gateway"
	"github.com/techmart/techmart/graph/model"
)

func streamLimits(l gateway.StreamLimits) func(*gateway.Config, *gateway.Deps) {
	return func(c *gateway.Config, _ *gateway.Deps) { c.Streams = l }
}

// metric gives the lines of the metrics with the prefix.
func (e *edge) metric(t *testing.T, prefix string) string {
	t.Helper()
	var found []string
	for line := range strings.Lines(e.do(t, http.MethodGet, "/metrics", "").text) {
		if strings.HasPrefix(line, prefix) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return strings.Join(found, "\n")
}

// A bound on connections holds for all kinds of streams together, and a place is free again with its
// connection.
func TestConnectionsPerAddress(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]gateway.StreamLimits{"address": {PerAddress: 3}, "total": {Total: 3}} {
		e := setup(t, streamLimits(l))
		s := e.connect(t, `{}`)
		e.reserve(t)
		e.events(t, follow)
		stream := []string{"Accept", "text/event-stream", "Content-Type", "application/json"}
		for what, a := range map[string]answer{
			"a stream":      e.do(t, http.MethodPost, "/graphql", `{"query":"{ __typename }"}`, stream...),
			"a reservation": e.do(t, http.MethodPut, "/graphql", ""),
		} {
			if a.status != http.StatusTooManyRequests || a.code() != "CONNECTION_LIMIT_EXCEEDED" || a.header.Get("Retry-After") == "" {
				t.Errorf("%s: %s: %d %s", name, what, a.status, a.text)
			}
		}
		if _, resp, err := coderws.Dial(t.Context(), "ws"+strings.TrimPrefix(e.URL, "http")+"/graphql", &coderws.DialOptions{Subprotocols: []string{"graphql-transport-ws"}}); err == nil || resp.StatusCode != http.StatusTooManyRequests {
			t.Errorf("%s: a WebSocket: %+v, %v", name, resp, err)
		}
		if a := e.post(t, `{ __typename }`); a.status != http.StatusOK {
			t.Errorf("%s: an operation without a stream: %d", name, a.status)
		}
		if err := s.Close(coderws.StatusNormalClosure, ""); err != nil {
			t.Error(err)
		}
		eventually(t, "a place is free", func() bool { return e.do(t, http.MethodPut, "/graphql", "").status == http.StatusCreated })
		if got := e.metric(t, fmt.Sprintf("graphql_stream_refusals_total{limit=%q}", name)); got == "" {
			t.Error("the metrics tell of no refusal")
		}
	}
}

func TestConnectionsPerViewer(t *testing.T) {
	t.Parallel()
	e := setup(t, streamLimits(gateway.StreamLimits{PerViewer: 2}))
	own := []string{"Authorization", "Bearer customer"}
	e.connect(t, `{"accessToken":"customer"}`)
	e.reserve(t, own...)
	e.dial(t, `{"accessToken":"customer"}`).closes(1013, "Too many connections of the account")
	if a := e.do(t, http.MethodPut, "/graphql", "", own...); a.status != http.StatusTooManyRequests || a.code() != "CONNECTION_LIMIT_EXCEEDED" {
		t.Errorf("a reservation: %d %s", a.status, a.text)
	}
	e.connect(t, `{"accessToken":"staff"}`)
	e.connect(t, `{}`)
}

func TestOperationsPerConnection(t *testing.T) {
	t.Parallel()
	e := setup(t, streamLimits(gateway.StreamLimits{Operations: 2}))
	s := e.connect(t, `{}`)
	s.subscribe("1", follow)
	s.subscribe("2", follow)
	s.subscribe("3", follow)
	if m := s.expect("error", "3"); !strings.Contains(string(m.Payload), "OPERATION_LIMIT_EXCEEDED") {
		t.Errorf("got %s", m.Payload)
	}
	s.write(message{ID: "1", Type: "complete"})
	eventually(t, "there is room again", func() bool {
		s.subscribe("3", `{ __typename }`)
		return s.read().Type == "next"
	})
	token := e.reserve(t)
	for _, id := range []string{"1", "2"} {
		accepted(t, e.ask(t, token, id, follow))
	}
	if a := e.ask(t, token, "3", follow); a.status != http.StatusTooManyRequests || a.code() != "OPERATION_LIMIT_EXCEEDED" {
		t.Errorf("answered with %d %s", a.status, a.text)
	}
}

// large is an event that no buffer of the network takes in many.
var large = &model.ProductVariant{Sku: strings.Repeat("x", 1<<20)}

// A reader that is too slow is cut off, and hears why once it reads; others are not held up.
func TestSlowReaderOfAWebSocket(t *testing.T) {
	t.Parallel()
	e := setup(t, streamLimits(gateway.StreamLimits{SlowReader: 300 * time.Millisecond}))
	slow := e.connect(t, `{}`)
	for i := range 20 {
		slow.subscribe(fmt.Sprint(i), follow)
	}
	cut := func() bool { return strings.HasSuffix(e.metric(t, "graphql_stream_slow_readers_total"), " 1") }
	flood(t, e, cut)
	code, reason, before := slow.closed()
	if code != 1013 || reason != "The reader is too slow" || len(before) == 0 {
		t.Errorf("closed with %d %q after %d messages", code, reason, len(before))
	}
	quick := e.connect(t, `{}`)
	quick.subscribe("1", follow)
	for range 20 {
		e.send(t, "A-1")
		quick.expect("next", "1")
	}
}

// flood sends large events until done.
func flood(t *testing.T, e *edge, done func() bool) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case e.stock <- large:
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() { stop(); <-ended }()
	eventually(t, "the slow reader is noticed", done)
}

func TestSlowReaderOfAnEventStream(t *testing.T) {
	t.Parallel()
	e := setup(t, streamLimits(gateway.StreamLimits{SlowReader: 100 * time.Millisecond}))
	lines := e.events(t, follow)
	flood(t, e, func() bool { return strings.HasSuffix(e.metric(t, "graphql_stream_slow_readers_total"), " 1") })
	lines.Buffer(nil, 4<<20)
	if text := remaining(lines); strings.Contains(text, "event: complete") {
		t.Error("it is told that all is complete")
	}
	eventually(t, "nothing runs any more", func() bool { return strings.HasSuffix(e.metric(t, `graphql_streams{transport="sse"}`), " 0") })
}

// Who takes nothing at all is cut off too, and who is gone without a word is noticed.
func TestDeadReaderOfAWebSocket(t *testing.T) {
	t.Parallel()
	e := setup(t, func(c *gateway.Config, _ *gateway.Deps) { c.KeepAlive = 20 * time.Millisecond })
	s := e.connect(t, `{}`) // whose pongs would be sent as it reads
	s.subscribe("1", `{ __typename }`)
	eventually(t, "the connection is given up", func() bool { return strings.HasSuffix(e.metric(t, `graphql_streams{transport="websocket"}`), " 0") })
}

// A server that is told to stop tells its subscribers, finishes what runs, and ends.
func TestShutdown(t *testing.T) {
	t.Parallel()
	e := setup(t, func(c *gateway.Config, _ *gateway.Deps) { c.OperationTimeout = 300 * time.Millisecond })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.gateway.Serve(ctx, l, 5*time.Second) }()
	e.URL = "http://" + l.Addr().String()

	distinct := e.events(t, follow)
	block(t, distinct)
	query := e.events(t, `{ node(id: "slow") { id } }`)
	block(t, query)
	token := e.reserve(t)
	shared := e.listen(t, token)
	accepted(t, e.ask(t, token, "1", follow))
	accepted(t, e.ask(t, token, "2", `{ node(id: "slow") { id } }`))
	e.reserve(t) // for which nobody comes
	s := e.connect(t, `{}`)
	s.subscribe("1", follow)
	s.subscribe("2", `{ node(id: "slow") { id } }`)
	s.say(`{"type":"ping"}`)
	s.expect("pong", "") // both are taken

	stop()
	code, reason, before := s.closed()
	if code != coderws.StatusGoingAway || reason != "Going away" || len(before) != 2 || before[0].ID != "2" || before[0].Type != "next" || before[1].Type != "complete" {
		t.Errorf("the socket was closed with %d %q after %+v", code, reason, before)
	}
	if text := remaining(distinct); !strings.Contains(text, "UNAVAILABLE") || !strings.HasSuffix(text, "event: complete\ndata:\n\n") {
		t.Errorf("the stream ended with %q", text)
	}
	if text := remaining(query); !strings.Contains(text, "TIMEOUT") || !strings.HasSuffix(text, "event: complete\ndata:\n\n") {
		t.Errorf("the query ended with %q", text)
	}
	text := remaining(shared)
	for _, want := range []string{`{"id":"1","payload":{"errors":[{"message":"This server is closing`, "event: complete\ndata: {\"id\":\"1\"}", `{"id":"2","payload":`, "TIMEOUT", "event: complete\ndata: {\"id\":\"2\"}"} {
		if !strings.Contains(text, want) {
			t.Errorf("the shared stream has no %q: %q", want, text)
		}
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(6 * time.Second):
		t.Error("the server does not end")
	}
	if resp, err := http.Get(e.URL + "/healthz"); err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		t.Error("it still answers")
	}
}
