// Package request carries what resolvers may know of the HTTP request behind an operation.
package request

import "context"

// Info is what the edge knows of a request.
type Info struct {
	ID             string // of the request, as in logs and the X-Request-Id header
	IPAddress      string // of the client, after trusted proxies; empty where unknown
	UserAgent      string // what the client says it is; empty where it says nothing
	IdempotencyKey string // the Idempotency-Key header; empty where there is none
}

type contextKey struct{}

// NewContext gives a context that carries the info.
func NewContext(ctx context.Context, i Info) context.Context {
	return context.WithValue(ctx, contextKey{}, i)
}

// FromContext gives the info of the request; the zero value outside of one.
func FromContext(ctx context.Context) Info {
	i, _ := ctx.Value(contextKey{}).(Info)
	return i
}

// IdempotencyKey gives the key of an input, or the one of the header where the input has none.
func IdempotencyKey(ctx context.Context, input *string) string {
	if input != nil {
		return *input
	}
	return FromContext(ctx).IdempotencyKey
}
