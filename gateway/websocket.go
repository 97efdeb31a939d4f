package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/99designs/gqlgen/graphql/handler/transport"
	coderws "github.com/coder/websocket"

	"github.com/techmart/techmart/graph/request"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// transportWS is the only subprotocol spoken (https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md).
const transportWS = "graphql-transport-ws"

// Close codes of the protocol.
const (
	forbidden   = 4403 // the initialization was refused
	initTimeout = 4408 // there was none
)

// websocket speaks graphql-transport-ws. Who is connected is said in connection_init, as browsers
// send no header of choice with a WebSocket.
func (g *Gateway) websocket() transport.Websocket {
	limit := g.config.MaxBodyBytes
	return transport.Websocket{
		InitTimeout:      g.config.InitTimeout,
		InitFunc:         g.connect,
		PingPongInterval: g.config.KeepAlive,
		PayloadReadLimit: &limit,
	}
}

// connect authenticates a connection by the payload of connection_init: authorization (as the
// header), or accessToken.
func (g *Gateway) connect(ctx context.Context, payload transport.InitPayload) (context.Context, *transport.InitPayload, error) {
	token, given := "", false
	if header := payload.Authorization(); header != "" {
		token, given = bearer(header)
		if !given {
			return transport.WithWebsocketCloseCode(transport.AppendCloseReason(ctx, "Forbidden"), forbidden), nil, errs.New(errs.Unauthenticated, "authorization is Bearer and the access token.")
		}
	} else if text := payload.GetString("accessToken"); text != "" {
		token, given = text, true
	}
	if !given {
		return ctx, nil, nil
	}
	v, err := g.viewerOf(ctx, token)
	if err != nil {
		return transport.WithWebsocketCloseCode(transport.AppendCloseReason(ctx, "Forbidden"), forbidden), nil, errs.New(errs.Unauthenticated, "The access token is not valid.")
	}
	return viewer.NewContext(ctx, v), nil, nil
}

// serveWebSocket runs one connection until it ends or the edge closes.
func (g *Gateway) serveWebSocket(t transport.Websocket, w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") || !offers(r, transportWS) {
		w.Header().Set("Sec-WebSocket-Protocol", transportWS)
		refuse(w, http.StatusBadRequest, codeBadRequest, "Only WebSockets of the subprotocol graphql-transport-ws are spoken.")
		return
	}
	ctx, leave, ok := g.streams.enter(r.Context())
	if !ok {
		refuse(w, http.StatusServiceUnavailable, "UNAVAILABLE", "This server is closing. Try again.")
		return
	}
	defer leave()
	g.metrics.streams.WithLabelValues("websocket").Inc()
	defer g.metrics.streams.WithLabelValues("websocket").Dec()
	recordOf(ctx).note(func(rec *recorded) { rec.kind = "connection" })
	info := request.FromContext(ctx)
	info.IdempotencyKey = "" // the header would stand for every operation of the connection
	ctx = request.NewContext(ctx, info)
	a := &accepter{CoderWebsocketImplementation: transport.CoderWebsocketImplementation{AcceptOptions: coderws.AcceptOptions{
		Subprotocols: []string{transportWS}, OriginPatterns: hosts(g.config.AllowedOrigins),
	}}}
	t.Implementation = a
	t.Do(w, r.WithContext(ctx), g.exec)
	if a.conn != nil { // the transport leaves it open where connection_init cannot be read
		_ = a.conn.Close() // after a close it does nothing
	}
}

func offers(r *http.Request, subprotocol string) bool {
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for one := range strings.SplitSeq(line, ",") {
			if strings.TrimSpace(one) == subprotocol {
				return true
			}
		}
	}
	return false
}

// hosts gives the hosts of origins.
func hosts(origins []string) []string {
	var list []string
	for _, o := range origins {
		if u, err := url.Parse(o); err == nil && u.Host != "" {
			list = append(list, u.Host)
		}
	}
	return list
}

// accepter keeps to our subprotocol, whatever else the transport would speak, and to the connection.
type accepter struct {
	transport.CoderWebsocketImplementation
	conn transport.WebsocketConn
}

// Accept upgrades a request.
func (a *accepter) Accept(w http.ResponseWriter, r *http.Request, o transport.WebsocketAcceptOptions) (transport.WebsocketConn, error) {
	o.Subprotocols = []string{transportWS}
	conn, err := a.CoderWebsocketImplementation.Accept(w, r, o)
	if err != nil {
		return nil, err
	}
	a.conn = conn
	limited, ok := conn.(boundedConn)
	if !ok {
		return nil, errors.New("gateway: the WebSocket cannot be bounded")
	}
	return protocolConn{limited}, nil
}

// boundedConn is a connection with bounds on what is read.
type boundedConn interface {
	transport.WebsocketConn
	transport.WebsocketReadLimiter
	transport.WebsocketReadDeadliner
}

// protocolConn closes with the protocol's own code where the transport knows a general one only.
type protocolConn struct{ boundedConn }

// WriteClose closes the connection.
func (c protocolConn) WriteClose(code int, message string) error {
	if message == "connection initialisation timeout" {
		code = initTimeout
	}
	return c.boundedConn.WriteClose(code, message)
}
