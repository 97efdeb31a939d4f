package payments

import (
	"context"
	"crypto/sha256"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/viewer"
)

// ForOrders is what the orders of the shop do with their payments. The calls are the program's own:
// whether the viewer may cancel or fulfil the order was decided before, and gives no right to payments
// as such. All of them are idempotent.
type ForOrders struct{ s *Service }

// ForOrders gives the service as the orders use it.
func (s *Service) ForOrders() ForOrders { return ForOrders{s} }

func asProgram(ctx context.Context) context.Context { return viewer.NewContext(ctx, viewer.System) }

// Authorize is Service.Authorize.
func (o ForOrders) Authorize(ctx context.Context, orderID, customerID uuid.UUID, amount money.Money, token string) error {
	_, err := o.s.Authorize(asProgram(ctx), orderID, customerID, amount, token)
	return err
}

// Capture takes a part of an order's payment, once for each key. It fails as Service.Capture.
func (o ForOrders) Capture(ctx context.Context, orderID uuid.UUID, key string, amount money.Money) error {
	sum := sha256.Sum256([]byte(amount.String()))
	_, err := o.s.run(asProgram(ctx), operation{
		kind: Capture, target: Target{OrderID: orderID}, amount: &amount,
		key: &Key{Owner: orderID, Operation: string(Capture), Key: key}, hash: sum[:],
	})
	return err
}

// Void gives up an order's authorization, whatever came of it, and tells whether there ever was one: it does nothing for
// an order without a payment and for one that was declined or voided before. It fails with INVALID_STATE once
// something was captured.
func (o ForOrders) Void(ctx context.Context, orderID uuid.UUID) (held bool, err error) {
	ctx = asProgram(ctx)
	p, err := o.settled(ctx, orderID)
	if err != nil || p == nil || p.is(Declined, Voided) {
		return p != nil && p.is(Voided), err
	}
	_, err = o.s.run(ctx, operation{kind: Void, target: Target{OrderID: orderID}})
	return true, o.already(ctx, orderID, err, Voided)
}

// RefundAll ends an order's payment: it pays back all that was captured, or voids the authorization
// where nothing was, and nothing can be captured afterwards. It does nothing for a payment that has
// ended before.
func (o ForOrders) RefundAll(ctx context.Context, orderID uuid.UUID, reason string) error {
	ctx = asProgram(ctx)
	p, err := o.settled(ctx, orderID)
	switch {
	case err != nil || p == nil || p.is(Declined, Voided):
		return err
	case p.is(Authorized):
		_, err := o.Void(ctx, orderID)
		return err
	case p.is(Refunded):
		return o.s.store.PaymentUpdate(ctx, Target{OrderID: orderID}, nil, func(u *Unit) error {
			u.Payment.Closed = true
			return nil
		})
	}
	_, err = o.s.run(ctx, operation{kind: Refund, target: Target{OrderID: orderID}, reason: reason, closes: true})
	return o.already(ctx, orderID, err, Refunded)
}

// RefundPart pays a part of what was captured for an order back, once for each key. It fails as Service.Refund.
func (o ForOrders) RefundPart(ctx context.Context, orderID uuid.UUID, key string, amount money.Money, reason string) error {
	sum := sha256.Sum256([]byte(amount.String()))
	_, err := o.s.run(asProgram(ctx), operation{
		kind: Refund, target: Target{OrderID: orderID}, amount: &amount, reason: reason,
		key: &Key{Owner: orderID, Operation: string(Refund), Key: key}, hash: sum[:],
	})
	return err
}

// settled gives an order's payment with no intent left open, or nil when the order has none.
func (o ForOrders) settled(ctx context.Context, orderID uuid.UUID) (*Payment, error) {
	p, err := o.s.settleOpen(ctx, Target{OrderID: orderID})
	switch {
	case errs.CodeOf(err) == errs.NotFound:
		return nil, nil
	case err != nil:
		return nil, err
	case p.Status == Pending:
		return nil, inFlight()
	}
	return p, nil
}

// already forgives an operation that failed because another process did the same at the same time.
func (o ForOrders) already(ctx context.Context, orderID uuid.UUID, err error, done Status) error {
	if code := errs.CodeOf(err); code != errs.InvalidState && code != AmountExceeded {
		return err
	}
	p, failed := o.settled(ctx, orderID)
	if failed != nil || p == nil || !p.is(done) {
		return err
	}
	return nil
}
