// Package postgres keeps the users domain in PostgreSQL, in the schema "users".
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
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/users"
)

// Schema is where the tables are.
const Schema = "users"

const source = "/techmart/users"

// Store is users.Store over PostgreSQL.
type Store struct{ pool *pgxpool.Pool }

var _ users.Store = (*Store)(nil)

// New makes a store; the schema has been migrated.
func New(pool *pgxpool.Pool) *Store { return &Store{pool: pool} }

func errNotFound() error { return errs.New(errs.NotFound, "There is no such thing.") }

// wrap says where an internal error comes from; a coded one stays as it is.
func wrap(err error, what string) error {
	if err == nil || errs.All(err) != nil {
		return err
	}
	return fmt.Errorf("users: %s: %w", what, err)
}

// account is a row of users.accounts.
type account struct {
	users.Account
	sequence int64 // number of the last event
}

// userColumns are those of scanUser; the table's alias is a.
const userColumns = `a.id, a.email, a.email_verified_at, a.display_name, a.roles, a.created_at, a.updated_at, a.version,
  a.second_factor_at, cardinality(a.recovery_codes)`

func userFields(u *users.User) []any {
	return []any{&u.ID, &u.Email, &u.EmailVerifiedAt, &u.DisplayName, &u.Roles, &u.CreatedAt, &u.UpdatedAt, &u.Version,
		&u.SecondFactorAt, &u.RecoveryCodes}
}

const accountColumns = userColumns + `, a.password_hash, a.mails_since, a.mails, a.event_sequence,
  a.reset_network, a.second_factor_secret, a.second_factor_step, a.recovery_codes`

func (a *account) fields() []any {
	return append(userFields(&a.User), &a.PasswordHash, &a.MailsSince, &a.Mails, &a.sequence,
		&a.ResetNetwork, &a.SecondFactorSecret, &a.SecondFactorStep, &a.RecoveryDigests)
}

func collectUser(row pgx.CollectableRow) (*users.User, error) {
	var u users.User
	err := row.Scan(userFields(&u)...)
	return &u, err
}

func roleNames(roles []users.Role) []string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return names
}

const (
	tokenInsert = `INSERT INTO users.tokens (digest, account_id, purpose, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)`

	tokenDeleteByPurpose = `DELETE FROM users.tokens WHERE account_id = $1 AND purpose = $2`

	sessionRevokeAll = `UPDATE users.sessions SET revoked_at = $3
WHERE account_id = $1 AND id <> $2 AND revoked_at IS NULL AND expires_at > $3
RETURNING id`
)

// queueEffects adds the statements of the account's effects to a batch, and appends to ended the ids of
// the sessions that they end. It numbers the events: the account's row is written after it.
func (a *account) queueEffects(b *pgx.Batch, ended *[]uuid.UUID) error {
	e := a.Effects
	a.Effects = users.Effects{}
	for _, purpose := range e.DropTokens {
		b.Queue(tokenDeleteByPurpose, a.ID, string(purpose))
	}
	for _, t := range e.Tokens {
		b.Queue(tokenInsert, t.Digest, a.ID, string(t.Purpose), t.CreatedAt, t.ExpiresAt)
	}
	if e.EndSessions {
		// What ends sessions changes the account, at the same time.
		b.Queue(sessionRevokeAll, a.ID, e.KeepSession, a.UpdatedAt).Query(func(rows pgx.Rows) (err error) {
			*ended, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
			return err
		})
	}
	events := make([]outbox.Event, len(e.Events))
	for i, event := range e.Events {
		data, err := json.Marshal(event.Data)
		if err != nil {
			return err
		}
		a.sequence++
		events[i] = outbox.Event{
			ID: uuid.Must(uuid.NewV7()), Type: event.Type, Source: source, Subject: a.ID.String(),
			Sequence: a.sequence, Time: time.Now().UTC(), Data: data,
		}
	}
	return outbox.Queue(b, Schema, events...)
}

// PurgeExpired deletes what ended before the time.
func (s *Store) PurgeExpired(ctx context.Context, before time.Time, limit int) (int, error) {
	var (
		b       pgx.Batch
		deleted int
	)
	for _, sql := range []string{tokenPurge, refreshTokenPurge, sessionPurgeExpired, sessionPurgeRevoked} {
		b.Queue(sql, before, limit).Query(func(rows pgx.Rows) error {
			rows.Close()
			deleted += int(rows.CommandTag().RowsAffected())
			return rows.Err()
		})
	}
	err := s.pool.SendBatch(ctx, &b).Close()
	return deleted, wrap(err, "purge")
}

// An array of keys makes the planner look each up by its index.
const (
	tokenPurge = `DELETE FROM users.tokens WHERE digest = ANY (ARRAY(
  SELECT digest FROM users.tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT $2))`

	refreshTokenPurge = `DELETE FROM users.refresh_tokens WHERE digest = ANY (ARRAY(
  SELECT digest FROM users.refresh_tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT $2))`

	sessionPurgeExpired = `DELETE FROM users.sessions WHERE id = ANY (ARRAY(
  SELECT id FROM users.sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2))`

	sessionPurgeRevoked = `DELETE FROM users.sessions WHERE id = ANY (ARRAY(
  SELECT id FROM users.sessions WHERE revoked_at < $1 ORDER BY revoked_at LIMIT $2))`
)
