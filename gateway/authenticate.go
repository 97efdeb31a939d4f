package gateway

import (
	"context"
	"net/http"
	"strings"

	"github.com/techmart/techmart/graph/request"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// authenticate puts the viewer of the Authorization header into the context; without the header it
// is an anonymous one. A token that is not good is answered with 401, and false given.
func (g *Gateway) authenticate(ctx context.Context, w http.ResponseWriter, r *http.Request) (context.Context, bool) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return ctx, true
	}
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
	return viewer.NewContext(ctx, v), true
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
	recordOf(ctx).note(func(rec *recorded) { rec.viewer = v })
	return v, nil
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
