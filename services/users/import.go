package users

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
)

// purgeAfter is for how long what has ended is kept.
const purgeAfter = 24 * time.Hour

// NewAccount is an account that the program itself opens.
type NewAccount struct {
	ID           uuid.UUID // zero for a new one
	Email        string
	DisplayName  string
	Password     string // or PasswordHash
	PasswordHash string // as HashPassword gives it
	Roles        []Role
	Verified     bool
	CreatedAt    time.Time // zero for now
	Addresses    []NewAddress
}

// NewAddress is an address of a NewAccount. The first one is the default.
type NewAddress struct {
	ID uuid.UUID // zero for a new one
	PostalAddress
}

// HashPassword makes a hash for NewAccount, so that many accounts can share it.
func (s *Service) HashPassword(ctx context.Context, password string) (string, error) {
	return s.passwords.Hash(ctx, normalizePassword(password))
}

// CreateAccount opens an account with roles and addresses, and sends no message. It fails with the
// faults of the input, or TAKEN where the e-mail address or id is in use. It is for the program's own
// use: it asks for no viewer.
func (s *Service) CreateAccount(ctx context.Context, in NewAccount) (*User, error) {
	a, addresses, err := s.newAccount(ctx, in)
	if err != nil {
		return nil, err
	}
	n, err := s.store.AccountImport(ctx, []*Account{a}, addresses)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, errs.At(errs.Taken, "The e-mail address has an account.", "email")
	}
	return &a.User, nil
}

// ImportAccounts opens many accounts as CreateAccount does, in one round trip, leaving out those whose
// e-mail address or id is in use, and gives the number of new ones.
func (s *Service) ImportAccounts(ctx context.Context, in []NewAccount) (int, error) {
	var (
		accounts  = make([]*Account, 0, len(in))
		addresses []*Address
		faults    []error
	)
	for _, one := range in {
		a, book, err := s.newAccount(ctx, one)
		faults = append(faults, err)
		accounts, addresses = append(accounts, a), append(addresses, book...)
	}
	if err := errors.Join(faults...); err != nil {
		return 0, err
	}
	return s.store.AccountImport(ctx, accounts, addresses)
}

func (s *Service) newAccount(ctx context.Context, in NewAccount) (*Account, []*Address, error) {
	var c errs.Collector
	email := checkEmail(&c, in.Email, "email")
	name := checkText(&c, in.DisplayName, true, maxDisplayName, "displayName")
	password := normalizePassword(in.Password)
	if in.PasswordHash == "" {
		checkPassword(&c, password, email, name, "password")
	}
	now := s.now()
	created := now
	if !in.CreatedAt.IsZero() {
		created = in.CreatedAt.UTC().Truncate(time.Microsecond)
	}
	a := &Account{
		User:         User{ID: orNew(in.ID), Email: email, DisplayName: name, Roles: normalizeRoles(in.Roles), CreatedAt: created, UpdatedAt: created, Version: 1},
		PasswordHash: in.PasswordHash,
		MailsSince:   created,
	}
	if in.Verified {
		a.EmailVerifiedAt = &created
	}
	book := &AddressBook{UserID: a.ID}
	for _, one := range in.Addresses {
		content := checkAddress(&c, one.PostalAddress, "addresses")
		c.Merge(book.add(&Address{ID: orNew(one.ID), UserID: a.ID, PostalAddress: content, CreatedAt: created, UpdatedAt: created}))
	}
	if err := c.Err(); err != nil {
		return nil, nil, err
	}
	if a.PasswordHash == "" {
		hash, err := s.passwords.Hash(ctx, password)
		if err != nil {
			return nil, nil, err
		}
		a.PasswordHash = hash
	}
	return a, book.Addresses, nil
}

func orNew(id uuid.UUID) uuid.UUID {
	if id == uuid.Nil {
		return newID()
	}
	return id
}
