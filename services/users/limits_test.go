package users_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/users"
)

const (
	home1  = "198.51.100.7" // where the owner signs in from
	abroad = "203.0.113.9"
)

// attempt signs in from an address.
func (e *env) attempt(address, email, secret string) error {
	_, err := e.SignIn(from(e.t.Context(), address), users.Credentials{Email: email, Password: secret})
	return err
}

// wantWait checks for THROTTLED and how long to wait.
func wantWait(t *testing.T, what string, err error, seconds int) {
	t.Helper()
	all := errs.All(err)
	if len(all) != 1 || all[0].Code != errs.Throttled || all[0].Data["retryAfter"] != seconds {
		t.Errorf("%s: %v %+v, want THROTTLED for %d s", what, err, all, seconds)
	}
}

// Delays grow, are the same for an unknown account, and end.
func TestSignInDelays(t *testing.T) {
	t.Parallel()
	e := setup(t)
	e.account("ada@example.com")
	for _, email := range []string{"nobody@example.com", "ada@example.com"} { // both the same
		fail := func() error { return e.attempt(abroad, email, "wrong password") }
		for range 5 {
			wantCode(t, "one of the first failures", fail(), users.InvalidCredentials)
		}
		hashes := e.passwords.hashes.Load()
		wantWait(t, "at once after five failures", fail(), 1)
		if e.passwords.hashes.Load() != hashes {
			t.Error("a throttled attempt made a hash")
		}
		for _, wait := range []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900} {
			e.clock.add(time.Duration(wait)*time.Second - time.Millisecond)
			wantWait(t, "a moment too soon", fail(), 1)
			e.clock.add(time.Millisecond)
			wantCode(t, fmt.Sprintf("after %d s", wait), fail(), users.InvalidCredentials)
		}
		wantWait(t, "at the last", fail(), 900)
	}
	wantCode(t, "the right password, too soon", e.attempt(abroad, "ada@example.com", password), errs.Throttled)
	if err := e.attempt("203.0.113.10", "ada@example.com", password); err != nil {
		t.Errorf("from another network: %v", err)
	}
	e.clock.add(15 * time.Minute)
	if err := e.attempt(abroad, "ada@example.com", password); err != nil {
		t.Errorf("a quarter of an hour later: %v", err)
	}
	for range 5 {
		wantCode(t, "after a success the count begins anew", e.attempt(abroad, "ada@example.com", "wrong password"), users.InvalidCredentials)
	}
	e.clock.add(time.Hour)
	for range 5 {
		wantCode(t, "an hour later too", e.attempt(abroad, "ada@example.com", "wrong password"), users.InvalidCredentials)
	}
	if e.metrics.throttled["sign_in"] == 0 {
		t.Error("the metrics know of nothing")
	}
}

// Attempts at once cannot get past the count.
func TestSignInDelaysParallel(t *testing.T) {
	t.Parallel()
	e := setup(t)
	e.account("ada@example.com")
	processes := []*users.Service{e.Service, e.service(nil)}
	failures, start := make(chan error), make(chan struct{})
	const n = 40
	for i := range n {
		go func() {
			<-start
			_, err := processes[i%2].SignIn(from(t.Context(), abroad), users.Credentials{Email: "ada@example.com", Password: "wrong password"})
			failures <- err
		}()
	}
	close(start)
	looked := 0
	for range n {
		if err := <-failures; errs.CodeOf(err) == users.InvalidCredentials {
			looked++
		} else {
			wantCode(t, "one of many at once", err, errs.Throttled)
		}
	}
	if looked != 5 {
		t.Errorf("%d passwords were looked at, want 5", looked)
	}
}

