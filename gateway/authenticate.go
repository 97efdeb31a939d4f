package gateway

import (
	"context"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/techmart/techmart/graph/request"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// apiKeyHeader carries the key of an API client.
const apiKeyHeader = "X-API-Key"

// maxAPIKey bounds what is looked up at all.
const maxAPIKey = 200

// Client is an API client: a program that calls the graph, known by its key.
type Client struct {
	ID        uuid.UUID
	Name      string
	Scopes    []viewer.Scope // what it may do without an account
	Documents DocumentMode   // which documents it may run
	KeyID     string         // of the key that it came with; no secret
}

// Clients tells which API client a key is of.
type Clients interface {
	// Client fails with UNAUTHENTICATED for a key that is not good, or no longer so; any other
	// failure means that it could not be told.
	Client(ctx context.Context, key string) (Client, error)
	// ClientActive fails with UNAUTHENTICATED once the client or the key that it came with is no
	// longer good; any other failure means that it could not be told.
	ClientActive(ctx context.Context, c Client) error
}

// authenticate puts the viewer of the Authorization header, and the API client of X-API-Key, into
// the context; without both headers it is an anonymous one. A token or key that is not good is
// answered with 401, and false given.
func (g *Gateway) authenticate(ctx context.Context, w http.ResponseWriter, r *http.Request) (context.Context, bool) {
	if header := r.Header.Get("Authorization"); header != "" {
		token, ok := bearer(header)
		if !ok {
			unauthenticated(w, "Send Authorization: Bearer and the access token.")
			return nil, false
		}
		v, err := g.viewerOf(ctx, token)
		switch {
		case errs.Is(err, errs.Unauthenticated):
			unauthenticated(w, "The access token is not valid or no longer so. Sign in again, or use sessionRefresh.")
			return nil, false
		case err != nil:
			refuse(w, http.StatusServiceUnavailable, string(errs.Unavailable), "It cannot be told now who you are. Try again.")
			return nil, false
		}
		ctx = viewer.NewContext(ctx, v)
	}
	keys := r.Header.Values(apiKeyHeader)
	switch {
	case len(keys) == 0:
		return ctx, true
	case len(keys) > 1:
		refuse(w, http.StatusUnauthorized, string(errs.Unauthenticated), "Send one X-API-Key.")
		return nil, false
	}
	ctx, err := g.clientOf(ctx, keys[0])
	switch {
	case errs.Is(err, errs.Unauthenticated):
		refuse(w, http.StatusUnauthorized, string(errs.Unauthenticated), "The API key is not valid or no longer so.")
		return nil, false
	case err != nil:
		refuse(w, http.StatusServiceUnavailable, string(errs.Unavailable), "It cannot be told now whose API key this is. Try again.")
		return nil, false
	}
	return ctx, true
}

// viewerOf tells who stands behind a token.
func (g *Gateway) viewerOf(ctx context.Context, token string) (viewer.Viewer, error) {
	v, err := g.deps.Authenticator.Authenticate(ctx, token)
	if err != nil {
		if !errs.Is(err, errs.Unauthenticated) {
			g.log.ErrorContext(ctx, "authentication failed", "requestId", request.FromContext(ctx).ID, "error", err)
		}
		return viewer.Viewer{}, err
	}
	v.ClientID = viewer.FromContext(ctx).ClientID
	recordOf(ctx).note(func(rec *recorded) { rec.viewer = v })
	return v, nil
}

// clientOf gives a context of the API client that the key is of: its id, and, where no account asks,
// its scopes are the viewer's. What was in the context before stays, so a token is looked at first.
// It fails with UNAUTHENTICATED for a key that is not good, and otherwise where it cannot be told.
func (g *Gateway) clientOf(ctx context.Context, key string) (context.Context, error) {
	if g.deps.Clients == nil || key == "" || len(key) > maxAPIKey {
		g.metrics.apiKeys.WithLabelValues("refused").Inc()
		return nil, errs.New(errs.Unauthenticated, "The API key is not valid.")
	}
	c, err := g.deps.Clients.Client(ctx, key)
	if err != nil {
		outcome := "refused"
		if !errs.Is(err, errs.Unauthenticated) {
			outcome = "unknown"
			g.log.ErrorContext(ctx, "the API key could not be checked", "requestId", request.FromContext(ctx).ID, "error", err)
		}
		g.metrics.apiKeys.WithLabelValues(outcome).Inc()
		return nil, err
	}
	g.metrics.apiKeys.WithLabelValues("good").Inc()
	v := viewer.FromContext(ctx)
	v.ClientID = c.ID
	if v.UserID == uuid.Nil && !v.System {
		v.Scopes = c.Scopes
	}
	recordOf(ctx).note(func(rec *recorded) { rec.viewer = v })
	return viewer.NewContext(context.WithValue(ctx, clientKey{}, c), v), nil
}

type clientKey struct{}

// clientFrom gives the API client of the request; false where it has none.
func clientFrom(ctx context.Context) (Client, bool) {
	c, ok := ctx.Value(clientKey{}).(Client)
	return c, ok
}

// bearer takes the token out of an Authorization header.
func bearer(header string) (string, bool) {
	scheme, token, ok := strings.Cut(strings.TrimSpace(header), " ")
	token = strings.TrimSpace(token)
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != "" && !strings.ContainsAny(token, " \t,")
}

func unauthenticated(w http.ResponseWriter, message string) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="techmart", error="invalid_token"`)
	refuse(w, http.StatusUnauthorized, string(errs.Unauthenticated), message)
}
