// Package site serves the pages at /docs: guides, examples and the reference of the schema. scripts/docs.sh
// builds them; they are part of the binary.
package site

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

// Prefix is where the pages are; their build knows it, too.
const Prefix = "/docs"

//go:embed site.zip
var archive []byte

// policy lets the pages use their own files alone. Colours of code are attributes of style, which hold no script.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
}

// page is a file of the site, as the archive has it: deflated.
type page struct {
	entry *zip.File
	etag  string
}

// pages gives all files by name, read once for the process.
var pages = sync.OnceValue(func() map[string]page {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		panic("site: embedded archive: " + err.Error())
	}
	all := make(map[string]page)
	for _, f := range z.File {
		if kinds[path.Ext(f.Name)] == "" {
			panic("site: embedded archive: " + f.Name + " is of an unknown kind")
		}
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %x", f.Name, f.UncompressedSize64, f.CRC32))
		all[f.Name] = page{f, `"` + hex.EncodeToString(sum[:12]) + `"`}
	}
	return all
})

// Handler answers GET and HEAD below [Prefix].
func Handler() http.Handler { return http.HandlerFunc(serve) }

func serve(w http.ResponseWriter, r *http.Request) {
	name := strings.Trim(strings.TrimPrefix(r.URL.Path, Prefix), "/")
	status := http.StatusOK
	p, ok := find(name)
	if !ok {
		p, status = pages()["404.html"], http.StatusNotFound
	}
	if r.URL.Path == Prefix {
		http.Redirect(w, r, Prefix+"/", http.StatusMovedPermanently)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Content-Type", kinds[path.Ext(p.entry.Name)])
	h.Set("ETag", p.etag)
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if strings.HasPrefix(name, "assets/chunks/") { // their names have hashes
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if status != http.StatusOK {
		h.Del("ETag")
		w.WriteHeader(status)
		p.plain(w)
		return
	}
	if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		var b bytes.Buffer
		p.plain(&b)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b.Bytes()))
		return
	}
	h.Set("Content-Encoding", "gzip")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(p.packed()))
}

// find gives the file of an address: a page without its ending, the first page of a directory.
func find(name string) (page, bool) {
	for _, n := range []string{name, name + ".html", path.Join(name, "index.html")} {
		if p, ok := pages()[n]; ok {
			return p, true
		}
	}
	return page{}, false
}

func (p page) plain(w io.Writer) {
	r, err := p.entry.Open()
	if err != nil {
		panic("site: embedded archive: " + err.Error())
	}
	defer r.Close()      // it was only read
	_, _ = io.Copy(w, r) // the client may have left
}

// packed is the file with gzip: what the archive has, between gzip's own head and end.
func (p page) packed() []byte {
	raw, err := p.entry.OpenRaw()
	if err != nil {
		panic("site: embedded archive: " + err.Error())
	}
	b := bytes.NewBuffer([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255})
	if _, err := io.Copy(b, raw); err != nil {
		panic("site: embedded archive: " + err.Error())
	}
	end := binary.LittleEndian.AppendUint32(nil, p.entry.CRC32)
	b.Write(binary.LittleEndian.AppendUint32(end, uint32(p.entry.UncompressedSize64)))
	return b.Bytes()
}
