package sender_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/techmart/techmart/services/webhooks"
	"github.com/techmart/techmart/services/webhooks/sender"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func receiver(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func send(t *testing.T, c sender.Config, url string) webhooks.Response {
	t.Helper()
	s := sender.New(c)
	t.Cleanup(s.Close)
	return s.Send(t.Context(), webhooks.Request{URL: url, ID: "whd_1", Timestamp: time.Unix(1614265330, 0), Signature: "v1,abc", Body: []byte(`{"a":1}`)})
}

func TestSend(t *testing.T) {
	t.Parallel()
	var got http.Header
	url := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = r.Header.Clone()
		if string(body) != `{"a":1}` || r.Method != http.MethodPost {
			t.Errorf("%s %s", r.Method, body)
		}
		_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
	})
	r := send(t, sender.Config{Allowed: loopback}, url)
	if r.Outcome != webhooks.Succeeded || r.Status != 200 || len(r.Excerpt) != 2048 {
		t.Errorf("%s %d, %d bytes", r.Outcome, r.Status, len(r.Excerpt))
	}
	for name, want := range map[string]string{"webhook-id": "whd_1", "webhook-timestamp": "1614265330", "webhook-signature": "v1,abc", "content-type": "application/json"} {
		if got.Get(name) != want {
			t.Errorf("%s is %q", name, got.Get(name))
		}
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	var redirected atomic.Bool
	target := receiver(t, func(http.ResponseWriter, *http.Request) { redirected.Store(true) })
	date := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		outcome webhooks.Outcome
		status  int
		wait    time.Duration
	}{
		"an error": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, webhooks.Refused, 500, 0},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, target, http.StatusTemporaryRedirect)
		}, webhooks.Refused, http.StatusTemporaryRedirect, 0},
		"seconds to wait":     {answer(429, "120"), webhooks.Refused, 429, 2 * time.Minute},
		"a date to wait for":  {answer(503, date.Add(time.Hour).Format(http.TimeFormat)), webhooks.Refused, 503, time.Hour},
		"a date that is past": {answer(503, date.Add(-time.Hour).Format(http.TimeFormat)), webhooks.Refused, 503, 0},
		"no time to wait":     {answer(503, "-5"), webhooks.Refused, 503, 0},
		"silence": {func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, webhooks.TimedOut, 0, 0},
		"many headers": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", 100<<10))
		}, webhooks.Unreachable, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := sender.Config{Allowed: loopback, Timeout: 10 * time.Second, Clock: func() time.Time { return date }}
			if c.outcome == webhooks.TimedOut {
				config.Timeout = 50 * time.Millisecond
			}
			r := send(t, config, receiver(t, c.handler))
			if r.Outcome != c.outcome || r.Status != c.status || r.RetryAfter != c.wait || r.Error == "" {
				t.Errorf("%+v", r)
			}
		})
	}
	t.Cleanup(func() {
		if redirected.Load() {
			t.Error("a redirect was followed")
		}
	})
}

func answer(status int, retryAfter string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", retryAfter)
		w.WriteHeader(status)
	}
}

// Without being allowed to, nothing reaches the machine itself, in any form of its address; nor does a name that stands for
// it, though it stood for another address when it was looked at before.
func TestNoRequestToPrivateNetworks(t *testing.T) {
	t.Parallel()
	var called atomic.Int32
	url := receiver(t, func(http.ResponseWriter, *http.Request) { called.Add(1) })
	port := url[strings.LastIndexByte(url, ':'):]
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "127.1", "0.0.0.0", "2130706433", "0x7f.1", "169.254.169.254"} {
		c := sender.Config{Timeout: 5 * time.Second}
		if r := send(t, c, "http://"+host+port); r.Outcome != webhooks.Blocked && r.Outcome != webhooks.Unreachable {
			t.Errorf("%s: %+v", host, r)
		}
	}
	lookups := 0
	rebinding := func(context.Context, string, string) ([]netip.Addr, error) {
		if lookups++; lookups == 1 {
			return []netip.Addr{netip.MustParseAddr("127.0.0.2")}, nil // as if it were public
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	s := sender.New(sender.Config{Timeout: 5 * time.Second, Lookup: rebinding, Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}})
	t.Cleanup(s.Close)
	to := webhooks.Request{URL: "http://rebound.example" + port}
	for i, want := range []webhooks.Outcome{webhooks.Unreachable, webhooks.Blocked} { // nobody listens at 127.0.0.2
		if r := s.Send(t.Context(), to); r.Outcome != want {
			t.Errorf("time %d: %+v", i+1, r)
		}
	}
	if n := called.Load(); n != 0 {
		t.Errorf("%d requests came through", n)
	}
}

// Proxies of the environment are not used: they would connect for us, where they like.
func TestNoProxy(t *testing.T) {
	var called atomic.Int32
	proxy := receiver(t, func(http.ResponseWriter, *http.Request) { called.Add(1) })
	t.Setenv("HTTP_PROXY", proxy)
	t.Setenv("HTTPS_PROXY", proxy)
	nowhere := func(context.Context, string, string) ([]netip.Addr, error) {
		return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
	}
	if r := send(t, sender.Config{Lookup: nowhere, Allowed: loopback}, "http://hooks.example/"); r.Outcome != webhooks.Unreachable {
		t.Errorf("%+v", r)
	}
	if called.Load() != 0 {
		t.Error("the proxy was called")
	}
}

// A certificate that nobody vouches for is refused, and what goes wrong names no address.
func TestCertificates(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was called") }))
	s.Config.ErrorLog = nil
	t.Cleanup(s.Close)
	r := send(t, sender.Config{Allowed: loopback}, s.URL)
	if r.Outcome != webhooks.Unreachable || !strings.Contains(r.Error, "certificate") || strings.Contains(r.Error, "127.0.0.1") {
		t.Errorf("%+v", r)
	}
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	if r := send(t, sender.Config{Allowed: loopback}, "http://"+gone.Addr().String()); r.Outcome != webhooks.Unreachable || strings.Contains(r.Error, "127.") {
		t.Errorf("%+v", r)
	}
}
