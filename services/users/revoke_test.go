package users_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/users"
	"github.com/techmart/techmart/services/viewer"
)

func TestRevokeSession(t *testing.T) {
	t.Parallel()
	e := setup(t)
	u := e.account("ada@example.com")
	e.account("eve@example.com")
	first, second, eve := e.signIn(u.Email), e.signIn(u.Email), e.signIn("eve@example.com")

	_, err := e.RevokeSession(t.Context(), nil)
	wantCode(t, "an anonymous viewer", err, errs.Unauthenticated)
	_, err = e.RevokeSession(e.as(eve), &first.SessionID)
	wantFaults(t, err, "NOT_FOUND sessionId")
	e.good("after another person tried", first, true)

	ctx := e.as(second)
	for range 2 { // the second time changes nothing
		if id, err := e.RevokeSession(ctx, &first.SessionID); err != nil || id != first.SessionID {
			t.Fatalf("RevokeSession gives %v, %v", id, err)
		}
	}
	e.good("the session that was ended", first, false)
	e.good("the current one", second, true)
	_, err = e.RefreshSession(t.Context(), first.Tokens.RefreshToken)
	wantCode(t, "its refresh token", err, users.InvalidToken)
	if id, err := e.RevokeSession(ctx, nil); err != nil || id != second.SessionID {
		t.Errorf("RevokeSession of the current one gives %v, %v", id, err)
	}
	if _, err := e.service(nil).Authenticate(t.Context(), second.Tokens.AccessToken); errs.CodeOf(err) != errs.Unauthenticated {
		t.Errorf("another process: %v, want UNAUTHENTICATED at once", err)
	}
}

func TestRevokeAllSessions(t *testing.T) {
	t.Parallel()
	e := setup(t)
	u := e.account("ada@example.com")
	e.account("eve@example.com")
	one, two, three, eve := e.signIn(u.Email), e.signIn(u.Email), e.signIn(u.Email), e.signIn("eve@example.com")
	ctx := e.as(two)
	if n, err := e.RevokeAllSessions(ctx, true); err != nil || n != 2 {
		t.Errorf("RevokeAllSessions gives %d, %v, want 2", n, err)
	}
	e.good("one", one, false)
	e.good("the kept one", two, true)
	e.good("three", three, false)
	if n, err := e.RevokeAllSessions(ctx, false); err != nil || n != 1 {
		t.Errorf("RevokeAllSessions gives %d, %v, want 1", n, err)
	}
	e.good("two", two, false)
	e.good("another person's", eve, true)
	_, err := e.RevokeAllSessions(t.Context(), false)
	wantCode(t, "an anonymous viewer", err, errs.Unauthenticated)
}

func TestSessionsAreOnesOwn(t *testing.T) {
	t.Parallel()
	e := setup(t)
	ada := e.account("ada@example.com")
	admin := e.account("admin@example.com", users.Admin)
	signed, staff := e.signIn(ada.Email), e.signIn(admin.Email)
	for name, ctx := range map[string]context.Context{"anonymous": t.Context(), "staff": e.as(staff)} {
		byUser, err := e.SessionsByUser(ctx, []uuid.UUID{ada.ID})
		if list, ok := byUser[ada.ID]; err != nil || !ok || len(list) != 0 {
			t.Errorf("%s: sessions %v, %v", name, byUser, err)
		}
		byID, err := e.SessionsByID(ctx, []uuid.UUID{signed.SessionID})
		if err != nil || len(byID) != 0 {
			t.Errorf("%s: sessions %v, %v", name, byID, err)
		}
	}
	byID, err := e.SessionsByID(e.as(signed), []uuid.UUID{signed.SessionID, staff.SessionID})
	if err != nil || len(byID) != 1 || byID[signed.SessionID] == nil {
		t.Errorf("own: sessions %v, %v", byID, err)
	}
}

// While Redis is away, the store is asked, and what ended meanwhile is told to it afterwards.
func TestRevocationsAway(t *testing.T) {
	t.Parallel()
	e := setup(t)
	u := e.account("ada@example.com")
	remote := &switchable{Revocations: e.deps.Revocations}
	s := e.service(func(d *users.Deps) { d.Revocations = remote })
	one, two := e.signIn(u.Email), e.signIn(u.Email)
	check := func(what string, signed *users.SignedIn, want errs.Code) {
		t.Helper()
		_, err := s.Authenticate(t.Context(), signed.Tokens.AccessToken)
		wantCode(t, what, err, want)
	}
	remote.away = true
	check("away, signed in", one, "")
	if _, err := s.RevokeSession(e.as(two), &one.SessionID); err != nil {
		t.Fatalf("while they are away: %v", err)
	}
	check("away, ended", one, errs.Unauthenticated)
	asked := remote.asked
	check("away, not asked again at once", two, "")
	if remote.asked != asked {
		t.Error("revocations that failed a moment ago were asked again")
	}
	if err := s.RestoreRevocations(t.Context()); err == nil {
		t.Error("RestoreRevocations succeeds while they are away")
	}

	remote.away = false
	if err := s.RestoreRevocations(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.clock.add(2 * time.Second)
	check("back, ended", one, errs.Unauthenticated)
	check("back, signed in", two, "")
	if remote.asked != asked+2 {
		t.Errorf("asked %d times after they were back, want 2", remote.asked-asked)
	}

	remote.away = true
	e.pool.Close()
	check("neither answers", two, errs.Unavailable)
}

// switchable are revocations that can go away.
type switchable struct {
	users.Revocations
	away  bool
	asked int
}

func (s *switchable) Revoke(ctx context.Context, until time.Time, ids ...uuid.UUID) error {
	if s.away {
		return errBroken
	}
	return s.Revocations.Revoke(ctx, until, ids...)
}

func (s *switchable) Revoked(ctx context.Context, id uuid.UUID) (bool, error) {
	s.asked++
	if s.away {
		return false, errBroken
	}
	return s.Revocations.Revoked(ctx, id)
}

func TestWithoutRevocations(t *testing.T) {
	t.Parallel()
	e := setup(t)
	u := e.account("ada@example.com")
	s := e.service(func(d *users.Deps) { d.Revocations = nil })
	signed := e.signIn(u.Email)
	v, err := s.Authenticate(t.Context(), signed.Tokens.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.RevokeSession(viewer.NewContext(t.Context(), v), nil); err != nil {
		t.Fatal(err)
	}
	_, err = s.Authenticate(t.Context(), signed.Tokens.AccessToken)
	wantCode(t, "an ended session", err, errs.Unauthenticated)
	if err := s.RestoreRevocations(t.Context()); err != nil {
		t.Error(err)
	}
}
