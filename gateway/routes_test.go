package gateway_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/techmart/techmart/gateway"
	"github.com/techmart/techmart/platform/telemetry"
)

// memory is a gateway.Store.
type memory struct {
	mu    sync.Mutex
	texts map[string]string
	fails bool
}

// Get implements gateway.Store.
func (m *memory) Get(_ context.Context, hash string) (string, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails {
		return "", false, errors.New("gone")
	}
	text, ok := m.texts[hash]
	return text, ok, nil
}

// Put implements gateway.Store.
func (m *memory) Put(_ context.Context, hash, text string, _ time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails {
		return errors.New("gone")
	}
	m.texts[hash] = text
	return nil
}

func hashed(query, sent string) string {
	sum := sha256.Sum256([]byte(query))
	body, err := json.Marshal(map[string]any{
		"query":      sent,
		"extensions": map[string]any{"persistedQuery": map[string]any{"version": 1, "sha256Hash": hex.EncodeToString(sum[:])}},
	})
	if err != nil {
		panic(err)
	}
	return string(body)
}

func TestPersistedQueries(t *testing.T) {
	t.Parallel()
	store := &memory{texts: make(map[string]string)}
	with := func(_ *gateway.Config, d *gateway.Deps) { d.Persisted = store }
	e, other := setup(t, with), setup(t, with)
	post := func(e *edge, body string) answer {
		return e.do(t, "POST", "/graphql", body, "Content-Type", "application/json", "Accept", "application/json")
	}
	const query, invalid = `{ __typename }`, `{ nothing }`
	if a := post(e, hashed(query, "")); a.status != 200 || a.code() != "PERSISTED_QUERY_NOT_FOUND" || a.Errors[0].Message != "PersistedQueryNotFound" {
		t.Errorf("unknown: %d %s", a.status, a.text)
	}
	if a := post(e, hashed(query, query)); a.Data["__typename"] != "Query" {
		t.Errorf("stored: %s", a.text)
	}
	for name, e := range map[string]*edge{"same process": e, "another process": other} {
		if a := post(e, hashed(query, "")); a.Data["__typename"] != "Query" {
			t.Errorf("%s: %s", name, a.text)
		}
	}
	if a := post(e, hashed(query, `{ me { id } }`)); a.code() != "PERSISTED_QUERY_HASH_MISMATCH" {
		t.Errorf("wrong hash: %s", a.text)
	}
	if a := post(e, hashed(invalid, invalid)); a.code() != "GRAPHQL_VALIDATION_FAILED" {
		t.Errorf("invalid: %s", a.text)
	}
	if a := post(e, hashed(invalid, "")); a.code() != "PERSISTED_QUERY_NOT_FOUND" {
		t.Errorf("an invalid document was stored: %s", a.text)
	}
	if a := post(e, `{"extensions":{"persistedQuery":{"version":2,"sha256Hash":"x"}}}`); a.code() != "BAD_REQUEST" {
		t.Errorf("version 2: %s", a.text)
	}
	store.fails = true
	if a := post(setup(t, with), hashed(query, "")); a.code() != "PERSISTED_QUERY_NOT_FOUND" {
		t.Errorf("store gone: %s", a.text)
	}
	if a := post(setup(t, with), hashed(query, query)); a.Data["__typename"] != "Query" {
		t.Errorf("store gone, sent in full: %s", a.text)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	good := func(context.Context) error { return nil }
	bad := func(context.Context) error { return errors.New("secret-host: connection refused") }
	slow := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for name, c := range map[string]struct {
		checks map[string]gateway.Check
		status int
	}{
		"all answer": {map[string]gateway.Check{"postgres": good, "redis": good}, 200},
		"one fails":  {map[string]gateway.Check{"postgres": bad, "redis": good}, 503},
		"one hangs":  {map[string]gateway.Check{"postgres": good, "redis": slow}, 503},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := setup(t, func(_ *gateway.Config, d *gateway.Deps) { d.Checks = c.checks })
			if a := e.do(t, "GET", "/healthz", ""); a.status != 200 {
				t.Errorf("healthz: %d", a.status)
			}
			a := e.do(t, "GET", "/readyz", "")
			if a.status != c.status || !strings.Contains(a.text, `"postgres":{"status":`) || strings.Contains(a.text, "secret") {
				t.Errorf("readyz: %d %s", a.status, a.text)
			}
		})
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	e := setup(t, func(_ *gateway.Config, d *gateway.Deps) {
		d.Demo = []gateway.Account{{Role: "customer", Email: "ada@techmart.example", Password: "demo"}}
		d.Mailbox = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, "mails at "+r.URL.Path) })
		d.Media = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, "picture at "+r.URL.Path) })
	})
	e.post(t, `{ __typename }`)
	for target, part := range map[string]string{
		"/": "ada@techmart.example", "/playground": "/playground/assets/index-", "/playground/accounts.json": `"role":"customer"`,
		"/dev/mailbox": "mails at", "/dev/mailbox/mails/1": "mails at /dev/mailbox/mails/1", "/media/p/1.svg": "picture at /media/p/1.svg",
		"/metrics": "graphql_operations_total", "/.well-known/jwks.json": `"keys"`,
	} {
		a := e.do(t, "GET", target, "")
		if a.status != 200 || !strings.Contains(a.text, part) {
			t.Errorf("%s: %d, without %q", target, a.status, part)
		}
		if policy := a.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "http") {
			t.Errorf("%s: policy %q", target, policy)
		}
	}
	if a := e.do(t, "GET", "/playground/nothing.js", ""); a.status != 404 {
		t.Errorf("nothing: %d", a.status)
	}
}

func TestBackendCalls(t *testing.T) {
	t.Parallel()
	e := setup(t, func(c *gateway.Config, d *gateway.Deps) {
		c.ShowBackendCalls = true
		d.Loaders = func(ctx context.Context) context.Context {
			telemetry.CallsFrom(ctx).Add(telemetry.Postgres, 2)
			telemetry.CallsFrom(ctx).Add(telemetry.MongoDB, 1)
			return ctx
		}
	})
	if got := e.post(t, `{ __typename }`).header.Get("X-TechMart-Backend-Calls"); got != "postgres=2 mongodb=1" {
		t.Errorf("got %q", got)
	}
}

func TestClientAddress(t *testing.T) {
	t.Parallel()
	loopback := netip.MustParsePrefix("127.0.0.0/8")
	for name, c := range map[string]struct {
		trusted   []netip.Prefix
		forwarded string
		want      string
	}{
		"nobody is trusted":     {nil, "203.0.113.9", "127.0.0.1"},
		"proxy":                 {[]netip.Prefix{loopback}, "203.0.113.9", "203.0.113.9"},
		"invented first hop":    {[]netip.Prefix{loopback}, "198.51.100.1, 203.0.113.9", "203.0.113.9"},
		"two proxies":           {[]netip.Prefix{loopback, netip.MustParsePrefix("10.0.0.0/8")}, "203.0.113.9, 10.1.2.3", "203.0.113.9"},
		"nothing was forwarded": {[]netip.Prefix{loopback}, "", "127.0.0.1"},
		"not an address":        {[]netip.Prefix{loopback}, "unknown", "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := setup(t, func(g *gateway.Config, _ *gateway.Deps) { g.TrustedProxies = c.trusted })
			e.post(t, `{ __typename }`, "X-Forwarded-For", c.forwarded)
			e.Close() // waits for the log
			if log := e.log.String(); !strings.Contains(log, `"ip":"`+c.want+`"`) {
				t.Errorf("want %s: %s", c.want, log)
			}
		})
	}
}
