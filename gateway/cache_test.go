package gateway_test

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/techmart/techmart/gateway"
	"github.com/techmart/techmart/graph/request"
)

// noteKeys tells the Idempotency-Key of each response.
func noteKeys(keys chan<- string) func(context.Context) context.Context {
	return func(ctx context.Context) context.Context {
		keys <- request.FromContext(ctx).IdempotencyKey
		return ctx
	}
}

func getQuery(query string) string { return "/graphql?query=" + url.QueryEscape(query) }

func TestCacheControl(t *testing.T) {
	t.Parallel()
	e := setup(t)
	for _, c := range []struct {
		name, query string
		headers     []string
		control     string
		tagged      bool
	}{
		{"catalogue", "{ categories { name } }", nil, "public, max-age=300", true},
		{"only type names beside", "{ categories { __typename name } __typename }", nil, "public, max-age=300", true},
		{"in a fragment", "{ ...F } fragment F on Query { categories { id ...G } } fragment G on Category { name __typename }", nil, "public, max-age=300", true},
		{"a root field without a hint", `{ categories { name } node(id: "x") { id } }`, nil, "no-store", false},
		{"a viewer's", "{ categories { name } me { id } }", nil, "no-store", false},
		{"nothing but types", "{ __typename }", nil, "no-store", false},
		{"the schema", "{ __schema { types { name } } }", nil, "no-store", false},
		{"with an error", `{ categories { name } node(id: "forbidden") { id } }`, nil, "no-store", false},
		{"signed in", "{ categories { name } }", []string{"Authorization", "Bearer customer"}, "private, no-store", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := e.do(t, "GET", getQuery(c.query), "", c.headers...)
			if got := a.header.Get("Cache-Control"); a.status != 200 || got != c.control || (a.header.Get("ETag") != "") != c.tagged {
				t.Errorf("%d %q %q: %s", a.status, got, a.header.Get("ETag"), a.text)
			}
			if strings.Contains(a.text, "throttleStatus") == c.tagged {
				t.Errorf("what is left of a budget: %s", a.text)
			}
			for _, name := range []string{"Accept", "Accept-Encoding", "Authorization", "X-Api-Key"} {
				if !strings.Contains(a.header.Get("Vary"), name) {
					t.Errorf("Vary lacks %s: %q", name, a.header.Get("Vary"))
				}
			}
		})
	}
	if a := e.post(t, "{ categories { name } }"); a.header.Get("Cache-Control") != "no-store" || a.header.Get("ETag") != "" {
		t.Errorf("POST: %v", a.header)
	}
}

func TestNotModified(t *testing.T) {
	t.Parallel()
	e := setup(t)
	target := getQuery("{ categories { name } }")
	first := e.do(t, "GET", target, "").header.Get("ETag")
	if first == "" || strings.HasPrefix(first, "W/") {
		t.Fatalf("no strong tag: %q", first)
	}
	if again := e.do(t, "GET", target, "").header.Get("ETag"); again != first {
		t.Errorf("the same answer has another tag: %s, %s", first, again)
	}
	if other := e.do(t, "GET", getQuery("{ categories { id } }"), "").header.Get("ETag"); other == first {
		t.Error("another answer has the same tag")
	}
	for _, given := range []string{first, `"other", ` + first, "W/" + first, strings.TrimSuffix(first, `"`) + `-gzip"`, "*"} {
		a := e.do(t, "GET", target, "", "If-None-Match", given)
		if a.status != http.StatusNotModified || a.text != "" || a.header.Get("Cache-Control") != "public, max-age=300" || a.header.Get("ETag") == "" || a.header.Get("Vary") == "" {
			t.Errorf("If-None-Match %s: %d %v %q", given, a.status, a.header, a.text)
		}
	}
	if a := e.do(t, "GET", target, "", "If-None-Match", `"other"`); a.status != 200 {
		t.Errorf("another tag: %d", a.status)
	}
	if a := e.do(t, "GET", target, "", "If-None-Match", first, "Authorization", "Bearer customer"); a.status != 200 {
		t.Errorf("a viewer: %d", a.status)
	}
}

