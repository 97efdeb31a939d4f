package gateway_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/techmart/techmart/gateway"
	"github.com/techmart/techmart/graph/model"
)

const follow = `subscription { stockChanged(variantId: "var_1") { sku } }`

// send gives the subscription an event, once somebody follows.
func (e *edge) send(t *testing.T, sku string) {
	t.Helper()
	select {
	case e.stock <- &model.ProductVariant{Sku: sku}:
	case <-time.After(30 * time.Second):
		t.Fatal("nobody follows")
	}
}

// events opens the event stream of a query and gives its lines.
func (e *edge) events(t *testing.T, query string) *bufio.Scanner {
	t.Helper()
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		t.Fatal(err)
	}
	return e.open(t, http.MethodPost, "/graphql", string(body), "Content-Type", "application/json")
}

// open opens an event stream and gives its lines.
func (e *edge) open(t *testing.T, method, target, body string, headers ...string) *bufio.Scanner {
	t.Helper()
	return e.openIn(t.Context(), t, method, target, body, headers...)
}

func (e *edge) openIn(ctx context.Context, t *testing.T, method, target, body string, headers ...string) *bufio.Scanner {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, e.URL+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := e.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || got != "text/event-stream; charset=utf-8" {
		t.Fatalf("status %d, media type %q", resp.StatusCode, got)
	}
	return bufio.NewScanner(resp.Body)
}

// reading is the context of a reader, and how it leaves.
func reading(t *testing.T) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, cancel
}

// remaining reads a stream to its end.
func remaining(s *bufio.Scanner) string {
	var b strings.Builder
	for s.Scan() {
		b.WriteString(s.Text() + "\n")
	}
	return b.String()
}

// eventually asks again and again until done, for some seconds at most.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(10 * time.Second); !done(); <-ticker.C {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
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

// What is wrong with an operation is an event too, so that a browser can tell of it.
func TestEventStreamOfFaults(t *testing.T) {
	t.Parallel()
	e := setup(t)
	for query, code := range map[string]string{
		`{ nonsense }`: "GRAPHQL_VALIDATION_FAILED",
		`{ `:           "GRAPHQL_PARSE_FAILED",
		`subscription { stockChanged(variantId: "refused") { sku } }`:                            "NOT_FOUND",
		`{ categories { children { children { children { children { children { id } } } } } } }`: "COST_LIMIT_EXCEEDED",
	} {
		lines := e.events(t, query)
		block(t, lines)
		if got := block(t, lines); !strings.HasPrefix(got, `event: next`+"\n"+`data: {"errors":[`) || !strings.Contains(got, code) || strings.Contains(got, `"data":`) {
			t.Errorf("%s: %q", query, got)
		}
		if got := remaining(lines); got != "event: complete\ndata:\n\n" {
			t.Errorf("%s: end %q", query, got)
		}
	}
}

// By GET, as EventSource does.
func TestEventStreamByGet(t *testing.T) {
	t.Parallel()
	var e *edge
	for _, page := range [][]string{{"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "cross-site", "Origin", "https://shop.example"}} {
		e = setup(t, func(c *gateway.Config, _ *gateway.Deps) { c.AllowedOrigins = []string{"https://shop.example"} })
		lines := e.open(t, http.MethodGet, "/graphql?query="+url.QueryEscape(follow), "", page...)
		block(t, lines)
		e.send(t, "A-1")
		if got := block(t, lines); !strings.Contains(got, `"A-1"`) {
			t.Errorf("got %q", got)
		}
	}
	a := e.do(t, http.MethodGet, "/graphql?query="+url.QueryEscape(follow), "", "Accept", "text/event-stream", "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")
	if a.status != http.StatusBadRequest || a.code() != "CSRF" {
		t.Errorf("a page of another origin: %d %s", a.status, a.text)
	}
}

func TestEventStreamRefusals(t *testing.T) {
	t.Parallel()
	e := setup(t)
	stream := []string{"Accept", "text/event-stream", "Content-Type", "application/json"}
	for name, tt := range map[string]struct {
		got    answer
		status int
	}{
		"broken body":              {e.do(t, http.MethodPost, "/graphql", `{"query": "marker`, stream...), 400},
		"mutation by GET":          {e.do(t, http.MethodGet, "/graphql?query=mutation%7BcartLinesAdd(input:%7Blines:%5B%5D%7D)%7BuserErrors%7Bcode%7D%7D%7D", "", stream...), 405},
		"a page of another origin": {e.do(t, http.MethodGet, "/graphql?query=%7B__typename%7D", "", "Accept", "text/event-stream", "Sec-Fetch-Site", "cross-site"), 400},
		"a subscription as JSON":   {e.do(t, http.MethodPost, "/graphql", `{"query":"subscription { stockChanged(variantId: \"1\") { sku } }"}`, "Content-Type", "application/json"), 406},
		"a token that is not good": {e.do(t, http.MethodPost, "/graphql", `{"query":"{ __typename }"}`, append(stream, "Authorization", "Bearer stolen")...), 401},
	} {
		if tt.got.status != tt.status || tt.got.code() == "" || strings.Contains(tt.got.text, "marker") {
			t.Errorf("%s: %d %s, want %d", name, tt.got.status, tt.got.text, tt.status)
		}
	}
}
