// Package storetest is the suite that every users.Store passes.
package storetest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/users"
)

// Harness is a store under test.
type Harness struct {
	// Store may hold accounts already: the suite looks at its own only.
	Store users.Store
	// Events gives the types of the events of an account that were written, in order. It fails the test
	// when their numbers are not 1, 2, 3 ...
	Events func(t testing.TB, userID uuid.UUID) []string
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	t.Run("accounts", func(t *testing.T) { testAccounts(t, h) })
	t.Run("import", func(t *testing.T) { testImport(t, h) })
	t.Run("tokens", func(t *testing.T) { testTokens(t, h) })
	t.Run("token used in parallel", func(t *testing.T) { testTokenParallel(t, h) })
	t.Run("list", func(t *testing.T) { testList(t, h) })
	t.Run("second factor", func(t *testing.T) { testSecondFactor(t, h) })
	t.Run("addresses of sessions", func(t *testing.T) { testAddresses(t, h) })
	t.Run("sessions", func(t *testing.T) { testSessions(t, h) })
	t.Run("session of a changed password", func(t *testing.T) { testSessionStale(t, h) })
	t.Run("refresh", func(t *testing.T) { testRefresh(t, h) })
	t.Run("refresh in parallel", func(t *testing.T) { testRefreshParallel(t, h) })
	t.Run("revoked sessions", func(t *testing.T) { testRevoked(t, h) })
	t.Run("address book", func(t *testing.T) { testAddressBook(t, h) })
	t.Run("address book in parallel", func(t *testing.T) { testAddressBookParallel(t, h) })
	t.Run("purge", func(t *testing.T) { testPurge(t, h) })
}

// epoch is the time of the suite.
var epoch = time.Date(2026, 3, 1, 9, 30, 0, 123456000, time.UTC)

func unique() string { return strings.ToLower(rand.Text()) }

func newAccount() *users.Account {
	return &users.Account{
		User: users.User{
			ID: uuid.Must(uuid.NewV7()), Email: unique() + "@example.com", DisplayName: "Ada Lovelace",
			Roles: []users.Role{users.Customer}, CreatedAt: epoch, UpdatedAt: epoch, Version: 1,
		},
		PasswordHash: "hash", MailsSince: epoch, Mails: 1,
	}
}

func create(t testing.TB, h Harness, change func(*users.Account)) *users.Account {
	t.Helper()
	a := newAccount()
	if change != nil {
		change(a)
	}
	if err := h.Store.AccountCreate(t.Context(), a); err != nil {
		t.Fatalf("AccountCreate: %v", err)
	}
	a.Effects = users.Effects{}
	return a
}

