package products

import (
	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
)

// ErrConflict is the refusal of a change of an old version.
func ErrConflict(current int) error {
	return errs.At(errs.Conflict, "It has changed since it was read: read it again.", "expectedVersion").With("currentVersion", current)
}

// ErrSlugTaken is the refusal of a slug in use.
func ErrSlugTaken() error {
	return errs.At(errs.Taken, "This address is in use.", "slug")
}

// ErrSKUTaken is the refusal of an article number in use, at the variant's place in the input.
func ErrSKUTaken(sku string, field ...string) error {
	return errs.At(errs.Taken, "The SKU "+sku+" is in use.", field...)
}

// ErrNoCategory is the refusal of a category that is not there, at the field given.
func ErrNoCategory(field string) error {
	return errs.At(errs.NotFound, "There is no such category.", field)
}

// ErrTooDeep is the refusal of a category below too many others.
func ErrTooDeep() error {
	return errs.At(errs.LimitExceeded, "The tree of categories has at most 5 levels.", "parentId")
}

// ErrIdempotencyReused is the refusal of a key that came with another input before.
func ErrIdempotencyReused() error {
	return errs.At(errs.IdempotencyReused, "This key was used with another input.", "idempotencyKey")
}

// newID gives an id that sorts by time.
func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }
