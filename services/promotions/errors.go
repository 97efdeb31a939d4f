package promotions

import "github.com/techmart/techmart/services/errs"

// CodeUnavailable is what a promotion answers that cannot be used any more.
const CodeUnavailable errs.Code = "PROMOTION_UNAVAILABLE"

// NotFound is what a promotion answers that is not there.
func NotFound(field ...string) error {
	return errs.At(errs.NotFound, "There is no such promotion.", field...)
}

// CodeTaken is what a code answers that another promotion has.
func CodeTaken() error {
	return errs.At(errs.Taken, "Another promotion has this code.", "promotion", "code")
}

// InUse is what a promotion answers that cannot be deleted.
func InUse() error {
	return errs.At(errs.InvalidState, "Orders have used this promotion: disable it instead.", "id")
}

// KeyReused is what an idempotency key answers that was used with another input.
func KeyReused() error {
	return errs.At(errs.IdempotencyReused, "This idempotency key was used with another input.", "idempotencyKey")
}

// InFlight is what an idempotency key answers that another call is working on.
func InFlight() error {
	return errs.At(errs.InFlight, "A call with this key is being worked on: try again in a moment.", "idempotencyKey").With("retryAfter", 1)
}

// Unavailable is what a promotion answers that has no use left.
func Unavailable() error {
	return errs.New(CodeUnavailable, "A discount was used up before the order could be confirmed.")
}

func conflict(current int) error {
	return errs.At(errs.Conflict, "The promotion has changed since it was read.", "expectedVersion").With("currentVersion", current)
}
