package webhooks

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/viewer"
)

// reader gives what the viewer may read, which needs webhooks:read.
func reader(ctx context.Context) (Audience, error) {
	v := viewer.FromContext(ctx)
	return audience(v), v.Require(viewer.WebhooksRead)
}

// ByIDs gives endpoints by id, those that the viewer may see.
func (s *Service) ByIDs(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Endpoint, error) {
	a, err := reader(ctx)
	if err != nil {
		return nil, nil
	}
	return s.store.ByIDs(ctx, ids, a)
}

// List gives a page of endpoints, the newest first: for staff all of them, for an API client its own. It needs webhooks:read.
func (s *Service) List(ctx context.Context, r page.Request) (page.Page[*Endpoint], error) {
	a, err := reader(ctx)
	if err != nil {
		return page.Page[*Endpoint]{}, err
	}
	rows, err := s.store.List(ctx, a, r)
	return page.Trim(rows, r), err
}

// Count counts what List gives. It needs webhooks:read.
func (s *Service) Count(ctx context.Context) (int, error) {
	a, err := reader(ctx)
	if err != nil {
		return 0, err
	}
	return s.store.Count(ctx, a)
}

// Secrets gives the secrets of endpoints that are good now, the newest first, without what they are.
func (s *Service) Secrets(ctx context.Context, endpointIDs []uuid.UUID) (map[uuid.UUID][]Secret, error) {
	if _, err := reader(ctx); err != nil {
		return nil, nil
	}
	known, err := s.ByIDs(ctx, endpointIDs)
	if err != nil {
		return nil, err
	}
	found, err := s.store.Secrets(ctx, endpointIDs, s.now())
	if err != nil {
		return nil, err
	}
	out := make(map[uuid.UUID][]Secret, len(known))
	for id := range known {
		for _, secret := range found[id] {
			secret.Sealed = nil
			out[id] = append(out[id], secret)
		}
	}
	return out, nil
}

// Deliveries gives deliveries by id, those that the viewer may see.
func (s *Service) Deliveries(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Delivery, error) {
	a, err := reader(ctx)
	if err != nil {
		return nil, nil
	}
	return s.store.Deliveries(ctx, ids, a)
}

// DeliveryPages gives parts of the logs of endpoints, the newest first.
func (s *Service) DeliveryPages(ctx context.Context, lists []DeliveryList) (map[DeliveryList]page.Page[*Delivery], error) {
	a, err := reader(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.store.DeliveryLists(ctx, lists, a)
	if err != nil {
		return nil, err
	}
	out := make(map[DeliveryList]page.Page[*Delivery], len(lists))
	for _, l := range lists {
		out[l] = trimmed(found[l], l.Limit, l.After != Position{})
	}
	return out, nil
}

// DeliveryCounts counts the deliveries of endpoints by status.
func (s *Service) DeliveryCounts(ctx context.Context, endpointIDs []uuid.UUID) (map[uuid.UUID]map[DeliveryStatus]int, error) {
	a, err := reader(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.store.DeliveryCounts(ctx, endpointIDs, a)
	for _, id := range endpointIDs {
		if err == nil && found[id] == nil {
			found[id] = map[DeliveryStatus]int{}
		}
	}
	return found, err
}

// AttemptPages gives parts of the attempts of deliveries, the latest first.
func (s *Service) AttemptPages(ctx context.Context, lists []AttemptList) (map[AttemptList]page.Page[Attempt], error) {
	a, err := reader(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.store.AttemptLists(ctx, lists, a)
	if err != nil {
		return nil, err
	}
	out := make(map[AttemptList]page.Page[Attempt], len(lists))
	for _, l := range lists {
		out[l] = trimmed(found[l], l.Limit, l.Before > 0)
	}
	return out, nil
}

func trimmed[T any](rows []T, limit int, later bool) page.Page[T] {
	p := page.Page[T]{Items: rows, HasPrevious: later}
	if len(rows) > limit {
		p.Items, p.HasNext = rows[:limit], true
	}
	return p
}

// KeyOf gives an endpoint's position in its list.
func KeyOf(e *Endpoint) page.Key { return keyOf(e.CreatedAt, e.ID) }

// DeliveryKeyOf gives a delivery's position in its list.
func DeliveryKeyOf(d *Delivery) page.Key { return keyOf(d.CreatedAt, d.ID) }

func keyOf(at time.Time, id uuid.UUID) page.Key {
	return page.Key{at.Format(time.RFC3339Nano), id.String()}
}

// ParseKey reads what KeyOf and DeliveryKeyOf made.
func ParseKey(k page.Key) (p Position, err error) {
	if len(k) != 2 {
		return p, errors.New("webhooks: a key has two parts")
	}
	if p.CreatedAt, err = time.Parse(time.RFC3339Nano, k[0]); err == nil {
		p.ID, err = uuid.Parse(k[1])
	}
	return p, err
}
