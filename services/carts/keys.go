package carts

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
)

// repeat says how a change is known again when it comes a second time. The zero value is a change that
// is made each time.
type repeat struct {
	operation string
	key       string // empty for none
	input     any
	replayed  *bool // set where the change was made before; may be nil
}

// newKey makes the key of a change, whose input stands for its hash; nil where no key is given.
func newKey(by Selector, operation, key string, input any) (*Key, error) {
	if key == "" {
		return nil, nil
	}
	owner := by.UserID.String()
	if by.UserID == uuid.Nil {
		owner = base64.RawURLEncoding.EncodeToString(by.TokenHash)
	}
	body, err := json.Marshal(input)
	if err != nil {
		return nil, fmt.Errorf("carts: hash the input: %w", err)
	}
	sum := sha256.Sum256(body)
	return &Key{Owner: owner, Operation: operation, Key: key, Hash: sum[:]}, nil
}

// checkKey checks an idempotency key, which may be empty.
func checkKey(key string) error {
	if utf8.RuneCountInString(key) > 255 {
		return errs.At(errs.TooLong, "A key has at most 255 characters.", "idempotencyKey")
	}
	if strings.ContainsRune(key, 0) {
		return errs.At(errs.Invalid, "A key has no NUL characters.", "idempotencyKey")
	}
	return nil
}

// note tells a caller who asks whether it gets the answer of an earlier call.
func note(flag *bool, replayed bool) {
	if flag != nil {
		*flag = replayed
	}
}
