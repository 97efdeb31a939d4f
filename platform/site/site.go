// Package site serves the built pages of a front end, which are part of the binary, under a strict policy.
package site

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

// assets is where builds put files that have a hash of their content in their names.
const assets = "assets/"

var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".json": "application/json", ".txt": "text/plain; charset=utf-8",
	".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon", ".woff2": "font/woff2", ".ttf": "font/ttf",
}

// Config says where a site is and what its pages may do.
type Config struct {
	Prefix   string                   // of its addresses, without a slash at its end: /shop
	Policy   string                   // Content-Security-Policy of all its pages
	Fallback bool                     // an unknown address is the browser's business: it shows the first page
	Page     func(page []byte) []byte // changes the first page for each request; may be nil
}

// Site serves GET and HEAD.
type Site struct {
	config Config
	files  map[string]*file
}

// file is one file; packed is it with gzip, or empty where that makes it no smaller.
type file struct {
	kind   string
	data   []byte
	packed func() []byte
}

// New makes a site of the files below the root of dist. It fails for one whose kind it does not know, and
// without an index.html.
func New(dist fs.FS, c Config) (*Site, error) {
	s := &Site{config: c, files: make(map[string]*file)}
	err := fs.WalkDir(dist, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(dist, name)
		if err != nil {
			return err
		}
		kind := kinds[path.Ext(name)]
		if kind == "" {
			return fmt.Errorf("%s is of an unknown kind", name)
		}
		s.files[name] = &file{kind, data, sync.OnceValue(func() []byte { return pack(data) })}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("site %s: %w", c.Prefix, err)
	}
	if s.files["index.html"] == nil {
		return nil, fmt.Errorf("site %s: there is no index.html", c.Prefix)
	}
	return s, nil
}

// ServeHTTP answers a file by its name and a directory by its index.html.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.Trim(strings.TrimPrefix(r.URL.Path, s.config.Prefix), "/")
	f := s.files[name]
	if f == nil {
		name = path.Join(name, "index.html")
		f = s.files[name]
	}
	if f == nil && s.config.Fallback && !strings.HasPrefix(name, assets) {
		name = "index.html"
		f = s.files[name]
	}
	if f == nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", s.config.Policy)
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", "no-cache")
	if strings.HasPrefix(name, assets) {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	data := f.data
	switch {
	case name == "index.html" && s.config.Page != nil:
		data = s.config.Page(data)
	case len(f.packed()) > 0:
		h.Set("Vary", "Accept-Encoding")
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			h.Set("Content-Encoding", "gzip")
			data = f.packed()
		}
	}
	sum := sha256.Sum256(data)
	h.Set("ETag", `"`+hex.EncodeToString(sum[:12])+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// pack compresses what gets smaller by it.
func pack(data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(data) // into memory
	_ = z.Close()
	if b.Len() >= len(data) {
		return nil
	}
	return b.Bytes()
}
