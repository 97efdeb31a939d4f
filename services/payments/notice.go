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

// ErrNotGenuine says that a notice does not come from the provider.
var ErrNotGenuine = errors.New("payments: the notice does not come from the provider")

// Notice is word from a provider that something has changed. It may be late, come twice or in any
// order, so nothing is believed of it but what it is about: the truth is asked of the provider.
type Notice struct {
	ID            string // the provider's
	Type          string // the provider's, for the log
	Authorization string // the provider's reference of the payment; empty where it names none
	Transaction   string // of the authorization, where the provider hands it back; else empty
}

// Notified deals with a notice once: intents of the payment that are without an answer are resolved,
// and what else differs from the provider's books is told to the log. Only the program itself may
// call it. It fails where the notice is to be sent again.
func (s *Service) Notified(ctx context.Context, n Notice) error {
	if !viewer.FromContext(ctx).System {
		return errs.New(errs.Forbidden, "Only the program itself does this.")
	}
	provider := s.caller.provider.Name()
	known, err := s.store.NoticeKnown(ctx, provider, n.ID)
	if err != nil || known {
		return err
	}
	p, err := s.noticed(ctx, n)
	if err != nil {
		return err
	}
	if p != nil {
		if p, err = s.settleOpen(ctx, Target{PaymentID: p.ID}); err != nil {
			return err
		}
		d, err := s.compare(ctx, p)
		if err != nil {
			return err
		}
		if d != nil {
			s.log.ErrorContext(ctx, "a payment differs from the provider's books", slog.String("payment_id", p.ID.String()),
				slog.String("difference", string(d.Kind)), slog.String("notice", n.Type))
		}
	}
	return s.store.NoticeAdd(ctx, provider, n, s.now())
}

// noticed gives the payment that a notice is about; nil where it is none of the shop's.
func (s *Service) noticed(ctx context.Context, n Notice) (*Payment, error) {
	if n.Authorization != "" {
		found, err := s.store.PaymentsByReference(ctx, s.caller.provider.Name(), []string{n.Authorization})
		if err != nil {
			return nil, err
		}
		if p := found[n.Authorization]; p != nil {
			return p, nil
		}
	}
	id, err := uuid.Parse(n.Transaction)
	if err != nil { // it is not in the shop's own form
		return nil, nil
	}
	t, err := s.transaction(ctx, id)
	if errs.Is(err, errs.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found, err := s.store.PaymentsByID(ctx, []uuid.UUID{t.PaymentID}, Audience{All: true})
	return found[t.PaymentID], err
}

// PurgeNotices forgets notices that came longer than olderThan ago, at most limit of them, and gives
// their number. Only the program itself may call it.
func (s *Service) PurgeNotices(ctx context.Context, olderThan time.Duration, limit int) (int, error) {
	if !viewer.FromContext(ctx).System {
		return 0, errs.New(errs.Forbidden, "Only the program itself does this.")
	}
	return s.store.NoticesPurge(ctx, s.now().Add(-olderThan), limit)
}
