package e2e

import (
	"context"
	"encoding/json"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/platform/telemetry"
)

// A gate stops a process behind its nth call to a server.
type gate struct {
	left    atomic.Int64
	reached chan struct{}
	opened  chan struct{}
}

// arm stops the process at the nth call from now.
func (g *gate) arm(n int64) {
	g.reached, g.opened = make(chan struct{}), make(chan struct{})
	g.left.Store(n)
}

func (g *gate) called(telemetry.Backend, string) {
	if g.left.Add(-1) == 0 {
		reached, opened := g.reached, g.opened
		close(reached)
		<-opened
	}
}

// An outpost is a second process of a shop that only answers requests, can be stopped between any two calls to a server, and
// can be cut off from all of them as if it were killed.
type outpost struct {
	*shop
	gate  *gate
	lines []*cable
}

func newOutpost(t *testing.T, s *shop) *outpost {
	t.Helper()
	o, c := &outpost{gate: &gate{}}, s.config
	for _, server := range []*string{&c.PostgresURL, &c.MongoURL} {
		line, address := lay(t, *server)
		o.lines, *server = append(o.lines, line), address
	}
	c.LogLevel = "error"
	a, err := app.New(t.Context(), c, app.Options{Log: testLog{t}, Called: o.gate.called})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx, app.Parts{API: l}) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		closing, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := a.Close(closing); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	o.shop = &shop{App: a, t: t, config: c, url: "http://" + l.Addr().String()}
	return o
}

// A call that is stopped, or whose process is killed, at any point between taking its key and answering: another call with
// the key replays its answer or is told to ask again, and what was asked for happens once.
func TestAKeyInFlight(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"orderPlace", "cartLinesAdd", "orderCancel", "promotionCreate", "inventoryAdjust", "productCreate"} {
		for _, killed := range []bool{false, true} {
			if killed && name != "orderPlace" && name != "productCreate" {
				continue // what is one transaction ends with its connection
			}
			t.Run(name+map[bool]string{false: " stopped", true: " killed"}[killed], func(t *testing.T) {
				t.Parallel()
				s := setup(t, func(c *app.Config) { c.IdempotencyLease = time.Second; c.LogLevel = "error" })
				o, refused := newOutpost(t, s), 0
				for point := int64(1); ; point++ {
					busy, more := o.tryAt(t, point, killed, repeatables[name](s.within(t)))
					if refused += busy; !more {
						break
					}
				}
				if refused == 0 {
					t.Error("no call is told that its key is in flight")
				}
			})
		}
	}
}

// tryAt makes a call at the outpost that stops at a point, and others with its key elsewhere. It tells whether they were told
// to ask again, and whether the call has such a point.
func (o *outpost) tryAt(t *testing.T, point int64, killed bool, r repeatable) (busy int, more bool) {
	t.Helper()
	input, first := with(r.input, vars{"idempotencyKey": uuid.NewString()}), r
	first.by = &client{s: o.shop, token: r.by.token, userID: r.by.userID}
	first.by.must(&struct{}{}, `{ me { id } categories { id } }`, nil) // the outpost knows the session
	type outcome struct {
		shown, codes string
		err          error
	}
	ended := make(chan outcome, 1)
	o.gate.arm(point)
	go func() {
		shown, codes, err := first.call(input)
		ended <- outcome{shown, codes, err}
	}()
	select {
	case <-o.gate.reached:
	case got := <-ended:
		o.gate.left.Store(0)
		if got.err != nil || got.codes != "" {
			t.Fatalf("it answers %+v", got)
		}
		return 0, false
	}
	if killed {
		for _, line := range o.lines {
			line.cut()
		}
	}
	second, codes, err := r.call(input)
	switch {
	case err != nil:
		t.Fatalf("point %d: %v", point, err)
	case codes == "IN_FLIGHT":
		busy = 1
		if wait := r.wait(t, input); wait != 1 && !killed {
			t.Errorf("point %d: it is to be asked again after %d s", point, wait)
		}
	case codes != "":
		t.Fatalf("point %d: a second call answers %s %s", point, second, codes)
	}
	close(o.gate.opened)
	one := <-ended
	if killed {
		for _, line := range o.lines {
			line.mend()
		}
		eventually(t, "the outpost works again", func() bool {
			return len(first.by.do(`{ me { id } categories { id } cart { id } }`, nil).Errors) == 0
		})
	} else if one.err != nil || one.codes != "" && one.codes != "IN_FLIGHT" {
		t.Errorf("point %d: the first call answers %+v", point, one)
	}
	last, codes, err := r.patiently(input)
	if err != nil || codes != "" {
		t.Fatalf("point %d: afterwards it answers %s %s %v", point, last, codes, err)
	}
	effect := r.effect()
	for what, shown := range map[string]string{"the first": one.shown, "the second": second} {
		answered := one.err == nil && one.codes == ""
		if what == "the second" {
			answered = busy == 0
		}
		if answered && shown != last {
			t.Errorf("point %d: %s call answers %s, and the last %s", point, what, shown, last)
		}
	}
	if again, codes, replayed, err := r.ask(input); again != last || codes != "" || !replayed || err != nil || r.effect() != effect {
		t.Errorf("point %d: a repeat answers %s %s %t %v", point, again, codes, replayed, err)
	}
	return busy, true
}

// wait gives after how many seconds a call with a key in flight is to be made again; 0 where it is answered by now.
func (r repeatable) wait(t *testing.T, input vars) int {
	t.Helper()
	a := r.by.do(`mutation($input: `+r.kind()+`!) { answer: `+r.mutation+`(input: $input) { userErrors { field ... on InFlightError { retryAfter } } } }`, vars{"input": input})
	var out struct {
		Answer struct {
			UserErrors []struct {
				Field      []string
				RetryAfter int
			}
		}
	}
	if err := json.Unmarshal(a.Data, &out); err != nil {
		t.Fatal(err)
	}
	if len(out.Answer.UserErrors) == 0 {
		return 0
	}
	return out.Answer.UserErrors[0].RetryAfter
}
