package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/users"
)

// sharedStream is graphql-sse in single connection mode: one event stream, and operations by requests
// of their own.
type sharedStream struct {
	c      *client
	token  string
	events chan sharedEvent // closed at the end of the stream
}

// sharedEvent is one of its events: the payload of a response, or none for the end of an operation.
type sharedEvent struct {
	ID      string
	Payload json.RawMessage
}

// sharedStream reserves a stream, and reads it by its address only, as EventSource does.
func (c *client) sharedStream() *sharedStream {
	t := c.s.t
	t.Helper()
	x := &sharedStream{c: c, events: make(chan sharedEvent, 100)}
	status, token := x.request(http.MethodPut, "", nil)
	if status != http.StatusCreated {
		t.Fatalf("the reservation is answered with %d %s", status, token)
	}
	x.token = token
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.s.url+"/graphql?token="+url.QueryEscape(token), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	t.Cleanup(func() { cancel(); <-over })
	go func() {
		defer close(over)
		defer close(x.events)
		defer resp.Body.Close() //nolint:errcheck // nothing is read any more
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				var e sharedEvent
				if json.Unmarshal([]byte(data), &e) != nil {
					return
				}
				x.events <- e
			}
		}
	}()
	return x
}

// request sends one of the stream's requests, and gives its answer.
func (x *sharedStream) request(method, query string, body []byte) (int, string) {
	t := x.c.s.t
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, x.c.s.url+"/graphql"+query, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/graphql-response+json")
	}
	if x.token != "" {
		req.Header.Set("X-GraphQL-Event-Stream-Token", x.token)
	}
	if x.c.token != "" {
		req.Header.Set("Authorization", "Bearer "+x.c.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() // it is read to its end
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// ask starts an operation, and expects the status.
func (x *sharedStream) ask(id, query string, variables vars, status int) {
	t := x.c.s.t
	t.Helper()
	body, err := json.Marshal(vars{"query": query, "variables": variables, "extensions": vars{"operationId": id}})
	if err != nil {
		t.Fatal(err)
	}
	if got, text := x.request(http.MethodPost, "", body); got != status {
		t.Errorf("%s is answered with %d %s, want %d", id, got, text, status)
	}
}

// drop completes an operation.
func (x *sharedStream) drop(id string) {
	t := x.c.s.t
	t.Helper()
	if got, text := x.request(http.MethodDelete, "?operationId="+id, nil); got != http.StatusOK {
		t.Errorf("completing is answered with %d %s", got, text)
	}
}

// next gives whose the next event is, and its payload; empty for the end of an operation.
func (x *sharedStream) next() (id, payload string) {
	t := x.c.s.t
	t.Helper()
	select {
	case e, more := <-x.events:
		if !more {
			t.Fatal("the stream has ended")
		}
		return e.ID, string(e.Payload)
	case <-time.After(patience):
		t.Fatal("nothing comes")
	}
	return "", ""
}

// over expects that the stream ends.
func (x *sharedStream) over() {
	t := x.c.s.t
	t.Helper()
	for deadline := time.After(patience); ; {
		select {
		case _, more := <-x.events:
			if !more {
				return
			}
		case <-deadline:
			t.Fatal("the stream does not end")
		}
	}
}

// A page follows several things over one event stream, each by a request of its own.
func TestSharedEventStream(t *testing.T) {
	t.Parallel()
	s := setup(t, func(c *app.Config) { c.KeepAlive = 200 * time.Millisecond })
	camera := s.product("Fjord Camera", "100.00", 100)
	customer, other := s.as(users.Customer), s.as(users.Customer)
	shared := customer.sharedStream()
	shared.ask("inbox", followInbox, nil, http.StatusAccepted)
	shared.ask("orders", followOrder, vars{}, http.StatusAccepted)
	shared.ask("stock", followStock, vars{"id": camera.variantID}, http.StatusAccepted)
	sig := s.signals()
	sig.listened("inbox:"+bare(t, model.PrefixUser, customer.userID), true)
	sig.listened("customer-orders:"+bare(t, model.PrefixUser, customer.userID), true)
	sig.listened("stock:"+bare(t, model.PrefixVariant, camera.variantID), true)
	customer.buy(camera.variantID, 1, "tok_visa")
	missing := map[string]string{"inbox": "ORDER_CONFIRMED", "orders": "CONFIRMED", "stock": "quantityAvailable"}
	for len(missing) > 0 {
		id, payload := shared.next()
		if want, ok := missing[id]; ok && strings.Contains(payload, want) {
			delete(missing, id)
		}
	}

	// It is its owner's, and ends one thing at a time.
	thief := *shared
	thief.c = other
	thief.ask("theft", `{ me { id } }`, nil, http.StatusNotFound)
	shared.ask("bad", `{ nonsense }`, nil, http.StatusBadRequest)
	shared.drop("stock")
	sig.listened("stock:"+bare(t, model.PrefixVariant, camera.variantID), false)

	// And with its session.
	customer.change("sessionRevokeAll", "SessionRevokeAllInput", vars{})
	running := map[string]bool{"inbox": true, "orders": true}
	for len(running) > 0 {
		if id, payload := shared.next(); strings.Contains(payload, "UNAUTHENTICATED") {
			delete(running, id)
		}
	}
	shared.over()
}
