package stripe

import (
	"context"
	"iter"
	"strings"
	"time"

	stripego "github.com/stripe/stripe-go/v85"

	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/payments"
)

// statementPage is how many intents are read at once: Stripe's most.
const statementPage = 100

// Statement gives the shop's payment intents that were authorized, oldest last.
func (p *Provider) Statement(ctx context.Context, from, to time.Time) iter.Seq2[payments.StatementLine, error] {
	return func(yield func(payments.StatementLine, error) bool) {
		params := &stripego.PaymentIntentListParams{CreatedRange: &stripego.RangeQueryParams{GreaterThanOrEqual: from.Unix(), LesserThan: to.Unix()}}
		params.Limit = stripego.Int64(statementPage)
		params.AddExpand("data.latest_charge")
		for intent, err := range p.client.V1PaymentIntents.List(ctx, params).All(ctx) {
			if err != nil {
				yield(payments.StatementLine{}, failure(err))
				return
			}
			if line, ok := lineOf(intent); ok && !yield(line, nil) {
				return
			}
		}
	}
}

// StatementLine gives one payment intent.
func (p *Provider) StatementLine(ctx context.Context, reference string) (payments.StatementLine, error) {
	intent, err := p.retrieve(ctx, reference)
	if err != nil {
		return payments.StatementLine{}, failure(err)
	}
	line, ok := lineOf(intent)
	if !ok {
		return payments.StatementLine{}, payments.ErrNoSuchCall
	}
	return line, nil
}

// lineOf reads an intent; it is false for one that is not the shop's or was never authorized.
func lineOf(intent *stripego.PaymentIntent) (payments.StatementLine, bool) {
	if intent.Metadata[authorizationKey] == "" {
		return payments.StatementLine{}, false
	}
	if r, err := authorized(intent); err != nil || !r.Approved {
		return payments.StatementLine{}, false
	}
	currency := money.Currency(strings.ToUpper(string(intent.Currency)))
	line := payments.StatementLine{
		Reference: intent.ID, Key: intent.Metadata[authorizationKey], At: time.Unix(intent.Created, 0).UTC(), Authorized: money.New(intent.Amount, currency),
		Captured: money.New(intent.AmountReceived, currency), Refunded: money.New(0, currency),
		Voided: intent.Status == stripego.PaymentIntentStatusCanceled,
	}
	if intent.LatestCharge != nil {
		line.Refunded = money.New(intent.LatestCharge.AmountRefunded, currency)
	}
	return line, true
}
