package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/techmart/techmart/graph/request"
	"github.com/techmart/techmart/services/errs"
)

// Codes of top-level errors beside those of package errs. docs/errors.md explains each.
const (
	codeInternal      = "INTERNAL"
	codeTimeout       = "TIMEOUT"
	codeBadRequest    = "BAD_REQUEST"
	codeCSRF          = "CSRF"
	codeTooLarge      = "REQUEST_TOO_LARGE"
	codeBatch         = "BATCH_TOO_LARGE"
	codeValidation    = errcode.ValidationFailed // GRAPHQL_VALIDATION_FAILED
	codeParse         = errcode.ParseFailed      // GRAPHQL_PARSE_FAILED
	codeCost          = "COST_LIMIT_EXCEEDED"
	codeDepth         = "DEPTH_LIMIT_EXCEEDED"
	codeAliases       = "ALIAS_LIMIT_EXCEEDED"
	codeRootFields    = "ROOT_FIELD_LIMIT_EXCEEDED"
	codeDirectives    = "DIRECTIVE_LIMIT_EXCEEDED"
	codeTokens        = "TOKEN_LIMIT_EXCEEDED"
	codeFragments     = "FRAGMENT_LIMIT_EXCEEDED"
	codeCycle         = "FRAGMENT_CYCLE"
	codeLists         = "LIST_LIMIT_EXCEEDED"
	codeInputDepth    = "INPUT_DEPTH_LIMIT_EXCEEDED"
	codeIntrospection = "INTROSPECTION_DISABLED"
	codeNotPersisted  = "PERSISTED_QUERY_NOT_FOUND"
	codeNotTrusted    = "DOCUMENT_NOT_TRUSTED"
	codeHashMismatch  = "PERSISTED_QUERY_HASH_MISMATCH"
)

const internalMessage = "Something went wrong on our side. It is logged under the request's id."

const unavailableMessage = "This cannot be answered right now. Try again in a moment."

// lost tells whether err says that a server behind the graph could not be reached or hung up.
func lost(err error) bool {
	var away interface{ Unavailable() bool }
	var network *net.OpError
	return errors.As(err, &away) && away.Unavailable() || errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF)
}

// coded is an error of the edge's own: safe to show, with its code.
func coded(code, format string, args ...any) *gqlerror.Error {
	return &gqlerror.Error{Message: fmt.Sprintf(format, args...), Extensions: map[string]any{"code": code}}
}

// present decides what the client sees of an error: the text of those that are safe to show, and of
// every other one only that it is logged.
func (g *Gateway) present(ctx context.Context, err error) *gqlerror.Error {
	var out *gqlerror.Error
	if !errors.As(err, &out) {
		out = gqlerror.WrapPath(graphql.GetPath(ctx), err)
	}
	shown := &gqlerror.Error{Path: out.Path, Locations: out.Locations}
	known := errs.All(out.Unwrap())
	switch {
	case len(known) > 0:
		shown.Message = known[0].Message
		shown.Extensions = map[string]any{"code": string(known[0].Code)}
		if len(known[0].Field) > 0 {
			shown.Extensions["argument"] = strings.Join(known[0].Field, ".")
		}
		if known[0].Cause != nil {
			g.log.WarnContext(ctx, "failure shown", "requestId", request.FromContext(ctx).ID, "code", known[0].Code, "error", known[0].Cause)
		}
	case out.Extensions["code"] != nil: // parsing, validation, limits
		shown.Message, shown.Extensions = g.withoutHints(out.Message), out.Extensions
	case out.Unwrap() != nil && out.Unwrap().Error() == errNoIntrospection:
		shown.Message = "The schema is not shown here."
		shown.Extensions = map[string]any{"code": codeIntrospection}
	case argumentsFailed(ctx):
		shown.Message = out.Message
		shown.Extensions = map[string]any{"code": string(errs.BadInput)}
	case errors.Is(endOf(ctx), context.DeadlineExceeded), outOfTime(ctx, err):
		shown.Message = "The operation took too long and was stopped."
		shown.Extensions = map[string]any{"code": codeTimeout}
	case lost(err):
		id := request.FromContext(ctx).ID
		g.log.WarnContext(ctx, "a server does not answer", "requestId", id, "path", out.Path.String(), "error", err)
		shown.Message = unavailableMessage
		shown.Extensions = map[string]any{"code": string(errs.Unavailable), "requestId": id}
	default:
		id := request.FromContext(ctx).ID
		if endOf(ctx) == nil { // otherwise the client has left, and whatever failed did so for that
			g.log.ErrorContext(ctx, "internal error", "requestId", id, "path", out.Path.String(), "error", err)
		}
		shown.Message = internalMessage
		shown.Extensions = map[string]any{"code": codeInternal, "requestId": id}
	}
	recordOf(ctx).note(func(rec *recorded) {
		if rec.code == "" {
			rec.code, _ = shown.Extensions["code"].(string)
		}
	})
	return shown
}

// argumentsFailed tells whether the field's arguments could not be read: what is wrong with them is
// the client's to know. The executor sets them once they all could be.
func argumentsFailed(ctx context.Context) bool {
	fc := graphql.GetFieldContext(ctx)
	return fc != nil && fc.Args == nil && fc.Field.Field != nil && fc.Field.Definition != nil && len(fc.Field.Definition.Arguments) > 0
}

// withoutHints takes suggestions out of a validation error: they would give a hidden schema away.
func (g *Gateway) withoutHints(message string) string {
	if !g.config.Production {
		return message
	}
	message, _, _ = strings.Cut(message, " Did you mean")
	return message
}

// recoverPanic turns a resolver's panic into an internal error, and logs its stack.
func (g *Gateway) recoverPanic(ctx context.Context, p any) error {
	g.log.ErrorContext(ctx, "panic in a resolver", "requestId", request.FromContext(ctx).ID, "panic", p, "stack", string(debug.Stack()))
	return fmt.Errorf("gateway: a resolver panicked: %v", p)
}

// statusOf gives the HTTP status of a refusal that has one of its own, whatever the media type.
func statusOf(list gqlerror.List) (int, bool) {
	for _, e := range list {
		switch e.Extensions["code"] {
		case string(errs.Throttled):
			return http.StatusTooManyRequests, true
		case codeInternal:
			return http.StatusInternalServerError, true
		}
	}
	return 0, false
}
