package payments

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/viewer"
)

// Authorize has the provider hold the amount of an order for its customer. Only the program itself
// may call it. It is idempotent under the order: once there is an answer, that is the answer of every
// further call. It fails with PAYMENT_DECLINED when the provider refused, with REQUIRED, TOO_LONG,
// INVALID or OUT_OF_RANGE for a token or amount that cannot be, and with IN_FLIGHT, UNAVAILABLE or an
// internal error when it is to be tried again.
func (s *Service) Authorize(ctx context.Context, orderID, customerID uuid.UUID, amount money.Money, token string) (*Payment, error) {
	if !viewer.FromContext(ctx).System {
		return nil, errs.New(errs.Forbidden, "Only an order starts a payment.")
	}
	var c errs.Collector
	c.Merge(CheckToken(token))
	if !amount.Currency.Known() {
		c.Add(errs.Invalid, "The shop does not trade in this currency.", "amount", "currencyCode")
	}
	if amount.Amount <= 0 {
		c.Add(errs.OutOfRange, "The amount must be more than zero.", "amount", "amount")
	}
	if err := c.Err(); err != nil {
		return nil, err
	}

	now := s.now()
	none := money.New(0, amount.Currency)
	p := &Payment{
		ID: newID(), OrderID: orderID, CustomerID: customerID, Provider: s.caller.provider.Name(), Status: Pending,
		Amount: amount, Authorized: none, Captured: none, Refunded: none, Token: token, CreatedAt: now, UpdatedAt: now,
	}
	t := &Transaction{
		ID: newID(), PaymentID: p.ID, Kind: Authorize, Status: Unsettled, Amount: amount,
		Attempts: 1, LeasedUntil: now.Add(s.caller.lease), CreatedAt: now,
	}
	opened, err := s.store.PaymentOpen(ctx, p, t)
	if err != nil {
		return nil, err
	}
	if opened {
		return s.carryOut(ctx, p, t, s.caller.ask)
	}
	return s.reauthorize(ctx, orderID, customerID, amount)
}

// reauthorize answers for a payment that was opened before.
func (s *Service) reauthorize(ctx context.Context, orderID, customerID uuid.UUID, amount money.Money) (*Payment, error) {
	p, err := s.settleOpen(ctx, Target{OrderID: orderID})
	if err != nil {
		return nil, err
	}
	switch {
	case p.CustomerID != customerID || p.Amount != amount:
		return nil, fmt.Errorf("payments: order %s has a payment of another customer or amount", orderID)
	case p.Status == Declined:
		return p, declined(p.DeclineReason)
	case p.Status == Voided:
		return p, p.refuse("authorized")
	case p.Status == Pending:
		return p, inFlight()
	}
	return p, nil
}

// newID gives a new UUIDv7. Making one fails only when the system has no randomness.
func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }
