package web_test

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	web "github.com/techmart/techmart/clients/web"
	"github.com/techmart/techmart/gateway/documents"
)

func get(h http.Handler, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPages(t *testing.T) {
	t.Parallel()
	var h web.Handler
	if w := get(&h, "/shop"); w.Code != http.StatusNotFound {
		t.Errorf("without a key: %d", w.Code)
	}
	h.SetKey(`tm_"<key>`)
	var page string
	for _, path := range []string{"/shop", "/shop/", "/shop/p/a-lamp", "/shop/orders/T-100042"} {
		w := get(&h, path)
		page = w.Body.String()
		if w.Code != http.StatusOK || !strings.Contains(page, `content="tm_&#34;&lt;key&gt;"`) {
			t.Errorf("%s: %d %s", path, w.Code, page)
		}
		if got := w.Header().Get("Content-Security-Policy"); strings.Contains(got, "unsafe") || !strings.HasPrefix(got, "default-src 'none'; script-src 'self'; style-src 'self';") {
			t.Errorf("%s: policy %q", path, got)
		}
		if got := w.Header().Get("Cache-Control"); got != "no-cache" {
			t.Errorf("%s: it is kept: %q", path, got)
		}
	}
	if strings.Contains(page, "<style") || regexp.MustCompile(`<script[^>]*>[^<]`).MatchString(page) || strings.Contains(page, "http://") || strings.Contains(page, "https://") {
		t.Errorf("the page has something inline, or of elsewhere: %s", page)
	}
	names := regexp.MustCompile(`(?:src|href)="(/shop/assets/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(names) < 3 {
		t.Fatalf("the page uses %v", names)
	}
	for _, name := range names {
		plain, packed := get(&h, name[1]), get(&h, name[1], "Accept-Encoding", "gzip, br")
		if plain.Code != http.StatusOK || plain.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" || plain.Header().Get("Content-Type") == "" {
			t.Errorf("%s: %d %v", name[1], plain.Code, plain.Header())
		}
		if plain.Body.Len() > 1000 && packed.Body.Len()*2 > plain.Body.Len() {
			t.Errorf("%s: %d bytes of %d with gzip", name[1], packed.Body.Len(), plain.Body.Len())
		}
		if w := get(&h, name[1], "If-None-Match", plain.Header().Get("ETag")); w.Code != http.StatusNotModified {
			t.Errorf("%s again: %d", name[1], w.Code)
		}
	}
	if w := get(&h, "/shop/assets/no-such.js"); w.Code != http.StatusNotFound {
		t.Errorf("a file that is not there: %d", w.Code)
	}
}

// mostBytes bounds what the shop front adds to the binary and to the repository.
const mostBytes = 900 << 10

func TestSize(t *testing.T) {
	t.Parallel()
	var total int64
	err := fs.WalkDir(os.DirFS("."), "dist", func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if err != nil || total == 0 || total > mostBytes {
		t.Errorf("the build has %d bytes, at most %d: %v", total, mostBytes, err)
	}
}

func TestManifest(t *testing.T) {
	t.Parallel()
	list, err := documents.Parse(web.Manifest())
	if err != nil || len(list) < 30 {
		t.Fatalf("%d documents: %v", len(list), err)
	}
	if v := web.Version(); len(v) != 16 {
		t.Errorf("version %q", v)
	}
}
