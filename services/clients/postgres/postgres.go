// Package postgres keeps API clients and their documents in PostgreSQL, in the schema clients.
package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/clients"
	"github.com/techmart/techmart/services/viewer"
)

// Schema is where the tables are.
const Schema = "clients"

// Store is a [clients.Store].
type Store struct{ pool *pgxpool.Pool }

var _ clients.Store = (*Store)(nil)

// New makes a Store on a pool of postgres.Open; the schema has been migrated.
func New(pool *pgxpool.Pool) *Store { return &Store{pool: pool} }

const clientInsert = `
INSERT INTO clients.clients (id, name, mode, scopes, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6)`

// keyUpsert adds a key, or writes when an old one ends.
const keyUpsert = `
INSERT INTO clients.keys (hash, client_id, hint, created_at, expires_at, revoked_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (hash) DO UPDATE SET expires_at = excluded.expires_at, revoked_at = excluded.revoked_at`

// Create writes a new client; see [clients.Store].
func (s *Store) Create(ctx context.Context, c *clients.Client) error {
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, clientInsert, c.ID, c.Name, c.Mode, texts(c.Scopes), c.CreatedAt, c.UpdatedAt); err != nil {
			return err
		}
		return writeKeys(ctx, tx, c)
	})
	if postgres.IsUniqueViolation(err, "clients_name") {
		return clients.NameTaken(c.Name)
	}
	if err != nil {
		return fmt.Errorf("clients: create: %w", err)
	}
	return nil
}

func writeKeys(ctx context.Context, tx pgx.Tx, c *clients.Client) error {
	batch := &pgx.Batch{}
	for _, k := range c.Keys {
		batch.Queue(keyUpsert, k.Hash[:], c.ID, k.Hint, k.CreatedAt, nullTime(k.ExpiresAt), nullTime(k.RevokedAt))
	}
	return tx.SendBatch(ctx, batch).Close()
}

const clientLock = `SELECT id FROM clients.clients WHERE name = $1 FOR UPDATE`

const clientSelect = `
SELECT c.id, c.name, c.mode, c.scopes, c.revision, c.created_at, c.updated_at, c.revoked_at,
       k.hash, k.hint, k.created_at, k.expires_at, k.revoked_at
FROM clients.clients c JOIN clients.keys k ON k.client_id = c.id `

const (
	clientByName = clientSelect + `WHERE c.name = $1 ORDER BY k.created_at, k.hash`
	clientsAll   = clientSelect + `ORDER BY c.name, k.created_at, k.hash`
)

const clientUpdate = `
UPDATE clients.clients SET mode = $2, scopes = $3, updated_at = $4, revoked_at = $5 WHERE id = $1`

// Update changes a client under a lock; see [clients.Store].
func (s *Store) Update(ctx context.Context, name string, change func(*clients.Client) error) (c *clients.Client, err error) {
	var refused error
	err = postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		refused = nil
		if _, err := lock(ctx, tx, name); err != nil {
			refused = err
			return err
		}
		list, err := read(ctx, tx, clientByName, name)
		if err != nil {
			return err
		}
		c = list[0]
		if refused = change(c); refused != nil {
			return refused
		}
		if _, err := tx.Exec(ctx, clientUpdate, c.ID, c.Mode, texts(c.Scopes), c.UpdatedAt, nullTime(c.RevokedAt)); err != nil {
			return err
		}
		return writeKeys(ctx, tx, c)
	})
	if refused != nil {
		return nil, refused
	}
	if err != nil {
		return nil, fmt.Errorf("clients: update: %w", err)
	}
	return c, nil
}

// lock holds a client until the transaction ends. It fails with NOT_FOUND.
func lock(ctx context.Context, tx pgx.Tx, name string) (id uuid.UUID, err error) {
	if err := tx.QueryRow(ctx, clientLock, name).Scan(&id); err == pgx.ErrNoRows {
		return id, clients.NoSuchClient(name)
	} else if err != nil {
		return id, err
	}
	return id, nil
}

// Clients gives all clients; see [clients.Store].
func (s *Store) Clients(ctx context.Context) ([]*clients.Client, error) {
	list, err := read(ctx, s.pool, clientsAll)
	if err != nil {
		return nil, fmt.Errorf("clients: list: %w", err)
	}
	return list, nil
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// read gives the clients of a query in the order of its rows.
func read(ctx context.Context, q querier, sql string, args ...any) ([]*clients.Client, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	var (
		list                   []*clients.Client
		c                      clients.Client
		k                      clients.Key
		scopes                 []string
		hash                   []byte
		ended, expires, closed *time.Time
	)
	_, err = pgx.ForEachRow(rows, []any{
		&c.ID, &c.Name, &c.Mode, &scopes, &c.Revision, &c.CreatedAt, &c.UpdatedAt, &ended,
		&hash, &k.Hint, &k.CreatedAt, &expires, &closed,
	}, func() error {
		if len(list) == 0 || list[len(list)-1].ID != c.ID {
			one := c
			one.CreatedAt, one.UpdatedAt, one.RevokedAt = c.CreatedAt.UTC(), c.UpdatedAt.UTC(), timeOf(ended)
			for _, s := range scopes {
				one.Scopes = append(one.Scopes, viewer.Scope(s))
			}
			list = append(list, &one)
		}
		owner := list[len(list)-1]
		owner.Keys = append(owner.Keys, clients.Key{
			Hash: clients.Hash(hash), Hint: k.Hint, CreatedAt: k.CreatedAt.UTC(), ExpiresAt: timeOf(expires), RevokedAt: timeOf(closed),
		})
		return nil
	})
	return list, err
}

func texts(scopes []viewer.Scope) []string {
	list := make([]string, len(scopes))
	for i, s := range scopes {
		list[i] = string(s)
	}
	return list
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
