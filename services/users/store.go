package users

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/page"
)

// Account is a user with what only the service may see.
type Account struct {
	User
	PasswordHash string    // argon2id, PHC format
	MailsSince   time.Time // since when Mails are counted
	Mails        int       // messages sent to the address because an anonymous visitor asked
	ResetNetwork string    // that proved the address by the last reset of the password; empty for none

	SecondFactorSecret []byte   // sealed; without SecondFactorAt it is being set up
	SecondFactorStep   int64    // of the last code taken
	RecoveryDigests    [][]byte // of the recovery codes that are left; RecoveryCodes follows it

	Effects Effects // written with the account
}

// Effects are what a store writes in the transaction that writes the account.
type Effects struct {
	Tokens      []Token        // to be added
	DropTokens  []TokenPurpose // of which all are removed, before new ones are added
	EndSessions bool           // revoke all sessions
	KeepSession uuid.UUID      // except this one
	Events      []Event        // to be published, in order
}

// TokenPurpose says what a token is good for.
type TokenPurpose string

// The purposes.
const (
	VerifyEmail   TokenPurpose = "VERIFY_EMAIL"
	ResetPassword TokenPurpose = "RESET_PASSWORD"
	// ChallengeToken is held by who gave the right password, and not yet a code.
	ChallengeToken TokenPurpose = "CHALLENGE"
)

// Token is a secret that works once, of which only the SHA-256 digest is kept.
type Token struct {
	Digest    []byte
	Purpose   TokenPurpose
	CreatedAt time.Time
	ExpiresAt time.Time
}

// RefreshToken is one generation of a session's refresh tokens, of which only the SHA-256 digest is kept.
type RefreshToken struct {
	Digest    []byte
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    *time.Time // nil while it is good
}

// Refresh is what the holder of a refresh token finds: the token, its session and account.
type Refresh struct {
	Token   RefreshToken
	Session Session
	User    User
	Next    *RefreshToken // takes the place of Token where set
}

// Filter says which accounts; zero fields take all.
type Filter struct {
	Search        string // prefix of e-mail address or name, in lower case
	Role          Role
	CreatedFrom   *time.Time // inclusive
	CreatedBefore *time.Time // exclusive
}

// SortField says what accounts are sorted by.
type SortField int

// The sort fields.
const (
	SortCreatedAt SortField = iota
	SortEmail
)

// Sort is the order of a list of accounts; ties are broken by id, the same way.
type Sort struct {
	Field      SortField
	Descending bool
}

// Store keeps accounts, sessions, tokens and addresses. Only Service calls it. Times are kept to the
// microsecond. Errors other than those named are internal.
type Store interface {
	// AccountCreate adds an account with its effects. It fails with TAKEN where the e-mail address is in use.
	AccountCreate(ctx context.Context, a *Account) error
	// AccountImport adds accounts without effects, and addresses, leaving out accounts whose e-mail
	// address or id is there already, and their addresses. It gives the number of accounts added.
	AccountImport(ctx context.Context, accounts []*Account, addresses []*Address) (int, error)
	// AccountGet reads an account. It fails with NOT_FOUND.
	AccountGet(ctx context.Context, id uuid.UUID) (*Account, error)
	// AccountGetByEmail reads the account of a lower-case address. It fails with NOT_FOUND.
	AccountGetByEmail(ctx context.Context, email string) (*Account, error)
	// AccountGetByToken reads the account of a token that is good at the time. It fails with NOT_FOUND.
	AccountGetByToken(ctx context.Context, purpose TokenPurpose, digest []byte, now time.Time) (*Account, error)
	// AccountUpdate runs fn on an account that is locked meanwhile, and writes it with its effects. It
	// gives the account as written and the ids of the sessions that it ended. fn's error undoes all and
	// is returned unchanged. It fails with NOT_FOUND.
	AccountUpdate(ctx context.Context, id uuid.UUID, fn func(*Account) error) (*Account, []uuid.UUID, error)
	// AccountUpdateByToken is AccountUpdate for the account of a token that is good at the time; the
	// token is used up.
	AccountUpdateByToken(ctx context.Context, purpose TokenPurpose, digest []byte, now time.Time, fn func(*Account) error) (*Account, []uuid.UUID, error)
	// AccountList reads one item more than r.Limit, in reading direction.
	AccountList(ctx context.Context, f Filter, s Sort, r page.Request) ([]*User, error)
	// AccountCount counts the accounts of a filter.
	AccountCount(ctx context.Context, f Filter) (int, error)
	// AccountListByIDs reads accounts; missing ones are left out.
	AccountListByIDs(ctx context.Context, ids []uuid.UUID) ([]*User, error)

	// SessionCreate adds a session with its first refresh token to an account whose password hash and
	// second factor are still those given, and gives the account. It fails with NOT_FOUND where they
	// have changed.
	SessionCreate(ctx context.Context, s *Session, t RefreshToken, passwordHash string, secondFactorAt *time.Time) (*User, error)
	// SessionRefresh runs fn on what the refresh token belongs to, locked meanwhile, and writes the
	// session, marks the token used and adds the next one. It fails with NOT_FOUND.
	SessionRefresh(ctx context.Context, digest []byte, fn func(*Refresh) error) error
	// SessionRevoke ends a session of an account; one that has ended stays as it is. It fails with NOT_FOUND.
	SessionRevoke(ctx context.Context, userID, sessionID uuid.UUID, now time.Time) error
	// SessionRevokeAll ends the sessions of an account that are signed in, except keep, and gives their ids.
	SessionRevokeAll(ctx context.Context, userID, keep uuid.UUID, now time.Time) ([]uuid.UUID, error)
	// SessionActive reports whether the session is there and signed in.
	SessionActive(ctx context.Context, id uuid.UUID, now time.Time) (bool, error)
	// SessionListByIDs reads sessions of an account that are signed in; missing ones are left out.
	SessionListByIDs(ctx context.Context, userID uuid.UUID, ids []uuid.UUID, now time.Time) ([]*Session, error)
	// SessionListByUsers reads the newest sessions that are signed in, at most limit of each account, newest first.
	SessionListByUsers(ctx context.Context, userIDs []uuid.UUID, now time.Time, limit int) ([]*Session, error)
	// SessionAddresses reads the network addresses of an account's newest sessions, at most limit, each
	// once, also of those that have ended and are not yet purged.
	SessionAddresses(ctx context.Context, userID uuid.UUID, limit int) ([]string, error)
	// SessionListRevoked reads the ids of sessions that were ended since, in the order of their ids from
	// after on, at most limit.
	SessionListRevoked(ctx context.Context, since time.Time, after uuid.UUID, limit int) ([]uuid.UUID, error)

	// AddressBookUpdate runs fn on the address book of an account, which is locked meanwhile, and writes
	// what changed. fn's error undoes all and is returned unchanged. It fails with NOT_FOUND where the
	// account is missing.
	AddressBookUpdate(ctx context.Context, userID uuid.UUID, fn func(*AddressBook) error) error
	// AddressListByIDs reads addresses; missing ones are left out.
	AddressListByIDs(ctx context.Context, ids []uuid.UUID) ([]*Address, error)
	// AddressListByUsers reads address books: the default address first, then by id.
	AddressListByUsers(ctx context.Context, userIDs []uuid.UUID) ([]*Address, error)

	// PurgeExpired deletes tokens and sessions that ended before the time, at most limit of each kind. It gives the number of rows deleted.
	PurgeExpired(ctx context.Context, before time.Time, limit int) (int, error)
}
