package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	coderws "github.com/coder/websocket"
	"github.com/google/uuid"

	"github.com/techmart/techmart/graph/request"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// serveWebSocket runs one connection until it ends or the edge closes. Who is connected is said in
// connection_init, as browsers send no header of choice with a WebSocket.
func (g *Gateway) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	switch {
	case !upgrades(r):
		w.Header().Set("Sec-WebSocket-Protocol", transportWS)
		refuse(w, http.StatusBadRequest, codeBadRequest, "Only WebSockets of the subprotocol graphql-transport-ws are spoken.")
		return
	case !g.sameOrigin(r):
		refuse(w, http.StatusForbidden, codeBadRequest, "Pages of this origin may not connect.")
		return
	}
	p, ok := g.admit(w, r)
	if !ok {
		return
	}
	defer p.leave()
	conn, err := coderws.Accept(w, r, &coderws.AcceptOptions{
		Subprotocols: []string{transportWS}, InsecureSkipVerify: true, // the origin was looked at above
	})
	if err != nil {
		return // it has answered
	}
	g.metrics.streams.WithLabelValues("websocket").Inc()
	defer g.metrics.streams.WithLabelValues("websocket").Dec()
	recordOf(r.Context()).note(func(rec *recorded) { rec.kind = "connection" })
	info := request.FromContext(r.Context())
	info.IdempotencyKey = "" // the header would stand for every operation of the connection
	newSocket(g, conn, p, request.NewContext(r.Context(), info)).serve()
}

// admit counts a connection in, or answers why not and gives false.
func (g *Gateway) admit(w http.ResponseWriter, r *http.Request) (*place, bool) {
	p, err := g.streams.enter(request.FromContext(r.Context()).IPAddress)
	if err != nil {
		refuseStream(w, err)
		return nil, false
	}
	return p, true
}

// refuseStream answers why a stream is not taken.
func refuseStream(w http.ResponseWriter, err error) {
	if errors.Is(err, errTooManyStreams) {
		w.Header().Set("Retry-After", "10")
		refuse(w, http.StatusTooManyRequests, codeConnections, "There are too many open connections of yours: close one, or try again.")
		return
	}
	w.Header().Set("Retry-After", "1")
	refuse(w, http.StatusServiceUnavailable, string(errs.Unavailable), "This server is closing. Try again.")
}

// upgrades tells whether a request asks for a WebSocket that is spoken here.
func upgrades(r *http.Request) bool {
	if r.Method != http.MethodGet || !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return false
	}
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for one := range strings.SplitSeq(line, ",") {
			if strings.TrimSpace(one) == transportWS {
				return true
			}
		}
	}
	return false
}

// sameOrigin tells whether a browser's page may connect: one of ours, or of an origin on the list.
// Programs send no origin.
func (g *Gateway) sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	if strings.EqualFold(u.Host, r.Host) {
		return true
	}
	for _, allowed := range g.config.AllowedOrigins {
		if strings.EqualFold(allowed, origin) {
			return true
		}
	}
	return false
}

// hello is the payload of connection_init, and of a ping that renews. The names are those that
// clients use; an authorization is Bearer and the access token.
type hello struct {
	Authorization string
	AccessToken   string
	APIKey        string
	renewal       bool // it names a token
}

// readHello takes from a payload who connects; other entries are the client's own affair.
func readHello(payload json.RawMessage) (h hello, err error) {
	var entries map[string]json.RawMessage
	if len(payload) > 0 {
		if err := json.Unmarshal(payload, &entries); err != nil {
			return h, err
		}
	}
	for name, raw := range entries {
		var into *string
		switch strings.ToLower(name) {
		case "authorization":
			into = &h.Authorization
		case "accesstoken":
			into = &h.AccessToken
		case "apikey", "x-api-key":
			into = &h.APIKey
		default:
			continue
		}
		if isNull(raw) {
			continue
		}
		if *into != "" || json.Unmarshal(raw, into) != nil {
			return h, errs.New(errs.Unauthenticated, "The payload names who connects in no way that is read.")
		}
	}
	h.renewal = h.Authorization != "" || h.AccessToken != ""
	return h, nil
}

// token gives the access token; false where it stands there in no way that is read.
func (h hello) token() (string, bool) {
	if h.Authorization == "" {
		return h.AccessToken, true
	}
	return bearer(h.Authorization)
}

// identify gives a context with the viewer, and the API client, that a payload names.
func (g *Gateway) identify(ctx context.Context, payload json.RawMessage) (context.Context, error) {
	h, err := readHello(payload)
	if err != nil {
		return nil, errs.New(errs.Unauthenticated, "The payload is not readable.")
	}
	token, ok := h.token()
	if !ok {
		return nil, errs.New(errs.Unauthenticated, "authorization is Bearer and the access token.")
	}
	if token != "" {
		v, err := g.viewerOf(ctx, token)
		if err != nil {
			return nil, err
		}
		ctx = viewer.NewContext(ctx, v)
	}
	if h.APIKey == "" {
		return ctx, nil
	}
	return g.clientOf(ctx, h.APIKey)
}

// expiryPayload tells a client until when its connection lasts unless it renews; nil where it has no
// end.
func expiryPayload(until time.Time) []byte {
	if until.IsZero() {
		return nil
	}
	return []byte(`{"expiresAt":"` + until.UTC().Format(time.RFC3339) + `"}`)
}

// owner is whose connections are counted together.
func owner(ctx context.Context) uuid.UUID { return viewer.FromContext(ctx).UserID }
