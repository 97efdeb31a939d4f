package gateway_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/techmart/techmart/gateway"
	"github.com/techmart/techmart/graph/model"
)

const tokenHeader = "X-GraphQL-Event-Stream-Token"

// reserve makes a shared stream and gives its token.
func (e *edge) reserve(t *testing.T, headers ...string) string {
	t.Helper()
	a := e.do(t, http.MethodPut, "/graphql", "", headers...)
	if a.status != http.StatusCreated || len(a.text) != 43 || a.header.Get("Content-Type") != "text/plain; charset=utf-8" || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("reservation: %d %s %q", a.status, a.header, a.text)
	}
	return a.text
}

// listen opens a shared stream as EventSource does: by the address only.
func (e *edge) listen(t *testing.T, token string, headers ...string) *bufio.Scanner {
	t.Helper()
	lines := e.open(t, http.MethodGet, "/graphql?token="+token, "", headers...)
	if got := block(t, lines); got != ":" {
		t.Errorf("first block %q", got)
	}
	return lines
}

// ask runs an operation on a shared stream.
func (e *edge) ask(t *testing.T, token, id, query string, headers ...string) answer {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "extensions": map[string]any{"operationId": id}})
	if err != nil {
		t.Fatal(err)
	}
	return e.do(t, http.MethodPost, "/graphql", string(body),
		append([]string{"Content-Type", "application/json", "Accept", "application/graphql-response+json", tokenHeader, token}, headers...)...)
}

func accepted(t *testing.T, a answer) {
	t.Helper()
	if a.status != http.StatusAccepted || a.text != "" {
		t.Fatalf("answered with %d %q", a.status, a.text)
	}
}

func TestSharedStream(t *testing.T) {
	t.Parallel()
	e := setup(t)
	token := e.reserve(t)
	accepted(t, e.ask(t, token, "early", `{ __typename }`)) // before there is a reader
	lines := e.listen(t, token)
	if got := block(t, lines); got != `event: next`+"\n"+`data: {"id":"early","payload":{"data":{"__typename":"Query"}`+rest(got) {
		t.Errorf("got %q", got)
	}
	if got := block(t, lines); got != "event: complete\ndata: {\"id\":\"early\"}" {
		t.Errorf("got %q", got)
	}
	accepted(t, e.ask(t, token, "1", follow))
	e.send(t, "A-1")
	if got := block(t, lines); !strings.HasPrefix(got, "event: next\ndata: {\"id\":\"1\",\"payload\":{\"data\":{\"stockChanged\":{\"sku\":\"A-1\"}}") {
		t.Errorf("got %q", got)
	}
	if a := e.ask(t, token, "1", follow); a.status != http.StatusConflict || a.code() != "CONFLICT" {
		t.Errorf("the same id twice: %d %s", a.status, a.text)
	}
	if a := e.do(t, http.MethodDelete, "/graphql?operationId=1", "", tokenHeader, token); a.status != http.StatusOK || a.text != "" {
		t.Errorf("completing: %d %q", a.status, a.text)
	}
	if a := e.do(t, http.MethodDelete, "/graphql?operationId=1&token="+token, ""); a.status != http.StatusOK {
		t.Errorf("completing again: %d %q", a.status, a.text)
	}
	accepted(t, e.ask(t, token, "1", `mutation { cartLinesAdd(input: {lines: []}) { userErrors { code } } }`))
	if got := block(t, lines); !strings.Contains(got, `"id":"1"`) || !strings.Contains(got, "cartLinesAdd") {
		t.Errorf("got %q", got)
	}
	if got := block(t, lines); got != "event: complete\ndata: {\"id\":\"1\"}" {
		t.Errorf("got %q", got)
	}
	accepted(t, e.do(t, http.MethodGet, "/graphql?query=%7B__typename%7D&extensions=%7B%22operationId%22:%222%22%7D", "", tokenHeader, token))
	if got := block(t, lines); !strings.Contains(got, `"id":"2"`) {
		t.Errorf("got %q", got)
	}
}

// rest is what follows the data of a response: its extensions.
func rest(block string) string {
	_, after, _ := strings.Cut(block, `{"__typename":"Query"}`)
	return after
}

// What is no operation is answered at once, as without a stream.
func TestSharedStreamRefusals(t *testing.T) {
	t.Parallel()
	e := setup(t)
	token := e.reserve(t)
	json := []string{"Content-Type", "application/json", "Accept", "application/graphql-response+json", tokenHeader, token}
	for name, tt := range map[string]struct {
		got    answer
		status int
		code   string
	}{
		"validation":            {e.ask(t, token, "1", `{ nonsense }`), 400, "GRAPHQL_VALIDATION_FAILED"},
		"cost":                  {e.ask(t, token, "1", `{ categories { children { children { children { children { children { id } } } } } } }`), 400, "COST_LIMIT_EXCEEDED"},
		"no id":                 {e.do(t, http.MethodPost, "/graphql", `{"query":"{ __typename }"}`, json...), 400, "BAD_REQUEST"},
		"an id of another type": {e.do(t, http.MethodPost, "/graphql", `{"query":"{ __typename }","extensions":{"operationId":1}}`, json...), 400, "BAD_REQUEST"},
		"broken body":           {e.do(t, http.MethodPost, "/graphql", `{"marker`, json...), 400, "BAD_REQUEST"},
		"unknown token":         {e.ask(t, "nobody", "1", `{ __typename }`), 404, "NOT_FOUND"},
		"token of nobody":       {e.do(t, http.MethodGet, "/graphql?token=nobody", "", "Accept", "text/event-stream"), 404, "NOT_FOUND"},
		"complete without id":   {e.do(t, http.MethodDelete, "/graphql?token="+token, ""), 400, "BAD_REQUEST"},
		"complete for nobody":   {e.do(t, http.MethodDelete, "/graphql?operationId=1", ""), 404, "NOT_FOUND"},
		"mutation by GET":       {e.do(t, http.MethodGet, "/graphql?query=mutation%7BcartLinesAdd(input:%7Blines:%5B%5D%7D)%7BuserErrors%7Bcode%7D%7D%7D&extensions=%7B%22operationId%22:%222%22%7D", "", tokenHeader, token), 405, "BAD_REQUEST"},
		"bad credentials":       {e.do(t, http.MethodPut, "/graphql", "", "Authorization", "Bearer stolen"), 401, "UNAUTHENTICATED"},
	} {
		if tt.got.status != tt.status || tt.got.code() != tt.code || strings.Contains(tt.got.text, "marker") {
			t.Errorf("%s: %d %s, want %d %s", name, tt.got.status, tt.got.text, tt.status, tt.code)
		}
	}
	e.listen(t, token)
	if a := e.do(t, http.MethodGet, "/graphql?token="+token, "", "Accept", "text/event-stream"); a.status != http.StatusConflict {
		t.Errorf("a second reader: %d %s", a.status, a.text)
	}
}

