package users_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/users"
)

const newPassword = "a louder shorter summer"

func TestChangePassword(t *testing.T) {
	t.Parallel()
	e := setup(t)
	u := e.account("ada@example.com")
	current, other := e.signIn(u.Email), e.signIn(u.Email)
	ctx := e.as(current)

	_, err := e.ChangePassword(t.Context(), password, newPassword)
	wantCode(t, "an anonymous viewer", err, errs.Unauthenticated)
	_, err = e.ChangePassword(ctx, "wrong password", "short")
	wantFaults(t, err, "INVALID_CREDENTIALS currentPassword", "TOO_SHORT newPassword")
	_, err = e.ChangePassword(ctx, strings.Repeat("x", 1<<20), newPassword)
	wantFaults(t, err, "INVALID_CREDENTIALS currentPassword")
	_, err = e.ChangePassword(ctx, password, password)
	wantFaults(t, err, "INVALID newPassword")
	e.good("after refusals", other, true)

	changed, err := e.ChangePassword(ctx, password, newPassword)
	if err != nil || changed.Version != u.Version+1 {
		t.Fatalf("ChangePassword gives %+v, %v", changed, err)
	}
	e.good("the current session", current, true)
	e.good("the other session", other, false)
	_, err = e.RefreshSession(ctx, other.Tokens.RefreshToken)
	wantCode(t, "the other session's refresh token", err, users.InvalidToken)
	_, err = e.SignIn(ctx, users.Credentials{Email: u.Email, Password: password})
	wantCode(t, "the old password", err, users.InvalidCredentials)
	if _, err := e.SignIn(ctx, users.Credentials{Email: u.Email, Password: newPassword}); err != nil {
		t.Errorf("the new password: %v", err)
	}
	if got := e.events(u.Email); !slices.Equal(got, []string{users.EventPasswordChanged}) {
		t.Errorf("events %v", got)
	}
}

// Whoever stole a session cannot find out the password by trying.
func TestChangePasswordDelays(t *testing.T) {
	t.Parallel()
	e := setup(t)
	u := e.account("ada@example.com")
	ctx := e.as(e.signIn(u.Email))
	for range 5 {
		_, err := e.ChangePassword(ctx, "wrong password", newPassword)
		wantFaults(t, err, "INVALID_CREDENTIALS currentPassword")
	}
	_, err := e.ChangePassword(ctx, password, newPassword)
	wantCode(t, "after five failures", err, errs.Throttled)
}

func TestResetPassword(t *testing.T) {
	t.Parallel()
	e := setup(t)
	ctx := t.Context()
	if err := e.Register(ctx, registration("ada@example.com")); err != nil {
		t.Fatal(err)
	}
	signed := e.signIn("ada@example.com")
	for range 5 {
		_, err := e.SignIn(ctx, users.Credentials{Email: "ada@example.com", Password: "wrong password"})
		wantCode(t, "a wrong password", err, users.InvalidCredentials)
	}
	request := func() string {
		t.Helper()
		if err := e.RequestPasswordReset(ctx, "ada@example.com"); err != nil {
			t.Fatal(err)
		}
		return e.mailed(users.EventPasswordResetRequested, "ada@example.com")
	}
	expired := request()
	e.clock.add(time.Hour)
	first, token := request(), request()

	_, err := e.ResetPassword(ctx, expired, newPassword)
	wantFaults(t, err, "INVALID_TOKEN token")
	_, err = e.ResetPassword(ctx, "rubbish", "short")
	wantFaults(t, err, "INVALID_TOKEN token", "TOO_SHORT newPassword")
	_, err = e.ResetPassword(ctx, token, "ADA@example.com")
	wantFaults(t, err, "INVALID newPassword")

	u, err := e.ResetPassword(ctx, token, newPassword)
	if err != nil || !u.EmailVerified() {
		t.Fatalf("ResetPassword gives %+v, %v", u, err)
	}
	for name, used := range map[string]string{"used": token, "asked for before": first} {
		_, err = e.ResetPassword(ctx, used, "yet another password")
		wantCode(t, "a token "+name, err, users.InvalidToken)
	}
	e.good("a session from before", signed, false)
	if _, err := e.SignIn(ctx, users.Credentials{Email: u.Email, Password: newPassword}); err != nil {
		t.Errorf("the new password, at once: %v", err)
	}
	got := e.events(u.Email)
	if want := []string{users.EventEmailVerified, users.EventPasswordChanged}; !slices.Equal(got[len(got)-2:], want) {
		t.Errorf("events %v, want %v at the end", got, want)
	}
}

func TestResetPasswordParallel(t *testing.T) {
	t.Parallel()
	e := setup(t)
	u := e.account("ada@example.com")
	if err := e.RequestPasswordReset(t.Context(), u.Email); err != nil {
		t.Fatal(err)
	}
	token := e.mailed(users.EventPasswordResetRequested, u.Email)
	failures, start := make(chan error), make(chan struct{})
	for range 4 {
		go func() {
			<-start
			_, err := e.ResetPassword(t.Context(), token, newPassword)
			failures <- err
		}()
	}
	close(start)
	won := 0
	for range 4 {
		if err := <-failures; err == nil {
			won++
		} else {
			wantCode(t, "one of four at once", err, users.InvalidToken)
		}
	}
	if won != 1 {
		t.Errorf("%d of four resets with one token succeeded", won)
	}
}
