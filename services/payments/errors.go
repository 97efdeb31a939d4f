package payments

import (
	"errors"

	"github.com/techmart/techmart/services/errs"
)

// Codes of this domain.
const (
	PaymentDeclined errs.Code = "PAYMENT_DECLINED" // the provider refused for good
	AmountExceeded  errs.Code = "AMOUNT_EXCEEDED"  // more than is left to capture or refund
)

var (
	errSettled = errors.New("payments: the transaction has its answer already")
	errAmounts = errors.New("payments: the provider's answer leads to impossible amounts")
)

func declined(reason string) error {
	if reason == "" {
		reason = "The payment was declined."
	}
	return errs.New(PaymentDeclined, reason)
}

// notFound is the answer for a payment that is not there, or that the viewer may not know of.
func notFound() error { return errs.New(errs.NotFound, "There is no such payment.") }

// errNotPositive is the answer to an amount that is none.
func errNotPositive() error {
	return errs.At(errs.OutOfRange, "The amount must be more than zero.", "amount", "amount")
}

func inFlight() error {
	return errs.New(errs.InFlight, "This is being worked on: try again in a moment.").With("retryAfter", 1)
}

// unknown is the answer while the provider's answer is missing. It is kept, and found out later.
func unknown(cause error) error {
	e := errs.New(errs.Unavailable, "The payment provider has not answered yet: the request is kept. Read the payment again in a moment.")
	e.Cause = cause
	return e
}
