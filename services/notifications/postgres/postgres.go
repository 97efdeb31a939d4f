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

const deliveryInsert = `
INSERT INTO notifications.deliveries (id, event_id, user_id, kind, channel, recipient, status, payload, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
ON CONFLICT ON CONSTRAINT deliveries_event DO NOTHING`

const notificationInsert = `
INSERT INTO notifications.notifications (id, event_id, user_id, kind, title, body, order_id, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`

// Accept writes what an event leads to; see [notifications.Store].
func (s *Store) Accept(ctx context.Context, d *notifications.Delivery, n *notifications.Notification) (fresh bool, err error) {
	err = postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, deliveryInsert, d.ID, d.EventID, d.UserID, d.Kind, d.Channel, d.Recipient, d.Status, d.Payload, d.CreatedAt)
		if err != nil {
			return err
		}
		if fresh = tag.RowsAffected() == 1; !fresh {
			return nil
		}
		batch := &pgx.Batch{}
		if n != nil {
			batch.Queue(notificationInsert, n.ID, n.EventID, n.UserID, n.Kind, n.Title, n.Body, nullID(n.OrderID), n.CreatedAt)
		}
		event, err := emailRequested(d.ID, 1, d.CreatedAt)
		if err != nil {
			return err
		}
		if err := outbox.Queue(batch, Schema, event); err != nil {
			return err
		}
		return tx.SendBatch(ctx, batch).Close()
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
