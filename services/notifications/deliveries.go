package notifications

import (
	"context"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/viewer"
)

// DeliveryList gives a part of all deliveries, newest first: those with one of the statuses, or all
// for none. For staff with notifications:read; it fails with UNAUTHENTICATED or FORBIDDEN.
func (s *Service) DeliveryList(ctx context.Context, statuses []Status, r page.Request) (page.Page[*Delivery], error) {
	if err := viewer.FromContext(ctx).Require(viewer.NotifyRead); err != nil {
		return page.Page[*Delivery]{}, err
	}
	rows, err := s.store.DeliveryList(ctx, statuses, r)
	if err != nil {
		return page.Page[*Delivery]{}, err
	}
	return page.Trim(rows, r), nil
}

// Deliveries gives those of the ids that exist to staff with notifications:read, and none to others.
func (s *Service) Deliveries(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Delivery, error) {
	if !viewer.FromContext(ctx).Can(viewer.NotifyRead) {
		return nil, nil
	}
	return s.store.Deliveries(ctx, ids)
}

// ReplayEmail makes a DEAD delivery PENDING again, to be called before its request returns to the
// work queue. Where the outcome was unknown the customer may get the e-mail twice. For staff with
// notifications:write; it fails with NOT_FOUND, or with INVALID_STATE for one that was sent or discarded.
func (s *Service) ReplayEmail(ctx context.Context, id uuid.UUID) error {
	if err := viewer.FromContext(ctx).Require(viewer.NotifyWrite); err != nil {
		return err
	}
	now := s.now()
	_, err := s.store.UpdateDelivery(ctx, id, func(d *Delivery) error { return d.Replay(now) })
	return err
}

// DiscardEmail gives a delivery up for good and forgets its content; one that was sent stays so. For
// staff with notifications:write; it fails with NOT_FOUND.
func (s *Service) DiscardEmail(ctx context.Context, id uuid.UUID) error {
	if err := viewer.FromContext(ctx).Require(viewer.NotifyWrite); err != nil {
		return err
	}
	now := s.now()
	_, err := s.store.UpdateDelivery(ctx, id, func(d *Delivery) error {
		d.Discard(now)
		return nil
	})
	return err
}