func TestCompression(t *testing.T) {
	t.Parallel()
	e := setup(t)
	const large = "{ __schema { types { name fields { name description } } } }"
	plain := e.do(t, "GET", getQuery(large), "", "Accept-Encoding", "identity")
	if plain.header.Get("Content-Encoding") != "" || len(plain.text) < 10_000 {
		t.Fatalf("%v %d", plain.header, len(plain.text))
	}
	data := plain.text[:strings.LastIndex(plain.text, `,"extensions"`)]
	for _, c := range []struct{ accept, coding string }{
		{"gzip", "gzip"}, {"zstd", "zstd"}, {"gzip, deflate, br, zstd", "zstd"}, {"zstd;q=0.5, gzip", "gzip"},
		{"gzip;q=0", ""}, {"*", "zstd"}, {"*;q=0.5, zstd;q=0", "gzip"}, {"br", ""}, {"identity, gzip;q=0.5", ""}, {"GZIP", "gzip"},
	} {
		t.Run(c.accept, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), "GET", e.URL+getQuery(large), nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Accept-Encoding", c.accept)
			resp, err := e.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if got := resp.Header.Get("Content-Encoding"); got != c.coding {
				t.Fatalf("coding %q, want %q", got, c.coding)
			}
			var body io.Reader = resp.Body
			switch c.coding {
			case "gzip":
				if body, err = gzip.NewReader(resp.Body); err != nil {
					t.Fatal(err)
				}
			case "zstd":
				z, err := zstd.NewReader(resp.Body)
				if err != nil {
					t.Fatal(err)
				}
				defer z.Close()
				body = z
			}
			text, err := io.ReadAll(body)
			if err != nil || !strings.HasPrefix(string(text), data) {
				t.Errorf("%v: %.200s", err, text)
			}
		})
	}
	if a := e.do(t, "GET", getQuery("{ __typename }"), "", "Accept-Encoding", "gzip"); a.header.Get("Content-Encoding") != "" {
		t.Error("a small answer is compressed")
	}
}

func TestCompressedTags(t *testing.T) {
	t.Parallel()
	e := setup(t)
	aliases := make([]string, 5)
	for i := range aliases {
		aliases[i] = string(rune('a'+i)) + strings.Repeat("x", 300) + ": categories { name }"
	}
	target := getQuery("{ " + strings.Join(aliases, " ") + " }")
	plain := e.do(t, "GET", target, "", "Accept-Encoding", "identity")
	packed := e.do(t, "GET", target, "", "Accept-Encoding", "zstd")
	if plain.header.Get("ETag") == "" || packed.header.Get("Content-Encoding") != "zstd" || packed.header.Get("ETag") == plain.header.Get("ETag") {
		t.Errorf("other bytes have the same tag: %v %v", plain.header, packed.header)
	}
	a := e.do(t, "GET", target, "", "Accept-Encoding", "zstd", "If-None-Match", packed.header.Get("ETag"))
	if a.status != 304 || a.header.Get("ETag") != packed.header.Get("ETag") {
		t.Errorf("%d %v", a.status, a.header)
	}
}

func TestMutationsAreNotCompressed(t *testing.T) {
	t.Parallel()
	e := setup(t, func(c *gateway.Config, _ *gateway.Deps) { c.Limits.RootFields = 100 })
	name := strings.Repeat("x", 3000)
	a := e.post(t, `mutation { `+name+`: cartLinesAdd(input: {lines: []}) { __typename } }`, "Accept-Encoding", "gzip")
	if a.status != 200 || a.header.Get("Content-Encoding") != "" {
		t.Errorf("%d %v", a.status, a.header)
	}
}

func TestAccessLog(t *testing.T) {
	t.Parallel()
	e := setup(t)
	e.do(t, http.MethodPost, "/graphql", `{"query":"query Mine($secret: Boolean = true) { me @include(if: $secret) { id } }"}`, "Content-Type", "application/json", "Authorization", "Bearer customer", "X-Request-Id", "mine-1")
	e.do(t, http.MethodPost, "/graphql", `{`, "Content-Type", "application/json")
	e.do(t, http.MethodGet, "/graphql?query={__typename}", "", "Sec-Fetch-Site", "cross-site")
	metrics := e.do(t, http.MethodGet, "/metrics", "").text
	e.Close() // waits for the last line of the log
	log := e.log.String()
	for _, want := range []string{`"requestId":"mine-1"`, `"operation":"Mine"`, `"kind":"query"`, `"document":"`, `"viewer":"` + customer.UserID.String(), `"code":"BAD_REQUEST"`, `"code":"CSRF"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s: %s", want, log)
		}
	}
	if strings.Contains(log, "secret") {
		t.Error("the log has the document")
	}
	if !strings.Contains(metrics, `http_refusals_total{code="CSRF"} 1`) {
		t.Error("refusals are not counted by code")
	}
}

func TestMetricsAreForInsiders(t *testing.T) {
	t.Parallel()
	e := setup(t, func(c *gateway.Config, _ *gateway.Deps) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		c.MetricsFrom = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	})
	for address, status := range map[string]int{"10.1.2.3": 200, "203.0.113.9": 404, "": 404} {
		var headers []string
		if address != "" {
			headers = []string{"X-Forwarded-For", address}
		}
		if a := e.do(t, http.MethodGet, "/metrics", "", headers...); a.status != status {
			t.Errorf("from %q: %d, want %d", address, a.status, status)
		}
	}
}
