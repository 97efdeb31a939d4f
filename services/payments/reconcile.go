package payments

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/viewer"
)

// Bounds of a reconciliation.
const (
	maxReconciled  = 31 * 24 * time.Hour // its period
	maxDifferences = 500                 // that are listed; all are counted
	reconcileBatch = 500
)

// DifferenceKind says how the provider's books and the shop's differ.
type DifferenceKind string

// The kinds of differences.
const (
	UnknownToShop     DifferenceKind = "UNKNOWN_TO_SHOP"     // the provider holds or took money of which the shop knows nothing
	UnknownToProvider DifferenceKind = "UNKNOWN_TO_PROVIDER" // the shop has a payment that the provider does not know
	AuthorizedDiffers DifferenceKind = "AUTHORIZED_DIFFERS"
	CapturedDiffers   DifferenceKind = "CAPTURED_DIFFERS"
	RefundedDiffers   DifferenceKind = "REFUNDED_DIFFERS"
	VoidedDiffers     DifferenceKind = "VOIDED_DIFFERS" // one of both has given the authorization up
)

// Difference is a payment that the provider and the shop see differently.
type Difference struct {
	Kind      DifferenceKind
	Reference string       // the provider's
	Payment   *Payment     // nil where the shop knows none
	Shop      *money.Money // the amount in question by the shop's books; nil where it has none
	Provider  *money.Money // and by the provider's
}

// Reconciliation is what a comparison of the provider's books with the shop's found.
type Reconciliation struct {
	From, To    time.Time    // from inclusive, to exclusive
	Compared    int          // payments
	InProgress  int          // payments left out because a call of theirs is without an answer
	Count       int          // of all differences
	Differences []Difference // the first 500
}

// Reconcile compares the provider's books with the shop's: all payments made from (inclusive) to
// (exclusive) these times, by either's books. It needs payments:read, and fails with OUT_OF_RANGE for a
// period that ends before it begins or is longer than 31 days, and with UNAVAILABLE when the provider
// does not answer.
func (s *Service) Reconcile(ctx context.Context, from, to time.Time) (*Reconciliation, error) {
	if err := viewer.FromContext(ctx).Require(viewer.PaymentsRead); err != nil {
		return nil, err
	}
	if !from.Before(to) {
		return nil, errs.At(errs.BadInput, "The period ends after it begins.", "to")
	}
	if to.Sub(from) > maxReconciled {
		return nil, errs.At(errs.BadInput, "A period has at most 31 days.", "to")
	}
	r := &reconciler{s: s, seen: make(map[string]bool), result: &Reconciliation{From: from, To: to}}
	if err := r.byProvider(ctx, from, to); err != nil {
		return nil, err
	}
	if err := r.byShop(ctx, from, to); err != nil {
		return nil, err
	}
	return r.result, nil
}

// reconciler is a reconciliation under way.
type reconciler struct {
	s      *Service
	seen   map[string]bool // references
	result *Reconciliation
}

