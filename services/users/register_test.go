package users_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/users"
)

func registration(email string) users.Registration {
	return users.Registration{Email: email, Password: password, DisplayName: "Ada Lovelace"}
}

func TestRegister(t *testing.T) {
	t.Parallel()
	e := setup(t)
	ctx := t.Context()
	if err := e.Register(ctx, registration(" Ada@Example.COM ")); err != nil {
		t.Fatal(err)
	}
	signed := e.signIn("ada@example.com")
	if u := signed.User; u.Email != "ada@example.com" || u.EmailVerified() || !slices.Equal(u.Roles, []users.Role{users.Customer}) || u.Version != 1 {
		t.Errorf("registered %+v", u)
	}
	token := e.mailed(users.EventRegistered, "ada@example.com")
	u, err := e.VerifyEmail(ctx, token)
	if err != nil || !u.EmailVerified() || u.Version != 2 {
		t.Fatalf("VerifyEmail gives %+v, %v", u, err)
	}
	_, err = e.VerifyEmail(ctx, token)
	wantFaults(t, err, "INVALID_TOKEN token")
	want := []string{users.EventRegistered, users.EventEmailVerified}
	if got := e.events("ada@example.com"); !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
	for _, stored := range []string{"SELECT count(*) FROM users.tokens WHERE digest = $1::text::bytea", "SELECT count(*) FROM users.accounts WHERE password_hash LIKE '%' || $1 || '%'"} {
		var n int
		secret := token
		if strings.Contains(stored, "accounts") {
			secret = password
		}
		if err := e.pool.QueryRow(ctx, stored, secret).Scan(&n); err != nil || n != 0 {
			t.Errorf("%s: %d, %v", stored, n, err)
		}
	}
}

// The answer, and the work before it, are the same whether or not the address has an account.
func TestRegisterTwice(t *testing.T) {
	t.Parallel()
	e := setup(t)
	ctx := t.Context()
	var hashes []int64
	for range 2 {
		before := e.passwords.hashes.Load()
		if err := e.Register(ctx, registration("ada@example.com")); err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, e.passwords.hashes.Load()-before)
	}
	if hashes[0] != 1 || hashes[1] != 1 {
		t.Errorf("hashes made %v, want one each", hashes)
	}
	want := []string{users.EventRegistered, users.EventRegistrationAttempted}
	if got := e.events("ada@example.com"); !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
	other := registration("ADA@example.com")
	other.Password = "somebody else's password"
	if err := e.Register(ctx, other); err != nil {
		t.Fatal(err)
	}
	e.signIn("ada@example.com") // the password has not changed
}

func TestRegisterFaults(t *testing.T) {
	t.Parallel()
	e := setup(t)
	err := e.Register(t.Context(), users.Registration{Email: "ada", Password: "short", DisplayName: " "})
	wantFaults(t, err, "INVALID email", "REQUIRED displayName", "TOO_SHORT password")
	if n := e.passwords.hashes.Load(); n != 0 {
		t.Errorf("%d hashes made for a faulty input", n)
	}
}

func TestRequestsTellNothing(t *testing.T) {
	t.Parallel()
	e := setup(t)
	ctx := t.Context()
	e.account("verified@example.com")
	if err := e.Register(ctx, registration("waiting@example.com")); err != nil {
		t.Fatal(err)
	}
	for name, request := range map[string]func(context.Context, string) error{
		"verification": e.RequestEmailVerification, "reset": e.RequestPasswordReset,
	} {
		for _, email := range []string{"verified@example.com", "waiting@example.com", "nobody@example.com"} {
			if err := request(ctx, email); err != nil {
				t.Errorf("%s of %s: %v", name, email, err)
			}
		}
		wantFaults(t, request(ctx, "no address"), "INVALID email")
	}
	for email, want := range map[string][]string{
		"verified@example.com": {users.EventPasswordResetRequested},
		"waiting@example.com":  {users.EventEmailVerificationRequested, users.EventPasswordResetRequested, users.EventRegistered},
		"nobody@example.com":   nil,
	} {
		got := e.events(email)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("events of %s: %v, want %v", email, got, want)
		}
	}
}

// Nobody's mailbox can be filled by asking for messages to it, and what others make us send never uses
// up what the owner needs to get back in.
func TestMessagesAreBounded(t *testing.T) {
	t.Parallel()
	e := setup(t)
	ctx := t.Context()
	e.account("ada@example.com")
	count := func(eventType string) int {
		n := 0
		for _, got := range e.events("ada@example.com") {
			if got == eventType {
				n++
			}
		}
		return n
	}
	for i := range 15 { // from as many networks
		if err := e.Register(from(ctx, fmt.Sprintf("192.0.2.%d", i)), registration("ada@example.com")); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(users.EventRegistrationAttempted); n != 3 {
		t.Errorf("%d messages in an hour that the address has an account, want 3", n)
	}
	for i := range 15 {
		if err := e.RequestPasswordReset(from(ctx, fmt.Sprintf("192.0.2.%d", i)), "ada@example.com"); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(users.EventPasswordResetRequested); n != 7 {
		t.Errorf("%d reset tokens in the rest of the hour, want 7", n)
	}
	e.clock.add(time.Hour)
	if err := e.Register(ctx, registration("ada@example.com")); err != nil {
		t.Fatal(err)
	}
	if n := len(e.events("ada@example.com")); n != 11 {
		t.Errorf("%d messages, want another one an hour later", n)
	}
}

func TestVerificationTokenExpires(t *testing.T) {
	t.Parallel()
	e := setup(t)
	ctx := t.Context()
	if err := e.Register(ctx, registration("ada@example.com")); err != nil {
		t.Fatal(err)
	}
	first := e.mailed(users.EventRegistered, "ada@example.com")
	e.clock.add(48 * time.Hour)
	_, err := e.VerifyEmail(ctx, first)
	wantCode(t, "an expired token", err, users.InvalidToken)
	if err := e.RequestEmailVerification(ctx, "ada@example.com"); err != nil {
		t.Fatal(err)
	}
	second := e.mailed(users.EventEmailVerificationRequested, "ada@example.com")
	_, err = e.ResetPassword(ctx, second, "another long password")
	wantCode(t, "a verification token for a reset", err, users.InvalidToken)
	if _, err := e.VerifyEmail(ctx, second); err != nil {
		t.Error(err)
	}
	if n, err := e.PurgeExpired(ctx, 100); err != nil || n != 0 {
		t.Errorf("PurgeExpired gives %d, %v: what ended less than a day ago stays", n, err)
	}
}

// A floor under the time of an answer hides how long the work took, and ends with the request.
func TestAnswerFloor(t *testing.T) {
	t.Parallel()
	e := setup(t)
	const floor = 150 * time.Millisecond
	s := e.service(func(d *users.Deps) { d.Config.AnswerFloor = floor })
	began := time.Now()
	if err := s.RequestPasswordReset(t.Context(), "nobody@example.com"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < floor {
		t.Errorf("answered after %v, want %v at the least", took, floor)
	}
	endless := e.service(func(d *users.Deps) { d.Config.AnswerFloor = time.Hour })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := endless.RequestPasswordReset(ctx, "nobody@example.com"); errs.All(err) != nil {
		t.Errorf("a request that was given up: %v", err)
	}
}