// A stream is its owner's: nobody else runs operations on it, completes them, or reads them by name.
func TestSharedStreamIsItsOwners(t *testing.T) {
	t.Parallel()
	e := setup(t)
	own, other := []string{"Authorization", "Bearer customer"}, []string{"Authorization", "Bearer staff"}
	token := e.reserve(t, own...)
	for name, a := range map[string]answer{
		"an operation":            e.ask(t, token, "1", `{ me { id } }`, other...),
		"an anonymous operation":  e.ask(t, token, "1", `{ me { id } }`),
		"a completion":            e.do(t, http.MethodDelete, "/graphql?operationId=1&token="+token, "", other...),
		"an anonymous completion": e.do(t, http.MethodDelete, "/graphql?operationId=1&token="+token, ""),
		"a reader with a name":    e.do(t, http.MethodGet, "/graphql?token="+token, "", append([]string{"Accept", "text/event-stream"}, other...)...),
		"on an anonymous stream":  e.ask(t, e.reserve(t), "1", `{ me { id } }`, own...),
	} {
		if a.status != http.StatusNotFound || a.code() != "NOT_FOUND" {
			t.Errorf("%s: %d %s", name, a.status, a.text)
		}
	}
	lines := e.listen(t, token)
	accepted(t, e.ask(t, token, "1", `{ me { id } }`, own...))
	if got := block(t, lines); !strings.Contains(got, customer.UserID.String()) {
		t.Errorf("got %q", got)
	}
}

// A reservation that nobody takes up expires, and a stream goes with its reader. Their places are free
// again.
func TestSharedStreamEnds(t *testing.T) {
	t.Parallel()
	for name, reservation := range map[string]time.Duration{"unread": 50 * time.Millisecond, "read": time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := setup(t, streamLimits(gateway.StreamLimits{Reservation: reservation, PerAddress: 1}))
			token := e.reserve(t)
			if name == "read" {
				ctx, leave := reading(t)
				e.openIn(ctx, t, http.MethodGet, "/graphql?token="+token, "")
				accepted(t, e.ask(t, token, "1", follow))
				e.send(t, "A-1")
				leave()
			}
			eventually(t, "the stream is gone", func() bool {
				return e.ask(t, token, "1", `{ __typename }`).status == http.StatusNotFound
			})
			eventually(t, "its place is free", func() bool { return e.do(t, http.MethodPut, "/graphql", "").status == http.StatusCreated })
			select {
			case e.stock <- &model.ProductVariant{}:
				t.Error("somebody still follows")
			default:
			}
		})
	}
}

// Both kinds of streams end with the session, and with the token unless it is renewed.
func TestStreamsEndWithTheirAuthority(t *testing.T) {
	t.Parallel()
	ended := new(atomic.Bool)
	soon, later := time.Now().Add(time.Second), time.Now().Add(time.Hour)
	e := setup(t, func(c *gateway.Config, d *gateway.Deps) {
		c.KeepAlive = 20 * time.Millisecond
		d.Authenticator = dated{tokens: tokens{ended: ended}, ends: map[string]time.Time{"short": soon, "long": later}}
	})
	short, long := []string{"Authorization", "Bearer short"}, []string{"Authorization", "Bearer long"}
	lost, renewed := e.reserve(t, short...), e.reserve(t, short...)
	lostLines, renewedLines := e.listen(t, lost), e.listen(t, renewed)
	accepted(t, e.ask(t, lost, "a", follow, short...))
	accepted(t, e.ask(t, renewed, "b", follow, long...))
	distinct := e.open(t, http.MethodPost, "/graphql", `{"query":"subscription { stockChanged(variantId: \"var_1\") { sku } }"}`, append([]string{"Content-Type", "application/json"}, short...)...)
	for name, lines := range map[string]*bufio.Scanner{"shared": lostLines, "distinct": distinct} {
		if text := remaining(lines); !strings.Contains(text, "UNAUTHENTICATED") || !strings.Contains(text, "expired") || !strings.Contains(text, "event: complete\ndata:") {
			t.Errorf("%s ends with %q", name, text)
		}
	}
	ended.Store(true)
	// A sign of life may come before the stream is closed.
	if text := strings.ReplaceAll(remaining(renewedLines), ":\n\n", ""); !strings.Contains(text, "The session has ended") || !strings.HasSuffix(text, "event: complete\ndata: {\"id\":\"b\"}\n\n") {
		t.Errorf("the renewed one ends with %q", text)
	}
}
