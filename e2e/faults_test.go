package e2e

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/services/users"
)

// breakerOpen tells whether the metrics say that calls to a server are refused.
func (s *shop) breakerOpen(server string) bool {
	return regexp.MustCompile(`breaker_state\{server="`+server+`"\} [12]`).MatchString(s.page("/metrics")) &&
		strings.Contains(s.page("/metrics"), `calls_rejected_total{reason="open",server="`+server+`"}`)
}

// Without the catalogue customers read their orders: what the catalogue would say of them is null, with a code.
func TestOrdersWithoutTheCatalogue(t *testing.T) {
	t.Parallel()
	const orders = `{ me { orders { nodes { number lines { title quantity product { title } } } } } }`
	for _, tt := range []struct {
		name string
		fail func(*cable)
	}{{"cut", (*cable).cut}, {"mute", (*cable).mute}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var line *cable
			s := setup(t, func(c *app.Config) {
				line, c.MongoURL = lay(t, c.MongoURL)
				c.OperationTimeout, c.LogLevel = 4*time.Second, "error"
			})
			ada, staff := s.as(users.Customer), s.as(users.Admin)
			id := ada.buy(s.unique(1).variantID, 1, "tok_visa")
			eventually(t, "the order is confirmed", func() bool { return staff.orderStatus(id) == "CONFIRMED" })
			tt.fail(line)
			eventually(t, "calls are refused", func() bool {
				var all sync.WaitGroup // each waits for an answer that does not come
				for range 6 {
					all.Go(func() { _, _ = ada.post(orders, nil) })
				}
				all.Wait()
				return s.breakerOpen("mongodb")
			})
			eventually(t, "what is refused costs no time", func() bool {
				began := time.Now()
				a := ada.do(orders, nil)
				text := string(a.Data)
				if !strings.Contains(text, `"quantity":1`) || !strings.Contains(text, `"product":null`) {
					return false
				}
				if code := a.code(); code != "UNAVAILABLE" && code != "TIMEOUT" {
					t.Errorf("the missing product has the code %s: %+v", code, a.Errors)
				}
				if found := leaks.FindString(text); found != "" {
					t.Errorf("the answer says %q: %s", found, text)
				}
				return time.Since(began) < time.Second && a.code() == "UNAVAILABLE"
			})
			if page := s.page("/readyz"); !strings.Contains(page, `"mongodb":{"status":"unavailable"`) {
				t.Errorf("it says that it is ready: %s", page)
			}
		})
	}
}

// A token of a session that was ended is refused while Redis is away, too: the store is asked.
func TestRevocationWithoutRedis(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		fail func(*cable)
	}{{"cut", (*cable).cut}, {"mute", (*cable).mute}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var line *cable
			s := setup(t, func(c *app.Config) {
				line, c.RedisURL = lay(t, c.RedisURL)
				c.LogLevel = "error"
			})
			ada := s.as(users.Admin)
			const me = `{ me { id } products(first: 1) { nodes { id } } }`
			if a := ada.do(me, nil); len(a.Errors) > 0 {
				t.Fatalf("%+v", a.Errors)
			}
			tt.fail(line)
			eventually(t, "calls are refused", func() bool {
				if a := ada.do(me, nil); len(a.Errors) > 0 {
					t.Fatalf("without Redis: %+v", a.Errors)
				}
				return s.breakerOpen("redis")
			})
			s.confirmed(ada, 1)
			if a := ada.do(`mutation { sessionRevokeAll(input: {keepCurrent: false}) { userErrors { code } } }`, nil); len(a.Errors) > 0 {
				t.Fatalf("%+v", a.Errors)
			}
			if a := ada.do(me, nil); a.code() != "UNAUTHENTICATED" {
				t.Errorf("a token of an ended session is answered %d %s %+v", a.Status, a.Data, a.Errors)
			}
		})
	}
}

// A worker that starts while a server is away waits for it.
func TestWorkerWaitsForServers(t *testing.T) {
	t.Parallel()
	c := config(t)
	first := open(t, c)
	if err := first.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	first.run(false)
	customer := first.as(users.Admin)
	for _, server := range []*string{&c.PostgresURL, &c.RedisURL, &c.RabbitURL} {
		late := c
		line, address := lay(t, *server)
		switch server {
		case &c.PostgresURL:
			late.PostgresURL = address
		case &c.RedisURL:
			late.RedisURL = address
		default:
			late.RabbitURL = address
		}
		line.cut()
		waiting := &waitLog{testLog: testLog{t}, waits: make(chan struct{}, 1)}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		status, err := app.Listen(ctx, "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			a, err := app.New(ctx, late, app.Options{Log: waiting, Wait: true})
			if err == nil {
				err = a.Run(ctx, app.Parts{Worker: true, Status: status})
				closing, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				defer cancel()
				_ = a.Close(closing)
			}
			ended <- err
		}()
		select {
		case <-waiting.waits:
		case err := <-ended:
			t.Fatalf("it does not wait: %v", err)
		case <-time.After(time.Minute):
			t.Fatal("it does not say that it waits")
		}
		line.mend()
		first.confirmed(customer, 1)
		tellsHowItIs(t, "http://"+status.Addr().String())
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the worker ended with %v", err)
		}
	}
}

// tellsHowItIs expects that a worker tells its state, with the breakers before its servers, and answers nothing else.
func tellsHowItIs(t *testing.T, worker string) {
	t.Helper()
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/readyz": {http.StatusOK, "rabbitmq"}, "/metrics": {http.StatusOK, `breaker_state{server="rabbitmq"`}, "/graphql": {http.StatusNotFound, "NOT_FOUND"},
	} {
		resp, err := http.Get(worker + path)
		if err != nil {
			t.Error(err)
			continue
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != want.status || !strings.Contains(string(text), want.text) {
			t.Errorf("%s of a worker: status %d, %v, without %q", path, resp.StatusCode, err, want.text)
		}
	}
}

// waitLog tells when the program says that it waits.
type waitLog struct {
	testLog
	waits chan struct{}
}

// Write looks at one line.
func (l *waitLog) Write(b []byte) (int, error) {
	if strings.Contains(string(b), "a server is away") {
		select {
		case l.waits <- struct{}{}:
		default:
		}
	}
	return l.testLog.Write(b)
}
