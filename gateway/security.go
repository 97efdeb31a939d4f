package gateway

import (
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/rs/cors"

	"github.com/techmart/techmart/graph/request"
)

// secured sets the headers that bound what a browser does with an answer. Pages that need more set
// a policy of their own.
func (g *Gateway) secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		if g.proxies.encrypted(r) {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// embeddable lets pages of other origins show what is served: the shop's pages have their own.
func embeddable(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
		next.ServeHTTP(w, r)
	})
}

// crossOrigin answers CORS by the allow-list. Tokens travel in a header of their own, so no
// credentials of the browser are ever allowed.
func (g *Gateway) crossOrigin(next http.Handler) http.Handler {
	if len(g.config.AllowedOrigins) == 0 {
		return next
	}
	return cors.New(cors.Options{
		AllowedOrigins: g.config.AllowedOrigins,
		AllowedMethods: []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete},
		AllowedHeaders: []string{"Authorization", "Content-Type", "Accept", "Idempotency-Key", "X-Request-Id", "Apollo-Require-Preflight", "X-Apollo-Operation-Name", "Apollographql-Client-Name", "Apollographql-Client-Version", apiKeyHeader, "If-None-Match", streamTokenHeader},
		ExposedHeaders: []string{"X-Request-Id", "Retry-After", "RateLimit", "RateLimit-Policy", "ETag"},
		MaxAge:         600,
	}).Handler(next)
}

// private shows what is not for the public: to everybody else there is nothing.
func (g *Gateway) private(next http.Handler) http.Handler {
	networks := proxies(g.config.MetricsFrom)
	if g.config.MetricsFrom == nil {
		networks = proxies{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		addr, err := netip.ParseAddr(request.FromContext(r.Context()).IPAddress)
		if err != nil || !networks.trusts(addr) {
			notFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// proxies are the networks of trusted reverse proxies.
type proxies []netip.Prefix

// client gives the address of the client: the last hop of X-Forwarded-For that is no trusted
// proxy, where the connection comes from one.
func (p proxies) client(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return ""
	}
	addr = addr.Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && p.trusts(addr); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop.Unmap()
	}
	return addr.WithZone("").String()
}

// encrypted tells whether the client speaks TLS: with this process, or by its word with a trusted
// proxy.
func (p proxies) encrypted(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !p.trusts(addr.Addr().Unmap()) {
		return false
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-Proto"), ","), ",")
	return strings.EqualFold(strings.TrimSpace(hops[len(hops)-1]), "https")
}

func (p proxies) trusts(addr netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// preflighted tells whether a GET is safe from pages of other origins: either it carries a header
// that such a page cannot send without asking first, or no such page has sent it.
func preflighted(r *http.Request) bool {
	for _, name := range []string{"Apollo-Require-Preflight", "X-Apollo-Operation-Name", "X-Requested-With", "Authorization"} {
		if r.Header.Get(name) != "" {
			return true
		}
	}
	if name, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil {
		switch name {
		case "text/plain", "application/x-www-form-urlencoded", "multipart/form-data":
		default:
			return true
		}
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return true
	case "":
		return r.Header.Get("Origin") == ""
	}
	return false
}
