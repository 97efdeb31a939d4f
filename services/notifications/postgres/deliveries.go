package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/platform/outbox"
	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/notifications"
	"github.com/techmart/techmart/services/page"
)

// deliveryColumns are those that scanDelivery reads, without the payload.
const deliveryColumns = `id, event_id, user_id, kind, channel, recipient, status, attempts, last_error,
  claimed_until, handed_over_at, unknown, created_at, updated_at, sent_at`

func scanDelivery(row pgx.CollectableRow) (*notifications.Delivery, error) {
	d := &notifications.Delivery{}
	var claimed, handed, sent *time.Time
	into := []any{&d.ID, &d.EventID, &d.UserID, &d.Kind, &d.Channel, &d.Recipient, &d.Status, &d.Attempts, &d.LastError,
		&claimed, &handed, &d.Unknown, &d.CreatedAt, &d.UpdatedAt, &sent}
	if len(row.FieldDescriptions()) > len(into) {
		into = append(into, &d.Payload)
	}
	err := row.Scan(into...)
	d.ClaimedUntil, d.HandedOverAt, d.SentAt = timeOf(claimed), timeOf(handed), timeOf(sent)
	d.CreatedAt, d.UpdatedAt = d.CreatedAt.UTC(), d.UpdatedAt.UTC()
	return d, err
}

var (
	deliveriesLock   = `SELECT ` + deliveryColumns + `, payload FROM notifications.deliveries WHERE id = ANY($1) ORDER BY id FOR UPDATE`
	deliveriesUpdate = `
UPDATE notifications.deliveries d
SET status = n.status, attempts = n.attempts, last_error = n.last_error, claimed_until = n.claimed_until, handed_over_at = n.handed_over_at,
    unknown = n.unknown, updated_at = n.updated_at, sent_at = n.sent_at, payload = CASE WHEN n.keep THEN d.payload END
FROM ` + postgres.Unnest(1, "uuid text integer text timestamptz timestamptz boolean timestamptz timestamptz boolean") + `
  AS n(id, status, attempts, last_error, claimed_until, handed_over_at, unknown, updated_at, sent_at, keep)
WHERE d.id = n.id`
)

// deliveryChange is a change of a delivery.
type deliveryChange struct {
	id     uuid.UUID
	change func(*notifications.Delivery) error
}

// UpdateDelivery changes a delivery under a lock; see [notifications.Store]. The payload can only be kept or dropped.
func (s *Store) UpdateDelivery(ctx context.Context, id uuid.UUID, change func(*notifications.Delivery) error) (*notifications.Delivery, error) {
	change, leave := postgres.Leavable(change)
	defer leave()
	return s.changing.Do(ctx, deliveryChange{id, change})
}

func (s *Store) updateOne(ctx context.Context, c deliveryChange) (*notifications.Delivery, error) {
	results, err := s.updateMany(ctx, []deliveryChange{c})
	if err != nil {
		return nil, err
	}
	return results[0].Value, results[0].Err
}

// updateMany changes deliveries in one transaction of two round trips. What several changes ask of one delivery
// happens one after the other.
func (s *Store) updateMany(ctx context.Context, changes []deliveryChange) ([]postgres.Result[*notifications.Delivery], error) {
	ids := make([]uuid.UUID, len(changes))
	for i, c := range changes {
		ids[i] = c.id
	}
	var results []postgres.Result[*notifications.Delivery]
	err := postgres.InSteadyPipeline(ctx, s.pool, func(p *postgres.Pipeline) error {
		rows, err := p.Query(ctx, deliveriesLock, ids)
		if err != nil {
			return err
		}
		list, err := pgx.CollectRows(rows, scanDelivery)
		if err != nil {
			return err
		}
		found := make(map[uuid.UUID]*notifications.Delivery, len(list))
		for _, d := range list {
			found[d.ID] = d
		}
		results = make([]postgres.Result[*notifications.Delivery], len(changes))
		changed := make(map[uuid.UUID]*notifications.Delivery, len(list))
		for i, c := range changes {
			before, ok := found[c.id]
			if !ok {
				results[i].Err = notifications.NoSuchDelivery()
				continue
			}
			d := *before
			if results[i].Err = c.change(&d); results[i].Err == nil {
				results[i].Value, found[c.id], changed[c.id] = &d, &d, &d
			}
		}
		if len(changed) == 0 {
			return nil
		}
		batch := &pgx.Batch{}
		batch.Queue(deliveriesUpdate, postgres.Columns(slices.Collect(maps.Values(changed)), func(d *notifications.Delivery) []any {
			return []any{d.ID, d.Status, d.Attempts, d.LastError, nullTime(d.ClaimedUntil), nullTime(d.HandedOverAt), d.Unknown,
				d.UpdatedAt, nullTime(d.SentAt), d.Payload != nil}
		})...)
		return p.CommitBatch(ctx, batch)
	})
	return results, err
}

