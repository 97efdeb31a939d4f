package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/platform/outbox"
	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/webhooks"
)

const (
	// The endpoints are locked as a foreign key does it: one that is deleted meanwhile gets no delivery.
	acceptEvent = `WITH fresh AS (
	INSERT INTO webhooks.inbox (event_id, received_at) VALUES ($1, $6) ON CONFLICT DO NOTHING RETURNING event_id
), interested AS (
	SELECT e.id FROM webhooks.endpoints e, fresh WHERE e.status <> 'DISABLED' AND e.event_types @> ARRAY[$2::text] ORDER BY e.id FOR KEY SHARE OF e
)
INSERT INTO webhooks.deliveries (id, endpoint_id, event_id, event_type, subject_id, sequence, occurred_at, status, attempts, failures, next_attempt_at, created_at)
SELECT gen_random_uuid(), i.id, $1, $2, $3, $4, $5, 'PENDING', 0, 0, $6, $6 FROM interested i
RETURNING endpoint_id`

	wantedTypes = `SELECT t.type FROM unnest($1::text[]) AS t(type)
WHERE EXISTS (SELECT FROM webhooks.endpoints e WHERE e.status <> 'DISABLED' AND e.event_types @> ARRAY[t.type])`

	countClaimed = `SELECT count(*) FROM webhooks.deliveries WHERE endpoint_id = $1 AND claimed_until > $2`

	// Of what is due, the first whose subject has nothing under way, and nothing due that happened before it.
	nextDue = `SELECT ` + deliveryColumns + ` FROM webhooks.deliveries d
WHERE d.endpoint_id = $1 AND d.status = 'PENDING' AND d.next_attempt_at <= $2 AND (d.claimed_until IS NULL OR d.claimed_until <= $2)
	AND NOT EXISTS (
		SELECT FROM webhooks.deliveries o
		WHERE o.endpoint_id = d.endpoint_id AND o.subject_id = d.subject_id AND o.status = 'PENDING' AND o.id <> d.id
			AND (o.claimed_until > $2 OR o.next_attempt_at <= $2 AND (o.sequence, o.position) < (d.sequence, d.position)))
ORDER BY d.position LIMIT 1 FOR NO KEY UPDATE OF d`

	// A probe is whatever waits first, due or not.
	nextProbe = `SELECT ` + deliveryColumns + ` FROM webhooks.deliveries d
WHERE d.endpoint_id = $1 AND d.status = 'PENDING' ORDER BY d.position LIMIT 1 FOR NO KEY UPDATE OF d`

	claimDelivery = `UPDATE webhooks.deliveries SET attempts = attempts + 1, claimed_until = $2 WHERE id = $1`

	idleEndpoints = `SELECT DISTINCT d.endpoint_id FROM webhooks.deliveries d JOIN webhooks.endpoints e ON e.id = d.endpoint_id
WHERE d.status = 'PENDING' AND (d.claimed_until IS NULL OR d.claimed_until < $1)
	AND (e.status = 'ENABLED' AND d.next_attempt_at < $1 OR e.status = 'PAUSED' AND e.probe_at < $1)
LIMIT $2`

	untold   = `SELECT ` + endpointColumns + ` FROM webhooks.endpoints e WHERE e.news <> '' ORDER BY e.id LIMIT $1`
	markTold = `UPDATE webhooks.endpoints SET news = '', notices = notices + $3 WHERE id = $1 AND news_count = $2 AND news <> '' RETURNING notices - $3`
)

// Wanted implements webhooks.Store.
func (s *Store) Wanted(ctx context.Context, types []string) (map[string]bool, error) {
	wanted := make(map[string]bool, len(types))
	err := postgres.SendSteadily(ctx, s.pool, func(b *pgx.Batch) {
		b.Queue(wantedTypes, types).Query(func(rows pgx.Rows) error {
			found, err := pgx.CollectRows(rows, pgx.RowTo[string])
			for _, t := range found {
				wanted[t] = true
			}
			return err
		})
	})
	return wanted, err
}

