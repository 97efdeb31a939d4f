package gateway_test

import (
	"bufio"
	"encoding/json"
	"net/http"
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
