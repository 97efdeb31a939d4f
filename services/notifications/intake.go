package notifications

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// HandleEvent takes in an event of another domain: it makes the inbox entry and the e-mail that its
// customer is due. An event that was handled before, or that no customer is told of, does nothing.
// It fails with ErrPermanent for an event that cannot be understood.
func (s *Service) HandleEvent(ctx context.Context, e Event) error {
	kind, c, ok, err := kindOf(e)
	if err != nil {
		return permanent(err)
	}
	if !ok {
		return s.skip(ctx, e)
	}
	if e.ID == uuid.Nil {
		return permanent(fmt.Errorf("%s event without an id", e.Type))
	}
	now := s.now()
	d := &Delivery{
		ID: uuid.Must(uuid.NewV7()), EventID: e.ID, UserID: c.UserID, Kind: kind, Channel: Email,
		Recipient: c.Email, Status: Pending, Payload: e.Data, CreatedAt: now, UpdatedAt: now,
		Receipt: e.receipt(now),
	}
	var n *Notification
	if !abouts[kind].token {
		title, body, err := s.render.inbox(kind, c)
		if err != nil {
			return permanent(err)
		}
		n = &Notification{
			ID: uuid.Must(uuid.NewV7()), EventID: e.ID, UserID: c.UserID, Kind: kind,
			Title: title, Body: body, OrderID: c.OrderID, CreatedAt: now,
		}
		// Events may arrive out of order, and the inbox tells them as they happened.
		if !e.Time.IsZero() && e.Time.Before(now) {
			n.CreatedAt = e.Time.UTC().Truncate(time.Microsecond)
		}
	}
	fresh, err := s.store.Accept(ctx, d, n)
	if err == nil && !fresh {
		s.metrics.EventRepeated(consumer)
	}
	if err != nil || !fresh || n == nil {
		return err
	}
	s.announce(ctx, n)
	return nil
}

func inboxChannel(userID uuid.UUID) string { return "inbox:" + userID.String() }

// announce tells subscribers of a new entry. It is written already: a signal that is lost is only late.
func (s *Service) announce(ctx context.Context, n *Notification) {
	if s.signals == nil {
		return
	}
	if err := s.signals.Publish(ctx, inboxChannel(n.UserID), []byte(n.ID.String())); err != nil {
		s.log.WarnContext(ctx, "notifications: an inbox signal was lost", "notification", n.ID, "error", err)
	}
}
