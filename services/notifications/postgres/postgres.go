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
type Store struct{ pool *pgxpool.Pool }

var _ notifications.Store = (*Store)(nil)

// New makes a Store on a pool of postgres.Open; the schema has been migrated.
func New(pool *pgxpool.Pool) *Store { return &Store{pool: pool} }

// acceptEvent writes the delivery of an event, and along with it the inbox entry, in one statement; what belongs
// to an event that was accepted before is not written. It answers a row where it wrote.
const acceptEvent = `
WITH delivery AS (
  INSERT INTO notifications.deliveries (id, event_id, user_id, kind, channel, recipient, status, payload, created_at, updated_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
  ON CONFLICT ON CONSTRAINT deliveries_event DO NOTHING
  RETURNING event_id, user_id, kind
), entry AS (
  INSERT INTO notifications.notifications (id, event_id, user_id, kind, title, body, order_id, created_at)
  SELECT $10, event_id, user_id, kind, $11, $12, $13, $14 FROM delivery WHERE $10::uuid IS NOT NULL
)
SELECT FROM delivery`

// Accept writes what an event leads to; see [notifications.Store]. An event that is new takes two round trips.
func (s *Store) Accept(ctx context.Context, d *notifications.Delivery, n *notifications.Notification) (fresh bool, err error) {
	args := []any{d.ID, d.EventID, d.UserID, d.Kind, d.Channel, d.Recipient, d.Status, d.Payload, d.CreatedAt, nil, nil, nil, nil, nil}
	if n != nil {
		args = append(args[:9], n.ID, n.Title, n.Body, nullID(n.OrderID), n.CreatedAt)
	}
	err = postgres.InPipeline(ctx, s.pool, func(p *postgres.Pipeline) error {
		tag, err := p.Exec(ctx, acceptEvent, args...)
		if err != nil {
			return err
		}
		if fresh = tag.RowsAffected() == 1; !fresh {
			return nil
		}
		event, err := emailRequested(d.ID, 1, d.CreatedAt)
		if err != nil {
			return err
		}
		batch := &pgx.Batch{}
		if err := outbox.Queue(batch, Schema, event); err != nil {
			return err
		}
		return p.CommitBatch(ctx, batch)
	})
	if err != nil {
		return false, fmt.Errorf("notifications: accept: %w", err)
	}
	return fresh, nil
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