// byProvider looks at all that the provider has.
func (r *reconciler) byProvider(ctx context.Context, from, to time.Time) error {
	batch := make([]StatementLine, 0, reconcileBatch)
	flush := func() error {
		references := make([]string, len(batch))
		for i, l := range batch {
			references[i] = l.Reference
		}
		found, err := r.s.store.PaymentsByReference(ctx, r.s.caller.provider.Name(), references)
		if err != nil {
			return err
		}
		for _, l := range batch {
			if err := r.line(ctx, l, found[l.Reference]); err != nil {
				return err
			}
		}
		batch = batch[:0]
		return nil
	}
	for l, err := range r.s.caller.provider.Statement(ctx, from, to) {
		if err != nil {
			return unknown(err)
		}
		r.seen[l.Reference] = true
		if batch = append(batch, l); len(batch) == reconcileBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// byShop looks at what the shop has and the provider did not list.
func (r *reconciler) byShop(ctx context.Context, from, to time.Time) error {
	request := page.Request{Limit: reconcileBatch}
	for {
		rows, err := r.s.store.PaymentList(ctx, Filter{CreatedFrom: from, CreatedTo: to}, request)
		if err != nil {
			return err
		}
		p := page.Trim(rows, request)
		for _, one := range p.Items {
			if one.Reference == "" || r.seen[one.Reference] || one.Provider != r.s.caller.provider.Name() {
				continue
			}
			line, err := r.s.caller.provider.StatementLine(ctx, one.Reference)
			switch {
			case errors.Is(err, ErrNoSuchCall):
				shop := one.Authorized
				r.result.Compared++
				r.add(Difference{Kind: UnknownToProvider, Reference: one.Reference, Payment: one, Shop: &shop})
			case err != nil:
				return unknown(err)
			default:
				if err := r.line(ctx, line, one); err != nil {
					return err
				}
			}
		}
		if !p.HasNext || len(p.Items) == 0 {
			return nil
		}
		request.From = KeyOf(p.Items[len(p.Items)-1])
	}
}

// line compares one payment; p is nil where the shop has none with the reference. The shop goes on
// meanwhile, so what differs is looked at once more.
func (r *reconciler) line(ctx context.Context, l StatementLine, p *Payment) error {
	r.result.Compared++
	if p != nil && differ(l, p) == nil {
		return nil
	}
	p, open, err := r.s.standing(ctx, l, p)
	if err != nil {
		return err
	}
	switch {
	case open:
		r.result.InProgress++
	case p == nil:
		r.add(Difference{Kind: UnknownToShop, Reference: l.Reference, Provider: &l.Authorized})
	default:
		d, err := r.s.compare(ctx, p)
		if err != nil {
			return err
		}
		if d != nil {
			r.add(*d)
		}
	}
	return nil
}

// standing reads the payment of a line anew, also by the call that made the authorization, and tells
// whether a call of its is without an answer.
func (s *Service) standing(ctx context.Context, l StatementLine, p *Payment) (*Payment, bool, error) {
	if p == nil {
		var err error
		if p, err = s.noticed(ctx, Notice{Authorization: l.Reference, Transaction: l.Key}); err != nil || p == nil {
			return nil, false, err
		}
	}
	open, err := s.store.TransactionsOpen(ctx, p.ID)
	if err != nil || open {
		return p, open, err
	}
	found, err := s.store.PaymentsByID(ctx, []uuid.UUID{p.ID}, Audience{All: true})
	return found[p.ID], false, err
}

func (r *reconciler) add(d Difference) {
	r.result.Count++
	if len(r.result.Differences) < maxDifferences {
		r.result.Differences = append(r.result.Differences, d)
	}
}

// compare asks the provider for one payment, and gives how it differs; nil where it does not, or has
// no authorization.
func (s *Service) compare(ctx context.Context, p *Payment) (*Difference, error) {
	if p.Reference == "" {
		return nil, nil
	}
	l, err := s.caller.provider.StatementLine(ctx, p.Reference)
	if errors.Is(err, ErrNoSuchCall) {
		return &Difference{Kind: UnknownToProvider, Reference: p.Reference, Payment: p, Shop: &p.Authorized}, nil
	}
	if err != nil {
		return nil, unknown(err)
	}
	return differ(l, p), nil
}

// differ gives the first thing that the two see differently.
func differ(l StatementLine, p *Payment) *Difference {
	for _, one := range []struct {
		kind           DifferenceKind
		shop, provider money.Money
	}{
		{AuthorizedDiffers, p.Authorized, l.Authorized}, {CapturedDiffers, p.Captured, l.Captured}, {RefundedDiffers, p.Refunded, l.Refunded},
	} {
		if one.shop != one.provider {
			return &Difference{Kind: one.kind, Reference: l.Reference, Payment: p, Shop: &one.shop, Provider: &one.provider}
		}
	}
	if l.Voided != (p.Status == Voided) {
		return &Difference{Kind: VoidedDiffers, Reference: l.Reference, Payment: p, Shop: &p.Authorized, Provider: &l.Authorized}
	}
	return nil
}
