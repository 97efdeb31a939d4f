// Package request carries what resolvers may know of the HTTP request behind an operation.
package request

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"unicode/utf8"
)

// maxKey is what services take of an idempotency key, in characters.
const maxKey = 255

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

// WithPart gives a context whose Idempotency-Key is that of one part of the request. The header speaks of the
// request as a whole, whose parts must not take each other's answers. A key that is too long stays
// as it is, to be refused.
func WithPart(ctx context.Context, part string) context.Context {
	info := FromContext(ctx)
	if info.IdempotencyKey == "" || utf8.RuneCountInString(info.IdempotencyKey) > maxKey {
		return ctx
	}
	info.IdempotencyKey += "/" + part
	if utf8.RuneCountInString(info.IdempotencyKey) > maxKey {
		sum := sha256.Sum256([]byte(info.IdempotencyKey))
		info.IdempotencyKey = "sha256:" + hex.EncodeToString(sum[:])
	}
	return NewContext(ctx, info)
}

// IdempotencyKey gives the key of an input, or the one of the header where the input has none.
func IdempotencyKey(ctx context.Context, input *string) string {
	if input != nil {
		return *input
	}
	return FromContext(ctx).IdempotencyKey
}
