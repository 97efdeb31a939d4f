// Package postgres keeps carts in PostgreSQL, in the schema carts.
package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/carts"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
)

// Schema is the namespace of this domain's tables.
const Schema = "carts"

// Store is carts.Store over PostgreSQL.
type Store struct {
	pool       *pgxpool.Pool
	completing *postgres.Group[carts.Completion, struct{}]
	finding    *postgres.Group[uuid.UUID, *carts.Stored]
}

var _ carts.Store = (*Store)(nil)

// readLanes bounds the shared reads under way at a time.
const readLanes = 4

// New makes the store; the schema has to be migrated.
func New(pool *pgxpool.Pool) *Store {
	s := &Store{pool: pool}
	s.completing = postgres.Grouped[carts.Completion, struct{}]{Name: "carts.complete", One: s.completeOne, Many: s.completeMany}.Group(pool)
	s.finding = postgres.Grouped[uuid.UUID, *carts.Stored]{Name: "carts.find", One: s.findOne, Many: s.findMany, Lanes: readLanes}.Group(pool)
	return s
}

const selectColumns = `SELECT c.id, c.user_id, c.updated_at, c.expires_at, c.codes, c.shipping_method, c.country, l.id, l.variant_id, l.quantity, l.seen, l.currency
FROM carts.carts c LEFT JOIN carts.lines l ON l.cart_id = c.id
`

const selectCart = selectColumns + `WHERE c.status = 'OPEN' AND `

const (
	cartByUser  = selectCart + `c.user_id = $1 ORDER BY l.position`
	cartByToken = selectCart + `c.token_hash = $1 AND c.expires_at > $2 ORDER BY l.position`
	cartsOfAll  = selectCart + `c.user_id = ANY($1) ORDER BY c.id, l.position`
	cartOfID    = selectCart + `c.id = $1 ORDER BY l.position`
	cartOfKey   = selectColumns + `WHERE c.id = $1 ORDER BY l.position` // also one that is closed
)

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// read gives the carts of a query in the order of its rows.
func read(ctx context.Context, q querier, sql string, args ...any) ([]*carts.Stored, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return scan(rows)
}

// scan reads rows of selectCart.
func scan(rows pgx.Rows) ([]*carts.Stored, error) {
	var (
		list     []*carts.Stored
		id       uuid.UUID
		user     *uuid.UUID
		updated  time.Time
		expires  *time.Time
		codes    []string
		method   string
		country  string
		line     *uuid.UUID
		variant  *uuid.UUID
		quantity *int
		seen     *int64
		currency *string
	)
	_, err := pgx.ForEachRow(rows, []any{&id, &user, &updated, &expires, &codes, &method, &country, &line, &variant, &quantity, &seen, &currency}, func() error {
		if len(list) == 0 || list[len(list)-1].ID != id {
			c := &carts.Stored{ID: id, UpdatedAt: updated.UTC(), Codes: codes, Method: method, Country: country}
			if user != nil {
				c.UserID = *user
			}
			if expires != nil {
				at := expires.UTC()
				c.ExpiresAt = &at
			}
			list = append(list, c)
		}
		if line != nil {
			c := list[len(list)-1]
			c.Lines = append(c.Lines, carts.StoredLine{ID: *line, VariantID: *variant, Quantity: *quantity,
				Seen: money.New(*seen, money.Currency(*currency))})
		}
		return nil
	})
	return list, err
}

func one(list []*carts.Stored, err error) (*carts.Stored, error) {
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, carts.NotFound()
	}
	return list[0], nil
}

// Find implements carts.Store.
func (s *Store) Find(ctx context.Context, by carts.Selector, now time.Time) (*carts.Stored, error) {
	if by.TokenHash != nil {
		return one(read(ctx, s.pool, cartByToken, by.TokenHash, now))
	}
	return s.finding.Do(ctx, by.UserID)
}

func (s *Store) findOne(ctx context.Context, user uuid.UUID) (*carts.Stored, error) {
	return one(read(ctx, s.pool, cartByUser, user))
}

