package postgres

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/clients"
	"github.com/techmart/techmart/services/errs"
)

const textInsert = `
INSERT INTO clients.texts (hash, text) SELECT * FROM unnest($1::bytea[], $2::text[]) ORDER BY 1 ON CONFLICT DO NOTHING`

const documentInsert = `
INSERT INTO clients.documents (client_id, id, hash, name, kind, cost, published_at)
SELECT $1, d.*, $2 FROM unnest($3::text[], $4::bytea[], $5::text[], $6::text[], $7::int[]) d
ON CONFLICT (client_id, id) DO UPDATE SET cost = excluded.cost WHERE documents.hash = excluded.hash`

// documentOther finds an id that stands for another text.
const documentOther = `
SELECT d.id FROM clients.documents d JOIN unnest($2::text[], $3::bytea[]) n (id, hash) ON n.id = d.id
WHERE d.client_id = $1 AND d.hash <> n.hash ORDER BY d.id LIMIT 1`

const releaseInsert = `
INSERT INTO clients.releases (client_id, version, published_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`

const releaseDocumentInsert = `
INSERT INTO clients.release_documents (client_id, version, document_id) SELECT $1, $2, unnest($3::text[])`

// releaseDiffers tells whether a version has other documents.
const releaseDiffers = `
SELECT count(*) <> cardinality($3::text[]) OR bool_or(document_id <> ALL($3))
FROM clients.release_documents WHERE client_id = $1 AND version = $2`

const releaseReuse = `UPDATE clients.releases SET retired_at = NULL WHERE client_id = $1 AND version = $2`

const revisionRaise = `UPDATE clients.clients SET revision = revision + 1 WHERE id = $1`

// Publish writes a version; see [clients.Store].
func (s *Store) Publish(ctx context.Context, name, version string, documents []clients.Document, now time.Time) error {
	var ids, bodies, names, kinds []string
	var hashes [][]byte
	var costs []int
	for _, d := range documents {
		ids, bodies, names, kinds = append(ids, d.ID), append(bodies, d.Text), append(names, d.Name), append(kinds, d.Kind)
		hashes, costs = append(hashes, d.Hash[:]), append(costs, d.Cost)
	}
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		id, err := lock(ctx, tx, name)
		if err != nil {
			return err
		}
		var other string
		if err := tx.QueryRow(ctx, documentOther, id, ids, hashes).Scan(&other); err == nil {
			return clients.IDDiffers(name, other)
		} else if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if _, err := tx.Exec(ctx, textInsert, hashes, bodies); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, documentInsert, id, now, ids, hashes, names, kinds, costs); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, releaseInsert, id, version, now)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 1 {
			_, err = tx.Exec(ctx, releaseDocumentInsert, id, version, ids)
		} else {
			err = reuse(ctx, tx, id, name, version, ids)
		}
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, revisionRaise, id)
		return err
	})
	return explained("publish", err)
}

// reuse takes a version that is there back into use.
func reuse(ctx context.Context, tx pgx.Tx, id uuid.UUID, name, version string, documents []string) error {
	var differs bool
	if err := tx.QueryRow(ctx, releaseDiffers, id, version, documents).Scan(&differs); err != nil {
		return err
	}
	if differs {
		return clients.VersionDiffers(name, version)
	}
	_, err := tx.Exec(ctx, releaseReuse, id, version)
	return err
}

const releaseRetire = `
UPDATE clients.releases SET retired_at = coalesce(retired_at, $3) WHERE client_id = $1 AND version = $2`

// Retire takes a version out of use; see [clients.Store].
func (s *Store) Retire(ctx context.Context, name, version string, now time.Time) error {
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		id, err := lock(ctx, tx, name)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, releaseRetire, id, version, now)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return clients.NoSuchVersion(name, version)
		}
		_, err = tx.Exec(ctx, revisionRaise, id)
		return err
	})
	return explained("retire", err)
}

const clientID = `SELECT id FROM clients.clients WHERE name = $1`

// idOf gives the id of a client. It fails with NOT_FOUND.
func (s *Store) idOf(ctx context.Context, name string) (id uuid.UUID, err error) {
	if err = s.pool.QueryRow(ctx, clientID, name).Scan(&id); errors.Is(err, pgx.ErrNoRows) {
		return id, clients.NoSuchClient(name)
	}
	return id, err
}

