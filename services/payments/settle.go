package payments

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// carryOut makes or resolves the provider call of a leased intent and records its answer. It gives the
// payment afterwards, and the refusal, if it is one, as its error.
func (s *Service) carryOut(ctx context.Context, p *Payment, t *Transaction, call func(context.Context, *Payment, *Transaction) (Result, error)) (*Payment, error) {
	result, err := call(ctx, p, t)
	// From here on the answer must not be lost because the caller has gone away.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	if err != nil {
		s.log.WarnContext(ctx, "payment provider gave no answer", slog.String("payment_id", p.ID.String()),
			slog.String("transaction_id", t.ID.String()), slog.String("kind", string(t.Kind)), slog.Any("error", err))
		if err := s.unlease(ctx, t); err != nil {
			return p, err
		}
		return p, unknown(err)
	}
	return s.record(ctx, t, result)
}

// record settles an intent: amounts, status, ledger and events in one transaction. Where another
// process was faster it gives what that one recorded, and tells that there was a second answer.
func (s *Service) record(ctx context.Context, asked *Transaction, r Result) (*Payment, error) {
	var payment *Payment
	var settled *Transaction
	err := s.store.PaymentUpdate(ctx, Target{PaymentID: asked.PaymentID}, nil, func(u *Unit) error {
		payment, settled = u.Payment, nil
		t := find(u.Open, asked.ID)
		if t == nil {
			if r.Approved {
				u.Events = append(u.Events, u.Payment.answered(EventAnsweredTwice, asked, s.now(), newID()))
			}
			return nil
		}
		if err := u.Payment.Settle(t, r, s.now()); err != nil {
			return err
		}
		u.Save(t)
		u.Entries = append(u.Entries, Postings(t)...)
		if e, ok := u.Payment.happened(t, newID()); ok {
			u.Events = append(u.Events, e)
		}
		if r.earlier && t.Status == Succeeded {
			u.Events = append(u.Events, u.Payment.answered(EventAnsweredLate, t, t.SettledAt, newID()))
		}
		settled = t
		return nil
	})
	if err != nil {
		return nil, err
	}
	if settled == nil {
		if settled, err = s.transaction(ctx, asked.ID); err != nil {
			return nil, err
		}
	}
	return payment, settled.answered()
}

// unlease says that nobody is at an intent's call any more.
func (s *Service) unlease(ctx context.Context, t *Transaction) error {
	return s.store.PaymentUpdate(ctx, Target{PaymentID: t.PaymentID}, nil, func(u *Unit) error {
		if open := find(u.Open, t.ID); open != nil {
			open.LeasedUntil = time.Time{}
			u.Save(open)
		}
		return nil
	})
}

// lease takes the free intents of a unit for this process.
func (s *Service) lease(u *Unit) []*Transaction {
	now := s.now()
	var taken []*Transaction
	for _, t := range u.Open {
		if t.free(now) {
			t.LeasedUntil = now.Add(s.caller.lease)
			t.Attempts++
			u.Save(t)
			taken = append(taken, t)
		}
	}
	return taken
}

// settleOpen finds out what became of the unanswered intents of a payment that nobody is at, and
// gives the payment afterwards. It fails when one of them is still without an answer; a refusal of
// one of them is no failure.
func (s *Service) settleOpen(ctx context.Context, target Target) (*Payment, error) {
	var payment *Payment
	var taken []*Transaction
	err := s.store.PaymentUpdate(ctx, target, nil, func(u *Unit) error {
		payment, taken = u.Payment, s.lease(u)
		return nil
	})
	if err != nil {
		return nil, err
	}
	var faults []error
	for _, t := range taken {
		p, err := s.carryOut(ctx, payment, t, s.caller.resolve)
		if p != nil {
			payment = p
		}
		if err != nil && errs.CodeOf(err) != PaymentDeclined {
			faults = append(faults, err)
		}
	}
	if len(faults) > 0 {
		return nil, faults[0]
	}
	return payment, nil
}

// ResolvePending settles intents that have been without an answer for longer than olderThan, at most
// limit of them, and gives how many payments it brought to an answer. Only the program itself may
// call it; any number of processes may do so at once.
func (s *Service) ResolvePending(ctx context.Context, olderThan time.Duration, limit int) (int, error) {
	if !viewer.FromContext(ctx).System {
		return 0, errs.New(errs.Forbidden, "Only the program itself does this.")
	}
	now := s.now()
	open, err := s.store.TransactionsUnsettled(ctx, now.Add(-olderThan), now, limit)
	if err != nil {
		return 0, err
	}
	done := make(map[uuid.UUID]bool, len(open))
	var faults []error
	resolved := 0
	for _, t := range open {
		if done[t.PaymentID] {
			continue
		}
		done[t.PaymentID] = true
		if _, err := s.settleOpen(ctx, Target{PaymentID: t.PaymentID}); err != nil {
			faults = append(faults, err)
			continue
		}
		resolved++
	}
	return resolved, errors.Join(faults...)
}

// PurgeKeys forgets idempotency keys that were used longer than olderThan ago, at most limit of them, and
// gives their number. Only the program itself may call it.
func (s *Service) PurgeKeys(ctx context.Context, olderThan time.Duration, limit int) (int, error) {
	if !viewer.FromContext(ctx).System {
		return 0, errs.New(errs.Forbidden, "Only the program itself does this.")
	}
	return s.store.KeysPurge(ctx, s.now().Add(-olderThan), limit)
}

// transaction reads one transaction whoever asks.
func (s *Service) transaction(ctx context.Context, id uuid.UUID) (*Transaction, error) {
	found, err := s.store.TransactionsByID(ctx, []uuid.UUID{id}, Audience{All: true})
	if err != nil {
		return nil, err
	}
	if t, ok := found[id]; ok {
		return t, nil
	}
	return nil, notFound()
}

func find(list []*Transaction, id uuid.UUID) *Transaction {
	for _, t := range list {
		if t.ID == id {
			return t
		}
	}
	return nil
}
