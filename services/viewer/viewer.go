// Package viewer says on whose behalf a request runs.
package viewer

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
)

// Scope is one permission, as it stands in access tokens and in @requiresScopes.
type Scope string

// The scopes. A customer needs none: what is one's own is decided by ownership.
const (
	CatalogWrite   Scope = "catalog:write"   // create, change and archive products and categories
	InventoryRead  Scope = "inventory:read"  // levels per location and their history
	InventoryWrite Scope = "inventory:write" // adjust stock
	OrdersRead     Scope = "orders:read"     // every customer's orders
	OrdersWrite    Scope = "orders:write"    // fulfil, deliver, cancel for a customer
	PaymentsRead   Scope = "payments:read"   // payments, transactions and the ledger
	PaymentsWrite  Scope = "payments:write"  // capture, void, refund
	UsersRead      Scope = "users:read"      // every account
	UsersWrite     Scope = "users:write"     // change roles, disable accounts
	NotifyRead     Scope = "notifications:read"
	NotifyWrite    Scope = "notifications:write" // replay and discard dead letters

	PromotionsWrite Scope = "promotions:write" // see, make and change promotions
	WebhooksRead    Scope = "webhooks:read"    // webhook endpoints and their deliveries
	WebhooksWrite   Scope = "webhooks:write"   // make, change and try webhook endpoints
	SchemaRead      Scope = "schema:read"      // what a process gives to a federated graph; of a router's API client
)

// Scopes are all of them.
func Scopes() []Scope {
	return []Scope{
		CatalogWrite, InventoryRead, InventoryWrite, OrdersRead, OrdersWrite, PaymentsRead, PaymentsWrite,
		UsersRead, UsersWrite, NotifyRead, NotifyWrite, PromotionsWrite, SchemaRead, WebhooksRead, WebhooksWrite,
	}
}

// Viewer is who asks. The zero value is an anonymous visitor.
type Viewer struct {
	UserID    uuid.UUID // zero for an anonymous visitor
	SessionID uuid.UUID // the session of the access token
	ClientID  uuid.UUID // the API client that the request came through; zero where it has no key
	Scopes    []Scope   // of the account; those of the API client where there is no account
	System    bool      // the program itself: jobs, consumers, seeds; may do everything
	ExpiresAt time.Time // when the access token ends; zero where there is none
}

// System is the program acting for itself.
var System = Viewer{System: true}

// Authenticated reports whether an account stands behind the viewer.
func (v Viewer) Authenticated() bool { return v.System || v.UserID != uuid.Nil }

// Actor gives who is answerable for what is done: the account, else the API client; zero for anybody
// else. Idempotency keys and histories are its own.
func (v Viewer) Actor() uuid.UUID {
	if v.UserID == uuid.Nil {
		return v.ClientID
	}
	return v.UserID
}

// Can reports whether the viewer holds the scope.
func (v Viewer) Can(s Scope) bool { return v.System || slices.Contains(v.Scopes, s) }

// Is reports whether the viewer is the user with the id.
func (v Viewer) Is(userID uuid.UUID) bool { return userID != uuid.Nil && v.UserID == userID }

// IsOrCan reports whether the viewer owns the thing of userID or holds the scope.
func (v Viewer) IsOrCan(userID uuid.UUID, s Scope) bool { return v.Is(userID) || v.Can(s) }

// RequireAccount fails with UNAUTHENTICATED for an anonymous viewer.
func (v Viewer) RequireAccount() error {
	if !v.Authenticated() {
		return errs.New(errs.Unauthenticated, "Sign in to do this.")
	}
	return nil
}

// Require fails with UNAUTHENTICATED or FORBIDDEN when the viewer lacks the scope. An API client
// that holds it needs no account.
func (v Viewer) Require(s Scope) error {
	if v.Can(s) {
		return nil
	}
	if err := v.RequireAccount(); err != nil {
		return err
	}
	return errs.Newf(errs.Forbidden, "This needs the scope %s.", s)
}

type contextKey struct{}

// NewContext gives a context that carries the viewer.
func NewContext(ctx context.Context, v Viewer) context.Context {
	return context.WithValue(ctx, contextKey{}, v)
}

// FromContext gives the viewer of the request; an anonymous one where nothing was set.
func FromContext(ctx context.Context) Viewer {
	v, _ := ctx.Value(contextKey{}).(Viewer)
	return v
}
