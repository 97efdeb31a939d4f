package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/users"
)

// sessionColumns are those of sessionFields; the table's alias is s.
const sessionColumns = `s.id, s.account_id, s.user_agent, s.ip_address, s.created_at, s.last_used_at, s.expires_at, s.revoked_at`

func sessionFields(s *users.Session) []any {
	return []any{&s.ID, &s.UserID, &s.UserAgent, &s.IPAddress, &s.CreatedAt, &s.LastUsedAt, &s.ExpiresAt, &s.RevokedAt}
}

func collectSession(row pgx.CollectableRow) (*users.Session, error) {
	var s users.Session
	err := row.Scan(sessionFields(&s)...)
	return &s, err
}

const (
	// sessionCreate waits for who is changing the account, and then looks at the new password hash
	// and second factor.
	sessionCreate = `WITH account AS (
  SELECT ` + userColumns + ` FROM users.accounts AS a WHERE a.id = $2 AND a.password_hash = $3
    AND a.second_factor_at IS NOT DISTINCT FROM $11 FOR SHARE
), session AS (
  INSERT INTO users.sessions (id, account_id, user_agent, ip_address, created_at, last_used_at, expires_at)
  SELECT $1, id, $4, $5, $6, $6, $7 FROM account
  RETURNING id
), token AS (
  INSERT INTO users.refresh_tokens (digest, session_id, created_at, expires_at)
  SELECT $8, id, $9, $10 FROM session
)
SELECT * FROM account`

	sessionRefreshLock = `SELECT t.digest, t.created_at, t.expires_at, t.used_at, ` + sessionColumns + `, ` + userColumns + `
FROM users.refresh_tokens AS t
JOIN users.sessions AS s ON s.id = t.session_id
JOIN users.accounts AS a ON a.id = s.account_id
WHERE t.digest = $1
FOR UPDATE OF t, s`

	sessionUpdate = `UPDATE users.sessions SET last_used_at = $2, expires_at = $3, revoked_at = $4 WHERE id = $1`

	refreshTokenUse = `UPDATE users.refresh_tokens SET used_at = $2 WHERE digest = $1`

	refreshTokenInsert = `INSERT INTO users.refresh_tokens (digest, session_id, created_at, expires_at) VALUES ($1, $2, $3, $4)`

	sessionRevoke = `UPDATE users.sessions SET revoked_at = coalesce(revoked_at, $3) WHERE id = $2 AND account_id = $1`

	sessionActive = `SELECT EXISTS (SELECT FROM users.sessions WHERE id = $1 AND revoked_at IS NULL AND expires_at > $2)`

	sessionListByIDs = `SELECT ` + sessionColumns + ` FROM users.sessions AS s
WHERE s.id = ANY ($2) AND s.account_id = $1 AND s.revoked_at IS NULL AND s.expires_at > $3`

	sessionListByUsers = `SELECT s.* FROM unnest($1::uuid[]) AS owner(id)
CROSS JOIN LATERAL (
  SELECT ` + sessionColumns + ` FROM users.sessions AS s
  WHERE s.account_id = owner.id AND s.revoked_at IS NULL AND s.expires_at > $2
  ORDER BY s.created_at DESC, s.id DESC LIMIT $3
) AS s
ORDER BY s.account_id, s.created_at DESC, s.id DESC`

	sessionAddresses = `SELECT DISTINCT ip_address FROM (
  SELECT ip_address FROM users.sessions WHERE account_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2) AS newest`

	sessionListRevoked = `SELECT id FROM users.sessions WHERE revoked_at >= $1 AND id > $2 ORDER BY id LIMIT $3`
)

// SessionCreate adds a session with its first refresh token.
func (s *Store) SessionCreate(ctx context.Context, n *users.Session, t users.RefreshToken, passwordHash string, secondFactorAt *time.Time) (*users.User, error) {
	rows, err := s.pool.Query(ctx, sessionCreate, n.ID, n.UserID, passwordHash, n.UserAgent, n.IPAddress,
		n.CreatedAt, n.ExpiresAt, t.Digest, t.CreatedAt, t.ExpiresAt, secondFactorAt)
	if err != nil {
		return nil, wrap(err, "create session")
	}
	u, err := pgx.CollectExactlyOneRow(rows, collectUser)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, errNotFound()
	}
	return u, wrap(err, "create session")
}

