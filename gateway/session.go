package gateway

import (
	"context"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// inSession ends a subscription with the session of its viewer: a token is looked at once, but what
// it opened may last for days. The session is checked before each event leaves, which needs an
// answer, and from time to time, so that a stream without events ends too.
func (g *Gateway) inSession(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	v := viewer.FromContext(ctx)
	if v.UserID == uuid.Nil || graphql.GetOperationContext(ctx).Operation.Operation != ast.Subscription {
		return next(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	go g.watchSession(ctx, v, cancel)
	responses := next(ctx)
	over := false
	return func(ctx context.Context) *graphql.Response {
		if over {
			return nil
		}
		resp := responses(ctx)
		// The context ends with the session, and must not end the last look at it.
		if err := g.deps.Authenticator.Active(context.WithoutCancel(ctx), v); err != nil {
			over = true
			cancel()
			return &graphql.Response{Errors: gqlerror.List{sessionOver(err)}}
		}
		if resp == nil {
			over = true
			cancel()
		}
		return resp
	}
}

// watchSession looks at a session from time to time, and cancels once it has ended.
func (g *Gateway) watchSession(ctx context.Context, v viewer.Viewer, cancel context.CancelFunc) {
	ticker := time.NewTicker(g.config.KeepAlive)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if errs.Is(g.deps.Authenticator.Active(ctx, v), errs.Unauthenticated) {
				cancel()
				return
			}
		}
	}
}

// sessionOver is the last word of a stream.
func sessionOver(err error) *gqlerror.Error {
	if errs.Is(err, errs.Unauthenticated) {
		return coded(string(errs.Unauthenticated), "The session has ended: sign in again.")
	}
	return coded(string(errs.Unavailable), "The session cannot be checked right now: subscribe again in a moment.")
}
