package gateway

import (
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// leastCompressed is the size from which an answer is compressed: a smaller one fits into a packet.
const leastCompressed = 1400

// coding is a Content-Encoding.
type coding string

const (
	identity coding = ""
	gzipped  coding = "gzip"
	zstded   coding = "zstd"
)

// codings are those that are spoken, the cheapest first.
var codings = []coding{zstded, gzipped}

// codingOf picks the coding of an answer by an Accept-Encoding header: by weight, then the cheaper.
func codingOf(accept string) coding {
	if accept == "" {
		return identity
	}
	var (
		best    coding
		bestQ   float64
		weights = make(map[string]float64, 4)
	)
	for entry := range strings.SplitSeq(accept, ",") {
		name, attributes, _ := strings.Cut(entry, ";")
		q := 1.0
		if key, value, ok := strings.Cut(attributes, "="); ok && strings.EqualFold(strings.TrimSpace(key), "q") {
			q = quality(strings.TrimSpace(value))
		}
		weights[strings.ToLower(strings.TrimSpace(name))] = q
	}
	for _, c := range codings {
		q, named := weights[string(c)]
		if !named {
			q = weights["*"]
		}
		if q > bestQ {
			best, bestQ = c, q
		}
	}
	if own, named := weights["identity"]; named && own > bestQ {
		return identity
	}
	return best
}

var gzipWriters = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic("gateway: gzip: " + err.Error())
	}
	return w
}}

// zstdWriter compresses in one piece, for several goroutines at a time. Its window bounds the memory
// of both sides.
var zstdWriter = sync.OnceValue(func() *zstd.Encoder {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(256<<10), zstd.WithEncoderCRC(false))
	if err != nil {
		panic("gateway: zstd: " + err.Error())
	}
	return w
})

// compress writes the body in the coding to the buffer.
func compress(b *buffer, c coding, body []byte) {
	if c == zstded {
		b.Write(zstdWriter().EncodeAll(body, b.AvailableBuffer()))
		return
	}
	w := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(w)
	w.Reset(b)
	_, _ = w.Write(body) // into memory
	_ = w.Close()
}
