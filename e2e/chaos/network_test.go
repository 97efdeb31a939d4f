package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/techmart/techmart/services/users"
)

// wire is the network between the program and a server.
type wire struct {
	name  string
	proxy *toxiproxy.Proxy
}

// wires lays proxies between a program and its servers: the settings have their addresses then.
func wires(t *testing.T, direct settings) (settings, []*wire) {
	t.Helper()
	through := make(settings, len(direct))
	for name, value := range direct {
		through[name] = value
	}
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	var all []*wire
	for _, name := range []string{"POSTGRES_URL", "MONGODB_URL", "REDIS_URL", "RABBITMQ_URL"} {
		before, after, host := address(t, direct[name])
		p := toxiproxy.NewProxy(server, name, "127.0.0.1:0", host)
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Stop)
		through[name] = before + p.Listen + after
		all = append(all, &wire{name: strings.ToLower(strings.TrimSuffix(name, "_URL")), proxy: p})
	}
	return through, all
}

// address gives what is before and after the host in a URL, and the host as TCP reaches it.
func address(t *testing.T, server string) (before, after, host string) {
	// The host of MongoDB's URL can be a path, which net/url does not read.
	scheme, rest, _ := strings.Cut(server, "://")
	authority, path, _ := strings.Cut(rest, "/")
	before, host = scheme+"://", authority
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		before, host = before+authority[:at+1], authority[at+1:]
	}
	if socket, err := url.PathUnescape(host); err == nil && strings.HasPrefix(socket, "/") {
		host = bridge(t, socket)
	}
	return before, "/" + path, host
}

// bridge makes a Unix socket reachable by TCP, as toxiproxy speaks nothing else, and gives the address.
func bridge(t *testing.T, socket string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // its connections end with those who use them
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("unix", socket)
			if err != nil {
				_ = near.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
				go func() {
					_, _ = io.Copy(way[0], way[1])
					_, _ = near.Close(), far.Close()
				}()
			}
		}
	}()
	return l.Addr().String()
}

// A fault is what can happen to a wire.
type fault struct {
	name   string
	toxics []string // as toxiproxy reads them; none for a cut
}

var faults = []fault{
	{name: "cut"},
	{name: "slow", toxics: []string{`{"type": "latency", "attributes": {"latency": 200, "jitter": 200}}`}},
	{name: "reset", toxics: []string{`{"type": "reset_peer", "attributes": {"timeout": 50}}`}},
	{name: "half-open", toxics: []string{`{"type": "timeout", "attributes": {"timeout": 0}}`}},
	{name: "half-open upstream", toxics: []string{`{"type": "timeout", "stream": "upstream", "attributes": {"timeout": 0}}`}},
	{name: "narrow", toxics: []string{`{"type": "bandwidth", "attributes": {"rate": 8}}`, `{"type": "bandwidth", "stream": "upstream", "attributes": {"rate": 8}}`}},
}

// suffer makes the fault happen to the wire for a time.
func (w *wire) suffer(ctx context.Context, f fault, lasts time.Duration) error {
	if f.toxics == nil {
		w.proxy.Stop()
		wait(ctx, lasts)
		return w.proxy.Start()
	}
	for _, toxic := range f.toxics {
		if _, err := w.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			return err
		}
	}
	wait(ctx, lasts)
	w.proxy.Toxics.ResetToxics(context.WithoutCancel(ctx))
	return nil
}

