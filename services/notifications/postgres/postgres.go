// Package postgres keeps notifications in PostgreSQL, in the schema notifications.
package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/platform/outbox"
	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/notifications"
)

// Schema is where the tables are.
const Schema = "notifications"

const source = "/techmart/notifications"

// Store is a [notifications.Store] and a mailbox.Store.
//
// What many ask for at about the same time is done in one transaction: events are accepted, deliveries changed
// and mails kept by groups.
type Store struct {
	pool      *pgxpool.Pool
	accepting *postgres.Group[acceptance, bool]
	changing  *postgres.Group[deliveryChange, *notifications.Delivery]
	keeping   *postgres.Group[keeping, struct{}]
}

var _ notifications.Store = (*Store)(nil)

// The least times between two transactions. Nobody waits for an e-mail as for an answer: events and steps of sending that
// come soon after one another are worth waiting for.
const (
	acceptEvery = 100 * time.Millisecond
	changeEvery = 50 * time.Millisecond
)

// New makes a Store on a pool of postgres.Open; the schema has been migrated.
func New(pool *pgxpool.Pool) *Store {
	s := &Store{pool: pool}
	s.accepting = postgres.Grouped[acceptance, bool]{Name: "notifications.accept", One: s.acceptOne, Many: s.acceptMany, Every: acceptEvery}.Group(pool)
	s.changing = postgres.Grouped[deliveryChange, *notifications.Delivery]{Name: "notifications.deliveries", One: s.updateOne, Many: s.updateMany, Every: changeEvery}.Group(pool)
	s.keeping = postgres.Grouped[keeping, struct{}]{Name: "notifications.mailbox", One: s.keepMail, Many: s.keepMails}.Group(pool)
	return s
}

// acceptEvents writes the deliveries of events, and along with them the inbox entries and the requests to send, in
// one statement; what belongs to an event that was accepted before is not written. It answers the deliveries
// that it wrote.
const acceptEvents = `
WITH delivery AS (
  INSERT INTO notifications.deliveries (id, event_id, user_id, kind, channel, recipient, status, payload, created_at, updated_at)
  SELECT id, event_id, user_id, kind, channel, recipient, status, payload, created_at, created_at
  FROM %s AS d(id, event_id, user_id, kind, channel, recipient, status, payload, created_at)
  ON CONFLICT ON CONSTRAINT deliveries_event DO NOTHING
  RETURNING id, event_id, user_id, kind
), entry AS (
  INSERT INTO notifications.notifications (id, event_id, user_id, kind, title, body, order_id, created_at)
  SELECT n.id, d.event_id, d.user_id, d.kind, n.title, n.body, n.order_id, n.created_at
  FROM %s AS n(delivery, id, title, body, order_id, created_at) JOIN delivery d ON d.id = n.delivery
), receipt AS (
  SELECT * FROM %s AS r(subject, sequence, first, received_at) WHERE sequence > 0
), received AS (
  INSERT INTO notifications.received (subject, sequence, received_at)
  SELECT subject, sequence, received_at FROM receipt ORDER BY subject, sequence ON CONFLICT DO NOTHING
), gap AS (
  INSERT INTO notifications.gaps (subject, sequence, noticed_at)
  SELECT r.subject, r.sequence, r.received_at FROM receipt r
  WHERE r.sequence > r.first AND NOT EXISTS (SELECT FROM notifications.received b WHERE b.subject = r.subject AND b.sequence = r.sequence - 1)
  ORDER BY r.subject, r.sequence ON CONFLICT DO NOTHING
), request AS (%s)
SELECT id, (%s)::text FROM delivery`

// acceptance is what an event leads to.
type acceptance struct {
	delivery *notifications.Delivery
	entry    *notifications.Notification // nil for none
}

// Accept writes what an event leads to; see [notifications.Store].
func (s *Store) Accept(ctx context.Context, d *notifications.Delivery, n *notifications.Notification) (fresh bool, err error) {
	if fresh, err = s.accepting.Do(ctx, acceptance{d, n}); err != nil {
		return false, fmt.Errorf("notifications: accept: %w", err)
	}
	return fresh, nil
}

func (s *Store) acceptOne(ctx context.Context, a acceptance) (bool, error) {
	results, err := s.acceptMany(ctx, []acceptance{a})
	if err != nil {
		return false, err
	}
	return results[0].Value, nil
}

func (s *Store) acceptMany(ctx context.Context, list []acceptance) ([]postgres.Result[bool], error) {
	args := postgres.Columns(list, func(a acceptance) []any {
		d := a.delivery
		return []any{d.ID, d.EventID, d.UserID, d.Kind, d.Channel, d.Recipient, d.Status, d.Payload, d.CreatedAt}
	})
	var entries [][]any
	requests := make([]outbox.Event, len(list))
	for i, a := range list {
		if n := a.entry; n != nil {
			entries = append(entries, []any{a.delivery.ID, n.ID, n.Title, n.Body, nullID(n.OrderID), n.CreatedAt})
		}
		var err error
		if requests[i], err = emailRequested(a.delivery.ID, 1, a.delivery.CreatedAt); err != nil {
			return nil, err
		}
	}
	if len(entries) == 0 { // a row that belongs to no delivery
		entries = [][]any{{uuid.Nil, nil, nil, nil, nil, nil}}
	}
	args = append(args, postgres.Columns(entries, func(row []any) []any { return row })...)
	args = append(args, postgres.Columns(list, func(a acceptance) []any {
		r := a.delivery.Receipt
		return []any{r.Subject, r.Sequence, r.First, a.delivery.CreatedAt}
	})...)
	request, more, err := outbox.Insertion(Schema, len(args)+1, "e.subject IN (SELECT id::text FROM delivery)", requests...)
	if err != nil {
		return nil, err
	}
	sql := fmt.Sprintf(acceptEvents, postgres.Unnest(1, "uuid uuid uuid text text text text jsonb timestamptz"),
		postgres.Unnest(10, "uuid uuid text text uuid timestamptz"),
		postgres.Unnest(16, "text bigint bigint timestamptz"), request, outbox.Notification(Schema))
	fresh := make(map[uuid.UUID]bool, len(list))
	err = postgres.SendSteadily(ctx, s.pool, func(b *pgx.Batch) {
		b.Queue(sql, append(args, more...)...).Query(func(rows pgx.Rows) error {
			var id uuid.UUID
			var woken string
			_, err := pgx.ForEachRow(rows, []any{&id, &woken}, func() error { fresh[id] = true; return nil })
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	results := make([]postgres.Result[bool], len(list))
	for i, a := range list {
		results[i].Value = fresh[a.delivery.ID]
	}
	return results, nil
}

// emailRequested is the event that has a delivery's e-mail sent.
func emailRequested(id uuid.UUID, sequence int64, now time.Time) (outbox.Event, error) {
	data, err := json.Marshal(notifications.EmailRequest{DeliveryID: id})
	if err != nil {
		return outbox.Event{}, err
	}
	return outbox.Event{ID: uuid.Must(uuid.NewV7()), Type: notifications.EmailRequested, Source: source,
		Subject: id.String(), Sequence: sequence, Time: now, Data: data}, nil
}

func nullID(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

func nullTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
