package orders

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/money"
)

// unexpected notes that a payment which is being given up had been authorized without the saga's knowing: the provider's
// answer came behind the cancelling of the order, or after it was given up. Whoever still has a token does not know.
func (d *Draft) unexpected() error {
	switch {
	case !d.held || d.Token == "":
		return nil
	case d.Order.Status == Cancelled:
		return d.log(EntryLateAuthorization, "The payment was authorized after the order had been cancelled. It is given up; nothing is charged.")
	}
	return d.log(EntryChargedUnavailable, "The payment was authorized, but the order cannot be had. It is given up; nothing is charged.")
}

// PaymentAnswer is the news that the payment provider answered late, or once more.
type PaymentAnswer struct {
	EventID uuid.UUID // the same news has the same id
	OrderID uuid.UUID
	Entry   string // EntryCaptureRecovered, EntryRefundRecovered or EntryRefundAnsweredTwice
	Amount  money.Money
}

// PaymentAnswered notes on the order what was put right between the shop and the payment provider, once for each event. It
// fails with NOT_FOUND.
func (s *Service) PaymentAnswered(ctx context.Context, a PaymentAnswer) error {
	message := map[string]string{
		EntryCaptureRecovered:    "The answer to taking " + a.Amount.String() + " was lost. It had gone through, once.",
		EntryRefundRecovered:     "The answer to paying " + a.Amount.String() + " back was lost. It had gone through, once.",
		EntryRefundAnsweredTwice: "Paying " + a.Amount.String() + " back was answered twice. It was paid back once.",
	}[a.Entry]
	if message == "" {
		return nil
	}
	_, err := s.store.Update(ctx, a.OrderID, nil, func(d *Draft) error {
		d.begin(s.now())
		d.Consumes = a.EventID
		return d.log(a.Entry, message)
	})
	if errors.Is(err, ErrConsumed) {
		return nil
	}
	return err
}
