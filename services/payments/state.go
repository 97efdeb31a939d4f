package payments

import (
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
)

// unanswered sums the intents of a kind that may still be carried out.
func unanswered(open []*Transaction, k Kind) int64 {
	var sum int64
	for _, t := range open {
		if t.Kind == k && t.Status == Unsettled {
			sum += t.Amount.Amount
		}
	}
	return sum
}

func anyUnanswered(open []*Transaction, kinds ...Kind) bool {
	for _, t := range open {
		for _, k := range kinds {
			if t.Kind == k && t.Status == Unsettled {
				return true
			}
		}
	}
	return false
}

// Capturable gives what can still be captured; open are the payment's intents without an answer.
func (p *Payment) Capturable(open []*Transaction) money.Money {
	none := money.New(0, p.Amount.Currency)
	if p.Closed || p.Status == Voided || anyUnanswered(open, Void) {
		return none
	}
	return money.New(p.Authorized.Amount-p.Captured.Amount-unanswered(open, Capture), p.Amount.Currency)
}

// Refundable gives what can still be paid back; open are the payment's intents without an answer.
func (p *Payment) Refundable(open []*Transaction) money.Money {
	return money.New(p.Captured.Amount-p.Refunded.Amount-unanswered(open, Refund), p.Amount.Currency)
}

// Intend makes the intent to capture, void or refund; amount is nil for all that is left.
// It fails with INVALID_STATE, AMOUNT_EXCEEDED, OUT_OF_RANGE or INVALID (another currency).
func (p *Payment) Intend(k Kind, amount *money.Money, open []*Transaction, id uuid.UUID, now time.Time) (*Transaction, error) {
	if amount != nil {
		switch {
		case amount.Currency != p.Amount.Currency:
			return nil, errs.At(errs.Invalid, "The payment is in "+string(p.Amount.Currency)+".", "amount", "currencyCode")
		case amount.Amount <= 0:
			return nil, errNotPositive()
		}
	}
	var left money.Money
	switch k {
	case Capture:
		if !p.is(Authorized, PartiallyCaptured, PartiallyRefunded, Refunded) {
			return nil, p.refuse("captured")
		}
		left = p.Capturable(open)
	case Refund:
		if !p.is(PartiallyCaptured, Captured, PartiallyRefunded) {
			return nil, p.refuse("refunded")
		}
		left = p.Refundable(open)
	case Void:
		if p.Status != Authorized || anyUnanswered(open, Capture, Void) {
			return nil, p.refuse("voided")
		}
		left, amount = p.Authorized, nil
	}
	if amount == nil {
		amount = &left
	}
	if left.Amount <= 0 || amount.Amount > left.Amount {
		return nil, errs.At(AmountExceeded, "Only "+left.String()+" is left.", "amount").With("left", left)
	}
	return &Transaction{ID: id, PaymentID: p.ID, Kind: k, Status: Unsettled, Amount: *amount, CreatedAt: now}, nil
}

func (p *Payment) is(statuses ...Status) bool {
	for _, s := range statuses {
		if p.Status == s {
			return true
		}
	}
	return false
}

func (p *Payment) refuse(what string) error {
	return errs.Newf(errs.InvalidState, "A payment that is %s cannot be %s.", p.Status, what)
}

// Settle records the provider's answer to an intent, and the payment's amounts and status with it.
// It reports an intent that was settled before, and what the answer would make impossible amounts,
// as a fault of the program.
func (p *Payment) Settle(t *Transaction, r Result, now time.Time) error {
	if t.Status != Unsettled || t.PaymentID != p.ID {
		return errSettled
	}
	t.SettledAt, t.LeasedUntil = now, time.Time{}
	p.UpdatedAt = now
	if t.Kind == Authorize {
		p.Token = ""
	}
	if !r.Approved {
		t.Status, t.ErrorCode, t.ErrorMessage = Failed, r.Code, r.Message
		if t.Kind == Authorize {
			p.Status, p.DeclineCode, p.DeclineReason = Declined, r.Code, r.Message
		}
		return nil
	}
	t.Status, t.ProviderReference = Succeeded, r.Reference
	switch t.Kind {
	case Authorize:
		p.Authorized, p.Reference = t.Amount, r.Reference
	case Capture:
		p.Captured = p.Captured.Add(t.Amount)
	case Refund:
		p.Refunded = p.Refunded.Add(t.Amount)
	case Void:
		p.Status, p.Closed = Voided, true
		return p.check()
	}
	p.Status = p.derived()
	return p.check()
}

// derived gives the status that follows from the amounts of an authorized payment.
func (p *Payment) derived() Status {
	switch {
	case p.Captured.Amount == 0:
		return Authorized
	case p.Refunded.Amount == p.Captured.Amount:
		return Refunded
	case p.Refunded.Amount > 0:
		return PartiallyRefunded
	case p.Captured.Amount < p.Authorized.Amount:
		return PartiallyCaptured
	default:
		return Captured
	}
}

// check holds 0 <= refunded <= captured <= authorized <= amount.
func (p *Payment) check() error {
	if p.Refunded.Amount < 0 || p.Refunded.Amount > p.Captured.Amount ||
		p.Captured.Amount > p.Authorized.Amount || p.Authorized.Amount > p.Amount.Amount {
		return errAmounts
	}
	return nil
}

// answered gives the failure that a settled transaction stands for, or nil.
func (t *Transaction) answered() error {
	if t.Status == Failed {
		return declined(t.ErrorMessage)
	}
	return nil
}

// free reports whether nobody is at the transaction's call now.
func (t *Transaction) free(now time.Time) bool {
	return t.Status == Unsettled && !t.LeasedUntil.After(now)
}
