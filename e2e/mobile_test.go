package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// wire counts the bytes of its connections.
type wire struct{ sent, received atomic.Int64 }

type countedConn struct {
	net.Conn
	wire *wire
}

// Read counts.
func (c countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.wire.received.Add(int64(n))
	return n, err
}

// Write counts.
func (c countedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.wire.sent.Add(int64(n))
	return n, err
}

// The documents of a product's screen.
const (
	screenFields   = `title priceRange { min { amount currencyCode } } media(first: 1) { url alt } rating { average count }`
	screenReviews  = `reviews(first: 3) { nodes { rating title } }`
	screenText     = `query Screen($slug: String!) { product(slug: $slug) { ` + screenFields + ` ` + screenReviews + ` } }`
	screenDeferred = `query Screen($slug: String!) { product(slug: $slug) { ` + screenFields + ` ... @defer(label: "reviews") { ` + screenReviews + ` } } }`
	screenAll      = `query All($slug: String!) { product(slug: $slug) {
		id slug title description descriptionHtml vendor status category { id slug name description ancestors { id slug name } }
		options { name values } attributes { key name value unit } tags priceRange { min { amount currencyCode } max { amount currencyCode } }
		variants(first: 10) { id sku title price { amount currencyCode } compareAtPrice { amount currencyCode } quantityAvailable selectedOptions { name value } }
		media(first: 10) { url alt width height } available rating { average count }
		reviews(first: 10) { nodes { id rating title body authorName createdAt } }
		relatedProducts(first: 6) { id slug title vendor priceRange { min { amount currencyCode } } media(first: 1) { url alt } }
		publishedAt createdAt updatedAt version } }`
)

// mobileBytes are what docs/for-mobile.md says that a phone sends and receives.
func (s *shop) mobileBytes(t *testing.T) {
	w := &wire{}
	transport := &http.Transport{DisableCompression: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return countedConn{c, w}, err
	}}
	t.Cleanup(transport.CloseIdleConnections)
	v := vars{"slug": "nordlicht-x14-laptop"}
	extensions := `{"persistedQuery":{"version":1,"sha256Hash":"` + sha(screenText) + `"}}`
	request := func(text string, headers ...string) *http.Request {
		body, err := json.Marshal(vars{"query": text, "variables": v})
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/graphql", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if text == "" {
			parameters := url.Values{"extensions": {extensions}, "variables": {`{"slug":"nordlicht-x14-laptop"}`}}
			req, err = http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/graphql?"+parameters.Encode(), http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Apollo-Require-Preflight", "1")
		} else {
			req.Header.Set("Content-Type", "application/json")
		}
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		return req
	}
	// measure gives what one request sends and receives, up to its end or to a line of the answer.
	measure := func(req *http.Request, status int, until string) (sent, received int64, header http.Header) {
		t.Helper()
		w.sent.Store(0)
		w.received.Store(0)
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close() // it is read as far as is wanted
		lines := bufio.NewReader(resp.Body)
		for {
			line, err := lines.ReadString('\n')
			if until != "" && strings.Contains(line, until) {
				received = w.received.Load()
				until = ""
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if resp.StatusCode != status {
			t.Fatalf("status %d", resp.StatusCode)
		}
		if received == 0 {
			received = w.received.Load()
		}
		return w.sent.Load(), received, resp.Header
	}
	if a := s.anonymous().do(screenText, v); len(a.Errors) > 0 {
		t.Fatal(a.Errors)
	}
	if a := s.anonymous().do(screenAll, v); len(a.Errors) > 0 {
		t.Fatal(a.Errors)
	}
	body, err := json.Marshal(vars{"query": screenText, "variables": v, "extensions": json.RawMessage(extensions)})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(s.url+"/graphql", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close() // the text is known from now on

	var rows [][2]int64
	row := func(req *http.Request, status int, until string) http.Header {
		sent, received, header := measure(req, status, until)
		rows = append(rows, [2]int64{sent, received})
		return header
	}
	measure(request(screenText), http.StatusOK, "") // opens the connection
	row(request(screenAll), http.StatusOK, "")
	row(request(screenText), http.StatusOK, "")
	row(request(screenText, "Accept-Encoding", "gzip"), http.StatusOK, "")
	etag := row(request("", "Accept-Encoding", "gzip"), http.StatusOK, "").Get("ETag")
	row(request("", "Accept-Encoding", "gzip", "If-None-Match", etag), http.StatusNotModified, "")
	row(request(screenDeferred, "Accept", "multipart/mixed; deferSpec=20220824"), http.StatusOK, `"hasNext":true`)

	page, err := os.ReadFile("../docs/for-mobile.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "<!-- bytes:")
	table, _, _ = strings.Cut(table, "<!-- end of bytes -->")
	lines := strings.Split(strings.TrimSpace(table), "\n")[3:]
	if len(lines) != len(rows) {
		t.Fatalf("the page has %d rows, not %d", len(lines), len(rows))
	}
	for i, line := range lines {
		cells := strings.Split(line, "|")
		t.Logf("%s: %d sent, %d received", strings.TrimSpace(cells[1]), rows[i][0], rows[i][1])
		for j, cell := range cells[2:4] {
			said, err := strconv.ParseInt(strings.TrimSpace(cell), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			if got := rows[i][j]; said < got*9/10 || said > got*11/10 {
				t.Errorf("%s: %d bytes, and the page says %d", strings.TrimSpace(cells[1]), got, said)
			}
		}
	}
}
