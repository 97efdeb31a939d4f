package users

import "github.com/techmart/techmart/services/errs"

// Codes of this domain.
const (
	InvalidCredentials errs.Code = "INVALID_CREDENTIALS" // address or password are not right
	InvalidToken       errs.Code = "INVALID_TOKEN"       // unknown, used or expired
)

func errCredentials() error {
	return errs.New(InvalidCredentials, "The e-mail address or the password is not right.")
}

func errToken(field string) error {
	return errs.At(InvalidToken, "This token is unknown, used or expired.", field)
}

func errThrottled() error {
	return errs.New(errs.Throttled, "Too many attempts: wait a moment, then try again.")
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
