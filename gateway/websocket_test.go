package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	coderws "github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/google/uuid"

	"github.com/techmart/techmart/gateway"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

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

// knock opens a connection without a word.
func (e *edge) knock(t *testing.T) *socket {
	t.Helper()
	conn, _, err := coderws.Dial(t.Context(), "ws"+strings.TrimPrefix(e.URL, "http")+"/graphql",
		&coderws.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(4 << 20)
	t.Cleanup(func() { _ = conn.CloseNow() })
	return &socket{conn, t}
}

// dial opens a connection and says who it is.
func (e *edge) dial(t *testing.T, payload string) *socket {
	t.Helper()
	s := e.knock(t)
	s.write(message{Type: "connection_init", Payload: json.RawMessage(payload)})
	return s
}

// connect is dial, acknowledged.
func (e *edge) connect(t *testing.T, payload string) *socket {
	t.Helper()
	s := e.dial(t, payload)
	s.expect("connection_ack", "")
	return s
}

func (s *socket) write(m message) {
	s.t.Helper()
	if err := wsjson.Write(s.t.Context(), s.Conn, m); err != nil {
		s.t.Fatal(err)
	}
}

// say writes a message as it is.
func (s *socket) say(text string) {
	s.t.Helper()
	if err := s.Write(s.t.Context(), coderws.MessageText, []byte(text)); err != nil {
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

// expect reads a message of the kind and id.
func (s *socket) expect(kind, id string) message {
	s.t.Helper()
	m := s.read()
	if m.Type != kind || m.ID != id {
		s.t.Fatalf("got %s %q %s, want %s %q", m.Type, m.ID, m.Payload, kind, id)
	}
	return m
}

// closed reads to the end, and gives the code and reason of the closing and the messages before it.
func (s *socket) closed() (coderws.StatusCode, string, []message) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	var before []message
	for {
		var m message
		err := wsjson.Read(ctx, s.Conn, &m)
		if err == nil {
			before = append(before, m)
			continue
		}
		if ctx.Err() != nil {
			s.t.Error("the connection stays open")
		}
		var end coderws.CloseError
		if errors.As(err, &end) {
			return end.Code, end.Reason, before
		}
		return -1, err.Error(), before
	}
}

// closes expects a closing with the code and reason, after nothing else.
func (s *socket) closes(code coderws.StatusCode, reason string) {
	s.t.Helper()
	got, why, before := s.closed()
	if got != code || why != reason || len(before) > 0 {
		s.t.Errorf("closed with %d %q after %+v, want %d %q", got, why, before, code, reason)
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
	s := e.connect(t, `{"authorization":"Bearer customer"}`)
	s.subscribe("1", `{ me { id } }`)
	if m := s.expect("next", "1"); !strings.Contains(string(m.Payload), customer.UserID.String()) {
		t.Errorf("got %s", m.Payload)
	}
	s.expect("complete", "1")
	s.subscribe("2", follow)
	e.send(t, "A-1")
	if m := s.expect("next", "2"); !strings.Contains(string(m.Payload), `"A-1"`) {
		t.Errorf("got %s", m.Payload)
	}
	s.subscribe("1", `mutation { cartLinesAdd(input: {lines: []}) { userErrors { code } } }`) // the id is free again
	s.expect("next", "1")
	s.expect("complete", "1")
	close(e.stock)
	s.expect("complete", "2")
	if err := s.Close(coderws.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
}

// What does not run is answered by error, and by nothing after it.
func TestWebSocketErrors(t *testing.T) {
	t.Parallel()
	e := setup(t)
	s := e.connect(t, `{}`)
	for query, code := range map[string]string{
		`{ categories { children { children { children { children { children { id } } } } } } }`: "COST_LIMIT_EXCEEDED",
		`{ nonsense }`: "GRAPHQL_VALIDATION_FAILED",
		`{ `:           "GRAPHQL_PARSE_FAILED",
		`subscription { stockChanged(variantId: "refused") { sku } }`: "NOT_FOUND",
	} {
		s.subscribe("1", query)
		var list []struct {
			Message    string
			Extensions struct{ Code string }
		}
		if err := json.Unmarshal(s.expect("error", "1").Payload, &list); err != nil || len(list) == 0 || list[0].Extensions.Code != code {
			t.Errorf("%s: %+v, %v", query, list, err)
		}
		s.write(message{Type: "ping"})
		s.expect("pong", "")
	}
	s.subscribe("1", `{ node(id: "panic") { id } }`)
	if m := s.expect("next", "1"); !strings.Contains(string(m.Payload), "INTERNAL") || strings.Contains(string(m.Payload), "secret") {
		t.Errorf("got %s", m.Payload)
	}
	s.expect("complete", "1")
}

func TestWebSocketPing(t *testing.T) {
	t.Parallel()
	s := setup(t).knock(t)
	s.say(`{"type":"ping"}`) // at any time
	if m := s.expect("pong", ""); m.Payload != nil {
		t.Errorf("payload %s", m.Payload)
	}
	s.say(`{"type":"ping","payload":{"n":1}}`)
	if m := s.expect("pong", ""); string(m.Payload) != `{"n":1}` {
		t.Errorf("payload %s", m.Payload)
	}
	s.say(`{"type":"pong"}`)
	s.say(`{"type":"ping","payload":{"authorization":"Bearer customer"}}`)
	if m := s.expect("pong", ""); m.Payload != nil {
		t.Errorf("a token is sent back: %s", m.Payload)
	}
}

// What a client completes is heard of no more, and its id is free.
func TestWebSocketComplete(t *testing.T) {
	t.Parallel()
	e := setup(t)
	s := e.connect(t, `{}`)
	s.subscribe("1", follow)
	e.send(t, "A-1")
	s.expect("next", "1")
	s.write(message{ID: "1", Type: "complete"})
	s.write(message{ID: "nobody knows", Type: "complete"})
	s.subscribe("1", `{ node(id: "slow") { id } }`)
	s.write(message{ID: "1", Type: "complete"}) // of a single result too
	s.subscribe("1", `{ __typename }`)
	if m := s.expect("next", "1"); !strings.Contains(string(m.Payload), `"Query"`) {
		t.Errorf("got %s", m.Payload)
	}
	s.expect("complete", "1")
	select {
	case e.stock <- &model.ProductVariant{}:
		t.Error("somebody still follows")
	default:
	}
}

// Each violation of the protocol has its code.
func TestWebSocketViolations(t *testing.T) {
	t.Parallel()
	e := setup(t)
	long := strings.Repeat("x", 200)
	subscribe := func(id string) string {
		return fmt.Sprintf(`{"type":"subscribe","id":%q,"payload":{"query":%q}}`, id, follow)
	}
	for name, tt := range map[string]struct {
		after  bool // connection_ack
		say    []string
		code   coderws.StatusCode
		reason string
	}{
		"no JSON":                 {false, []string{`nonsense`}, 4400, "Invalid message: not a JSON object"},
		"no object":               {false, []string{`7`}, 4400, "Invalid message: not a JSON object"},
		"no type":                 {false, []string{`{}`}, 4400, "Invalid message: no type"},
		"a type that is no text":  {false, []string{`{"type":1}`}, 4400, "Invalid message: no type"},
		"unknown type":            {false, []string{`{"type":"start"}`}, 4400, "Invalid message: unknown type"},
		"a type of the server":    {true, []string{`{"type":"next","id":"1","payload":{}}`}, 4400, "Invalid message: unknown type"},
		"init payload":            {false, []string{`{"type":"connection_init","payload":7}`}, 4400, "Invalid message: the payload is not an object"},
		"ping payload":            {true, []string{`{"type":"ping","payload":"x"}`}, 4400, "Invalid message: the payload is not an object"},
		"no id":                   {true, []string{`{"type":"subscribe","payload":{"query":"{ __typename }"}}`}, 4400, "Invalid message: the id is not a text of 1 to 256 bytes"},
		"empty id":                {true, []string{`{"type":"complete","id":""}`}, 4400, "Invalid message: the id is not a text of 1 to 256 bytes"},
		"id is a number":          {true, []string{`{"type":"complete","id":1}`}, 4400, "Invalid message: the id is not a text of 1 to 256 bytes"},
		"no payload":              {true, []string{`{"type":"subscribe","id":"1"}`}, 4400, "Invalid message: the payload is not an object"},
		"no query":                {true, []string{`{"type":"subscribe","id":"1","payload":{}}`}, 4400, "Invalid message: query is missing."},
		"query is a number":       {true, []string{`{"type":"subscribe","id":"1","payload":{"query":1}}`}, 4400, "Invalid message: query must be a string."},
		"before init":             {false, []string{subscribe("1")}, 4401, "Unauthorized"},
		"before init, completely": {false, []string{`{"type":"complete","id":"1"}`, subscribe("1")}, 4401, "Unauthorized"},
		"twice the id":            {true, []string{subscribe("1"), subscribe("1")}, 4409, "Subscriber for 1 already exists"},
		"twice a long id":         {true, []string{subscribe(long), subscribe(long)}, 4409, "Subscriber already exists"},
		"two inits":               {true, []string{`{"type":"connection_init"}`}, 4429, "Too many initialisation requests"},
		"too large":               {true, []string{`{"type":"ping","payload":{"x":"` + strings.Repeat("x", 20<<10) + `"}}`}, 1009, "read limited at 16385 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := e.knock(t)
			if tt.after {
				s.say(`{"type":"connection_init"}`)
				s.expect("connection_ack", "")
			}
			for _, text := range tt.say {
				s.say(text)
			}
			s.closes(tt.code, tt.reason)
		})
	}
	t.Run("binary", func(t *testing.T) {
		t.Parallel()
		s := e.knock(t)
		if err := s.Write(t.Context(), coderws.MessageBinary, []byte(`{"type":"ping"}`)); err != nil {
			t.Fatal(err)
		}
		s.closes(4400, "Invalid message: not a text")
	})
	t.Run("silence", func(t *testing.T) {
		t.Parallel()
		quick := setup(t, func(c *gateway.Config, _ *gateway.Deps) { c.InitTimeout = 50 * time.Millisecond })
		s := quick.knock(t)
		s.say(`{"type":"ping"}`)
		s.expect("pong", "")
		s.closes(4408, "Connection initialisation timeout")
	})
}

func TestWebSocketAuthentication(t *testing.T) {
	t.Parallel()
	e := setup(t, func(_ *gateway.Config, d *gateway.Deps) { d.Clients = apiClients{} })
	for payload, want := range map[string]coderws.StatusCode{
		`{}`:                                  0,
		`null`:                                0,
		`{"other":{"any":1}}`:                 0,
		`{"Authorization":"Bearer customer"}`: 0,
		`{"accessToken":"customer"}`:          0,
		`{"apiKey":"tm_good"}`:                0,
		`{"apiKey":"tm_stolen"}`:              4403,
		`{"accessToken":"stolen"}`:            4403,
		`{"accessToken":7}`:                   4403,
		`{"authorization":"customer"}`:        4403,
		`{"authorization":"Bearer stolen"}`:   4403,
		`{"authorization":"Bearer stolen","accessToken":"customer"}`: 4403,
		`{"authorization":"Bearer down"}`:                            1013,
	} {
		t.Run(payload, func(t *testing.T) {
			t.Parallel()
			s := e.dial(t, payload)
			if want == 0 {
				if m := s.expect("connection_ack", ""); m.Payload != nil {
					t.Errorf("payload %s", m.Payload)
				}
				return
			}
			if code, reason, before := s.closed(); code != want || len(before) > 0 || strings.Contains(reason, "stolen") {
				t.Errorf("closed with %d %q after %+v", code, reason, before)
			}
		})
	}
}

// apiClients knows one key.
type apiClients struct{ revoked *atomic.Bool }

func (apiClients) Client(_ context.Context, key string) (gateway.Client, error) {
	if key == "tm_good" {
		return gateway.Client{ID: uuid.MustParse("0190c5e0-0000-7000-8000-00000000000c")}, nil
	}
	return gateway.Client{}, errs.New(errs.Unauthenticated, "The API key is not valid.")
}

func (c apiClients) ClientActive(context.Context, gateway.Client) error {
	if c.revoked != nil && c.revoked.Load() {
		return errs.New(errs.Unauthenticated, "The API client is revoked.")
	}
	return nil
}

func TestWebSocketRefusals(t *testing.T) {
	t.Parallel()
	e := setup(t, func(c *gateway.Config, _ *gateway.Deps) { c.AllowedOrigins = []string{"https://shop.example"} })
	target := "ws" + strings.TrimPrefix(e.URL, "http") + "/graphql"
	ours := []string{"graphql-transport-ws"}
	for name, tt := range map[string]struct {
		options coderws.DialOptions
		status  int
	}{
		"old subprotocol":           {coderws.DialOptions{Subprotocols: []string{"graphql-ws"}}, 400},
		"no subprotocol":            {coderws.DialOptions{}, 400},
		"other origin":              {coderws.DialOptions{Subprotocols: ours, HTTPHeader: http.Header{"Origin": {"https://evil.example"}}}, 403},
		"no origin at all":          {coderws.DialOptions{Subprotocols: ours, HTTPHeader: http.Header{"Origin": {"null"}}}, 403},
		"an origin that ends alike": {coderws.DialOptions{Subprotocols: ours, HTTPHeader: http.Header{"Origin": {"https://evil-shop.example"}}}, 403},
		"another scheme":            {coderws.DialOptions{Subprotocols: ours, HTTPHeader: http.Header{"Origin": {"http://shop.example"}}}, 403},
		"an allowed origin":         {coderws.DialOptions{Subprotocols: ours, HTTPHeader: http.Header{"Origin": {"https://shop.example"}}}, 101},
		"an origin of ours":         {coderws.DialOptions{Subprotocols: ours, HTTPHeader: http.Header{"Origin": {e.URL}}}, 101},
		"both subprotocols":         {coderws.DialOptions{Subprotocols: []string{"graphql-ws", "graphql-transport-ws"}}, 101},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, resp, err := coderws.Dial(t.Context(), target, &tt.options)
			if err == nil {
				_ = conn.CloseNow()
			}
			if resp == nil || resp.StatusCode != tt.status {
				t.Errorf("answered with %+v, %v", resp, err)
			}
		})
	}
}

// dated gives tokens an end.
type dated struct {
	tokens
	ends map[string]time.Time
}

func (d dated) Authenticate(ctx context.Context, token string) (viewer.Viewer, error) {
	end, ok := d.ends[token]
	if !ok {
		return d.tokens.Authenticate(ctx, token)
	}
	v := customer
	v.ExpiresAt = end
	if token == "elsewhere" {
		v.SessionID = uuid.MustParse("0190c5e0-0000-7000-8000-00000000000e")
	}
	return v, nil
}

// A connection ends with its token, unless that is renewed.
func TestWebSocketExpiry(t *testing.T) {
	t.Parallel()
	soon, later := time.Now().Add(time.Second), time.Now().Add(time.Hour)
	e := setup(t, func(_ *gateway.Config, d *gateway.Deps) {
		d.Authenticator = dated{ends: map[string]time.Time{"short": soon, "long": later, "elsewhere": later}}
	})
	other := e.connect(t, `{"accessToken":"short"}`)
	other.say(`{"type":"ping","payload":{"accessToken":"elsewhere"}}`) // of another session
	other.closes(4403, "Forbidden")
	lost, kept, stolen := e.dial(t, `{"accessToken":"short"}`), e.dial(t, `{"accessToken":"short"}`), e.connect(t, `{"accessToken":"short"}`)
	if m := lost.expect("connection_ack", ""); string(m.Payload) != `{"expiresAt":"`+soon.UTC().Format(time.RFC3339)+`"}` {
		t.Errorf("got %s", m.Payload)
	}
	kept.expect("connection_ack", "")
	lost.subscribe("1", follow)
	kept.say(`{"type":"ping","payload":{"authorization":"Bearer long"}}`)
	if m := kept.expect("pong", ""); string(m.Payload) != `{"expiresAt":"`+later.UTC().Format(time.RFC3339)+`"}` {
		t.Errorf("got %s", m.Payload)
	}
	stolen.say(`{"type":"ping","payload":{"accessToken":"staff"}}`) // of somebody else
	stolen.closes(4403, "Forbidden")
	lost.closes(4403, "The access token has expired") // and not a word to the subscription: the client comes again
	kept.subscribe("1", `{ me { id } }`)
	if m := kept.expect("next", "1"); !strings.Contains(string(m.Payload), customer.UserID.String()) {
		t.Errorf("got %s", m.Payload)
	}
	kept.expect("complete", "1")
	kept.say(`{"type":"ping","payload":{"accessToken":"stolen"}}`)
	kept.closes(4403, "Forbidden")
}

// A connection ends with the session of its viewer, with events or without, and says so.
func TestWebSocketEndsWithTheSession(t *testing.T) {
	t.Parallel()
	for name, keepAlive := range map[string]time.Duration{"without an event": 10 * time.Millisecond, "at the next event": time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended := new(atomic.Bool)
			e := setup(t, func(c *gateway.Config, d *gateway.Deps) {
				c.KeepAlive, d.Authenticator = keepAlive, tokens{ended: ended}
			})
			s := e.connect(t, `{"accessToken":"customer"}`)
			s.subscribe("1", follow)
			e.send(t, "A-1")
			s.expect("next", "1")
			ended.Store(true)
			if keepAlive == time.Minute {
				e.send(t, "A-2")
			}
			code, reason, before := s.closed()
			if code != 4403 || reason != "The session has ended" || len(before) != 1 || before[0].Type != "error" || !strings.Contains(string(before[0].Payload), "UNAUTHENTICATED") {
				t.Errorf("closed with %d %q after %+v", code, reason, before)
			}
		})
	}
}

// That of an API client ends when the client is revoked.
func TestWebSocketEndsWithTheAPIClient(t *testing.T) {
	t.Parallel()
	revoked := new(atomic.Bool)
	e := setup(t, func(c *gateway.Config, d *gateway.Deps) {
		c.KeepAlive, d.Clients = 10*time.Millisecond, apiClients{revoked}
	})
	s := e.connect(t, `{"apiKey":"tm_good"}`)
	revoked.Store(true)
	s.closes(4403, "The session has ended")
}