const releaseList = `
SELECT r.version, r.published_at, r.retired_at, count(d.document_id)
FROM clients.releases r LEFT JOIN clients.release_documents d USING (client_id, version)
WHERE r.client_id = $1 GROUP BY r.client_id, r.version ORDER BY r.published_at DESC, r.version DESC`

// Releases gives the versions of a client; see [clients.Store].
func (s *Store) Releases(ctx context.Context, name string) ([]clients.Release, error) {
	id, err := s.idOf(ctx, name)
	if err != nil {
		return nil, explained("releases", err)
	}
	rows, err := s.pool.Query(ctx, releaseList, id)
	if err != nil {
		return nil, explained("releases", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r clients.Release, err error) {
		var retired *time.Time
		err = row.Scan(&r.Version, &r.PublishedAt, &retired, &r.Documents)
		r.PublishedAt, r.RetiredAt = r.PublishedAt.UTC(), timeOf(retired)
		return r, err
	})
	return list, explained("releases", err)
}

const documentList = `
SELECT d.id, d.hash, t.text, d.name, d.kind, d.cost
FROM clients.release_documents r
JOIN clients.documents d ON d.client_id = r.client_id AND d.id = r.document_id
JOIN clients.texts t USING (hash)
WHERE r.client_id = $1 AND r.version = $2 ORDER BY d.name, d.id`

// Documents gives the documents of a version; see [clients.Store].
func (s *Store) Documents(ctx context.Context, name, version string) ([]clients.Document, error) {
	id, err := s.idOf(ctx, name)
	if err != nil {
		return nil, explained("documents", err)
	}
	rows, err := s.pool.Query(ctx, documentList, id, version)
	if err != nil {
		return nil, explained("documents", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d clients.Document, err error) {
		var hash []byte
		if err := row.Scan(&d.ID, &hash, &d.Text, &d.Name, &d.Kind, &d.Cost); err != nil {
			return d, err
		}
		d.Hash = clients.Hash(hash)
		return d, nil
	})
	if err == nil && len(list) == 0 { // a version has at least one
		err = clients.NoSuchVersion(name, version)
	}
	return list, explained("documents", err)
}

const trustedOfClient = `
SELECT DISTINCT d.id, d.hash
FROM clients.releases r
JOIN clients.release_documents m USING (client_id, version)
JOIN clients.documents d ON d.client_id = m.client_id AND d.id = m.document_id
WHERE r.client_id = $1 AND r.retired_at IS NULL`

const trustedOfAll = `
SELECT DISTINCT encode(d.hash, 'hex'), d.hash
FROM clients.clients c
JOIN clients.releases r ON r.client_id = c.id
JOIN clients.release_documents m USING (client_id, version)
JOIN clients.documents d ON d.client_id = m.client_id AND d.id = m.document_id
WHERE c.revoked_at IS NULL AND r.retired_at IS NULL`

// Trusted gives what ids stand for; see [clients.Store].
func (s *Store) Trusted(ctx context.Context, client uuid.UUID) (map[string]clients.Hash, error) {
	sql, args := trustedOfClient, []any{client}
	if client == uuid.Nil {
		sql, args = trustedOfAll, nil
	}
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, explained("trusted", err)
	}
	all := make(map[string]clients.Hash)
	var ids []string
	var hashes []clients.Hash
	var id string
	var hash []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &hash}, func() error {
		ids, hashes = append(ids, id), append(hashes, clients.Hash(hash))
		return nil
	})
	for _, h := range hashes {
		all[hex.EncodeToString(h[:])] = h
	}
	for i, id := range ids { // an id of the client's choice goes before a hash
		all[id] = hashes[i]
	}
	return all, explained("trusted", err)
}

const textByHash = `SELECT text FROM clients.texts WHERE hash = $1`

// Text gives a text; see [clients.Store].
func (s *Store) Text(ctx context.Context, hash clients.Hash) (text string, err error) {
	if err = s.pool.QueryRow(ctx, textByHash, hash[:]).Scan(&text); errors.Is(err, pgx.ErrNoRows) {
		return "", clients.NoSuchText()
	}
	return text, explained("text", err)
}

// explained says where an internal error comes from.
func explained(what string, err error) error {
	if err == nil || errs.CodeOf(err) != "" {
		return err
	}
	return fmt.Errorf("clients: %s: %w", what, err)
}
