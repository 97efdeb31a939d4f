// Package web serves the shop front: the pages below /shop, which `npm run build` made of src/ and which are part of
// the binary. They ask the graph like any other client, by the documents of [Manifest] alone.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html"
	"io/fs"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/techmart/techmart/platform/site"
)

// Prefix is where the pages are; the build knows it, too.
const Prefix = "/shop"

//go:embed all:dist persisted-query-manifest.json
var files embed.FS

// policy lets the pages use their own files, the graph beside them, and pictures: products may have theirs elsewhere.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' https: data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// keyPlace is where the page has its API key.
const keyPlace = `<meta name="api-key" content="" />`

// Manifest is the documents of the pages, as Apollo's generator writes them.
func Manifest() []byte {
	b, err := files.ReadFile("persisted-query-manifest.json")
	if err != nil {
		panic("web: embedded files: " + err.Error())
	}
	return b
}

// Version names the documents of the manifest: the same ones always have the same version.
func Version() string {
	sum := sha256.Sum256(Manifest())
	return hex.EncodeToString(sum[:8])
}

// Handler serves GET and HEAD of the pages. Without an API key there is nothing to see.
type Handler struct {
	key   atomic.Pointer[string]
	once  sync.Once
	pages *site.Site
}

// SetKey sets the API key by which the pages ask the graph; an empty one closes them. It may be called at any time.
func (h *Handler) SetKey(key string) { h.key.Store(&key) }

// ServeHTTP answers a file of the build by its name, which has its hash in it, and the page for everything else, as
// its addresses are the browser's business.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := h.key.Load()
	if key == nil || *key == "" {
		http.NotFound(w, r)
		return
	}
	h.once.Do(h.open)
	h.pages.ServeHTTP(w, r)
}

func (h *Handler) open() {
	dist, err := fs.Sub(files, "dist")
	if err == nil {
		h.pages, err = site.New(dist, site.Config{Prefix: Prefix, Policy: policy, Fallback: true, Page: h.page})
	}
	if err != nil {
		panic("web: embedded files: " + err.Error())
	}
}

// page puts the API key into the page.
func (h *Handler) page(page []byte) []byte {
	return bytes.Replace(page, []byte(keyPlace), []byte(`<meta name="api-key" content="`+html.EscapeString(*h.key.Load())+`" />`), 1)
}
