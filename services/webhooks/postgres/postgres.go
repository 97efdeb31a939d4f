// Package postgres keeps webhook endpoints and their deliveries in PostgreSQL, in the schema webhooks.
package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/webhooks"
)

// Schema is the namespace of this domain's tables.
const Schema = "webhooks"

// Source is what the events of this domain say they come from.
const Source = "/techmart/webhooks"

// Jobs adds jobs that deliver to endpoints, in the transaction that makes them necessary.
type Jobs interface {
	WakeTx(ctx context.Context, tx pgx.Tx, wakes ...Wake) error
}

// Wake is a job for an endpoint.
type Wake struct {
	EndpointID uuid.UUID
	At         time.Time // zero for now
}

// Store is webhooks.Store over PostgreSQL.
type Store struct {
	pool *pgxpool.Pool
	jobs Jobs
}

var _ webhooks.Store = (*Store)(nil)

// New makes the store; the schema has to be migrated.
func New(pool *pgxpool.Pool, jobs Jobs) *Store {
	return &Store{pool: pool, jobs: jobs}
}

func nullID(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

func idOf(id *uuid.UUID) uuid.UUID {
	if id == nil {
		return uuid.Nil
	}
	return *id
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

const endpointColumns = `e.id, e.owner_user, e.owner_client, e.url, e.description, e.event_types, e.selection, e.api_version, e.status, e.reason, e.failures,
	e.failing_since, e.paused_at, e.probe_at, e.disabled_at, e.news, e.news_count, e.version, e.created_at, e.updated_at`

func scanEndpoint(row pgx.CollectableRow) (*webhooks.Endpoint, error) {
	var (
		e                                webhooks.Endpoint
		user, client                     *uuid.UUID
		failing, paused, probe, disabled *time.Time
	)
	err := row.Scan(&e.ID, &user, &client, &e.URL, &e.Description, &e.EventTypes, &e.Selection, &e.APIVersion, &e.Status, &e.Reason, &e.Failures,
		&failing, &paused, &probe, &disabled, &e.News, &e.NewsCount, &e.Version, &e.CreatedAt, &e.UpdatedAt)
	e.Owner = webhooks.Owner{UserID: idOf(user), ClientID: idOf(client)}
	e.FailingSince, e.PausedAt, e.ProbeAt, e.DisabledAt = timeOf(failing), timeOf(paused), timeOf(probe), timeOf(disabled)
	e.CreatedAt, e.UpdatedAt = e.CreatedAt.UTC(), e.UpdatedAt.UTC()
	return &e, err
}

const deliveryColumns = `d.id, d.endpoint_id, d.event_id, d.event_type, d.subject_id, d.sequence, d.occurred_at, d.status, d.attempts, d.failures,
	d.next_attempt_at, d.claimed_until, d.created_at, d.finished_at`

func scanDelivery(row pgx.CollectableRow) (*webhooks.Delivery, error) {
	var (
		d                       webhooks.Delivery
		next, claimed, finished *time.Time
	)
	err := row.Scan(&d.ID, &d.EndpointID, &d.Event.ID, &d.Event.Type, &d.Event.Subject, &d.Event.Sequence, &d.Event.Time, &d.Status, &d.Attempts, &d.Failures,
		&next, &claimed, &d.CreatedAt, &finished)
	d.NextAttemptAt, d.ClaimedUntil, d.FinishedAt = timeOf(next), timeOf(claimed), timeOf(finished)
	d.Event.Time, d.CreatedAt = d.Event.Time.UTC(), d.CreatedAt.UTC()
	return &d, err
}

const secretColumns = `s.id, s.endpoint_id, s.sealed, s.created_at, s.expires_at`

func scanSecret(row pgx.CollectableRow) (webhooks.Secret, error) {
	var (
		s       webhooks.Secret
		expires *time.Time
	)
	err := row.Scan(&s.ID, &s.EndpointID, &s.Sealed, &s.CreatedAt, &expires)
	s.CreatedAt, s.ExpiresAt = s.CreatedAt.UTC(), timeOf(expires)
	return s, err
}

const (
	lockOwner      = `SELECT pg_advisory_xact_lock(hashtextextended(concat_ws(chr(31), 'webhooks owner', $1::text, $2::text), 0))`
	countOfOwner   = `SELECT count(*) FROM webhooks.endpoints WHERE owner_user = $1 OR owner_client = $2`
	insertEndpoint = `INSERT INTO webhooks.endpoints (id, owner_user, owner_client, url, description, event_types, selection, api_version, status, reason, failures,
	failing_since, paused_at, probe_at, disabled_at, news, news_count, version, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`
	updateEndpoint = `UPDATE webhooks.endpoints SET url = $2, description = $3, event_types = $4, selection = $5, api_version = $6, status = $7, reason = $8, failures = $9,
	failing_since = $10, paused_at = $11, probe_at = $12, disabled_at = $13, news = $14, news_count = $15, version = $16, updated_at = $17 WHERE id = $1`
	lockEndpoint   = `SELECT ` + endpointColumns + ` FROM webhooks.endpoints e WHERE e.id = $1 FOR NO KEY UPDATE`
	deleteEndpoint = `DELETE FROM webhooks.endpoints WHERE id = $1`

	insertSecret  = `INSERT INTO webhooks.secrets (id, endpoint_id, sealed, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)`
	expireSecret  = `UPDATE webhooks.secrets SET expires_at = $2 WHERE id = $1`
	secretsOf     = `SELECT ` + secretColumns + ` FROM webhooks.secrets s WHERE s.endpoint_id = $1 ORDER BY s.created_at, s.id`
	secretsOfMany = `SELECT ` + secretColumns + ` FROM webhooks.secrets s WHERE s.endpoint_id = ANY($1) AND (s.expires_at IS NULL OR s.expires_at > $2)
ORDER BY s.created_at DESC, s.id DESC`

	endpointOfDelivery = `SELECT endpoint_id FROM webhooks.deliveries WHERE id = $1`
	lockDelivery       = `SELECT ` + deliveryColumns + ` FROM webhooks.deliveries d WHERE d.id = $1 FOR NO KEY UPDATE`
	insertDelivery     = `INSERT INTO webhooks.deliveries (id, endpoint_id, event_id, event_type, subject_id, sequence, occurred_at, status, attempts, failures,
	next_attempt_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`
	updateDelivery = `UPDATE webhooks.deliveries SET status = $2, attempts = $3, failures = $4, next_attempt_at = $5, claimed_until = $6, finished_at = $7 WHERE id = $1`
	releasePending = `UPDATE webhooks.deliveries SET next_attempt_at = $2 WHERE endpoint_id = $1 AND status = 'PENDING' AND next_attempt_at > $2`
	dropPending    = `UPDATE webhooks.deliveries SET status = 'FAILED', next_attempt_at = NULL, claimed_until = NULL, finished_at = $2
WHERE endpoint_id = $1 AND status = 'PENDING' AND (claimed_until IS NULL OR claimed_until <= $2)`
	insertAttempt = `INSERT INTO webhooks.attempts (delivery_id, number, started_at, duration_ms, outcome, status, error, excerpt)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`

	takeKey   = `SELECT webhooks.take_key($1, $2, $3)`
	findKey   = `SELECT request_hash, result_id FROM webhooks.idempotency_keys WHERE owner = $1 AND operation = $2 AND key = $3`
	insertKey = `INSERT INTO webhooks.idempotency_keys (owner, operation, key, request_hash, result_id, created_at) VALUES ($1, $2, $3, $4, $5, now())`
)

// once runs do under a key, unless the key was used before: then it gives what it was used for.
func once(ctx context.Context, tx pgx.Tx, k *webhooks.Key, do func() error) (result uuid.UUID, replayed bool, err error) {
	if k == nil {
		return uuid.Nil, false, do()
	}
	if _, err := tx.Exec(ctx, takeKey, k.Owner.String(), k.Operation, k.Key); err != nil {
		if postgres.Code(err) == "TM002" {
			err = webhooks.InFlight()
		}
		return uuid.Nil, false, err
	}
	var hash []byte
	err = tx.QueryRow(ctx, findKey, k.Owner, k.Operation, k.Key).Scan(&hash, &result)
	switch {
	case err == nil && !bytes.Equal(hash, k.Hash):
		return uuid.Nil, false, webhooks.KeyReused()
	case err == nil:
		return result, true, nil
	case !errors.Is(err, pgx.ErrNoRows):
		return uuid.Nil, false, err
	}
	if err := do(); err != nil {
		return uuid.Nil, false, err
	}
	_, err = tx.Exec(ctx, insertKey, k.Owner, k.Operation, k.Key, k.Hash, k.Result)
	return k.Result, false, err
}

// Create implements webhooks.Store.
func (s *Store) Create(ctx context.Context, e *webhooks.Endpoint, secret webhooks.Secret, limit int, key *webhooks.Key) (id uuid.UUID, replayed bool, err error) {
	err = postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		id, replayed, err = once(ctx, tx, key, func() error {
			user, client := nullID(e.Owner.UserID), nullID(e.Owner.ClientID)
			if _, err := tx.Exec(ctx, lockOwner, e.Owner.UserID.String(), e.Owner.ClientID.String()); err != nil {
				return err
			}
			var n int
			if err := tx.QueryRow(ctx, countOfOwner, user, client).Scan(&n); err != nil {
				return err
			}
			if n >= limit {
				return errs.Newf(errs.LimitExceeded, "An owner has at most %d webhook endpoints.", limit)
			}
			_, err := tx.Exec(ctx, insertEndpoint, e.ID, user, client, e.URL, e.Description, e.EventTypes, e.Selection, e.APIVersion, e.Status, e.Reason, e.Failures,
				nullTime(e.FailingSince), nullTime(e.PausedAt), nullTime(e.ProbeAt), nullTime(e.DisabledAt), e.News, e.NewsCount, e.Version, e.CreatedAt, e.UpdatedAt)
			if err != nil {
				return err
			}
			return addSecret(ctx, tx, secret)
		})
		if id == uuid.Nil {
			id = e.ID
		}
		return err
	})
	return id, replayed, err
}

