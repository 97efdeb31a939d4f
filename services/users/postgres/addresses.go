package postgres

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/users"
)

// addressColumns are those of addressFields.
const addressColumns = `id, account_id, recipient, line1, line2, postal_code, city, region, country_code, phone, is_default, created_at, updated_at`

func addressFields(a *users.Address) []any {
	return []any{&a.ID, &a.UserID, &a.Recipient, &a.Line1, &a.Line2, &a.PostalCode, &a.City, &a.Region,
		&a.CountryCode, &a.Phone, &a.IsDefault, &a.CreatedAt, &a.UpdatedAt}
}

func addressValues(a *users.Address) []any {
	return []any{a.ID, a.UserID, a.Recipient, a.Line1, a.Line2, a.PostalCode, a.City, a.Region,
		a.CountryCode, a.Phone, a.IsDefault, a.CreatedAt, a.UpdatedAt}
}

const (
	accountLockID = `SELECT id FROM users.accounts WHERE id = $1 FOR NO KEY UPDATE`

	addressListByUsers = `SELECT ` + addressColumns + ` FROM users.addresses
WHERE account_id = ANY ($1) ORDER BY account_id, is_default DESC, id`

	addressListByIDs = `SELECT ` + addressColumns + ` FROM users.addresses WHERE id = ANY ($1)`

	addressDelete = `DELETE FROM users.addresses WHERE id = ANY ($1)`

	addressUpsert = `INSERT INTO users.addresses (` + addressColumns + `)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (id) DO UPDATE SET recipient = excluded.recipient, line1 = excluded.line1, line2 = excluded.line2,
  postal_code = excluded.postal_code, city = excluded.city, region = excluded.region, country_code = excluded.country_code,
  phone = excluded.phone, is_default = excluded.is_default, updated_at = excluded.updated_at`
)

// AddressBookUpdate runs fn on a locked address book and writes what changed.
func (s *Store) AddressBookUpdate(ctx context.Context, userID uuid.UUID, fn func(*users.AddressBook) error) error {
	var failed error // fn's
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		var id uuid.UUID
		err := tx.QueryRow(ctx, accountLockID, userID).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			return errNotFound()
		}
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, addressListByUsers, []uuid.UUID{userID})
		if err != nil {
			return err
		}
		book := &users.AddressBook{UserID: userID}
		if book.Addresses, err = pgx.CollectRows(rows, collectAddress); err != nil {
			return err
		}
		before := make(map[uuid.UUID]users.Address, len(book.Addresses))
		for _, a := range book.Addresses {
			before[a.ID] = *a
		}
		if failed = fn(book); failed != nil {
			return failed
		}
		return tx.SendBatch(ctx, changes(before, book.Addresses)).Close()
	})
	if failed != nil {
		return failed
	}
	return wrap(err, "update address book")
}

// changes are the statements that make the book of what was before. The default is written last, as
// there is one at most at any time.
func changes(before map[uuid.UUID]users.Address, book []*users.Address) *pgx.Batch {
	var b pgx.Batch
	book = slices.Clone(book)
	slices.SortStableFunc(book, func(x, y *users.Address) int {
		switch {
		case x.IsDefault == y.IsDefault:
			return 0
		case x.IsDefault:
			return 1
		}
		return -1
	})
	gone := make(map[uuid.UUID]bool, len(before))
	for id := range before {
		gone[id] = true
	}
	for _, a := range book {
		delete(gone, a.ID)
	}
	if len(gone) > 0 {
		ids := make([]uuid.UUID, 0, len(gone))
		for id := range gone {
			ids = append(ids, id)
		}
		b.Queue(addressDelete, ids)
	}
	for _, a := range book {
		if before[a.ID] != *a {
			b.Queue(addressUpsert, addressValues(a)...)
		}
	}
	return &b
}

// importAddresses copies the addresses of the accounts in.
func importAddresses(ctx context.Context, tx pgx.Tx, accounts []uuid.UUID, addresses []*users.Address) error {
	added := make(map[uuid.UUID]bool, len(accounts))
	for _, id := range accounts {
		added[id] = true
	}
	var rows [][]any
	for _, a := range addresses {
		if added[a.UserID] {
			rows = append(rows, addressValues(a))
		}
	}
	if len(rows) == 0 {
		return nil
	}
	columns := []string{"id", "account_id", "recipient", "line1", "line2", "postal_code", "city", "region",
		"country_code", "phone", "is_default", "created_at", "updated_at"}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{Schema, "addresses"}, columns, pgx.CopyFromRows(rows))
	return err
}

func collectAddress(row pgx.CollectableRow) (*users.Address, error) {
	var a users.Address
	err := row.Scan(addressFields(&a)...)
	return &a, err
}

// AddressListByIDs reads addresses.
func (s *Store) AddressListByIDs(ctx context.Context, ids []uuid.UUID) ([]*users.Address, error) {
	return s.addresses(ctx, addressListByIDs, ids)
}

// AddressListByUsers reads address books.
func (s *Store) AddressListByUsers(ctx context.Context, userIDs []uuid.UUID) ([]*users.Address, error) {
	return s.addresses(ctx, addressListByUsers, userIDs)
}

func (s *Store) addresses(ctx context.Context, sql string, ids []uuid.UUID) ([]*users.Address, error) {
	rows, err := s.pool.Query(ctx, sql, ids)
	if err != nil {
		return nil, wrap(err, "list addresses")
	}
	list, err := pgx.CollectRows(rows, collectAddress)
	return list, wrap(err, "list addresses")
}
