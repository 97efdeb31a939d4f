package users

import (
	"time"

	"github.com/techmart/techmart/services/errs"
)

// Codes of this domain.
const (
	InvalidCredentials errs.Code = "INVALID_CREDENTIALS" // address or password are not right
	InvalidToken       errs.Code = "INVALID_TOKEN"       // unknown, used or expired
	InvalidCode        errs.Code = "INVALID_CODE"        // not a code of the second factor, or used
)

func errCredentials() error {
	return errs.New(InvalidCredentials, "The e-mail address or the password is not right.")
}

func errToken(field string) error {
	return errs.At(InvalidToken, "This token is unknown, used or expired.", field)
}

func errPassword(field string) error {
	return errs.At(InvalidCredentials, "The password is not right.", field)
}

func errCode() error {
	return errs.At(InvalidCode, "This code is not right, or was used before: wait for the next one.", "code")
}

func errSecondFactorOn() error {
	return errs.New(errs.InvalidState, "The account has a second factor: turn it off first.")
}

func errSecondFactorOff() error {
	return errs.New(errs.InvalidState, "The account has no second factor.")
}

// errThrottled tells how many seconds to wait: a whole number, and enough.
func errThrottled(wait time.Duration) error {
	seconds := int((wait + time.Second - 1) / time.Second)
	return errs.Newf(errs.Throttled, "Too many attempts: try again in %d s.", seconds).With("retryAfter", seconds)
}

func errNotFound(field ...string) error {
	return errs.At(errs.NotFound, "There is no such thing.", field...)
}

func errUnauthenticated() error {
	return errs.New(errs.Unauthenticated, "The access token is not good: sign in or refresh it.")
}

func errConflict(current int) error {
	return errs.At(errs.Conflict, "The account has changed since it was read.", "expectedVersion").With("currentVersion", current)
}
