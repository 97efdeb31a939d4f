package resolvers

import (
	"context"
	"time"

	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/payments"
)

// PaymentReconciliation answers Query.paymentReconciliation.
func (q queryResolver) PaymentReconciliation(ctx context.Context, from, to time.Time) (*model.PaymentReconciliation, error) {
	found, err := q.r.Payments.Reconcile(ctx, from, to)
	if err != nil {
		return nil, err
	}
	out := &model.PaymentReconciliation{
		From: found.From, To: found.To, Compared: found.Compared, InProgress: found.InProgress, DifferenceCount: found.Count,
		Differences: make([]*model.PaymentDifference, len(found.Differences)),
	}
	for i, d := range found.Differences {
		out.Differences[i] = newPaymentDifference(d)
	}
	return out, nil
}

func newPaymentDifference(d payments.Difference) *model.PaymentDifference {
	out := &model.PaymentDifference{
		Kind: model.PaymentDifferenceKind(d.Kind), Reference: d.Reference,
		ShopAmount: optionalMoney(d.Shop), ProviderAmount: optionalMoney(d.Provider),
	}
	if d.Payment != nil {
		out.Payment = newPayment(d.Payment)
	}
	return out
}

func optionalMoney(m *money.Money) *model.Money {
	if m == nil {
		return nil
	}
	return newMoney(*m)
}
