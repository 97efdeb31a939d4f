package postgres

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/users"
)

const (
	accountInsert = `INSERT INTO users.accounts (id, email, email_verified_at, display_name, roles, created_at, updated_at, version,
  password_hash, mails_since, mails, event_sequence, name_key)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`

	accountUpdate = `UPDATE users.accounts SET email_verified_at = $2, display_name = $3, roles = $4, updated_at = $5, version = $6,
  password_hash = $7, mails_since = $8, mails = $9, event_sequence = $10, name_key = $11,
  reset_network = $12, second_factor_at = $13, second_factor_secret = $14, second_factor_step = $15, recovery_codes = $16
WHERE id = $1`

	accountGet = `SELECT ` + accountColumns + ` FROM users.accounts AS a WHERE a.id = $1`

	accountGetByEmail = `SELECT ` + accountColumns + ` FROM users.accounts AS a WHERE a.email = $1`

	accountGetByToken = `SELECT ` + accountColumns + ` FROM users.tokens AS t JOIN users.accounts AS a ON a.id = t.account_id
WHERE t.digest = $1 AND t.purpose = $2 AND t.expires_at > $3`

	accountLock = accountGet + ` FOR NO KEY UPDATE`

	tokenDelete = `DELETE FROM users.tokens WHERE digest = $1 AND purpose = $2 AND expires_at > $3`

	accountListByIDs = `SELECT ` + userColumns + ` FROM users.accounts AS a WHERE a.id = ANY ($1)`

	accountImport = `INSERT INTO users.accounts (id, email, email_verified_at, display_name, roles, created_at, updated_at, version,
  password_hash, mails_since, mails, name_key)
SELECT n.id, n.email, n.email_verified_at, n.display_name, string_to_array(n.roles, ','), n.created_at, n.created_at, 1,
  n.password_hash, n.created_at, 0, n.name_key
FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::text[])
  AS n(id, email, email_verified_at, display_name, roles, created_at, password_hash, name_key)
ON CONFLICT DO NOTHING
RETURNING id`
)

// AccountCreate adds an account with its effects.
func (s *Store) AccountCreate(ctx context.Context, created *users.Account) error {
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		a := account{Account: *created}
		var (
			b, effects pgx.Batch
			ended      []uuid.UUID
		)
		if err := a.queueEffects(&effects, &ended); err != nil {
			return err
		}
		b.Queue(accountInsert, a.ID, a.Email, a.EmailVerifiedAt, a.DisplayName, roleNames(a.Roles), a.CreatedAt, a.UpdatedAt, a.Version,
			a.PasswordHash, a.MailsSince, a.Mails, a.sequence, users.NameKey(a.DisplayName))
		b.QueuedQueries = append(b.QueuedQueries, effects.QueuedQueries...)
		return tx.SendBatch(ctx, &b).Close()
	})
	if postgres.IsUniqueViolation(err, "accounts_email_key") {
		return errs.At(errs.Taken, "The e-mail address has an account.", "email")
	}
	return wrap(err, "create account")
}

// AccountImport adds accounts and their addresses, leaving out those that are there.
func (s *Store) AccountImport(ctx context.Context, accounts []*users.Account, addresses []*users.Address) (int, error) {
	n := len(accounts)
	var (
		ids                  = make([]uuid.UUID, n)
		verified             = make([]*time.Time, n)
		created              = make([]time.Time, n)
		emails, names, roles = make([]string, n), make([]string, n), make([]string, n)
		hashes, keys         = make([]string, n), make([]string, n)
		added                []uuid.UUID
	)
	for i, a := range accounts {
		ids[i], emails[i], verified[i], names[i], created[i] = a.ID, a.Email, a.EmailVerifiedAt, a.DisplayName, a.CreatedAt
		roles[i], hashes[i], keys[i] = strings.Join(roleNames(a.Roles), ","), a.PasswordHash, users.NameKey(a.DisplayName)
	}
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, accountImport, ids, emails, verified, names, roles, created, hashes, keys)
		if err != nil {
			return err
		}
		if added, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID]); err != nil {
			return err
		}
		return importAddresses(ctx, tx, added, addresses)
	})
	return len(added), wrap(err, "import accounts")
}

// AccountGet reads an account.
func (s *Store) AccountGet(ctx context.Context, id uuid.UUID) (*users.Account, error) {
	return s.accountGet(ctx, accountGet, id)
}