func addSecret(ctx context.Context, tx pgx.Tx, k webhooks.Secret) error {
	_, err := tx.Exec(ctx, insertSecret, k.ID, k.EndpointID, k.Sealed, k.CreatedAt, nullTime(k.ExpiresAt))
	return err
}

// Delete implements webhooks.Store.
func (s *Store) Delete(ctx context.Context, id uuid.UUID) error {
	done, err := s.pool.Exec(ctx, deleteEndpoint, id)
	if err == nil && done.RowsAffected() == 0 {
		return webhooks.NotFound("id")
	}
	return err
}

// one reads the only row of a statement; none gives nil.
func one[T any](ctx context.Context, tx pgx.Tx, scan pgx.RowToFunc[*T], sql string, args ...any) (*T, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectExactlyOneRow(rows, scan)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return found, err
}

// Update implements webhooks.Store.
func (s *Store) Update(ctx context.Context, t webhooks.Target, key *webhooks.Key, fn func(*webhooks.Unit) error) (result uuid.UUID, replayed bool, err error) {
	err = postgres.InTx(ctx, s.pool, func(tx pgx.Tx) (err error) {
		result, replayed, err = once(ctx, tx, key, func() error {
			u, err := lock(ctx, tx, t)
			if err != nil {
				return err
			}
			if err := fn(u); err != nil {
				return err
			}
			return s.write(ctx, tx, u)
		})
		return err
	})
	return result, replayed, err
}

