package webhooks

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

const secretPurpose = "webhook secret"

// CreateInput makes an endpoint.
type CreateInput struct {
	URL            string
	Description    string
	EventTypes     []string
	Selection      string // empty for the default payload
	APIVersion     string // empty for the current one
	IdempotencyKey string // empty for none
}

// UpdateInput changes an endpoint; nil leaves something as it is.
type UpdateInput struct {
	ID              uuid.UUID
	ExpectedVersion *int
	URL             *string
	Description     *string
	EventTypes      []string
	Selection       *string // empty for the default payload
	Enabled         *bool
}

// Made is an endpoint with its new secret.
type Made struct {
	Endpoint *Endpoint
	Secret   string // whsec_...; empty where this is the answer of an earlier call
	Replayed bool
}

// writer gives the viewer, who needs webhooks:write.
func writer(ctx context.Context) (viewer.Viewer, error) {
	v := viewer.FromContext(ctx)
	return v, v.Require(viewer.WebhooksWrite)
}

// audience is what a viewer may see of: staff of everything, an API client of what it owns.
func audience(v viewer.Viewer) Audience {
	return Audience{All: v.System || v.UserID != uuid.Nil, ClientID: v.ClientID}
}

func ownerOf(v viewer.Viewer) Owner {
	if v.UserID != uuid.Nil {
		return Owner{UserID: v.UserID}
	}
	return Owner{ClientID: v.ClientID}
}

// mayKnow tells whether a viewer may know of an endpoint.
func mayKnow(v viewer.Viewer, e *Endpoint) bool {
	a := audience(v)
	return a.All || a.ClientID != uuid.Nil && e.Owner.ClientID == a.ClientID
}

// key gives the idempotency key of a call.
func key(v viewer.Viewer, operation, text string, input any, result uuid.UUID) (*Key, error) {
	if err := checkKey(text); err != nil || text == "" {
		return nil, err
	}
	body, err := json.Marshal(input)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	return &Key{Owner: v.Actor(), Operation: operation, Key: text, Hash: sum[:], Result: result}, nil
}

// seal makes a new secret, and gives its text.
func (s *Service) seal(endpointID uuid.UUID, now time.Time) (Secret, string) {
	plain, id := newSecret(), uuid.Must(uuid.NewV7())
	return Secret{ID: id, EndpointID: endpointID, Sealed: s.vault.Seal(secretPurpose, id, plain), CreatedAt: now}, secretText(plain)
}

// Create makes an endpoint of the viewer's, with its first secret, which is given once. All faults are reported at once. It
// fails with LIMIT_EXCEEDED, IDEMPOTENCY_REUSED and IN_FLIGHT, and needs webhooks:write.
func (s *Service) Create(ctx context.Context, in CreateInput) (Made, error) {
	v, err := writer(ctx)
	if err != nil {
		return Made{}, err
	}
	now := s.now()
	if in.APIVersion == "" {
		in.APIVersion = CurrentVersion
	}
	e := &Endpoint{
		ID: uuid.Must(uuid.NewV7()), Owner: ownerOf(v), URL: in.URL, Description: strings.TrimSpace(in.Description), EventTypes: sorted(in.EventTypes),
		Selection: strings.TrimSpace(in.Selection), APIVersion: in.APIVersion, Status: Enabled, Version: 1, CreatedAt: now, UpdatedAt: now,
	}
	text := in.IdempotencyKey
	in.IdempotencyKey = ""
	k, wrong := key(v, "webhookEndpointCreate", text, in, e.ID)
	if err := errors.Join(s.check(ctx, v, e), wrong); err != nil {
		return Made{}, err
	}
	secret, plain := s.seal(e.ID, now)
	id, replayed, err := s.store.Create(ctx, e, secret, maxEndpoints, k)
	if err != nil {
		return Made{}, err
	}
	s.known(ctx)
	if !replayed {
		s.log.InfoContext(ctx, "webhook endpoint created", "endpoint", e.ID)
		return Made{Endpoint: e, Secret: plain}, nil
	}
	e, err = s.one(ctx, id)
	return Made{Endpoint: e, Replayed: true}, err
}

