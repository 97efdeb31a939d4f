// Package users keeps accounts: who a person is, how that is proven, and what it permits.
//
// A sign-in opens a session. A session is a family of refresh tokens, each of which works once, and
// of short-lived access tokens that carry the session's id, so that ending the session ends them all.
package users

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/viewer"
)

// Role is a set of scopes under a name.
type Role string

// The roles.
const (
	Customer       Role = "CUSTOMER"        // every account
	Support        Role = "SUPPORT"         // helps customers
	CatalogManager Role = "CATALOG_MANAGER" // keeps catalogue and stock
	Admin          Role = "ADMIN"           // everything
)

// Roles are all roles, in the order in which they are shown.
var Roles = []Role{Customer, Support, CatalogManager, Admin}

var roleScopes = map[Role][]viewer.Scope{
	Support: {viewer.OrdersRead, viewer.OrdersWrite, viewer.PaymentsRead, viewer.PaymentsWrite,
		viewer.UsersRead, viewer.NotifyRead, viewer.InventoryRead},
	CatalogManager: {viewer.CatalogWrite, viewer.InventoryRead, viewer.InventoryWrite, viewer.PromotionsWrite},
	Admin: {viewer.CatalogWrite, viewer.InventoryRead, viewer.InventoryWrite, viewer.OrdersRead, viewer.OrdersWrite,
		viewer.PaymentsRead, viewer.PaymentsWrite, viewer.UsersRead, viewer.UsersWrite, viewer.NotifyRead, viewer.NotifyWrite, viewer.PromotionsWrite, viewer.SchemaRead,
		viewer.WebhooksRead, viewer.WebhooksWrite},
}

