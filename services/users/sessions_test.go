package users_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/users"
	"github.com/techmart/techmart/services/viewer"
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	e := setup(t)
	u := e.account("ada@example.com", users.Support)
	ctx := users.NewClientContext(t.Context(), users.Client{UserAgent: "Firefox\r\nX: y" + strings.Repeat("é", 300), IPAddress: "192.0.2.7"})
	signed, err := e.SignIn(ctx, users.Credentials{Email: "ADA@example.com ", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	now := e.clock.Now()
	if !signed.Tokens.AccessExpiresAt.Equal(now.Add(15*time.Minute)) || !signed.Tokens.RefreshExpiresAt.Equal(now.Add(30*24*time.Hour)) {
		t.Errorf("tokens end %v and %v", signed.Tokens.AccessExpiresAt, signed.Tokens.RefreshExpiresAt)
	}
	v, err := e.Authenticate(t.Context(), signed.Tokens.AccessToken)
	if err != nil || v.UserID != u.ID || v.SessionID != signed.SessionID || !v.Can(viewer.UsersRead) || v.Can(viewer.UsersWrite) || v.System {
		t.Errorf("viewer %+v, %v", v, err)
	}
	list, err := e.SessionsByUser(viewer.NewContext(ctx, v), []uuid.UUID{u.ID})
	if err != nil || len(list[u.ID]) != 1 {
		t.Fatalf("sessions %v, %v", list, err)
	}
	if s := list[u.ID][0]; s.ID != signed.SessionID || s.IPAddress != "192.0.2.7" || !strings.HasPrefix(s.UserAgent, "FirefoxX: yé") || len(s.UserAgent) > 200 {
		t.Errorf("session %+v", s)
	}
	e.clock.add(15 * time.Minute)
	e.good("after a quarter of an hour", signed, false)
}

// An unknown account and a wrong password are told apart neither by the answer nor by the work.
func TestSignInRefusal(t *testing.T) {
	t.Parallel()
	e := setup(t)
	e.account("ada@example.com")
	var (
		hashes  []int64
		answers []string
	)
	for _, email := range []string{"ada@example.com", "nobody@example.com", "not an address"} {
		before := e.passwords.hashes.Load()
		_, err := e.SignIn(t.Context(), users.Credentials{Email: email, Password: "wrong password"})
		wantFaults(t, err, "INVALID_CREDENTIALS ")
		hashes, answers = append(hashes, e.passwords.hashes.Load()-before), append(answers, err.Error())
	}
	if !slices.Equal(hashes, []int64{1, 1, 1}) || answers[0] != answers[1] || answers[1] != answers[2] {
		t.Errorf("hashes %v, answers %q", hashes, answers)
	}
	_, err := e.SignIn(t.Context(), users.Credentials{Email: "ada@example.com", Password: strings.Repeat("x", 1<<20)})
	wantCode(t, "a huge password", err, users.InvalidCredentials)
}

func TestSignInMakesHashAnew(t *testing.T) {
	t.Parallel()
	e := setup(t)
	e.account("ada@example.com")
	stronger := &counter{Passwords: users.NewHasher(users.HasherConfig{MemoryKiB: 128, Iterations: 1})}
	s := e.service(func(d *users.Deps) { d.Passwords = stronger })
	for _, want := range []int64{2, 1} { // check and hash, then check only
		before := stronger.hashes.Load()
		if _, err := s.SignIn(t.Context(), users.Credentials{Email: "ada@example.com", Password: password}); err != nil {
			t.Fatal(err)
		}
		if got := stronger.hashes.Load() - before; got != want {
			t.Errorf("%d hashes, want %d", got, want)
		}
	}
	var hash string
	if err := e.pool.QueryRow(t.Context(), `SELECT password_hash FROM users.accounts WHERE email = 'ada@example.com'`).Scan(&hash); err != nil || !strings.Contains(hash, "m=128") {
		t.Errorf("kept %s, %v", hash, err)
	}
}

// Several sign-ins at once find the hash outdated: one makes it anew, and none is refused for it.
func TestSignInMakesHashAnewParallel(t *testing.T) {
	t.Parallel()
	e := setup(t)
	e.account("ada@example.com")
	s := e.service(func(d *users.Deps) {
		d.Passwords = users.NewHasher(users.HasherConfig{MemoryKiB: 128, Iterations: 1, Concurrent: 8})
	})
	failures, start := make(chan error), make(chan struct{})
	for range 6 {
		go func() {
			<-start
			_, err := s.SignIn(t.Context(), users.Credentials{Email: "ada@example.com", Password: password})
			failures <- err
		}()
	}
	close(start)
	for range 6 {
		if err := <-failures; err != nil {
			t.Errorf("one of six at once: %v", err)
		}
	}
}

func TestSignInMergesCart(t *testing.T) {
	t.Parallel()
	e := setup(t)
	u := e.account("ada@example.com")
	for _, c := range []struct {
		name string
		err  error
		want []string
	}{
		{"merged", nil, nil},
		{"no such cart", errs.New(errs.NotFound, ""), nil},
		{"too large", errs.New(errs.LimitExceeded, ""), []string{"LIMIT_EXCEEDED cartToken"}},
		{"out of order", errBroken, []string{"IN_FLIGHT cartToken"}},
	} {
		e.carts.err = c.err
		signed, err := e.SignIn(t.Context(), users.Credentials{Email: u.Email, Password: password, CartToken: c.name})
		if err != nil || signed.Tokens.AccessToken == "" {
			t.Errorf("%s: the sign-in fails: %v", c.name, err)
			continue
		}
		if got := faults(signed.CartFault); !slices.Equal(got, c.want) {
			t.Errorf("%s: faults %v, want %v", c.name, got, c.want)
		}
		if e.carts.merged[len(e.carts.merged)-1] != c.name || !e.carts.viewer.Is(u.ID) {
			t.Errorf("%s: merged %v as %+v", c.name, e.carts.merged, e.carts.viewer)
		}
	}
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	e := setup(t)
	ctx := t.Context()
	u := e.account("ada@example.com")
	signed := e.signIn(u.Email)
	e.clock.add(10 * 24 * time.Hour)
	second, err := e.RefreshSession(ctx, signed.Tokens.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if second.RefreshToken == signed.Tokens.RefreshToken || !second.RefreshExpiresAt.Equal(e.clock.Now().Add(30*24*time.Hour)) {
		t.Errorf("second tokens %+v", second)
	}
	v, err := e.Authenticate(ctx, second.AccessToken)
	if err != nil || v.SessionID != signed.SessionID {
		t.Errorf("viewer %+v, %v", v, err)
	}
	for _, token := range []string{"", "rubbish", second.AccessToken, second.RefreshToken + "x"} {
		_, err := e.RefreshSession(ctx, token)
		wantFaults(t, err, "INVALID_TOKEN refreshToken")
	}
	third, err := e.RefreshSession(ctx, second.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	e.clock.add(30 * 24 * time.Hour)
	_, err = e.RefreshSession(ctx, third.RefreshToken)
	wantCode(t, "after 30 idle days", err, users.InvalidToken)
}

func TestRefreshEndsAtLast(t *testing.T) {
	t.Parallel()
	e := setup(t)
	e.account("ada@example.com")
	signed := e.signIn("ada@example.com")
	tokens, end := &signed.Tokens, e.clock.Now().Add(180*24*time.Hour)
	for range 8 {
		e.clock.add(20 * 24 * time.Hour)
		var err error
		if tokens, err = e.RefreshSession(t.Context(), tokens.RefreshToken); err != nil {
			t.Fatal(err)
		}
	}
	if !tokens.RefreshExpiresAt.Equal(end) {
		t.Errorf("the session ends %v, want %v", tokens.RefreshExpiresAt, end)
	}
	e.clock.add(20*24*time.Hour - time.Minute)
	last, err := e.RefreshSession(t.Context(), tokens.RefreshToken)
	if err != nil || last.AccessExpiresAt.After(end) {
		t.Errorf("a minute before the end: %+v, %v", last, err)
	}
	e.clock.add(time.Minute)
	_, err = e.RefreshSession(t.Context(), last.RefreshToken)
	wantCode(t, "after 180 days", err, users.InvalidToken)
}

func TestRefreshReuseEndsSession(t *testing.T) {
	t.Parallel()
	e := setup(t)
	ctx := t.Context()
	e.account("ada@example.com")
	signed, other := e.signIn("ada@example.com"), e.signIn("ada@example.com")
	second, err := e.RefreshSession(ctx, signed.Tokens.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	third, err := e.RefreshSession(ctx, second.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.RefreshSession(ctx, signed.Tokens.RefreshToken) // two generations old
	wantCode(t, "a used refresh token", err, users.InvalidToken)
	_, err = e.RefreshSession(ctx, third.RefreshToken)
	wantCode(t, "the family's newest refresh token", err, users.InvalidToken)
	e.good("the family's first access token", signed, false)
	e.good("another session", other, true)
	if _, err := e.RefreshSession(ctx, other.Tokens.RefreshToken); err != nil {
		t.Errorf("another session's refresh token: %v", err)
	}
}

func TestRefreshParallel(t *testing.T) {
	t.Parallel()
	e := setup(t)
	e.account("ada@example.com")
	processes := []*users.Service{e.Service, e.service(nil)}
	for range 5 {
		signed := e.signIn("ada@example.com")
		type result struct {
			tokens *users.Tokens
			err    error
		}
		results, start := make(chan result), make(chan struct{})
		for i := range 4 {
			go func() {
				<-start
				tokens, err := processes[i%2].RefreshSession(t.Context(), signed.Tokens.RefreshToken)
				results <- result{tokens, err}
			}()
		}
		close(start)
		var won []*users.Tokens
		for range 4 {
			if r := <-results; r.err == nil {
				won = append(won, r.tokens)
			} else {
				wantCode(t, "one of four at once", r.err, users.InvalidToken)
			}
		}
		if len(won) != 1 {
			t.Fatalf("%d of four refreshes with one token succeeded", len(won))
		}
		_, err := e.RefreshSession(t.Context(), won[0].RefreshToken)
		wantCode(t, "the winner, after the token came again", err, users.InvalidToken)
		e.good("the session", signed, false)
	}
}