// An attack from everywhere slows strangers down, and keeps the owner out of nothing.
func TestOwnerIsNotKeptOut(t *testing.T) {
	t.Parallel()
	e := setup(t)
	e.account("ada@example.com")
	if err := e.attempt(home1, "ada@example.com", password); err != nil {
		t.Fatal(err)
	}
	attack := func(what string, times int) {
		t.Helper()
		for i := range times {
			err := e.attempt(fmt.Sprintf("10.%d.%d.1", e.clock.Now().Unix()%200, i), "ada@example.com", "wrong password")
			if i < 50 && errs.CodeOf(err) != users.InvalidCredentials {
				t.Fatalf("%s: attempt %d: %v", what, i, err)
			}
		}
	}
	attack("the botnet", 60)
	wantCode(t, "the botnet's next", e.attempt("10.250.0.1", "ada@example.com", "wrong password"), errs.Throttled)
	wantCode(t, "the right password from a new network", e.attempt(abroad, "ada@example.com", password), errs.Throttled)
	if err := e.attempt(home1, "ada@example.com", password); err != nil {
		t.Errorf("from where the owner signs in: %v", err)
	}
	for range 5 {
		wantCode(t, "a stranger there", e.attempt(home1, "ada@example.com", "wrong password"), users.InvalidCredentials)
	}
	wantCode(t, "the sixth", e.attempt(home1, "ada@example.com", "wrong password"), errs.Throttled)

	// A reset by e-mail gets in from anywhere, whatever goes on.
	ctx := from(t.Context(), abroad)
	if err := e.RequestPasswordReset(ctx, "ada@example.com"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.ResetPassword(ctx, e.mailed(users.EventPasswordResetRequested, "ada@example.com"), newPassword); err != nil {
		t.Fatal(err)
	}
	e.clock.add(time.Second)
	attack("again", 60)
	wantCode(t, "another network", e.attempt("203.0.113.77", "ada@example.com", newPassword), errs.Throttled)
	if err := e.attempt(abroad, "ada@example.com", newPassword); err != nil {
		t.Errorf("from where the password was reset: %v", err)
	}
}

// Whoever tries many accounts from one network is slowed down; people known there are not.
func TestSignInNetwork(t *testing.T) {
	t.Parallel()
	e := setup(t)
	e.account("ada@example.com")
	e.account("bob@example.com")
	const one, two, other = "2001:db8:1:2::7", "2001:db8:1:2:ffff::1", "2001:db8:1:3::7"
	if err := e.attempt(one, "ada@example.com", password); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		address := one
		if i%2 == 1 {
			address = two // the same /64
		}
		wantCode(t, "one of many accounts", e.attempt(address, fmt.Sprintf("p%d@example.com", i), "wrong password"), users.InvalidCredentials)
	}
	wantCode(t, "yet another account", e.attempt(two, "p99@example.com", "wrong password"), errs.Throttled)
	wantCode(t, "somebody new there", e.attempt(two, "bob@example.com", password), errs.Throttled)
	if err := e.attempt(two, "ada@example.com", password); err != nil {
		t.Errorf("somebody known there: %v", err)
	}
	if err := e.attempt(other, "bob@example.com", password); err != nil {
		t.Errorf("from the next network: %v", err)
	}
	e.clock.add(time.Minute) // at the most
	if err := e.attempt(two, "bob@example.com", password); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}

func TestRequestsAreLimited(t *testing.T) {
	t.Parallel()
	e := setup(t)
	e.account("ada@example.com")
	for name, request := range map[string]func(context.Context, string) error{
		"registration": func(ctx context.Context, email string) error { return e.Register(ctx, registration(email)) },
		"verification": e.RequestEmailVerification,
		"reset":        e.RequestPasswordReset,
	} {
		for _, email := range []string{"ada@example.com", "nobody@example.com"} {
			ctx := from(t.Context(), abroad)
			for range 5 {
				if err := request(ctx, email); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			wantWait(t, name+" of "+email, request(ctx, email), 10)
			if err := request(from(t.Context(), home1), email); err != nil {
				t.Errorf("%s of the owner: %v", name, err)
			}
		}
		ctx := from(t.Context(), abroad)
		for i := range 10 {
			if err := request(ctx, fmt.Sprintf("p%d@example.com", i)); err != nil {
				t.Errorf("%s %d: %v", name, i, err)
			}
		}
		wantWait(t, name+" of many", request(ctx, "last@example.com"), 10)
		wantFaults(t, request(ctx, "no address"), "INVALID email")
	}
	ctx := from(t.Context(), abroad)
	for range 25 {
		_, err := e.VerifyEmail(ctx, "rubbish")
		wantCode(t, "an unknown token", err, users.InvalidToken)
		_, err = e.ResetPassword(ctx, "rubbish", newPassword)
		wantCode(t, "an unknown token", err, users.InvalidToken)
	}
	_, err := e.VerifyEmail(ctx, "rubbish")
	wantCode(t, "yet another token", err, errs.Throttled)
	_, err = e.ResetPassword(ctx, "rubbish", newPassword)
	wantCode(t, "yet another token", err, errs.Throttled)
	_, err = e.ConfirmSignIn(ctx, "rubbish", "123456", "")
	wantCode(t, "yet another token", err, errs.Throttled)
}

// brokenLimits is users.Limits that does not answer while away.
type brokenLimits struct {
	users.Limits
	away  bool
	asked int
}

func (b *brokenLimits) Take(ctx context.Context, now time.Time, limits ...users.Limit) (int, time.Duration, error) {
	b.asked++
	if b.away {
		return -1, 0, errors.New("gone")
	}
	return b.Limits.Take(ctx, now, limits...)
}

// While Redis is away each process counts by itself.
func TestLimitsAway(t *testing.T) {
	t.Parallel()
	e := setup(t)
	e.account("ada@example.com")
	remote := &brokenLimits{Limits: e.deps.Limits, away: true}
	e.Service = e.service(func(d *users.Deps) { d.Limits = remote })
	for range 5 {
		wantCode(t, "away", e.attempt(abroad, "ada@example.com", "wrong password"), users.InvalidCredentials)
	}
	wantWait(t, "away, after five failures", e.attempt(abroad, "ada@example.com", "wrong password"), 1)
	if remote.asked != 1 || e.metrics.lost != 6 {
		t.Errorf("asked %d times, counted here %d times; want 1 and 6", remote.asked, e.metrics.lost)
	}
	remote.away = false
	e.clock.add(time.Second)
	if err := e.attempt(abroad, "ada@example.com", password); err != nil || remote.asked != 2 || e.metrics.lost != 6 {
		t.Errorf("back: %v, asked %d times, counted here %d times", err, remote.asked, e.metrics.lost)
	}
}
