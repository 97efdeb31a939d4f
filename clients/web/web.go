// Package web serves the shop front: the pages below /shop, which `npm run build` made of src/ and which are part of
// the binary. They ask the graph like any other client, by the documents of [Manifest] alone.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"
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
func Manifest() []byte { return read("persisted-query-manifest.json") }

// Version names the documents of the manifest: the same ones always have the same version.
func Version() string {
	sum := sha256.Sum256(Manifest())
	return hex.EncodeToString(sum[:8])
}

// Handler serves the pages. Without an API key there is nothing to see.
type Handler struct {
	key atomic.Pointer[string]
}

// SetKey sets the API key by which the pages ask the graph; an empty one closes them. It may be called at any time.
func (h *Handler) SetKey(key string) { h.key.Store(&key) }

// ServeHTTP answers GET and HEAD below [Prefix]: a file of the build by its name, which has its hash in it, and the
// page for everything else, as its addresses are the browser's business.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := h.key.Load()
	if key == nil || *key == "" {
		http.NotFound(w, r)
		return
	}
	name := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, Prefix), "/")
	if strings.HasPrefix(name, "assets/") {
		asset(w, r, name)
		return
	}
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("Cache-Control", "no-cache")
	page := strings.Replace(string(read("dist/index.html")), keyPlace, `<meta name="api-key" content="`+html.EscapeString(*key)+`" />`, 1)
	serve(w, r, "index.html", []byte(page))
}

func asset(w http.ResponseWriter, r *http.Request, name string) {
	f, ok := assets()[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	header := w.Header()
	header.Set("Cache-Control", "public, max-age=31536000, immutable")
	if f.packed == nil {
		serve(w, r, name, f.data)
		return
	}
	header.Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		header.Set("Content-Encoding", "gzip")
		serve(w, r, name, f.packed)
		return
	}
	serve(w, r, name, f.data)
}

func serve(w http.ResponseWriter, r *http.Request, name string, data []byte) {
	w.Header().Set("Content-Type", kinds[path.Ext(name)])
	sum := sha256.Sum256(data)
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:12])+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml", ".woff2": "font/woff2",
}

// file is one file of the build; packed is it with gzip, nil where that makes it no smaller.
type file struct{ data, packed []byte }

// assets gives all files of the build by name, compressed once for the process.
var assets = sync.OnceValue(func() map[string]file {
	all := make(map[string]file)
	err := fs.WalkDir(files, "dist/assets", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		f := file{data: read(name)}
		if kinds[path.Ext(name)] == "" {
			return fmt.Errorf("%s is of an unknown kind", name)
		}
		if f.packed, err = packed(f.data); err != nil {
			return err
		}
		all[strings.TrimPrefix(name, "dist/")] = f
		return nil
	})
	if err != nil {
		panic("web: embedded files: " + err.Error())
	}
	return all
})

func packed(data []byte) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(data); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil || b.Len() >= len(data) {
		return nil, err
	}
	return b.Bytes(), nil
}

func read(name string) []byte {
	b, err := files.ReadFile(name)
	if err != nil {
		panic("web: embedded files: " + err.Error())
	}
	return b
}