// wait waits, as a fault or load lasts for a time.
func wait(ctx context.Context, lasts time.Duration) {
	timer := time.NewTimer(lasts)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// load is customers who order, cancel, are sent and are paid back, until it is stopped.
type load struct {
	s        *shop
	variants []string
	staff    *client
	sends    bool // every order that nobody cancels, so that stock holds no more and more of them

	mu       sync.Mutex
	accepted []uuid.UUID
	placing  []time.Duration // what orderPlace took, of the orders since paces was called
	failures int
	last     error
}

// start lets so many customers come, and gives what sends them away.
func (l *load) start(customers int, random *rand.Rand) (stop func()) {
	ctx, cancel := context.WithCancel(l.s.t.Context())
	var all sync.WaitGroup
	for range customers {
		c := l.s.as(users.Customer)
		chance := rand.New(rand.NewPCG(random.Uint64(), 0))
		all.Go(func() {
			for ctx.Err() == nil {
				l.customer(ctx, c, chance)
			}
		})
	}
	return func() { cancel(); all.Wait() }
}

var tokens = []string{"tok_visa", "tok_visa", "tok_visa", "tok_mastercard", "tok_declined", "tok_retry_once"}

// customer orders once, as often as it takes: every attempt under the same key, so that one order comes of it. Sometimes the order
// is then cancelled, sent, or paid back.
func (l *load) customer(ctx context.Context, c *client, chance *rand.Rand) {
	key, variant := uuid.NewString(), l.variants[chance.IntN(len(l.variants))]
	token, pieces := tokens[chance.IntN(len(tokens))], 1+chance.IntN(2)
	var id uuid.UUID
	for try := 0; ; try++ {
		err := c.add(variant, pieces, key)
		began := time.Now()
		if err == nil {
			id, err = c.place(token, key)
		}
		if err == nil {
			l.accept(id, time.Since(began))
			break
		}
		l.fail(err)
		var no refusal
		refused := errors.As(err, &no) && no.Code != "UNAVAILABLE"
		if refused {
			c.empty() // of what cannot be had
		}
		if ctx.Err() != nil || try > 20 || refused {
			return
		}
		wait(ctx, 50*time.Millisecond)
	}
	var err error
	switch n := chance.IntN(6); {
	case n == 0:
		err = c.cancel(id)
	case l.sends:
		if err = l.send(ctx, id); err == nil && n == 1 {
			err = l.staff.refund(id)
		}
	case n == 1:
		err = l.staff.fulfill(id)
	case n == 2:
		wait(ctx, 200*time.Millisecond)
		if err = l.staff.fulfill(id); err == nil {
			wait(ctx, 200*time.Millisecond)
			err = l.staff.refund(id)
		}
	}
	if err != nil {
		l.fail(err)
	}
}

// send sends an order once it is confirmed; one that comes to nothing is left.
func (l *load) send(ctx context.Context, id uuid.UUID) (err error) {
	for range 5 {
		wait(ctx, 100*time.Millisecond)
		if err = l.staff.fulfill(id); err == nil || ctx.Err() != nil {
			return nil
		}
	}
	return err
}

func (l *load) accept(id uuid.UUID, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted, l.placing = append(l.accepted, id), append(l.placing, took)
}

// paces gives how many orders were placed since it was called last, and below what 95 % of them stayed.
func (l *load) paces() (n int, p95 time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.Sort(l.placing)
	if n = len(l.placing); n > 0 {
		p95 = l.placing[(n-1)*95/100]
	}
	l.placing = l.placing[:0]
	return n, p95
}

func (l *load) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures, l.last = l.failures+1, err
}

// String sums up what customers met.
func (l *load) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("%d orders accepted, %d answers were errors, the last: %v", len(l.accepted), l.failures, l.last)
}

// Customers order while the network between the program and each of its servers is cut, slow, narrow, half open or
// resets: what they were told is true, and all is right afterwards.
func TestTheNetworkFails(t *testing.T) {
	t.Parallel()
	chance := random(t)
	direct := fresh(t)
	through, all := wires(t, direct)
	s := open(t, through, direct, true)
	l := &load{s: s, variants: []string{s.product("Fjord Camera", 100_000), s.product("Fjord Lens", 40)}, staff: s.as(users.Admin)}
	stop := l.start(6, chance)
	took, rounds := 400*time.Millisecond, 1
	if *lasts > 0 {
		took, rounds = 3*time.Second, max(1, int(*lasts/(time.Duration(len(all)*len(faults))*4*time.Second)))
	}
	for range rounds {
		for _, i := range chance.Perm(len(all) * len(faults)) {
			w, f := all[i%len(all)], faults[i/len(all)]
			if err := w.suffer(t.Context(), f, took/2+time.Duration(chance.Int64N(int64(took)))); err != nil {
				t.Fatalf("%s %s: %v", w.name, f.name, err)
			}
			wait(t.Context(), took/2)
		}
	}
	stop()
	t.Log(l)
	s.rests(4 * time.Minute)
	s.audit(l.accepted, true)
}
