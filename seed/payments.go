package seed

import (
	"time"

	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/payments"
	"github.com/techmart/techmart/services/payments/sandbox"
)

// payment tells what happened to the payment of an order.
type payment struct {
	*payments.Record
	number int
}

// pay gives the order's payment, which begins when it is first asked for.
func (b *story) pay() payment {
	o := b.order.Order
	if b.order.Payment == nil {
		none := money.New(0, o.Total.Currency)
		b.order.Payment = &payments.Record{Payment: &payments.Payment{
			ID: newID(b.now, "payment", b.number), OrderID: o.ID, CustomerID: o.CustomerID, Provider: sandbox.Name, Status: payments.Pending,
			Amount: o.Total, Authorized: none, Captured: none, Refunded: none, Token: sandbox.TokenVisa, CreatedAt: b.now, UpdatedAt: b.now,
		}}
	}
	return payment{b.order.Payment, b.number}
}

// settle adds a transaction with the provider's answer to it. What cannot be is a fault of this package.
func (p payment) settle(k payments.Kind, amount *money.Money, at time.Time, answer func(key string) payments.Result, reason string) {
	id := newID(at, "transaction", p.number, len(p.Transactions))
	t := &payments.Transaction{ID: id, PaymentID: p.Payment.ID, Kind: k, Status: payments.Unsettled, Amount: p.Payment.Amount, CreatedAt: at}
	if k != payments.Authorize {
		var err error
		if t, err = p.Payment.Intend(k, amount, nil, id, at); err != nil {
			panic("seed: " + err.Error())
		}
	}
	t.Reason, t.Attempts = reason, 1
	if err := p.Payment.Settle(t, answer(id.String()), at.Add(80*time.Millisecond)); err != nil {
		panic("seed: " + err.Error())
	}
	p.Payment.Sequence++
	p.Record.Transactions = append(p.Transactions, t)
}

func approved(key string) payments.Result { return payments.ApprovedAs(sandbox.Reference(key)) }

func (p payment) authorized(at time.Time) { p.settle(payments.Authorize, nil, at, approved, "") }

func (p payment) declined(at time.Time) {
	p.settle(payments.Authorize, nil, at, func(string) payments.Result {
		if p.number%3 == 0 {
			return payments.DeclinedFor("insufficient_funds", "The card has insufficient funds.")
		}
		return payments.DeclinedFor("card_declined", "The card was declined.")
	}, "")
}

func (p payment) captured(amount money.Money, at time.Time) {
	p.settle(payments.Capture, &amount, at, approved, "")
}

func (p payment) voided(at time.Time) { p.settle(payments.Void, nil, at, approved, "") }

func (p payment) refunded(amount money.Money, at time.Time) {
	p.settle(payments.Refund, &amount, at, approved, "Returned by the customer.")
}
