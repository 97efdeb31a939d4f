package payments

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/viewer"
)

// Request asks for something to be done with a payment.
type Request struct {
	PaymentID      uuid.UUID
	Amount         *money.Money // all that is left when nil; not for a void
	Reason         string       // of a refund, for the customer; at most 500 characters
	IdempotencyKey string       // none when empty; at most 255 characters
	Faults         error        `json:"-"` // what was wrong with the request before it came here, reported with the rest
	Replayed       *bool        `json:"-"` // set where this is the answer of an earlier call; nil where nobody asks
}

// Capture takes all or a part of what was authorized. It needs payments:write. It fails with NOT_FOUND,
// INVALID_STATE, AMOUNT_EXCEEDED, INVALID or OUT_OF_RANGE (the amount), PAYMENT_DECLINED (the provider
// refused), IDEMPOTENCY_REUSED, IN_FLIGHT, and UNAVAILABLE while the provider's answer is missing.
func (s *Service) Capture(ctx context.Context, r Request) (*Payment, error) {
	return s.byStaff(ctx, Capture, r)
}

// Void gives up what was authorized, when nothing was captured. It fails as Capture.
func (s *Service) Void(ctx context.Context, r Request) (*Payment, error) {
	r.Amount = nil
	return s.byStaff(ctx, Void, r)
}

// Refund pays back all or a part of what was captured. It fails as Capture, and with TOO_LONG for the reason.
func (s *Service) Refund(ctx context.Context, r Request) (*Payment, error) {
	return s.byStaff(ctx, Refund, r)
}

func (s *Service) byStaff(ctx context.Context, k Kind, r Request) (*Payment, error) {
	v := viewer.FromContext(ctx)
	if err := v.Require(viewer.PaymentsWrite); err != nil {
		return nil, err
	}
	var c errs.Collector
	c.Merge(r.Faults)
	if r.Amount != nil && r.Amount.Amount <= 0 {
		c.Merge(errNotPositive())
	}
	if utf8.RuneCountInString(r.Reason) > maxReason {
		c.Add(errs.TooLong, "A reason has at most 500 characters.", "reason")
	}
	if utf8.RuneCountInString(r.IdempotencyKey) > maxKeyLength {
		c.Add(errs.TooLong, "An idempotency key has at most 255 characters.", "idempotencyKey")
	}
	if strings.ContainsRune(r.IdempotencyKey, 0) {
		c.Add(errs.Invalid, "An idempotency key has no NUL characters.", "idempotencyKey")
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	o := operation{kind: k, target: Target{PaymentID: r.PaymentID}, amount: r.Amount, reason: r.Reason, replayed: r.Replayed}
	if r.IdempotencyKey != "" {
		o.key = &Key{Owner: v.Actor(), Operation: string(k), Key: r.IdempotencyKey}
		o.hash = requestHash(r)
	}
	p, err := s.run(ctx, o)
	if errs.CodeOf(err) == errs.NotFound {
		return nil, errs.At(errs.NotFound, "There is no such payment.", "paymentId")
	}
	return p, err
}

// requestHash tells whether two requests under one idempotency key are the same.
func requestHash(r Request) []byte {
	r.IdempotencyKey = ""
	text, err := json.Marshal(r)
	if err != nil {
		panic("payments: a request always marshals: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return sum[:]
}

// operation is one capture, void or refund on its way.
type operation struct {
	kind     Kind
	target   Target
	amount   *money.Money
	reason   string
	key      *Key
	hash     []byte
	closes   bool  // nothing is to be captured afterwards
	replayed *bool // set where this is the answer of an earlier call; may be nil
}

// run writes the intent down, asks the provider and records the answer. Older intents of the payment
// that are without an answer are resolved first; those that stay so count against what is left.
func (s *Service) run(ctx context.Context, o operation) (*Payment, error) {
	for resolve := true; ; resolve = false {
		var payment *Payment
		var intent, stale *Transaction
		var used *Use
		err := s.store.PaymentUpdate(ctx, o.target, o.key, func(u *Unit) error {
			payment, intent, stale, used = u.Payment, nil, nil, u.Used
			now := s.now()
			if used != nil {
				return nil
			}
			for _, t := range u.Open {
				if resolve && t.free(now) {
					stale = t
					return nil
				}
			}
			t, err := u.Payment.Intend(o.kind, o.amount, u.Open, newID(), now)
			if err != nil {
				return err
			}
			t.Reason, t.Attempts, t.LeasedUntil = o.reason, 1, now.Add(s.caller.lease)
			u.Payment.Closed = u.Payment.Closed || o.closes
			u.Payment.UpdatedAt = now
			u.Save(t)
			if o.key != nil {
				u.Use = &Use{RequestHash: o.hash, TransactionID: t.ID, CreatedAt: now}
			}
			intent = t
			return nil
		})
		switch {
		case err != nil:
			return nil, err
		case used != nil:
			return s.replay(ctx, o, used)
		case stale != nil:
			if _, err := s.settleOpen(ctx, o.target); err != nil && errs.CodeOf(err) != errs.Unavailable {
				return nil, err
			}
		default:
			return s.carryOut(ctx, payment, intent, s.caller.ask)
		}
	}
}

// replay answers a call whose idempotency key was used before: with the same outcome for the same input.
func (s *Service) replay(ctx context.Context, o operation, used *Use) (*Payment, error) {
	if !bytes.Equal(used.RequestHash, o.hash) {
		return nil, errs.At(errs.IdempotencyReused, "This idempotency key was used with another input.", "idempotencyKey")
	}
	p, err := s.settleOpen(ctx, o.target)
	if err != nil {
		return nil, err
	}
	t, err := s.transaction(ctx, used.TransactionID)
	if err != nil {
		return nil, err
	}
	if t.Status == Unsettled {
		return p, inFlight()
	}
	if o.replayed != nil {
		*o.replayed = true
	}
	return p, t.answered()
}
