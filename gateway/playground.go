package gateway

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io"
	"net/http"
	"path"
	"strings"
	"time"
)

// The explorer is GraphiQL, served from the binary: nothing comes from another host.
//
//go:embed playground/index.html playground/page.css playground/page.js playground/assets/*.gz
var playgroundFiles embed.FS

// playgroundPolicy lets the page use its own files only. Its editor sets styles inline.
const playgroundPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"font-src 'self' data:; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// playground serves the explorer.
type playground struct {
	index  []byte
	assets map[string]asset
}

// asset is one file, compressed.
type asset struct {
	kind string // media type
	etag string
	data []byte
}

var assetKinds = map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}

func newPlayground() *playground {
	p := &playground{index: mustRead("playground/index.html"), assets: make(map[string]asset)}
	for _, name := range []string{"page.js", "page.css"} {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(mustRead("playground/" + name)) // into memory
		_ = z.Close()
		p.add(name, b.Bytes())
	}
	entries, err := playgroundFiles.ReadDir("playground/assets")
	if err != nil {
		panic("gateway: embedded files: " + err.Error())
	}
	for _, e := range entries {
		p.add(strings.TrimSuffix(e.Name(), ".gz"), mustRead("playground/assets/"+e.Name()))
	}
	return p
}

func (p *playground) add(name string, compressed []byte) {
	sum := sha256.Sum256(compressed)
	p.assets[name] = asset{kind: assetKinds[path.Ext(name)], etag: `"` + hex.EncodeToString(sum[:12]) + `"`, data: compressed}
}

func mustRead(name string) []byte {
	b, err := playgroundFiles.ReadFile(name)
	if err != nil {
		panic("gateway: embedded files: " + err.Error())
	}
	return b
}

func (p *playground) page(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", playgroundPolicy)
	h.Set("Cache-Control", "no-cache")
	_, _ = w.Write(p.index) // the client may have left
}

func (p *playground) asset(w http.ResponseWriter, r *http.Request) {
	a, ok := p.assets[r.PathValue("file")]
	if !ok {
		notFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("ETag", a.etag)
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.data))
		return
	}
	z, err := gzip.NewReader(bytes.NewReader(a.data))
	if err != nil {
		panic("gateway: embedded files: " + err.Error())
	}
	_, _ = io.Copy(w, z) // the client may have left
}