// SessionRefresh runs fn on what the refresh token belongs to, and writes it.
func (s *Store) SessionRefresh(ctx context.Context, digest []byte, fn func(*users.Refresh) error) error {
	var failed error // fn's
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		var r users.Refresh
		fields := []any{&r.Token.Digest, &r.Token.CreatedAt, &r.Token.ExpiresAt, &r.Token.UsedAt}
		fields = append(append(fields, sessionFields(&r.Session)...), userFields(&r.User)...)
		err := tx.QueryRow(ctx, sessionRefreshLock, digest).Scan(fields...)
		if errors.Is(err, pgx.ErrNoRows) {
			return errNotFound()
		}
		if err != nil {
			return err
		}
		if failed = fn(&r); failed != nil {
			return failed
		}
		var b pgx.Batch
		b.Queue(refreshTokenUse, digest, r.Token.UsedAt)
		b.Queue(sessionUpdate, r.Session.ID, r.Session.LastUsedAt, r.Session.ExpiresAt, r.Session.RevokedAt)
		if r.Next != nil {
			b.Queue(refreshTokenInsert, r.Next.Digest, r.Session.ID, r.Next.CreatedAt, r.Next.ExpiresAt)
		}
		return tx.SendBatch(ctx, &b).Close()
	})
	if failed != nil {
		return failed
	}
	return wrap(err, "refresh session")
}

// SessionRevoke ends a session of an account.
func (s *Store) SessionRevoke(ctx context.Context, userID, sessionID uuid.UUID, now time.Time) error {
	tag, err := s.pool.Exec(ctx, sessionRevoke, userID, sessionID, now)
	if err == nil && tag.RowsAffected() == 0 {
		return errNotFound()
	}
	return wrap(err, "revoke session")
}

// SessionRevokeAll ends the sessions of an account except keep.
func (s *Store) SessionRevokeAll(ctx context.Context, userID, keep uuid.UUID, now time.Time) ([]uuid.UUID, error) {
	return s.sessionIDs(ctx, "revoke sessions", sessionRevokeAll, userID, keep, now)
}

// SessionListRevoked reads the ids of sessions that were ended since.
func (s *Store) SessionListRevoked(ctx context.Context, since time.Time, after uuid.UUID, limit int) ([]uuid.UUID, error) {
	return s.sessionIDs(ctx, "list revoked sessions", sessionListRevoked, since, after, limit)
}

func (s *Store) sessionIDs(ctx context.Context, what, sql string, args ...any) ([]uuid.UUID, error) {
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, wrap(err, what)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	return ids, wrap(err, what)
}

// SessionAddresses reads the addresses of an account's newest sessions.
func (s *Store) SessionAddresses(ctx context.Context, userID uuid.UUID, limit int) ([]string, error) {
	rows, err := s.pool.Query(ctx, sessionAddresses, userID, limit)
	if err != nil {
		return nil, wrap(err, "list addresses of sessions")
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return list, wrap(err, "list addresses of sessions")
}

// SessionActive reports whether the session is signed in.
func (s *Store) SessionActive(ctx context.Context, id uuid.UUID, now time.Time) (bool, error) {
	var active bool
	err := s.pool.QueryRow(ctx, sessionActive, id, now).Scan(&active)
	return active, wrap(err, "look at session")
}

// SessionListByIDs reads sessions of an account that are signed in.
func (s *Store) SessionListByIDs(ctx context.Context, userID uuid.UUID, ids []uuid.UUID, now time.Time) ([]*users.Session, error) {
	return s.sessions(ctx, sessionListByIDs, userID, ids, now)
}

// SessionListByUsers reads the newest sessions of accounts.
func (s *Store) SessionListByUsers(ctx context.Context, userIDs []uuid.UUID, now time.Time, limit int) ([]*users.Session, error) {
	return s.sessions(ctx, sessionListByUsers, userIDs, now, limit)
}

func (s *Store) sessions(ctx context.Context, sql string, args ...any) ([]*users.Session, error) {
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, wrap(err, "list sessions")
	}
	list, err := pgx.CollectRows(rows, collectSession)
	return list, wrap(err, "list sessions")
}