// Accept implements webhooks.Store.
func (s *Store) Accept(ctx context.Context, e webhooks.Event, now time.Time) (n int, err error) {
	err = postgres.InPipeline(ctx, s.pool, func(tx *postgres.Pipeline) error {
		rows, err := tx.Query(ctx, acceptEvent, e.ID, e.Type, e.Subject, e.Sequence, e.Time, now)
		if err != nil {
			return err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		if n = len(ids); err != nil {
			return err
		}
		if n > 0 {
			if err := s.jobs.WakeTx(ctx, tx, wakes(ids)...); err != nil {
				return err
			}
		}
		return tx.Commit(ctx)
	})
	return n, err
}

func wakes(ids []uuid.UUID) []Wake {
	list := make([]Wake, len(ids))
	for i, id := range ids {
		list[i] = Wake{EndpointID: id}
	}
	return list
}

// Claim implements webhooks.Store.
func (s *Store) Claim(ctx context.Context, endpointID uuid.UUID, now, until time.Time, limit int) (c *webhooks.Claim, err error) {
	err = postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		c = nil
		e, err := one(ctx, tx, scanEndpoint, lockEndpoint, endpointID)
		if err != nil || e == nil || e.Status == webhooks.Disabled || e.Status == webhooks.Paused && now.Before(e.ProbeAt) {
			return err
		}
		var busy int
		if err := tx.QueryRow(ctx, countClaimed, endpointID, now).Scan(&busy); err != nil {
			return err
		}
		sql, args := nextDue, []any{endpointID, now}
		if e.Status == webhooks.Paused {
			sql, args, limit = nextProbe, args[:1], 1
		}
		if busy >= limit {
			return nil
		}
		d, err := one(ctx, tx, scanDelivery, sql, args...)
		if err != nil || d == nil {
			return err
		}
		if _, err := tx.Exec(ctx, claimDelivery, d.ID, until); err != nil {
			return err
		}
		d.Attempts, d.ClaimedUntil = d.Attempts+1, until
		c = &webhooks.Claim{Endpoint: e, Delivery: d}
		return nil
	})
	return c, err
}

// Idle implements webhooks.Store.
func (s *Store) Idle(ctx context.Context, before time.Time, limit int) ([]uuid.UUID, error) {
	rows, err := s.pool.Query(ctx, idleEndpoints, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// Wake implements webhooks.Store.
func (s *Store) Wake(ctx context.Context, endpointIDs []uuid.UUID) error {
	return postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error { return s.jobs.WakeTx(ctx, tx, wakes(endpointIDs)...) })
}

// Untold implements webhooks.Store.
func (s *Store) Untold(ctx context.Context, limit int) ([]*webhooks.Endpoint, error) {
	rows, err := s.pool.Query(ctx, untold, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanEndpoint)
}

// Tell implements webhooks.Store.
func (s *Store) Tell(ctx context.Context, endpointID uuid.UUID, count int64, notices []webhooks.Notice) error {
	return postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		var before int64
		err := tx.QueryRow(ctx, markTold, endpointID, count, len(notices)).Scan(&before)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // another one told it
		}
		if err != nil {
			return err
		}
		events := make([]outbox.Event, len(notices))
		for i, n := range notices {
			data, err := json.Marshal(n.Data)
			if err != nil {
				return err
			}
			events[i] = outbox.Event{ID: n.ID, Type: n.Type, Source: Source, Subject: n.EndpointID.String(), Sequence: before + int64(i) + 1, Time: n.Time, Data: data}
		}
		return outbox.Write(ctx, tx, Schema, events...)
	})
}

// What is purged, each by its index.
var purges = []string{
	`DELETE FROM webhooks.deliveries WHERE id IN (SELECT id FROM webhooks.deliveries WHERE finished_at < $1 ORDER BY finished_at LIMIT $3) AND $2::timestamptz IS NOT NULL`,
	`DELETE FROM webhooks.inbox WHERE event_id IN (SELECT event_id FROM webhooks.inbox WHERE received_at < $1 ORDER BY received_at LIMIT $3) AND $2::timestamptz IS NOT NULL`,
	`DELETE FROM webhooks.idempotency_keys k USING (
	SELECT owner, operation, key FROM webhooks.idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT $3
) old WHERE (k.owner, k.operation, k.key) = (old.owner, old.operation, old.key) AND $2::timestamptz IS NOT NULL`,
	`DELETE FROM webhooks.secrets WHERE id IN (SELECT id FROM webhooks.secrets WHERE expires_at < $2 ORDER BY expires_at LIMIT $3) AND $1::timestamptz IS NOT NULL`,
}

// Purge implements webhooks.Store.
func (s *Store) Purge(ctx context.Context, before, now time.Time, limit int) (int, error) {
	var (
		n      int
		faults []error
	)
	for _, sql := range purges {
		done, err := s.pool.Exec(ctx, sql, before, now, limit)
		if err != nil {
			faults = append(faults, fmt.Errorf("webhooks: purge: %w", err))
			continue
		}
		n += int(done.RowsAffected())
	}
	return n, errors.Join(faults...)
}