// Scopes gives what the roles permit together, sorted.
func Scopes(roles []Role) []viewer.Scope {
	var all []viewer.Scope
	for _, r := range roles {
		all = append(all, roleScopes[r]...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// User is an account as its owner and staff may see it.
type User struct {
	ID              uuid.UUID
	Email           string     // lower case
	EmailVerifiedAt *time.Time // nil until proven
	DisplayName     string
	Roles           []Role     // Customer first
	SecondFactorAt  *time.Time // since when the second factor is on; nil while it is off
	RecoveryCodes   int        // that are left
	CreatedAt       time.Time
	UpdatedAt       time.Time
	Version         int // from 1, grows with each change
}

// EmailVerified reports whether the e-mail address is proven.
func (u *User) EmailVerified() bool { return u.EmailVerifiedAt != nil }

// PostalAddress is where a parcel can go.
type PostalAddress struct {
	Recipient   string
	Line1       string
	Line2       string // empty where none
	PostalCode  string
	City        string
	Region      string // empty where none
	CountryCode string // ISO 3166-1 alpha-2
	Phone       string // E.164; empty where none
}

// Address is an entry of an account's address book.
type Address struct {
	ID     uuid.UUID
	UserID uuid.UUID
	PostalAddress
	IsDefault bool
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Session is a device that is signed in.
type Session struct {
	ID         uuid.UUID
	UserID     uuid.UUID
	UserAgent  string // empty where unknown
	IPAddress  string // empty where unknown
	CreatedAt  time.Time
	LastUsedAt time.Time // when its tokens were last renewed
	ExpiresAt  time.Time
	RevokedAt  *time.Time // nil while signed in
}

// Tokens are what a client holds of a session.
type Tokens struct {
	AccessToken      string // JWT
	AccessExpiresAt  time.Time
	RefreshToken     string // opaque, works once
	RefreshExpiresAt time.Time
}

// Carts is what a sign-in needs of the carts domain.
type Carts interface {
	// Merge moves the lines of the anonymous cart of the token into the user's cart.
	// It fails with NOT_FOUND where the token opens no cart.
	Merge(ctx context.Context, userID uuid.UUID, token string) error
}

// Revocations remembers which sessions have ended for as long as access tokens of theirs may live.
type Revocations interface {
	// Revoke remembers the sessions until the time given. Repeating it is harmless.
	Revoke(ctx context.Context, until time.Time, sessionIDs ...uuid.UUID) error
	// Revoked reports whether the session is remembered. It fails fast where it cannot tell.
	Revoked(ctx context.Context, sessionID uuid.UUID) (bool, error)
}

// Config are the bounds of tokens and sessions; a zero field takes its default.
type Config struct {
	AccessTTL       time.Duration // life of an access token; 15 minutes
	SessionIdle     time.Duration // a session ends when it is not renewed for so long; 30 days
	SessionMax      time.Duration // a session ends at the latest after this; 180 days
	VerificationTTL time.Duration // life of an e-mail verification token; 48 hours
	ResetTTL        time.Duration // life of a password reset token; 1 hour
	ChallengeTTL    time.Duration // time to give a code of the second factor; 10 minutes
	Issuer          string        // what authenticator apps call the shop; TechMart
	Limits          LimitConfig
	// AnswerFloor is the least time that the requests take whose answer must not tell whether an
	// account exists; negative for none; 200 ms.
	AnswerFloor time.Duration
}

func (c Config) withDefaults() Config {
	for _, f := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.AccessTTL, 15 * time.Minute},
		{&c.SessionIdle, 30 * 24 * time.Hour},
		{&c.SessionMax, 180 * 24 * time.Hour},
		{&c.VerificationTTL, 48 * time.Hour},
		{&c.ResetTTL, time.Hour},
		{&c.ChallengeTTL, 10 * time.Minute},
		{&c.AnswerFloor, 200 * time.Millisecond},
	} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	c.Issuer = cmp.Or(c.Issuer, "TechMart")
	return c
}

// Deps is what a Service is made of. Store, Passwords and Keys are needed.
type Deps struct {
	Store       Store
	Passwords   Passwords        // a *Hasher
	Keys        *KeySet          // sign and verify access tokens
	Vault       *Vault           // seals second factors; nil lets nobody set one up
	Revocations Revocations      // nil asks the store about every token
	Limits      Limits           // of what strangers try; nil counts in this process only
	Metrics     Metrics          // nil means none
	Carts       Carts            // nil leaves anonymous carts alone
	Clock       func() time.Time // nil means time.Now
	Log         *slog.Logger     // nil means slog.Default()
	Config      Config
}

// Service is the users domain. Its methods act for the viewer of the context, unless they say otherwise.
type Service struct {
	store       Store
	passwords   Passwords
	keys        *KeySet
	verified    verified
	vault       *Vault
	revocations *revocations
	limits      *limiter
	carts       Carts
	clock       func() time.Time
	log         *slog.Logger
	config      Config
}

// New makes the service.
func New(d Deps) (*Service, error) {
	if d.Store == nil || d.Passwords == nil || d.Keys == nil {
		return nil, errors.New("users: a service needs Store, Passwords and Keys")
	}
	if d.Clock == nil {
		d.Clock = time.Now
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	return &Service{
		store: d.Store, passwords: d.Passwords, keys: d.Keys, verified: newVerified(), vault: d.Vault, carts: d.Carts, clock: d.Clock, log: d.Log,
		config:      d.Config.withDefaults(),
		revocations: newRevocations(d.Revocations, d.Store, d.Clock, d.Log),
		limits:      newLimiter(d),
	}, nil
}

// now is the time, as precise as the store keeps it.
func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// Client is what a request says about the device it comes from.
type Client struct {
	UserAgent string
	IPAddress string
}

type clientKey struct{}

// NewClientContext gives a context that carries the client of the request; sign-ins note it.
func NewClientContext(ctx context.Context, c Client) context.Context {
	return context.WithValue(ctx, clientKey{}, c)
}

func clientFrom(ctx context.Context) Client {
	c, _ := ctx.Value(clientKey{}).(Client)
	return c
}
