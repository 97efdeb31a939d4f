package orders

import (
	"errors"

	"github.com/techmart/techmart/services/errs"
)

// Codes of this domain's failures.
const (
	CodeInsufficientStock errs.Code = "INSUFFICIENT_STOCK"
	CodeCartEmpty         errs.Code = "CART_EMPTY"
	CodePriceChanged      errs.Code = "PRICE_CHANGED"
	CodePaymentDeclined   errs.Code = "PAYMENT_DECLINED"
	CodeAmountExceeded    errs.Code = "AMOUNT_EXCEEDED"
	// CodePromotionUnavailable is what a discount answers that cannot be used any more.
	CodePromotionUnavailable errs.Code = "PROMOTION_UNAVAILABLE"
)

// Reason codes of orders that came to nothing.
const (
	ReasonInsufficientStock    = "INSUFFICIENT_STOCK"
	ReasonPromotionUnavailable = "PROMOTION_UNAVAILABLE"
	ReasonPaymentDeclined      = "PAYMENT_DECLINED"
	ReasonStockUnavailable     = "STOCK_UNAVAILABLE"   // the stock could not be reserved for too long
	ReasonPaymentUnavailable   = "PAYMENT_UNAVAILABLE" // the provider did not answer for too long
	ReasonByCustomer           = "CANCELLED_BY_CUSTOMER"
	ReasonByShop               = "CANCELLED_BY_SHOP"
)

// What a Store answers besides NOT_FOUND. They never leave the domain.
var (
	ErrStale    = errors.New("orders: the order has changed since it was read")
	ErrClaimed  = errors.New("orders: another job works on the order")
	ErrOrdered  = errors.New("orders: the cart was ordered before")
	ErrKeyUsed  = errors.New("orders: the idempotency key was used before")
	ErrKeyBusy  = errors.New("orders: another call has the idempotency key")
	ErrConsumed = errors.New("orders: the event was consumed before")
)

// NotFound is what an order answers that is not there, or that the viewer may not know of.
func NotFound(field ...string) error {
	return errs.At(errs.NotFound, "There is no such order.", field...)
}

// KeyReused is what an idempotency key answers that was used with another input.
func KeyReused() error {
	return errs.At(errs.IdempotencyReused, "This idempotency key was used with another input.", "idempotencyKey")
}

// inFlight is what an idempotency key answers that another call is working on.
func inFlight() error {
	return errs.At(errs.InFlight, "A call with this key is being worked on: try again in a moment.", "idempotencyKey").With("retryAfter", 1)
}

// conflict is what an order answers that has another version than expected.
func conflict(current int) error {
	return errs.At(errs.Conflict, "The order has changed since it was read.", "expectedVersion").With("currentVersion", current)
}

// invalidState is what an order answers whose status does not allow the change.
func invalidState(message string, field ...string) error {
	return errs.At(errs.InvalidState, message, field...)
}
