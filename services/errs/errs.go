// Package errs is the vocabulary of failures that a caller may see.
//
// An error is a code and a message that is safe to show to anyone. Whatever is not an [Error]
// is internal: it is logged with its cause and shown as "internal error" only.
package errs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Code says what kind of failure it is. Its text is the value of the GraphQL enum UserErrorCode,
// or of extensions.code for the few that are top-level errors.
type Code string

// Codes that every domain shares. A domain declares its own beside its errors.
const (
	Invalid           Code = "INVALID"            // a value breaks a rule of its field
	Required          Code = "REQUIRED"           // a value is missing
	TooLong           Code = "TOO_LONG"           // a text or list exceeds its bound
	TooShort          Code = "TOO_SHORT"          // a text or list is below its bound
	OutOfRange        Code = "OUT_OF_RANGE"       // a number or time is outside its bounds
	NotFound          Code = "NOT_FOUND"          // no such thing, or the viewer may not know of it
	Taken             Code = "TAKEN"              // a value that must be unique is in use
	Conflict          Code = "CONFLICT"           // the thing has changed since it was read (expectedVersion)
	InvalidState      Code = "INVALID_STATE"      // the thing's status does not allow it
	LimitExceeded     Code = "LIMIT_EXCEEDED"     // a bound of the shop, such as lines in a cart
	IdempotencyReused Code = "IDEMPOTENCY_REUSED" // the key was used with another input
	InFlight          Code = "IN_FLIGHT"          // the same key is being worked on: retry
	Unauthenticated   Code = "UNAUTHENTICATED"    // top-level: a valid access token is needed
	Forbidden         Code = "FORBIDDEN"          // top-level: the viewer lacks the scope
	CursorMismatch    Code = "CURSOR_MISMATCH"    // top-level: the cursor belongs to another list
	BadInput          Code = "BAD_USER_INPUT"     // top-level: an argument of a query is out of bounds
	Throttled         Code = "THROTTLED"          // top-level: too many requests; try again later
	Unavailable       Code = "UNAVAILABLE"        // top-level: a server that is needed does not answer
)

// Error is a failure that may be shown.
type Error struct {
	Code    Code
	Message string         // one English sentence, safe to show
	Field   []string       // path of the input field, in GraphQL names; empty where none is to blame
	Data    map[string]any // further facts for concrete error types, such as what is available
	Cause   error          // for the log only
}

// Error gives the code, the field and the message; never the cause.
func (e *Error) Error() string {
	if len(e.Field) > 0 {
		return fmt.Sprintf("%s: %s: %s", e.Code, strings.Join(e.Field, "."), e.Message)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is reports whether target is an Error with the same code, so that errors.Is(err, errs.New(errs.NotFound, "")) works.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// New makes an Error with a message that is safe to show.
func New(code Code, message string) *Error { return &Error{Code: code, Message: message} }

// Newf is New with a format.
func Newf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// At is New for the input field at the path given.
func At(code Code, message string, field ...string) *Error {
	return &Error{Code: code, Message: message, Field: field}
}

// With gives a copy that carries one more fact.
func (e *Error) With(key string, value any) *Error {
	c := *e
	c.Data = make(map[string]any, len(e.Data)+1)
	for k, v := range e.Data {
		c.Data[k] = v
	}
	c.Data[key] = value
	return &c
}

// CodeOf gives the code of the first Error in err's tree, or "" for an internal one.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// Is reports whether err carries an Error with the code.
func Is(err error, code Code) bool {
	for _, e := range All(err) {
		if e.Code == code {
			return true
		}
	}
	return false
}

// All gives every Error in err's tree (joined ones, in order), or nil when err is internal.
// An internal error joined with expected ones makes the whole internal.
func All(err error) []*Error {
	switch e := err.(type) {
	case nil:
		return nil
	case *Error:
		return []*Error{e}
	case interface{ Unwrap() []error }:
		var all []*Error
		for _, one := range e.Unwrap() {
			part := All(one)
			if part == nil && one != nil {
				return nil
			}
			all = append(all, part...)
		}
		return all
	case interface{ Unwrap() error }:
		return All(e.Unwrap())
	}
	return nil
}

// Blames reports whether err carries an Error at the field with the path.
func Blames(err error, field ...string) bool {
	return slices.ContainsFunc(All(err), func(e *Error) bool { return slices.Equal(e.Field, field) })
}

// Collector gathers the faults of one input, so that all of them are reported at once.
type Collector struct{ faults []error }

// Add records a fault at a field.
func (c *Collector) Add(code Code, message string, field ...string) {
	c.faults = append(c.faults, At(code, message, field...))
}

// Addf records a fault whose message is formatted.
func (c *Collector) Addf(field []string, code Code, format string, args ...any) {
	c.faults = append(c.faults, At(code, fmt.Sprintf(format, args...), field...))
}

// Merge records err, if any, as it is.
func (c *Collector) Merge(err error) {
	if err != nil {
		c.faults = append(c.faults, err)
	}
}

// Err gives all the faults joined, or nil.
func (c *Collector) Err() error { return errors.Join(c.faults...) }
