package gateway_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	coderws "github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/techmart/techmart/gateway"
	"github.com/techmart/techmart/graph/model"
)

const follow = `subscription { stockChanged(variantId: "var_1") { sku } }`

// send gives the subscription an event, once somebody follows.
func (e *edge) send(t *testing.T, sku string) {
	t.Helper()
	select {
	case e.stock <- &model.ProductVariant{Sku: sku}:
	case <-time.After(5 * time.Second):
		t.Fatal("nobody follows")
	}
}

// events opens an event stream and gives its lines.
func (e *edge) events(t *testing.T, query string) *bufio.Scanner {
	t.Helper()
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.URL+"/graphql", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "text/event-stream")
	resp, err := e.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream; charset=utf-8" {
		t.Fatalf("media type %q", got)
	}
	return bufio.NewScanner(resp.Body)
}

// block reads the lines up to the next empty one.
func block(t *testing.T, s *bufio.Scanner) string {
	t.Helper()
	var lines []string
	for s.Scan() {
		if s.Text() == "" {
			return strings.Join(lines, "\n")
		}
		lines = append(lines, s.Text())
	}
	t.Fatalf("the stream ended: %v, %v", s.Err(), lines)
	return ""
}

func TestEventStream(t *testing.T) {
	t.Parallel()
	e := setup(t)
	lines := e.events(t, follow)
	if got := block(t, lines); got != ":" {
		t.Errorf("first block %q", got)
	}
	e.send(t, "A-1")
	if got := block(t, lines); !strings.HasPrefix(got, "event: next\ndata: {") || !strings.Contains(got, `"data":{"stockChanged":{"sku":"A-1"}}`) {
		t.Errorf("event %q", got)
	}
	close(e.stock)
	if got := block(t, lines); got != "event: complete\ndata:" {
		t.Errorf("end %q", got)
	}
}

func TestEventStreamOfAQuery(t *testing.T) {
	t.Parallel()
	lines := setup(t).events(t, `{ __typename }`)
	block(t, lines)
	if got := block(t, lines); !strings.Contains(got, `{"__typename":"Query"}`) {
		t.Errorf("event %q", got)
	}
	if got := block(t, lines); got != "event: complete\ndata:" {
		t.Errorf("end %q", got)
	}
}

func TestEventStreamKeepsAlive(t *testing.T) {
	t.Parallel()
	e := setup(t, func(c *gateway.Config, _ *gateway.Deps) { c.KeepAlive = 10 * time.Millisecond })
	lines := e.events(t, follow)
	for range 3 {
		if got := block(t, lines); got != ":" {
			t.Errorf("block %q", got)
		}
	}
}

// socket is a client of graphql-transport-ws.
type socket struct {
	*coderws.Conn
	t *testing.T
}

type message struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

func (e *edge) dial(t *testing.T, payload string) *socket {
	t.Helper()
	conn, _, err := coderws.Dial(t.Context(), "ws"+strings.TrimPrefix(e.URL, "http")+"/graphql",
		&coderws.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	s := &socket{conn, t}
	s.write(message{Type: "connection_init", Payload: json.RawMessage(payload)})
	return s
}

func (s *socket) write(m message) {
	s.t.Helper()
	if err := wsjson.Write(s.t.Context(), s.Conn, m); err != nil {
		s.t.Fatal(err)
	}
}

func (s *socket) read() message {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Second)
	defer cancel()
	var m message
	if err := wsjson.Read(ctx, s.Conn, &m); err != nil {
		s.t.Fatal(err)
	}
	return m
}

func (s *socket) closed() coderws.StatusCode {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Second)
	defer cancel()
	for {
		var m message
		if err := wsjson.Read(ctx, s.Conn, &m); err != nil {
			if ctx.Err() != nil {
				s.t.Error("the connection stays open")
			}
			return coderws.CloseStatus(err)
		}
	}
}

func (s *socket) subscribe(id, query string) {
	s.t.Helper()
	payload, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(message{ID: id, Type: "subscribe", Payload: payload})
}

func TestWebSocket(t *testing.T) {
	t.Parallel()
	e := setup(t)
	s := e.dial(t, `{"authorization":"Bearer customer"}`)
	if m := s.read(); m.Type != "connection_ack" {
		t.Fatalf("got %+v", m)
	}
	s.subscribe("1", `{ me { id } }`)
	if m := s.read(); m.Type != "next" || !strings.Contains(string(m.Payload), customer.UserID.String()) {
		t.Errorf("got %s %s", m.Type, m.Payload)
	}
	if m := s.read(); m.Type != "complete" {
		t.Errorf("got %+v", m)
	}
	s.subscribe("2", follow)
	e.send(t, "A-1")
	if m := s.read(); m.Type != "next" || m.ID != "2" || !strings.Contains(string(m.Payload), `"A-1"`) {
		t.Errorf("got %s %s", m.Type, m.Payload)
	}
	s.write(message{Type: "ping"})
	if m := s.read(); m.Type != "pong" {
		t.Errorf("got %+v", m)
	}
	s.subscribe("3", `{ categories { children { children { children { children { children { id } } } } } } }`)
	if m := s.read(); !strings.Contains(string(m.Payload), "COST_LIMIT_EXCEEDED") {
		t.Errorf("got %s %s", m.Type, m.Payload)
	}
}

