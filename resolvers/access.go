package resolvers

import (
	"context"

	"github.com/99designs/gqlgen/graphql"

	"github.com/techmart/techmart/graph/generated"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// Directives gives the access rules that the SDL states with @authenticated and @requiresScopes.
// They are the first gate only: services check ownership and scopes themselves.
func Directives() generated.DirectiveRoot {
	return generated.DirectiveRoot{Authenticated: authenticated, RequiresScopes: requiresScopes}
}

func authenticated(ctx context.Context, _ any, next graphql.Resolver) (any, error) {
	if err := viewer.FromContext(ctx).RequireAccount(); err != nil {
		return nil, err
	}
	return next(ctx)
}

// requiresScopes lets a viewer pass who holds every scope of one of the inner lists.
func requiresScopes(ctx context.Context, _ any, next graphql.Resolver, scopes [][]string) (any, error) {
	v := viewer.FromContext(ctx)
	for _, all := range scopes {
		if canAll(v, all) {
			return next(ctx)
		}
	}
	if err := v.RequireAccount(); err != nil {
		return nil, err
	}
	return nil, errs.New(errs.Forbidden, "Your account may not do this.")
}

func canAll(v viewer.Viewer, scopes []string) bool {
	for _, s := range scopes {
		if !v.Can(viewer.Scope(s)) {
			return false
		}
	}
	return true
}