// AccountGetByEmail reads the account of an address.
func (s *Store) AccountGetByEmail(ctx context.Context, email string) (*users.Account, error) {
	return s.accountGet(ctx, accountGetByEmail, email)
}

// AccountGetByToken reads the account of a token.
func (s *Store) AccountGetByToken(ctx context.Context, purpose users.TokenPurpose, digest []byte, now time.Time) (*users.Account, error) {
	return s.accountGet(ctx, accountGetByToken, digest, string(purpose), now)
}

func (s *Store) accountGet(ctx context.Context, sql string, args ...any) (*users.Account, error) {
	a, err := scanAccount(s.pool.QueryRow(ctx, sql, args...))
	if err != nil {
		return nil, wrap(err, "get account")
	}
	return &a.Account, nil
}

func scanAccount(row pgx.Row) (*account, error) {
	var a account
	err := row.Scan(a.fields()...)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, errNotFound()
	}
	return &a, err
}

// AccountUpdate runs fn on a locked account and writes it.
func (s *Store) AccountUpdate(ctx context.Context, id uuid.UUID, fn func(*users.Account) error) (*users.Account, []uuid.UUID, error) {
	return s.accountUpdate(ctx, func(pgx.Tx) (uuid.UUID, error) { return id, nil }, nil, fn)
}

// AccountUpdateByToken uses a token up, and runs fn on its locked account and writes it.
func (s *Store) AccountUpdateByToken(ctx context.Context, purpose users.TokenPurpose, digest []byte, now time.Time, fn func(*users.Account) error) (*users.Account, []uuid.UUID, error) {
	find := func(tx pgx.Tx) (uuid.UUID, error) {
		a, err := scanAccount(tx.QueryRow(ctx, accountGetByToken, digest, string(purpose), now))
		if err != nil {
			return uuid.Nil, err
		}
		return a.ID, nil
	}
	// The account is locked before the token is, as everywhere. Who comes second finds no token.
	use := func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, tokenDelete, digest, string(purpose), now)
		if err == nil && tag.RowsAffected() == 0 {
			return errNotFound()
		}
		return err
	}
	return s.accountUpdate(ctx, find, use, fn)
}

func (s *Store) accountUpdate(ctx context.Context, find func(pgx.Tx) (uuid.UUID, error), locked func(pgx.Tx) error, fn func(*users.Account) error) (*users.Account, []uuid.UUID, error) {
	var (
		a      *account
		ended  []uuid.UUID
		failed error // fn's
	)
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		id, err := find(tx)
		if err != nil {
			return err
		}
		if a, err = scanAccount(tx.QueryRow(ctx, accountLock, id)); err != nil {
			return err
		}
		if locked != nil {
			if err := locked(tx); err != nil {
				return err
			}
		}
		if failed = fn(&a.Account); failed != nil {
			return failed
		}
		var b pgx.Batch
		ended = nil
		if err := a.queueEffects(&b, &ended); err != nil {
			return err
		}
		b.Queue(accountUpdate, a.ID, a.EmailVerifiedAt, a.DisplayName, roleNames(a.Roles), a.UpdatedAt, a.Version,
			a.PasswordHash, a.MailsSince, a.Mails, a.sequence, users.NameKey(a.DisplayName),
			a.ResetNetwork, a.SecondFactorAt, a.SecondFactorSecret, a.SecondFactorStep, digests(a.RecoveryDigests))
		return tx.SendBatch(ctx, &b).Close()
	})
	switch {
	case failed != nil:
		return nil, nil, failed
	case err != nil:
		return nil, nil, wrap(err, "update account")
	}
	return &a.Account, ended, nil
}

// digests gives an array that is not null.
func digests(list [][]byte) [][]byte {
	if list == nil {
		return [][]byte{}
	}
	return list
}

// AccountListByIDs reads accounts.
func (s *Store) AccountListByIDs(ctx context.Context, ids []uuid.UUID) ([]*users.User, error) {
	rows, err := s.pool.Query(ctx, accountListByIDs, ids)
	if err != nil {
		return nil, wrap(err, "list accounts by id")
	}
	list, err := pgx.CollectRows(rows, collectUser)
	return list, wrap(err, "list accounts by id")
}