// lock reads what a change needs. The endpoint is locked before its delivery, always.
func lock(ctx context.Context, tx pgx.Tx, t webhooks.Target) (*webhooks.Unit, error) {
	endpointID := t.EndpointID
	if endpointID == uuid.Nil {
		err := tx.QueryRow(ctx, endpointOfDelivery, t.DeliveryID).Scan(&endpointID)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, webhooks.NoDelivery()
		}
		if err != nil {
			return nil, err
		}
	}
	e, err := one(ctx, tx, scanEndpoint, lockEndpoint, endpointID)
	if err != nil {
		return nil, err
	}
	if e == nil {
		return nil, webhooks.NotFound()
	}
	u := &webhooks.Unit{Endpoint: e}
	if t.DeliveryID != uuid.Nil {
		if u.Delivery, err = one(ctx, tx, scanDelivery, lockDelivery, t.DeliveryID); err != nil {
			return nil, err
		}
		if u.Delivery == nil || u.Delivery.EndpointID != e.ID {
			return nil, webhooks.NoDelivery()
		}
		return u, nil
	}
	rows, err := tx.Query(ctx, secretsOf, e.ID)
	if err != nil {
		return nil, err
	}
	u.Secrets, err = pgx.CollectRows(rows, scanSecret)
	return u, err
}

// write writes a unit. What is released or dropped is so before the unit's own delivery is written.
func (s *Store) write(ctx context.Context, tx pgx.Tx, u *webhooks.Unit) error {
	e, d := u.Endpoint, u.Delivery
	batch := &pgx.Batch{}
	batch.Queue(updateEndpoint, e.ID, e.URL, e.Description, e.EventTypes, e.Selection, e.APIVersion, e.Status, e.Reason, e.Failures,
		nullTime(e.FailingSince), nullTime(e.PausedAt), nullTime(e.ProbeAt), nullTime(e.DisabledAt), e.News, e.NewsCount, e.Version, e.UpdatedAt)
	if u.Release != nil {
		batch.Queue(releasePending, e.ID, *u.Release)
	}
	if d != nil {
		batch.Queue(updateDelivery, d.ID, d.Status, d.Attempts, d.Failures, nullTime(d.NextAttemptAt), nullTime(d.ClaimedUntil), nullTime(d.FinishedAt))
	}
	if u.Drop != nil {
		batch.Queue(dropPending, e.ID, *u.Drop)
	}
	for _, k := range u.Secrets {
		batch.Queue(expireSecret, k.ID, nullTime(k.ExpiresAt))
	}
	if k := u.NewSecret; k != nil {
		batch.Queue(insertSecret, k.ID, k.EndpointID, k.Sealed, k.CreatedAt, nullTime(k.ExpiresAt))
	}
	if n := u.NewDelivery; n != nil {
		batch.Queue(insertDelivery, n.ID, n.EndpointID, n.Event.ID, n.Event.Type, n.Event.Subject, n.Event.Sequence, n.Event.Time, n.Status, n.Attempts, n.Failures,
			n.NextAttemptAt, n.CreatedAt)
	}
	if a := u.Attempt; a != nil {
		batch.Queue(insertAttempt, a.DeliveryID, a.Number, a.StartedAt, a.Duration.Milliseconds(), a.Outcome, a.Status, a.Error, a.Excerpt)
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("webhooks: write: %w", err)
	}
	wakes := make([]Wake, len(u.Wakes))
	for i, at := range u.Wakes {
		wakes[i] = Wake{EndpointID: e.ID, At: at}
	}
	if len(wakes) == 0 {
		return nil
	}
	return s.jobs.WakeTx(ctx, tx, wakes...)
}
