package gateway

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/techmart/techmart/gateway/throttle"
)

// rate is what the headers of an answer say of its client's budget.
type rate struct {
	mu         sync.Mutex
	known      bool
	status     throttle.Status
	retryAfter time.Duration // above 0 where an operation was refused
}

type rateKey struct{}

// rateOf gives the rate of the request; one that nobody reads outside of one.
func rateOf(ctx context.Context) *rate {
	if r, ok := ctx.Value(rateKey{}).(*rate); ok {
		return r
	}
	return new(rate)
}

// note takes over what is known last. The operations of a batch may run side by side; a refusal of
// one stays.
func (r *rate) note(s throttle.Status, retryAfter time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known, r.status, r.retryAfter = true, s, max(r.retryAfter, retryAfter)
}

// write sets RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers), and Retry-After
// where an operation was refused. An answer that caches hand to others says nothing of one client.
func (r *rate) write(h http.Header) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.known || strings.HasPrefix(h.Get("Cache-Control"), "public") {
		return
	}
	class := r.status.Class
	b := make([]byte, 0, 64)
	b = strconv.AppendQuote(b, class.Name)
	b = strconv.AppendInt(append(b, ";q="...), int64(class.Capacity), 10)
	b = append(b, `;qu="cost";w=`...)
	h["Ratelimit-Policy"] = []string{string(strconv.AppendInt(b, int64(seconds(class.Full())), 10))}
	b = strconv.AppendQuote(b[:0], class.Name)
	b = strconv.AppendInt(append(b, ";r="...), int64(r.status.Available), 10)
	reset := 0
	if d := r.status.Reset(); d > 0 {
		reset = seconds(d)
	}
	h["Ratelimit"] = []string{string(strconv.AppendInt(append(b, ";t="...), int64(reset), 10))}
	if r.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(seconds(r.retryAfter)))
	}
}

// rated tells each client of the graph what is left of its budget when the answer begins.
func (g *Gateway) rated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kept := new(rate)
		ctx := context.WithValue(r.Context(), rateKey{}, kept)
		next.ServeHTTP(&rateWriter{ResponseWriter: w, rate: kept}, r.WithContext(ctx))
	})
}

// rateWriter writes the headers of a rate with the answer's first byte.
type rateWriter struct {
	http.ResponseWriter
	rate  *rate
	begun bool
}

// WriteHeader begins the answer.
func (w *rateWriter) WriteHeader(status int) {
	if !w.begun && status >= http.StatusOK {
		w.begun = true
		w.rate.write(w.Header())
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write begins the answer where it has not begun.
func (w *rateWriter) Write(b []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap gives the writer beneath.
func (w *rateWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
