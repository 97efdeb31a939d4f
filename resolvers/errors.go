package resolvers

import (
	"github.com/google/uuid"

	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/errs"
)

// topLevel are the codes that are never user errors: they fail the field itself.
var topLevel = map[errs.Code]bool{
	errs.Unauthenticated: true, errs.Forbidden: true, errs.CursorMismatch: true,
	errs.BadInput: true, errs.Unavailable: true,
}

// userErrors divides a service's failure into what the client's user can mend, and what fails the
// field. The paths of the former begin with "input". Both are empty for no failure.
func userErrors(err error) ([]model.UserError, error) {
	if err == nil {
		return []model.UserError{}, nil
	}
	all := errs.All(err)
	if all == nil {
		return nil, err
	}
	list := make([]model.UserError, 0, len(all))
	for _, e := range all {
		if topLevel[e.Code] {
			return nil, e
		}
		list = append(list, userError(e))
	}
	return list, nil
}

func userError(e *errs.Error) model.UserError {
	var field []string
	if len(e.Field) > 0 {
		field = append([]string{"input"}, e.Field...)
	}
	code := model.UserErrorCode(e.Code)
	if !code.IsValid() {
		code = model.UserErrorCodeInvalid
	}
	switch {
	case code == model.UserErrorCodeInsufficientStock:
		variant, _ := e.Data["variantId"].(uuid.UUID)
		available, _ := e.Data["available"].(int)
		return model.InsufficientStockError{Code: code, Message: e.Message, Field: field, VariantID: model.ID(model.PrefixVariant, variant), Available: available}
	case code == model.UserErrorCodeThrottled:
		if seconds, ok := e.Data["retryAfter"].(int); ok {
			return model.ThrottledError{Code: code, Message: e.Message, Field: field, RetryAfter: seconds}
		}
	case code == model.UserErrorCodeInFlight:
		if seconds, ok := e.Data["retryAfter"].(int); ok {
			return model.InFlightError{Code: code, Message: e.Message, Field: field, RetryAfter: seconds}
		}
	case code == model.UserErrorCodeConflict:
		if version, ok := e.Data["currentVersion"].(int); ok {
			return model.ConflictError{Code: code, Message: e.Message, Field: field, CurrentVersion: version}
		}
	}
	return model.InputError{Code: code, Message: e.Message, Field: field}
}

// id reads an id of an input; a text that is no id of the kind answers NOT_FOUND at its field.
func id(prefix, text string, field ...string) (uuid.UUID, error) {
	u, err := model.ParseID(prefix, text)
	if err != nil {
		return uuid.Nil, errs.At(errs.NotFound, "There is no such thing.", field...)
	}
	return u, nil
}

// absent turns NOT_FOUND into null: a look-up of what is not there, or not to be known of, is no error.
func absent[T any](v *T, err error) (*T, error) {
	if errs.CodeOf(err) == errs.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}
