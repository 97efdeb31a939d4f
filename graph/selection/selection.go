// Package selection tells a resolver what the client asks for beneath its field. It is the one place
// that looks at the executor's context, so that the executor can be replaced.
package selection

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
)

// Only reports whether nothing but the named fields is selected of the object of type object that
// the current field gives. It is false where that cannot be told.
func Only(ctx context.Context, object string, names map[string]bool) bool {
	if graphql.GetFieldContext(ctx) == nil || !graphql.HasOperationContext(ctx) {
		return false
	}
	for _, f := range graphql.CollectFieldsCtx(ctx, []string{object}) {
		if !names[f.Name] {
			return false
		}
	}
	return true
}
