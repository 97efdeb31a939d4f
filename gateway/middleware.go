package gateway

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/techmart/techmart/graph/request"
	"github.com/techmart/techmart/services/viewer"
)

// maxRequestID and the like bound what is taken over from headers.
const (
	maxRequestID      = 64
	maxUserAgent      = 300
	maxIdempotencyKey = 256 * utf8.UTFMax // more than a key may have: a longer one is refused, not cut to another one
)

// record gathers what the access log says of a request; the handlers fill it in.
type record struct {
	mu sync.Mutex
	recorded
}

// recorded is what a record holds.
type recorded struct {
	route     string
	viewer    viewer.Viewer
	operation string // its name
	kind      string // query, mutation or subscription
	document  string // its text; the log has its hash
	batch     int    // operations of a batch
	cost      int
	code      string // of the first error
}

// note changes the record. Resolvers run side by side, and those of an operation on a WebSocket may
// outlive the request.
func (r *record) note(change func(*recorded)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.recorded)
}

// read gives what was recorded so far.
func (r *record) read() recorded {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.recorded
}

type recordKey struct{}

// recordOf gives the record of the request; one that nobody reads outside of one.
func recordOf(ctx context.Context) *record {
	if r, ok := ctx.Value(recordKey{}).(*record); ok {
		return r
	}
	return new(record)
}

// route names the route for log and metrics.
func route(name string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recordOf(r.Context()).note(func(rec *recorded) { rec.route = name })
		next.ServeHTTP(w, r)
	})
}

// observed gives each request its id and info, and writes one line of access log for it.
func (g *Gateway) observed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		info := request.Info{
			ID:             requestID(r),
			IPAddress:      g.proxies.client(r),
			UserAgent:      clip(r.UserAgent(), maxUserAgent),
			IdempotencyKey: clip(r.Header.Get("Idempotency-Key"), maxIdempotencyKey),
		}
		kept := new(record)
		ctx := context.WithValue(request.NewContext(r.Context(), info), recordKey{}, kept)
		w.Header().Set("X-Request-Id", info.ID)
		out := &statusWriter{ResponseWriter: w}
		next.ServeHTTP(out, r.WithContext(ctx))

		took := time.Since(began)
		rec := kept.read()
		status := out.statusCode()
		method := methodName(r.Method)
		g.metrics.request(rec.route, method, status, took)
		level := slog.LevelInfo
		if status >= http.StatusInternalServerError {
			level = slog.LevelError
		} else if rec.route == "/healthz" || rec.route == "/readyz" || rec.route == "/metrics" {
			level = slog.LevelDebug
		}
		attrs := []slog.Attr{
			slog.String("requestId", info.ID), slog.String("method", method), slog.String("route", rec.route),
			slog.Int("status", status), slog.Duration("duration", took), slog.Int64("bytes", out.bytes),
			slog.String("ip", info.IPAddress),
		}
		if rec.viewer.UserID != uuid.Nil {
			attrs = append(attrs, slog.String("viewer", rec.viewer.UserID.String()))
		}
		if rec.viewer.ClientID != uuid.Nil {
			attrs = append(attrs, slog.String("client", rec.viewer.ClientID.String()))
		}
		if rec.kind != "" {
			attrs = append(attrs, slog.String("operation", rec.operation), slog.String("kind", rec.kind), slog.Int("cost", rec.cost))
		}
		if rec.document != "" {
			attrs = append(attrs, slog.String("document", documentHash(rec.document)))
		}
		if rec.batch > 0 {
			attrs = append(attrs, slog.Int("batch", rec.batch))
		}
		if out.refusal != "" {
			g.metrics.refusals.WithLabelValues(out.refusal).Inc()
			rec.code = cmp.Or(rec.code, out.refusal)
		}
		if rec.code != "" {
			attrs = append(attrs, slog.String("code", rec.code))
		}
		g.log.LogAttrs(ctx, level, "request", attrs...)
	})
}

// documentHash gives the hash of a document, as persisted queries have it.
func documentHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// requestID takes the client's id over where it is harmless, and makes one otherwise.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if id == "" || len(id) > maxRequestID {
		return uuid.NewString()
	}
	for _, c := range id {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' && c != '.' {
			return uuid.NewString()
		}
	}
	return id
}

func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "")
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

// recovered turns a panic into INTERNAL, and logs it with its stack.
func (g *Gateway) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler {
				panic(p)
			}
			id := request.FromContext(r.Context()).ID
			g.log.ErrorContext(r.Context(), "panic", "requestId", id, "panic", p, "stack", string(debug.Stack()))
			if s, ok := w.(*statusWriter); ok && s.status == 0 {
				refuseWith(w, http.StatusInternalServerError, internalMessage, map[string]any{"code": codeInternal, "requestId": id})
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// statusWriter remembers what was answered. Unwrap lets http.ResponseController flush and hijack.
type statusWriter struct {
	http.ResponseWriter
	status  int
	bytes   int64
	refusal string // the code of a request that was not run
}

// noteRefusal notes the code of a refusal for log and metrics.
func noteRefusal(w http.ResponseWriter, extensions map[string]any) {
	for {
		switch out := w.(type) {
		case *statusWriter:
			out.refusal, _ = extensions["code"].(string)
			return
		case interface{ Unwrap() http.ResponseWriter }:
			w = out.Unwrap()
		default:
			return
		}
	}
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap gives the writer beneath.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) statusCode() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}