func digest(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

func wantCode(t testing.TB, what string, err error, code errs.Code) {
	t.Helper()
	if errs.CodeOf(err) != code {
		t.Errorf("%s: error %v, want %s", what, err, code)
	}
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func event(eventType string) users.Event { return users.Event{Type: eventType} }

func sameAccount(a, b *users.Account) bool {
	return fmt.Sprintf("%+v", flat(a)) == fmt.Sprintf("%+v", flat(b))
}

// flat gives an account without pointers, which print as addresses.
func flat(a *users.Account) any {
	c := *a
	var verified time.Time
	if a.EmailVerifiedAt != nil {
		verified = a.EmailVerifiedAt.UTC()
	}
	c.EmailVerifiedAt = nil
	c.CreatedAt, c.UpdatedAt, c.MailsSince = a.CreatedAt.UTC(), a.UpdatedAt.UTC(), a.MailsSince.UTC()
	return struct {
		users.Account
		verified time.Time
	}{c, verified}
}

func testAccounts(t *testing.T, h Harness) {
	t.Parallel()
	ctx := t.Context()
	a := create(t, h, func(a *users.Account) { a.Effects.Events = []users.Event{event("users.registered")} })

	for name, get := range map[string]func() (*users.Account, error){
		"AccountGet":        func() (*users.Account, error) { return h.Store.AccountGet(ctx, a.ID) },
		"AccountGetByEmail": func() (*users.Account, error) { return h.Store.AccountGetByEmail(ctx, a.Email) },
	} {
		if got := must[*users.Account](t)(get()); !sameAccount(got, a) {
			t.Errorf("%s gives %+v, want %+v", name, got, a)
		}
	}
	_, err := h.Store.AccountGet(ctx, uuid.New())
	wantCode(t, "AccountGet of a missing one", err, errs.NotFound)
	_, err = h.Store.AccountGetByEmail(ctx, unique()+"@example.com")
	wantCode(t, "AccountGetByEmail of a missing one", err, errs.NotFound)
	_, _, err = h.Store.AccountUpdate(ctx, uuid.New(), func(*users.Account) error { return nil })
	wantCode(t, "AccountUpdate of a missing one", err, errs.NotFound)

	twin := newAccount()
	twin.Email = a.Email
	twin.Effects.Events = []users.Event{event("users.registered")}
	wantCode(t, "AccountCreate of a used address", h.Store.AccountCreate(ctx, twin), errs.Taken)
	if got := h.Events(t, twin.ID); len(got) != 0 {
		t.Errorf("a refused account has events %v", got)
	}

	later := epoch.Add(time.Hour)
	updated, ended, err := h.Store.AccountUpdate(ctx, a.ID, func(a *users.Account) error {
		a.DisplayName, a.Roles, a.EmailVerifiedAt = "Ada", []users.Role{users.Customer, users.Support}, &later
		a.PasswordHash, a.UpdatedAt, a.Version, a.Mails, a.MailsSince = "other", later, 2, 3, later
		a.Effects.Events = []users.Event{event("users.email_verified"), event("users.roles_changed")}
		return nil
	})
	if err != nil || len(ended) != 0 {
		t.Fatalf("AccountUpdate gives %v, %v", ended, err)
	}
	if got := must[*users.Account](t)(h.Store.AccountGet(ctx, a.ID)); !sameAccount(got, updated) || got.DisplayName != "Ada" || len(got.Roles) != 2 || got.Version != 2 {
		t.Errorf("after AccountUpdate: %+v, want %+v", got, updated)
	}
	refusal := errors.New("no")
	if _, _, err := h.Store.AccountUpdate(ctx, a.ID, func(a *users.Account) error {
		a.DisplayName = "Nobody"
		a.Effects.Events = []users.Event{event("users.roles_changed")}
		return refusal
	}); err != refusal {
		t.Errorf("AccountUpdate gives %v, want the function's error", err)
	}
	if got := must[*users.Account](t)(h.Store.AccountGet(ctx, a.ID)); got.DisplayName != "Ada" {
		t.Errorf("a refused change was written: %+v", got)
	}
	want := []string{"users.registered", "users.email_verified", "users.roles_changed"}
	if got := h.Events(t, a.ID); !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}

	b := create(t, h, nil)
	list := must[[]*users.User](t)(h.Store.AccountListByIDs(ctx, []uuid.UUID{a.ID, uuid.New(), b.ID}))
	if len(list) != 2 {
		t.Errorf("AccountListByIDs gives %d accounts, want 2", len(list))
	}
}

func testImport(t *testing.T, h Harness) {
	t.Parallel()
	ctx := t.Context()
	there, a, b := create(t, h, nil), newAccount(), newAccount()
	twin := newAccount()
	twin.Email = there.Email
	a.Roles, a.EmailVerifiedAt, a.Mails = []users.Role{users.Customer, users.Admin}, &epoch, 0
	addresses := []*users.Address{newAddress(a.ID, true), newAddress(a.ID, false), newAddress(twin.ID, true)}
	for range 2 { // a second time changes nothing
		if _, err := h.Store.AccountImport(ctx, []*users.Account{twin, a, b}, addresses); err != nil {
			t.Fatal(err)
		}
	}
	if got := must[*users.Account](t)(h.Store.AccountGet(ctx, a.ID)); !sameAccount(got, a) {
		t.Errorf("imported %+v, want %+v", got, a)
	}
	_, err := h.Store.AccountGet(ctx, twin.ID)
	wantCode(t, "AccountGet of one left out", err, errs.NotFound)
	if list := must[[]*users.Address](t)(h.Store.AddressListByUsers(ctx, []uuid.UUID{a.ID, b.ID, twin.ID})); len(list) != 2 || !list[0].IsDefault {
		t.Errorf("imported addresses %+v", list)
	}
	c := newAccount()
	if n := must[int](t)(h.Store.AccountImport(ctx, []*users.Account{a, c}, nil)); n != 1 {
		t.Errorf("AccountImport gives %d, want 1", n)
	}
}

func testTokens(t *testing.T, h Harness) {
	t.Parallel()
	ctx := t.Context()
	verify, reset := digest(unique()), digest(unique())
	a := create(t, h, func(a *users.Account) {
		a.Effects.Tokens = []users.Token{
			{Digest: verify, Purpose: users.VerifyEmail, CreatedAt: epoch, ExpiresAt: epoch.Add(time.Hour)},
			{Digest: reset, Purpose: users.ResetPassword, CreatedAt: epoch, ExpiresAt: epoch.Add(time.Hour)},
		}
	})
	if got := must[*users.Account](t)(h.Store.AccountGetByToken(ctx, users.VerifyEmail, verify, epoch)); got.ID != a.ID {
		t.Errorf("AccountGetByToken gives another account")
	}
	nothing := func(*users.Account) error { return nil }
	for what, err := range map[string]error{
		"other purpose": second(h.Store.AccountGetByToken(ctx, users.ResetPassword, verify, epoch)),
		"unknown":       second(h.Store.AccountGetByToken(ctx, users.VerifyEmail, digest(unique()), epoch)),
		"expired":       second(h.Store.AccountGetByToken(ctx, users.VerifyEmail, verify, epoch.Add(time.Hour))),
		"use expired":   third(h.Store.AccountUpdateByToken(ctx, users.VerifyEmail, verify, epoch.Add(time.Hour), nothing)),
	} {
		wantCode(t, what, err, errs.NotFound)
	}
	refusal := errors.New("no")
	if err := third(h.Store.AccountUpdateByToken(ctx, users.VerifyEmail, verify, epoch, func(*users.Account) error { return refusal })); err != refusal {
		t.Errorf("AccountUpdateByToken gives %v, want the function's error", err)
	}
	if err := third(h.Store.AccountUpdateByToken(ctx, users.VerifyEmail, verify, epoch, nothing)); err != nil {
		t.Errorf("after a refusal the token is not good: %v", err)
	}
	wantCode(t, "used", third(h.Store.AccountUpdateByToken(ctx, users.VerifyEmail, verify, epoch, nothing)), errs.NotFound)

	next := digest(unique())
	if _, _, err := h.Store.AccountUpdate(ctx, a.ID, func(a *users.Account) error {
		a.Effects.DropTokens = []users.TokenPurpose{users.ResetPassword}
		a.Effects.Tokens = []users.Token{{Digest: next, Purpose: users.ResetPassword, CreatedAt: epoch, ExpiresAt: epoch.Add(time.Hour)}}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "dropped", second(h.Store.AccountGetByToken(ctx, users.ResetPassword, reset, epoch)), errs.NotFound)
	if err := second(h.Store.AccountGetByToken(ctx, users.ResetPassword, next, epoch)); err != nil {
		t.Errorf("a token added while others are dropped: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func third[T, U any](_ T, _ U, err error) error { return err }

func testTokenParallel(t *testing.T, h Harness) {
	t.Parallel()
	token := digest(unique())
	create(t, h, func(a *users.Account) {
		a.Effects.Tokens = []users.Token{{Digest: token, Purpose: users.VerifyEmail, CreatedAt: epoch, ExpiresAt: epoch.Add(time.Hour)}}
	})
	won := parallel(t, func(ctx context.Context) error {
		return third(h.Store.AccountUpdateByToken(ctx, users.VerifyEmail, token, epoch, func(*users.Account) error { return nil }))
	})
	if won != 1 {
		t.Errorf("%d uses of one token succeeded", won)
	}
}

// parallel runs fn in several goroutines at once and gives how many succeeded; others fail with NOT_FOUND.
func parallel(t *testing.T, fn func(ctx context.Context) error) int {
	t.Helper()
	const n = 6
	failures := make(chan error, n)
	start := make(chan struct{})
	for range n {
		go func() {
			<-start
			failures <- fn(t.Context())
		}()
	}
	close(start)
	won := 0
	for range n {
		if err := <-failures; err == nil {
			won++
		} else if errs.CodeOf(err) != errs.NotFound {
			t.Errorf("one of several at once: %v", err)
		}
	}
	return won
}
