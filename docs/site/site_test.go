package site_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	site "github.com/techmart/techmart/docs/site"
)

func get(path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	site.Handler().ServeHTTP(w, r)
	return w
}

var address = regexp.MustCompile(`(?:href|src)="(/docs[^"#]*)[^"]*"`)

// Every page can be reached, uses only what is there, and has nothing inline that could run.
func TestPages(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	queue := []string{"/docs/"}
	for len(queue) > 0 {
		path := queue[0]
		queue = queue[1:]
		if seen[path] {
			continue
		}
		seen[path] = true
		w := get(path)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") == "" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
			continue
		}
		if got := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'; script-src 'self'; style-src 'self';") {
			t.Errorf("%s: policy %q", path, got)
		}
		if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			continue
		}
		page := w.Body.String()
		if regexp.MustCompile(`<script[^>]*>[^<]|<style|<script[^>]*src="(https?:)?//`).MatchString(page) {
			t.Errorf("%s has something inline, or of elsewhere", path)
		}
		for _, found := range address.FindAllStringSubmatch(page, -1) {
			queue = append(queue, found[1])
		}
	}
	for _, want := range []string{"/docs/reference/orders", "/docs/reference/products", "/docs/examples/buying", "/docs/guides/protocol", "/docs/decisions/"} {
		if !seen[want] && !seen[want+".html"] {
			t.Errorf("no link leads to %s", want)
		}
	}
	if len(seen) < 60 {
		t.Errorf("%d addresses are no site", len(seen))
	}
}

func TestServing(t *testing.T) {
	t.Parallel()
	plain, packed := get("/docs/reference/orders"), get("/docs/reference/orders", "Accept-Encoding", "br, gzip")
	z, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	length := packed.Body.Len()
	text, err := io.ReadAll(z)
	if err != nil || string(text) != plain.Body.String() {
		t.Errorf("with gzip it is another page: %v", err)
	}
	if length*3 > len(text) {
		t.Errorf("%d bytes of %d with gzip", length, len(text))
	}
	for _, part := range []string{`id="mutation-orderplace"`, `id="order-status"`, "Safely stored; stock and payment are being arranged."} {
		if !strings.Contains(string(text), part) {
			t.Errorf("no %s on the page of orders", part)
		}
	}
	if w := get("/docs/reference/orders", "If-None-Match", plain.Header().Get("ETag")); w.Code != http.StatusNotModified {
		t.Errorf("again: %d", w.Code)
	}
	if w := get("/docs"); w.Code != http.StatusMovedPermanently || w.Header().Get("Location") != "/docs/" {
		t.Errorf("/docs: %d %s", w.Code, w.Header().Get("Location"))
	}
	if w := get("/docs/nothing"); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "404") {
		t.Errorf("nothing: %d", w.Code)
	}
}

// mostBytes bounds what the pages add to the binary and to the repository.
const mostBytes = 2 << 20

func TestSize(t *testing.T) {
	t.Parallel()
	info, err := os.Stat("site.zip")
	if err != nil || info.Size() > mostBytes {
		t.Errorf("the pages have %d bytes, at most %d: %v", info.Size(), mostBytes, err)
	}
}