// Deliveries gives those of the ids that exist; see [notifications.Store].
func (s *Store) Deliveries(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*notifications.Delivery, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+deliveryColumns+` FROM notifications.deliveries WHERE id = ANY($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("notifications: deliveries: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanDelivery)
	if err != nil {
		return nil, fmt.Errorf("notifications: deliveries: %w", err)
	}
	found := make(map[uuid.UUID]*notifications.Delivery, len(list))
	for _, d := range list {
		found[d.ID] = d
	}
	return found, nil
}

// The two lists read each status's newest from the index on its own, so that they read no more than
// a page for each status.
const (
	deliveryListAll = `
SELECT ` + deliveryColumns + ` FROM notifications.deliveries
WHERE %s ORDER BY created_at %[2]s, id %[2]s LIMIT $3`
	deliveryListByStatus = `
SELECT ` + deliveryColumns + ` FROM unnest($4::text[]) AS wanted(s) CROSS JOIN LATERAL (
  SELECT ` + deliveryColumns + ` FROM notifications.deliveries
  WHERE status = s AND %s ORDER BY created_at %[2]s, id %[2]s LIMIT $3) AS d
ORDER BY created_at %[2]s, id %[2]s LIMIT $3`
)

// DeliveryList gives a part of all deliveries, newest first; see [notifications.Store].
func (s *Store) DeliveryList(ctx context.Context, statuses []notifications.Status, r page.Request) ([]*notifications.Delivery, error) {
	after, id, err := notifications.ParseKey(r.From)
	if err != nil {
		return nil, err
	}
	beyond, direction := "(created_at, id) < ($1, $2)", "DESC"
	if r.Backward {
		beyond, direction = "(created_at, id) > ($1, $2)", "ASC"
	}
	if r.From == nil {
		beyond = "$1::timestamptz IS NOT NULL AND $2::uuid IS NOT NULL"
	}
	sql, args := deliveryListAll, []any{after, id, r.Limit + 1}
	if len(statuses) > 0 {
		sql, args = deliveryListByStatus, append(args, distinct(statuses))
	}
	rows, err := s.pool.Query(ctx, fmt.Sprintf(sql, beyond, direction), args...)
	if err != nil {
		return nil, fmt.Errorf("notifications: delivery list: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanDelivery)
	if err != nil {
		return nil, fmt.Errorf("notifications: delivery list: %w", err)
	}
	return list, nil
}

func distinct(statuses []notifications.Status) []string {
	seen := map[notifications.Status]bool{}
	var out []string
	for _, s := range statuses {
		if !seen[s] {
			seen[s] = true
			out = append(out, string(s))
		}
	}
	return out
}

const deliveryTouchStale = `
UPDATE notifications.deliveries SET updated_at = $2
WHERE id IN (SELECT id FROM notifications.deliveries WHERE status = 'PENDING' AND updated_at < $1 AND (claimed_until IS NULL OR claimed_until < $1)
             ORDER BY updated_at LIMIT $3 FOR UPDATE SKIP LOCKED)
RETURNING id, attempts`

// RequestStale requests the sending of forgotten deliveries anew; see [notifications.Store].
func (s *Store) RequestStale(ctx context.Context, before, now time.Time, limit int) (int, error) {
	n := 0
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, deliveryTouchStale, before, now, limit)
		if err != nil {
			return err
		}
		var (
			id       uuid.UUID
			attempts int64
			events   []outbox.Event
		)
		if _, err := pgx.ForEachRow(rows, []any{&id, &attempts}, func() error {
			event, err := emailRequested(id, attempts+1, now)
			events = append(events, event)
			return err
		}); err != nil {
			return err
		}
		n = len(events)
		return outbox.Write(ctx, tx, Schema, events...)
	})
	if err != nil {
		return 0, fmt.Errorf("notifications: request stale deliveries: %w", err)
	}
	return n, nil
}
