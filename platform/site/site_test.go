package site_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/techmart/techmart/platform/site"
)

var dist = fstest.MapFS{
	"index.html":       {Data: []byte("<p>first KEY</p>" + strings.Repeat(" ", 100))},
	"guide/index.html": {Data: []byte("guide")},
	"assets/a-1.js":    {Data: []byte(strings.Repeat("let a; ", 100))},
	"assets/b-1.woff2": {Data: []byte("font")},
}

func get(t *testing.T, h http.Handler, target string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest("GET", target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSite(t *testing.T) {
	t.Parallel()
	s, err := site.New(dist, site.Config{Prefix: "/shop", Policy: "default-src 'none'", Fallback: true, Page: func(page []byte) []byte {
		return bytes.Replace(page, []byte("KEY"), []byte("k1"), 1)
	}})
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]struct {
		status        int
		part, control string
	}{
		"/shop":                   {200, "first k1", "no-cache"},
		"/shop/":                  {200, "first k1", "no-cache"},
		"/shop/orders/7":          {200, "first k1", "no-cache"},
		"/shop/guide":             {200, "guide", "no-cache"},
		"/shop/guide/index.html":  {200, "guide", "no-cache"},
		"/shop/assets/a-1.js":     {200, "let a;", "public, max-age=31536000, immutable"},
		"/shop/assets/nothing.js": {404, "", ""},
		"/shop/../site.go":        {200, "first k1", "no-cache"},
	} {
		a := get(t, s, target)
		if body := text(t, a.Body); a.StatusCode != want.status || !strings.Contains(body, want.part) || want.control != "" && a.Header.Get("Cache-Control") != want.control {
			t.Errorf("%s: %d %q %v", target, a.StatusCode, body, a.Header)
		}
		if a.StatusCode == 200 && a.Header.Get("Content-Security-Policy") != "default-src 'none'" {
			t.Errorf("%s: policy %q", target, a.Header.Get("Content-Security-Policy"))
		}
	}
	packed := get(t, s, "/shop/assets/a-1.js", "Accept-Encoding", "gzip")
	z, err := gzip.NewReader(packed.Body)
	if err != nil || packed.Header.Get("Content-Encoding") != "gzip" || !strings.HasPrefix(text(t, z), "let a;") {
		t.Errorf("packed: %v, %v", packed.Header, err)
	}
	if plain := get(t, s, "/shop/assets/a-1.js"); plain.Header.Get("ETag") == packed.Header.Get("ETag") {
		t.Error("two encodings have one tag")
	}
	if again := get(t, s, "/shop/assets/a-1.js", "Accept-Encoding", "gzip", "If-None-Match", packed.Header.Get("ETag")); again.StatusCode != 304 {
		t.Errorf("unchanged: %d", again.StatusCode)
	}
	if font := get(t, s, "/shop/assets/b-1.woff2", "Accept-Encoding", "gzip"); font.Header.Get("Content-Encoding") != "" || font.Header.Get("Content-Type") != "font/woff2" {
		t.Errorf("font: %v", font.Header)
	}
}

func TestSiteWithoutFallback(t *testing.T) {
	t.Parallel()
	s, err := site.New(dist, site.Config{Prefix: "/docs"})
	if err != nil {
		t.Fatal(err)
	}
	if a := get(t, s, "/docs/nothing"); a.StatusCode != 404 {
		t.Errorf("nothing: %d", a.StatusCode)
	}
	if _, err := site.New(fstest.MapFS{"a.html": {}}, site.Config{Prefix: "/docs"}); err == nil {
		t.Error("a site without a first page was made")
	}
	if _, err := site.New(fstest.MapFS{"index.html": {}, "a.exe": {}}, site.Config{Prefix: "/docs"}); err == nil {
		t.Error("a file of an unknown kind was taken")
	}
}