// findMany reads the carts of many accounts at once. Each caller gets a copy to change.
func (s *Store) findMany(ctx context.Context, users []uuid.UUID) ([]postgres.Result[*carts.Stored], error) {
	var found map[uuid.UUID]*carts.Stored
	err := postgres.SendSteadily(ctx, s.pool, func(b *pgx.Batch) {
		b.Queue(cartsOfAll, users).Query(func(rows pgx.Rows) (err error) {
			found, err = byUser(scan(rows))
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	results := make([]postgres.Result[*carts.Stored], len(users))
	for i, user := range users {
		c, ok := found[user]
		if !ok {
			results[i].Err = carts.NotFound()
			continue
		}
		own := *c
		own.Lines, own.Codes = slices.Clone(c.Lines), slices.Clone(c.Codes)
		results[i].Value = &own
	}
	return results, nil
}

// FindByUsers implements carts.Store.
func (s *Store) FindByUsers(ctx context.Context, users []uuid.UUID) (map[uuid.UUID]*carts.Stored, error) {
	return byUser(read(ctx, s.pool, cartsOfAll, users))
}

func byUser(list []*carts.Stored, err error) (map[uuid.UUID]*carts.Stored, error) {
	if err != nil {
		return nil, err
	}
	found := make(map[uuid.UUID]*carts.Stored, len(list))
	for _, c := range list {
		found[c.UserID] = c
	}
	return found, nil
}

const (
	lockByToken = `SELECT id FROM carts.carts WHERE token_hash = $1 AND status = 'OPEN' AND expires_at > $2 FOR UPDATE`
	lockByUser  = `SELECT id FROM carts.carts WHERE user_id = $1 AND status = 'OPEN' FOR UPDATE`
	makeCart    = `INSERT INTO carts.carts (id, user_id, token_hash, created_at, updated_at, expires_at)
VALUES ($1, $2, $3, $4, $4, $5) ON CONFLICT DO NOTHING`
	takeKey = `SELECT carts.take_key($1, $2, $3)`
	findKey = `SELECT request_hash, result_id FROM carts.idempotency_keys WHERE owner = $1 AND operation = $2 AND key = $3`
	saveKey = `INSERT INTO carts.idempotency_keys (owner, operation, key, request_hash, result_id, created_at)
VALUES ($1, $2, $3, $4, $5, $6)`
	touchCart = `UPDATE carts.carts SET updated_at = $2, expires_at = CASE WHEN expires_at IS NULL THEN NULL ELSE greatest(expires_at, $3) END,
	codes = $4, shipping_method = $5, country = $6
WHERE id = $1`
	dropLines = `DELETE FROM carts.lines WHERE cart_id = $1 AND NOT id = ANY($2)`
	// Rows are numbered in the order of the arrays.
	saveLines = `INSERT INTO carts.lines (id, cart_id, variant_id, quantity, seen, currency)
SELECT id, $1, variant_id, quantity, seen, currency
FROM unnest($2::uuid[], $3::uuid[], $4::integer[], $5::bigint[], $6::text[]) WITH ORDINALITY AS l(id, variant_id, quantity, seen, currency, n)
ORDER BY n
ON CONFLICT (id) DO UPDATE SET quantity = excluded.quantity`
)

// Edit implements carts.Store. The cart's row is locked, so that changes of one cart follow one another.
func (s *Store) Edit(ctx context.Context, e carts.Edit) (*carts.Stored, error) {
	var result *carts.Stored
	err := postgres.InSteadyPipeline(ctx, s.pool, func(p *postgres.Pipeline) error {
		id, used, found, err := lock(ctx, p, e)
		gone := errs.Is(err, errs.NotFound) && e.Key != nil // the cart of an earlier call may be closed by now
		if err != nil && !gone {
			return failure(err)
		}
		switch {
		case used.hash != nil && !slices.Equal(used.hash, e.Key.Hash):
			return carts.KeyReused()
		case used.hash != nil && used.cart != id:
			result, err = one(read(ctx, p, cartOfKey, used.cart))
			return err // a cart that was made on the way goes
		case gone:
			return err
		}
		if result = found; used.hash != nil {
			return nil
		}
		if err := e.Apply(result); err != nil {
			return err
		}
		return p.CommitBatch(ctx, changes(e, result))
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// lock finds the cart, or makes it, locks it, and reads it and what the key was used for, most often in one round trip. It
// fails with NOT_FOUND for the cart alone.
func lock(ctx context.Context, tx pgx.Tx, e carts.Edit) (id uuid.UUID, used use, c *carts.Stored, err error) {
	sql, open, args := lockByUser, cartByUser, []any{e.Cart.UserID}
	if e.Cart.TokenHash != nil {
		sql, open, args = lockByToken, cartByToken, []any{e.Cart.TokenHash, e.Now}
	}
	batch := &pgx.Batch{}
	if e.Key != nil {
		batch.Queue(takeKey, e.Key.Owner, e.Key.Operation, e.Key.Key) // before it waits for the cart
	}
	for range 2 {
		if e.Make != nil {
			create(batch, *e.Make, e.Now)
		}
		batch.Queue(sql, args...).QueryRow(optional(&id))
		if e.Key != nil {
			batch.Queue(findKey, e.Key.Owner, e.Key.Operation, e.Key.Key).QueryRow(optional(&used.hash, &used.cart))
		}
		batch.Queue(open, args...).Query(func(rows pgx.Rows) error {
			list, err := scan(rows)
			for _, found := range list {
				if found.ID == id {
					c = found
				}
			}
			return err
		})
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return id, used, nil, err
		}
		if c != nil {
			return id, used, c, nil
		}
		batch = &pgx.Batch{} // another call has closed the one that was waited for, and may have opened the next
	}
	return id, used, nil, carts.NotFound()
}

// optional scans a row that may be missing.
func optional(into ...any) func(pgx.Row) error {
	return func(row pgx.Row) error {
		if err := row.Scan(into...); !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		return nil
	}
}

func create(batch *pgx.Batch, c carts.NewCart, now time.Time) {
	var user *uuid.UUID
	if c.UserID != uuid.Nil {
		user = &c.UserID
	}
	batch.Queue(makeCart, c.ID, user, c.TokenHash, now, c.ExpiresAt)
}

// use is what is known of a key; the zero value for a new one.
type use struct {
	hash []byte
	cart uuid.UUID
}

// failure tells of a key that another call has.
func failure(err error) error {
	if postgres.Code(err) == "TM002" { // carts.take_key
		return carts.InFlight()
	}
	return err
}

// changes gives the statements that write a cart.
func changes(e carts.Edit, c *carts.Stored) *pgx.Batch {
	n := len(c.Lines)
	ids, variants, quantities := make([]uuid.UUID, n), make([]uuid.UUID, n), make([]int, n)
	seen, currencies := make([]int64, n), make([]string, n)
	for i, l := range c.Lines {
		ids[i], variants[i], quantities[i] = l.ID, l.VariantID, l.Quantity
		seen[i], currencies[i] = l.Seen.Amount, string(l.Seen.Currency)
	}
	c.UpdatedAt = e.Now
	if c.ExpiresAt != nil {
		later := e.Now.Add(carts.AnonymousLifetime)
		c.ExpiresAt = &later
	}
	codes := c.Codes
	if codes == nil {
		codes = []string{}
	}
	batch := &pgx.Batch{}
	if made := e.Make != nil && e.Make.ID == c.ID && c.ExpiresAt == nil; !made || len(codes) > 0 || c.Method != "" || c.Country != "" {
		batch.Queue(touchCart, c.ID, e.Now, c.ExpiresAt, codes, c.Method, c.Country)
		batch.Queue(dropLines, c.ID, ids)
	}
	if n > 0 {
		batch.Queue(saveLines, c.ID, ids, variants, quantities, seen, currencies)
	}
	if e.Key != nil {
		batch.Queue(saveKey, e.Key.Owner, e.Key.Operation, e.Key.Key, e.Key.Hash, c.ID, e.Now)
	}
	return batch
}

const saveSeen = `UPDATE carts.lines l SET seen = s.seen, currency = s.currency
FROM unnest($2::uuid[], $3::bigint[], $4::text[]) AS s(id, seen, currency) WHERE l.id = s.id AND l.cart_id = $1`

// Seen implements carts.Store.
func (s *Store) Seen(ctx context.Context, cart uuid.UUID, prices map[uuid.UUID]money.Money) error {
	ids, seen, currencies := make([]uuid.UUID, 0, len(prices)), make([]int64, 0, len(prices)), make([]string, 0, len(prices))
	for id := range prices {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) }) // locks in one order
	for _, id := range ids {
		seen, currencies = append(seen, prices[id].Amount), append(currencies, string(prices[id].Currency))
	}
	_, err := s.pool.Exec(ctx, saveSeen, cart, ids, seen, currencies)
	return err
}
