package webhooks

import (
	"errors"

	"github.com/techmart/techmart/services/errs"
)

// ErrSuperseded says that an attempt is no longer the delivery's current one.
var ErrSuperseded = errors.New("webhooks: another attempt has taken over")

// NotFound is what an endpoint answers that is not there.
func NotFound(field ...string) error {
	return errs.At(errs.NotFound, "There is no such webhook endpoint.", field...)
}

// NoDelivery is what a delivery answers that is not there.
func NoDelivery(field ...string) error {
	return errs.At(errs.NotFound, "There is no such delivery.", field...)
}

// KeyReused is what an idempotency key answers that was used with another input.
func KeyReused() error {
	return errs.At(errs.IdempotencyReused, "This idempotency key was used with another input.", "idempotencyKey")
}

// InFlight is what an idempotency key answers that another call is working on.
func InFlight() error {
	return errs.At(errs.InFlight, "A call with this key is being worked on: try again in a moment.", "idempotencyKey").With("retryAfter", 1)
}

func conflict(current int) error {
	return errs.At(errs.Conflict, "The endpoint has changed since it was read.", "expectedVersion").With("currentVersion", current)
}

func notOwner(field string) error {
	return errs.At(errs.InvalidState, "Only the endpoint's owner does this: it is sent what the owner may read.", field)
}
