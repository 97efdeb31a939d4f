package carts

import "github.com/techmart/techmart/services/errs"

// NotFound is what a cart that is not there, closed, expired or somebody else's answers.
func NotFound(field ...string) error {
	return errs.At(errs.NotFound, "There is no such cart.", field...)
}

// TooManyLines is what a cart answers that would hold more than MaxLines lines.
func TooManyLines(field ...string) error {
	return errs.At(errs.LimitExceeded, "A cart holds at most 100 lines.", field...)
}

// InFlight is what an idempotency key answers that another call is working on.
func InFlight() error {
	return errs.At(errs.InFlight, "A call with this key is being worked on: try again in a moment.", "idempotencyKey").With("retryAfter", 1)
}

// KeyReused is what an idempotency key answers that was used with another input.
func KeyReused() error {
	return errs.At(errs.IdempotencyReused, "This idempotency key was used with another input.", "idempotencyKey")
}