func TestWebSocketAuthentication(t *testing.T) {
	t.Parallel()
	e := setup(t)
	for payload, acknowledged := range map[string]bool{
		`{}`:                                  true,
		`{"Authorization":"Bearer customer"}`: true,
		`{"accessToken":"customer"}`:          true,
		`{"accessToken":"stolen"}`:            false,
		`{"authorization":"customer"}`:        false,
		`{"authorization":"Bearer stolen"}`:   false,
		`{"authorization":"Bearer down"}`:     false,
	} {
		t.Run(payload, func(t *testing.T) {
			t.Parallel()
			s := e.dial(t, payload)
			if acknowledged {
				if m := s.read(); m.Type != "connection_ack" {
					t.Errorf("got %+v", m)
				}
				return
			}
			if code := s.closed(); code != 4403 {
				t.Errorf("closed with %d", code)
			}
		})
	}
}

func TestWebSocketRefusals(t *testing.T) {
	t.Parallel()
	e := setup(t)
	target := "ws" + strings.TrimPrefix(e.URL, "http") + "/graphql"
	for name, o := range map[string]*coderws.DialOptions{
		"old subprotocol": {Subprotocols: []string{"graphql-ws"}},
		"no subprotocol":  {},
		"other origin":    {Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: http.Header{"Origin": {"https://evil.example"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, resp, err := coderws.Dial(t.Context(), target, o)
			if err == nil {
				_ = conn.CloseNow()
				t.Fatal("it was accepted")
			}
			if resp.StatusCode < 400 || resp.StatusCode > 403 {
				t.Errorf("status %d", resp.StatusCode)
			}
		})
	}
}

// A server that is told to stop tells its subscribers, finishes, and ends.
func TestShutdown(t *testing.T) {
	t.Parallel()
	e := setup(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.gateway.Serve(ctx, l, 5*time.Second) }()
	e.URL = "http://" + l.Addr().String()

	lines := e.events(t, follow)
	block(t, lines)
	s := e.dial(t, `{}`)
	s.read()
	s.subscribe("1", follow)
	e.send(t, "A-1") // to one of the two

	stop()
	if code := s.closed(); code != coderws.StatusNormalClosure {
		t.Errorf("the socket was closed with %d", code)
	}
	text := ""
	for lines.Scan() {
		text += lines.Text() + "\n"
	}
	if !strings.HasSuffix(text, "event: complete\ndata:\n\n") {
		t.Errorf("the stream ended with %q", text)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(6 * time.Second):
		t.Error("the server does not end")
	}
}

// A stream ends with the session of its viewer, with events or without.
func TestStreamsEndWithTheSession(t *testing.T) {
	t.Parallel()
	for name, keepAlive := range map[string]time.Duration{"without an event": 10 * time.Millisecond, "at the next event": time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended := new(atomic.Bool)
			e := setup(t, func(c *gateway.Config, d *gateway.Deps) {
				c.KeepAlive, d.Authenticator = keepAlive, tokens{ended: ended}
			})
			s := e.dial(t, `{"accessToken":"customer"}`)
			s.read()
			s.subscribe("1", follow)
			e.send(t, "A-1")
			if m := s.next(); m.Type != "next" || !strings.Contains(string(m.Payload), `"A-1"`) {
				t.Errorf("got %s %s", m.Type, m.Payload)
			}
			ended.Store(true)
			if keepAlive == time.Minute {
				e.send(t, "A-2")
			}
			if m := s.next(); !strings.Contains(string(m.Payload), "UNAUTHENTICATED") || strings.Contains(string(m.Payload), "A-2") {
				t.Errorf("got %s %s", m.Type, m.Payload)
			}
			if m := s.next(); m.Type != "complete" {
				t.Errorf("got %s %s", m.Type, m.Payload)
			}
		})
	}
}

// next reads what is no ping, and answers those that are.
func (s *socket) next() message {
	s.t.Helper()
	for {
		m := s.read()
		if m.Type != "ping" {
			return m
		}
		s.write(message{Type: "pong"})
	}
}

// Who opens a connection and does not say who they are does not keep it.
func TestWebSocketInitialization(t *testing.T) {
	t.Parallel()
	e := setup(t, func(c *gateway.Config, _ *gateway.Deps) { c.InitTimeout = 100 * time.Millisecond })
	for first, want := range map[string]coderws.StatusCode{
		``: 4408, `{"type":"ping"}`: 1002, `{"type":"connection_init","payload":7}`: -1, `nonsense`: 1002,
	} {
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			conn, _, err := coderws.Dial(t.Context(), "ws"+strings.TrimPrefix(e.URL, "http")+"/graphql",
				&coderws.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.CloseNow() })
			if first != "" {
				if err := conn.Write(t.Context(), coderws.MessageText, []byte(first)); err != nil {
					t.Fatal(err)
				}
			}
			if got := (&socket{conn, t}).closed(); got != want {
				t.Errorf("closed with %d, want %d", got, want)
			}
		})
	}
}
