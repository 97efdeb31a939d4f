package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	coderws "github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/techmart/techmart/platform/redis"
)

// within is the shop for a part of the test.
func (s *shop) within(t *testing.T) *shop {
	part := *s
	part.t = t
	return &part
}

// at is the client at another process, or in another part of the test.
func (c *client) at(s *shop) *client {
	other := *c
	other.s = s
	return &other
}

// pair is two processes on the same stores: one answers only, the other works too.
func pair(t *testing.T) (api, worker *shop) {
	t.Helper()
	c := config(t)
	c.KeepAlive = time.Hour // what these tests see comes from events
	api = open(t, c)
	if err := api.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	api.run(false)
	worker = open(t, c)
	worker.run(true)
	return api, worker
}

// A frame is one response of a subscription.
type frame struct {
	Data   json.RawMessage
	Errors []graphError
}

// code is that of the first error.
func (f frame) code() string { return answer{Errors: f.Errors}.code() }

// A stream is a running subscription.
type stream struct {
	t      *testing.T
	frames chan frame    // closed once the server has said that it is complete
	broken chan error    // what else ended it
	cancel func()        // ends it as a client does
	over   chan struct{} // closed when nothing is read any more
}

// patience bounds the wait for anything.
const patience = time.Minute

// next gives the next response.
func (s *stream) next() frame {
	s.t.Helper()
	select {
	case f, more := <-s.frames:
		if !more {
			s.t.Fatal("the stream is complete")
		}
		return f
	case err := <-s.broken:
		s.t.Fatalf("the stream broke: %v", err)
	case <-time.After(patience):
		s.t.Fatal("nothing comes")
	}
	return frame{}
}

// read reads the data of the next response, which has no error.
func (s *stream) read(into any) {
	s.t.Helper()
	f := s.next()
	if len(f.Errors) > 0 {
		s.t.Fatalf("errors: %+v", f.Errors)
	}
	if err := json.Unmarshal(f.Data, into); err != nil {
		s.t.Fatal(err)
	}
}

// refused expects an error without data, and then the end.
func (s *stream) refused(code string) {
	s.t.Helper()
	if f := s.next(); f.code() != code || len(f.Data) > 0 && string(f.Data) != "null" {
		s.t.Errorf("it answers %s, %+v", f.Data, f.Errors)
	}
	s.complete()
}

// complete expects that the server ends the stream without another response.
func (s *stream) complete() {
	s.t.Helper()
	select {
	case f, more := <-s.frames:
		if more {
			s.t.Errorf("instead of an end comes %s, %+v", f.Data, f.Errors)
		}
	case err := <-s.broken:
		s.t.Errorf("the stream broke: %v", err)
	case <-time.After(patience):
		s.t.Error("the stream does not end")
	}
}

// leave ends the stream from the client's side.
func (s *stream) leave() {
	s.t.Helper()
	s.cancel()
	select {
	case <-s.over:
	case <-time.After(patience):
		s.t.Error("the stream does not end")
	}
}

// transports are the two ways to subscribe.
var transports = map[string]func(*client, string, vars) *stream{"WebSocket": (*client).webSocket, "SSE": (*client).serverSentEvents}

func newStream(t *testing.T) (*stream, context.Context) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &stream{t: t, frames: make(chan frame, 100), broken: make(chan error, 1), over: make(chan struct{}), cancel: cancel}
	t.Cleanup(func() {
		cancel()
		<-s.over
	})
	return s, ctx
}

type wsMessage struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// dial opens a WebSocket without a word.
func (s *shop) dial(ctx context.Context) *coderws.Conn {
	s.t.Helper()
	conn, _, err := coderws.Dial(ctx, "ws"+strings.TrimPrefix(s.url, "http")+"/graphql",
		&coderws.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

// webSocket subscribes over graphql-transport-ws.
func (c *client) webSocket(query string, variables vars) *stream {
	t := c.s.t
	t.Helper()
	s, ctx := newStream(t)
	conn := c.s.dial(ctx)
	send := func(kind, id string, payload any) {
		t.Helper()
		text, err := json.Marshal(payload)
		if err == nil {
			err = wsjson.Write(ctx, conn, wsMessage{ID: id, Type: kind, Payload: text})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	hello := vars{}
	if c.token != "" {
		hello["authorization"] = "Bearer " + c.token
	}
	send("connection_init", "", hello)
	var ack wsMessage
	if err := wsjson.Read(ctx, conn, &ack); err != nil || ack.Type != "connection_ack" {
		t.Fatalf("no acknowledgement: %+v, %v", ack, err)
	}
	send("subscribe", "1", vars{"query": query, "variables": variables})
	cancel := s.cancel
	s.cancel = func() { send("complete", "1", nil); cancel() }
	go func() {
		defer close(s.over)
		for {
			var m wsMessage
			if err := wsjson.Read(ctx, conn, &m); err != nil {
				if ctx.Err() == nil {
					s.broken <- err
				}
				return
			}
			switch m.Type {
			case "next":
				var f frame
				if err := json.Unmarshal(m.Payload, &f); err != nil {
					s.broken <- err
					return
				}
				s.frames <- f
			case "error":
				var f frame
				if err := json.Unmarshal(m.Payload, &f.Errors); err != nil {
					s.broken <- err
					return
				}
				s.frames <- f
				close(s.frames) // the protocol's end too
				return
			case "complete":
				close(s.frames)
				return
			}
		}
	}()
	return s
}

// serverSentEvents subscribes over graphql-sse in distinct connections mode.
func (c *client) serverSentEvents(query string, variables vars) *stream {
	t := c.s.t
	t.Helper()
	s, ctx := newStream(t)
	body, err := json.Marshal(vars{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.s.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "text/event-stream")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.over)
		defer resp.Body.Close() //nolint:errcheck // nothing is read any more
		if err := s.events(bufio.NewScanner(resp.Body)); err != nil && ctx.Err() == nil {
			s.broken <- err
		}
	}()
	return s
}

// events reads server-sent events until the one that says complete.
func (s *stream) events(lines *bufio.Scanner) error {
	lines.Buffer(nil, 1<<20)
	kind := ""
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case name == "event":
			kind = value
		case name == "data" && kind == "complete":
			close(s.frames)
			return nil
		case name == "data":
			var f frame
			if err := json.Unmarshal([]byte(value), &f); err != nil {
				return err
			}
			s.frames <- f
		}
	}
	return errors.Join(lines.Err(), errors.New("the connection ended without complete"))
}

// signals speaks to the channels that subscriptions listen to.
type signals struct {
	s      *shop
	client *redis.Client
}

func (s *shop) signals() signals {
	s.t.Helper()
	client, err := redis.Open(s.t.Context(), redis.Config{URL: s.config.RedisURL, Prefix: s.config.RedisPrefix})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = client.Close() })
	return signals{s, client}
}

// listened waits until somebody listens to a channel, or nobody any more.
func (x signals) listened(channel string, want bool) {
	x.s.t.Helper()
	key := x.client.Key(channel)
	eventually(x.s.t, "listening to "+channel, func() bool {
		n, err := x.client.PubSubNumSub(x.s.t.Context(), key).Result()
		if err != nil {
			x.s.t.Fatal(err)
		}
		return n[key] > 0 == want
	})
}

// send publishes to a channel.
func (x signals) send(channel, payload string) {
	x.s.t.Helper()
	if err := x.client.Publish(x.s.t.Context(), x.client.Key(channel), payload).Err(); err != nil {
		x.s.t.Fatal(err)
	}
}
