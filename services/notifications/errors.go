package notifications

import (
	"errors"
	"fmt"
	"time"

	"github.com/techmart/techmart/services/errs"
)

// What a [Sender] says by wrapping it. Any other failure means that the mail server did not take
// the message, and may take it later.
var (
	// ErrRejected: the mail server refused the message for good.
	ErrRejected = errors.New("the mail server refused the message")
	// ErrOutcomeUnknown: nobody knows whether the mail server took the message.
	ErrOutcomeUnknown = errors.New("nobody knows whether the mail server took the message")
)

// ErrPermanent is wrapped by failures that no later attempt can mend: the work belongs among the
// dead letters.
var ErrPermanent = errors.New("no later attempt can mend this")

// BusyError says that another worker has the delivery to itself until a time; ask again then.
type BusyError struct{ Until time.Time }

// Error gives the time.
func (e *BusyError) Error() string {
	return "another worker has the delivery until " + e.Until.Format(time.RFC3339Nano)
}

// permanent wraps err so that it is ErrPermanent.
func permanent(err error) error { return fmt.Errorf("%w: %w", ErrPermanent, err) }

// errSuperseded: the attempt is no longer the delivery's current one.
var errSuperseded = errors.New("the attempt was taken over by another worker")

// NoSuchDelivery is what a store answers for a delivery that it does not have: NOT_FOUND.
func NoSuchDelivery() error { return errs.New(errs.NotFound, "There is no such delivery.") }