func sorted(types []string) []string { return slices.Compact(slices.Sorted(slices.Values(types))) }

// one reads an endpoint that the viewer may know of.
func (s *Service) one(ctx context.Context, id uuid.UUID) (*Endpoint, error) {
	found, err := s.store.ByIDs(ctx, []uuid.UUID{id}, audience(viewer.FromContext(ctx)))
	if err == nil && found[id] == nil {
		err = NotFound("id")
	}
	return found[id], err
}

// update changes an endpoint that the viewer may know of.
func (s *Service) update(ctx context.Context, v viewer.Viewer, t Target, k *Key, change func(*Unit) error) (result uuid.UUID, replayed bool, err error) {
	result, replayed, err = s.store.Update(ctx, t, k, func(u *Unit) error {
		if !mayKnow(v, u.Endpoint) {
			return NotFound("id")
		}
		return change(u)
	})
	if e, ok := errors.AsType[*errs.Error](err); ok && e.Code == errs.NotFound {
		err = errs.At(e.Code, e.Message, "id")
	}
	return result, replayed, err
}

// Update changes an endpoint. Only its owner may change what it is sent, and where to: others with webhooks:write turn it off
// or on. It fails with NOT_FOUND, CONFLICT and INVALID_STATE.
func (s *Service) Update(ctx context.Context, in UpdateInput) (*Endpoint, error) {
	v, err := writer(ctx)
	if err != nil {
		return nil, err
	}
	var e *Endpoint
	_, _, err = s.update(ctx, v, Target{EndpointID: in.ID}, nil, func(u *Unit) error {
		e = u.Endpoint
		if in.ExpectedVersion != nil && *in.ExpectedVersion != e.Version {
			return conflict(e.Version)
		}
		terms := in.URL != nil || in.Description != nil || in.EventTypes != nil || in.Selection != nil
		if terms && e.Owner != ownerOf(v) {
			return notOwner("id")
		}
		set(&e.URL, in.URL)
		set(&e.Description, in.Description)
		set(&e.Selection, in.Selection)
		e.Description, e.Selection = strings.TrimSpace(e.Description), strings.TrimSpace(e.Selection)
		if in.EventTypes != nil {
			e.EventTypes = sorted(in.EventTypes)
		}
		if terms {
			if err := s.check(ctx, v, e); err != nil {
				return err
			}
		}
		now := s.now()
		switch {
		case in.Enabled == nil:
		case !*in.Enabled && e.Status != Disabled:
			e.disable(ByRequest, now)
			u.Drop = &now
		case *in.Enabled && e.Status != Enabled:
			e.enable()
			u.Release, u.Wakes = &now, []time.Time{now}
		}
		e.touch(now)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if in.EventTypes != nil || in.Enabled != nil && *in.Enabled {
		s.known(ctx)
	}
	return e, nil
}

func set(to *string, from *string) {
	if from != nil {
		*to = *from
	}
}

// Delete removes an endpoint with its deliveries. It fails with NOT_FOUND, and needs webhooks:write.
func (s *Service) Delete(ctx context.Context, id uuid.UUID) error {
	if _, err := writer(ctx); err != nil {
		return err
	}
	if _, err := s.one(ctx, id); err != nil {
		return err
	}
	if err := s.store.Delete(ctx, id); err != nil {
		return err
	}
	s.log.InfoContext(ctx, "webhook endpoint deleted", "endpoint", id)
	return nil
}

// maxOverlap bounds how long an old secret is good beside a new one, in hours.
const maxOverlap = 168

// RotateSecret gives an endpoint of the viewer's a new secret, which is given once. The others stay good for the overlap: until then
// each request is signed with all of them. It fails with NOT_FOUND, OUT_OF_RANGE, LIMIT_EXCEEDED, INVALID_STATE,
// IDEMPOTENCY_REUSED and IN_FLIGHT, and needs webhooks:write.
func (s *Service) RotateSecret(ctx context.Context, id uuid.UUID, overlapHours int, idempotencyKey string) (Made, error) {
	v, err := writer(ctx)
	if err != nil {
		return Made{}, err
	}
	k, wrong := key(v, "webhookEndpointRotateSecret", idempotencyKey, []any{id, overlapHours}, id)
	if overlapHours < 0 || overlapHours > maxOverlap {
		wrong = errors.Join(wrong, errs.At(errs.OutOfRange, "The overlap is from 0 to 168 hours.", "overlapHours"))
	}
	if wrong != nil {
		return Made{}, wrong
	}
	var (
		e    *Endpoint
		text string
	)
	_, replayed, err := s.update(ctx, v, Target{EndpointID: id}, k, func(u *Unit) error {
		e = u.Endpoint
		if e.Owner != ownerOf(v) {
			return notOwner("id")
		}
		now := s.now()
		var fresh Secret
		fresh, text = s.seal(id, now)
		return u.rotate(fresh, time.Duration(overlapHours)*time.Hour, now)
	})
	if err != nil {
		return Made{}, err
	}
	if replayed {
		e, err = s.one(ctx, id)
		return Made{Endpoint: e, Replayed: true}, err
	}
	s.log.InfoContext(ctx, "webhook secret rotated", "endpoint", id)
	return Made{Endpoint: e, Secret: text}, nil
}

// Test sends an event of the type webhooks.test to an endpoint. It fails with NOT_FOUND, INVALID_STATE, IDEMPOTENCY_REUSED and
// IN_FLIGHT, and needs webhooks:write.
func (s *Service) Test(ctx context.Context, id uuid.UUID, idempotencyKey string) (d *Delivery, replayed bool, err error) {
	return s.send(ctx, Target{EndpointID: id}, "webhookEndpointTest", idempotencyKey, func(u *Unit, result uuid.UUID, now time.Time) error {
		u.NewDelivery = newDelivery(u.Endpoint, Event{ID: uuid.Must(uuid.NewV7()), Type: EventTest, Subject: id, Time: now}, now)
		u.NewDelivery.ID = result
		return nil
	})
}

// Redeliver sends again what was delivered or given up. It fails as Test.
func (s *Service) Redeliver(ctx context.Context, deliveryID uuid.UUID, idempotencyKey string) (d *Delivery, replayed bool, err error) {
	return s.send(ctx, Target{DeliveryID: deliveryID}, "webhookDeliveryRedeliver", idempotencyKey, func(u *Unit, _ uuid.UUID, now time.Time) error {
		return u.Delivery.redeliver(now)
	})
}

func (s *Service) send(ctx context.Context, t Target, operation, idempotencyKey string, change func(*Unit, uuid.UUID, time.Time) error) (*Delivery, bool, error) {
	v, err := writer(ctx)
	if err != nil {
		return nil, false, err
	}
	result := t.DeliveryID
	if result == uuid.Nil {
		result = uuid.Must(uuid.NewV7())
	}
	k, err := key(v, operation, idempotencyKey, t, result)
	if err != nil {
		return nil, false, err
	}
	result2, replayed, err := s.update(ctx, v, t, k, func(u *Unit) error {
		if u.Endpoint.Status == Disabled {
			return errs.At(errs.InvalidState, "The endpoint is disabled: turn it on first.", "id")
		}
		now := s.now()
		u.Wakes = []time.Time{now}
		return change(u, result, now)
	})
	if err != nil {
		return nil, false, err
	}
	if replayed {
		result = result2
	}
	found, err := s.store.Deliveries(ctx, []uuid.UUID{result}, audience(v))
	if err != nil {
		return nil, false, err
	}
	if found[result] == nil {
		return nil, false, fmt.Errorf("webhooks: a delivery vanished: %w", NoDelivery("id"))
	}
	return found[result], replayed, nil
}
