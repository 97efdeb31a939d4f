package gateway

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// Why the authority of a stream ends beside an UNAUTHENTICATED of the authenticator.
var (
	errExpired = errors.New("gateway: the access token has expired")
	errOther   = errors.New("gateway: a token of another session")
)

// authority is on whose behalf a stream runs, and for how long: a token is looked at once, but what
// it opened may last for days. It ends with the access token, unless that is renewed in time, and
// with the session, which is checked from time to time and before each event leaves. One of an API
// client ends with the key that it came with.
type authority struct {
	g       *Gateway
	base    context.Context // of the operations
	watched context.Context // ends with it
	cancel  context.CancelFunc
	ended   func(error) // told once when it ends

	viewer viewer.Viewer // stays the same
	expiry *time.Timer   // nil where nothing expires

	mu    sync.Mutex
	until time.Time // when the access token ends; zero where nothing does
	over  error
}

type authorityKey struct{}

// authorize gives the authority of the viewer of ctx. Operations run in its base. What it is for is
// told of its end, and releases it with its own.
func (g *Gateway) authorize(ctx context.Context, ended func(error)) *authority {
	a := &authority{g: g, ended: ended, viewer: viewer.FromContext(ctx)}
	a.watched, a.cancel = context.WithCancel(ctx)
	a.base = context.WithValue(ctx, authorityKey{}, a)
	if a.until = a.viewer.ExpiresAt; !a.until.IsZero() {
		a.expiry = time.AfterFunc(time.Until(a.until), func() { a.end(errExpired) })
	}
	if a.checked() {
		go a.watch()
	}
	return a
}

// checked tells whether there is anything that can end by itself.
func (a *authority) checked() bool {
	return a.viewer.UserID != uuid.Nil || a.viewer.ClientID != uuid.Nil
}

// release ends the authority with its stream.
func (a *authority) release() {
	if a.expiry != nil {
		a.expiry.Stop()
	}
	a.cancel()
}

// end ends the authority for a reason; the first one counts.
func (a *authority) end(reason error) {
	a.mu.Lock()
	first := a.over == nil && a.watched.Err() == nil
	if first {
		a.over = reason
	}
	a.mu.Unlock()
	if !first {
		return
	}
	a.cancel()
	a.ended(reason)
}

// reason tells why the authority has ended; nil while it lasts.
func (a *authority) reason() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.over
}

// active asks whether session and API client still are good.
func (a *authority) active(ctx context.Context) error {
	v := a.viewer
	if v.UserID != uuid.Nil {
		if err := a.g.deps.Authenticator.Active(ctx, v); err != nil {
			return err
		}
	}
	if c, ok := clientFrom(a.base); ok {
		return a.g.deps.Clients.ClientActive(ctx, c)
	}
	return nil
}

// watch looks at the session from time to time, so that a stream without events ends too.
func (a *authority) watch() {
	ticker := time.NewTicker(a.g.config.KeepAlive)
	defer ticker.Stop()
	for {
		select {
		case <-a.watched.Done():
			return
		case <-ticker.C:
			if err := a.active(a.watched); errs.Is(err, errs.Unauthenticated) {
				a.end(err)
				return
			}
		}
	}
}

// expires gives when the access token ends; zero where nothing does.
func (a *authority) expires() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.until
}

// renew prolongs the authority by a newer token of the same session. It fails with UNAUTHENTICATED
// for one that is not good, with errOther for one of another session, and otherwise where it cannot
// be told.
func (a *authority) renew(token string) error {
	v, err := a.g.viewerOf(a.watched, token)
	if err != nil {
		return err
	}
	return a.prolong(v)
}

// prolong takes the end of a viewer's token over where it is later. It fails with errOther for a
// token of another session.
func (a *authority) prolong(v viewer.Viewer) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.viewer.UserID == uuid.Nil || v.UserID != a.viewer.UserID || v.SessionID != a.viewer.SessionID {
		return errOther
	}
	if a.over == nil && a.expiry != nil && v.ExpiresAt.After(a.until) {
		a.until = v.ExpiresAt
		a.expiry.Reset(time.Until(v.ExpiresAt))
	}
	return nil
}

// inSession ends a subscription with the authority of its stream.
func (g *Gateway) inSession(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	a, ok := ctx.Value(authorityKey{}).(*authority)
	if !ok || graphql.GetOperationContext(ctx).Operation.Operation != ast.Subscription {
		return next(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	responses := next(ctx)
	over := false
	return func(ctx context.Context) *graphql.Response {
		if over {
			return nil
		}
		resp := responses(ctx)
		reason := a.reason()
		if reason == nil && resp != nil {
			// The context may end with the stream, and must not end the last look at the session.
			if reason = a.active(context.WithoutCancel(ctx)); errs.Is(reason, errs.Unauthenticated) {
				a.end(reason)
			}
		}
		switch {
		case errors.Is(reason, errExpired): // how that is told is the transport's affair
			resp = nil
		case reason != nil:
			resp = &graphql.Response{Errors: gqlerror.List{lastWord(reason)}}
		}
		if resp == nil || reason != nil {
			over = true
			cancel()
		}
		return resp
	}
}

// lastWord is what a stream says when its authority has ended, or the server closes.
func lastWord(reason error) *gqlerror.Error {
	switch {
	case errors.Is(reason, errExpired):
		return coded(string(errs.Unauthenticated), "The access token has expired: renew it, and subscribe again.")
	case errs.Is(reason, errs.Unauthenticated):
		return coded(string(errs.Unauthenticated), "The session has ended: sign in again.")
	case errors.Is(reason, errClosing):
		return coded(string(errs.Unavailable), "This server is closing: subscribe again.")
	}
	return coded(string(errs.Unavailable), "The session cannot be checked right now: subscribe again in a moment.")
}
