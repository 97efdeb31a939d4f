package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/users"
)

func newSession(a *users.Account, created time.Time) (*users.Session, users.RefreshToken) {
	s := &users.Session{
		ID: uuid.Must(uuid.NewV7()), UserID: a.ID, UserAgent: "Firefox", IPAddress: "192.0.2.1",
		CreatedAt: created, LastUsedAt: created, ExpiresAt: created.Add(24 * time.Hour),
	}
	return s, users.RefreshToken{Digest: digest(unique()), CreatedAt: created, ExpiresAt: s.ExpiresAt}
}

func createSession(t testing.TB, h Harness, a *users.Account, created time.Time) (*users.Session, users.RefreshToken) {
	t.Helper()
	s, token := newSession(a, created)
	u, err := h.Store.SessionCreate(t.Context(), s, token, a.PasswordHash, a.SecondFactorAt)
	if err != nil || u.ID != a.ID || u.Email != a.Email || !slices.Equal(u.Roles, a.Roles) {
		t.Fatalf("SessionCreate gives %+v, %v", u, err)
	}
	return s, token
}

func sessionIDs(list []*users.Session) []uuid.UUID {
	ids := make([]uuid.UUID, len(list))
	for i, s := range list {
		ids[i] = s.ID
	}
	return ids
}

func testAddresses(t *testing.T, h Harness) {
	t.Parallel()
	ctx := t.Context()
	a, b := create(t, h, nil), create(t, h, nil)
	add := func(a *users.Account, address string, created time.Time) uuid.UUID {
		t.Helper()
		s, token := newSession(a, created)
		s.IPAddress = address
		if _, err := h.Store.SessionCreate(ctx, s, token, a.PasswordHash, nil); err != nil {
			t.Fatal(err)
		}
		return s.ID
	}
	add(a, "192.0.2.1", epoch)
	ended := add(a, "192.0.2.2", epoch.Add(time.Hour))
	add(a, "192.0.2.3", epoch.Add(2*time.Hour))
	add(a, "192.0.2.3", epoch.Add(3*time.Hour))
	add(b, "192.0.2.9", epoch)
	if err := h.Store.SessionRevoke(ctx, a.ID, ended, epoch); err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[int][]string{2: {"192.0.2.3"}, 3: {"192.0.2.2", "192.0.2.3"}, 9: {"192.0.2.1", "192.0.2.2", "192.0.2.3"}} {
		got := must[[]string](t)(h.Store.SessionAddresses(ctx, a.ID, limit))
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("addresses of the newest %d sessions: %v, want %v", limit, got, want)
		}
	}
	if got := must[[]string](t)(h.Store.SessionAddresses(ctx, uuid.Nil, 9)); len(got) != 0 {
		t.Errorf("addresses of nobody: %v", got)
	}
}

func testSessions(t *testing.T, h Harness) {
	t.Parallel()
	ctx, now := t.Context(), epoch.Add(3*time.Hour)
	a, b := create(t, h, nil), create(t, h, nil)
	first, _ := createSession(t, h, a, epoch)
	middle, _ := createSession(t, h, a, epoch.Add(time.Hour))
	last, _ := createSession(t, h, a, epoch.Add(2*time.Hour))
	old, _ := createSession(t, h, a, epoch.Add(-48*time.Hour)) // expired by now
	others, _ := createSession(t, h, b, epoch)

	list := must[[]*users.Session](t)(h.Store.SessionListByUsers(ctx, []uuid.UUID{a.ID}, now, 2))
	if want := []uuid.UUID{last.ID, middle.ID}; !slices.Equal(sessionIDs(list), want) {
		t.Errorf("the two newest sessions are %v, want %v", sessionIDs(list), want)
	}
	if got := list[0]; got.UserAgent != last.UserAgent || got.IPAddress != last.IPAddress || !got.ExpiresAt.Equal(last.ExpiresAt) || !got.LastUsedAt.Equal(last.LastUsedAt) {
		t.Errorf("session %+v, want %+v", got, last)
	}
	both := must[[]*users.Session](t)(h.Store.SessionListByUsers(ctx, []uuid.UUID{a.ID, b.ID}, now, 10))
	if len(both) != 4 {
		t.Errorf("%d sessions of two accounts, want 4", len(both))
	}
	byID := must[[]*users.Session](t)(h.Store.SessionListByIDs(ctx, a.ID, []uuid.UUID{first.ID, old.ID, others.ID, uuid.New()}, now))
	if !slices.Equal(sessionIDs(byID), []uuid.UUID{first.ID}) {
		t.Errorf("SessionListByIDs gives %v, want the account's own that is signed in", sessionIDs(byID))
	}

	active := func(id uuid.UUID) bool { return must[bool](t)(h.Store.SessionActive(ctx, id, now)) }
	if !active(first.ID) || active(old.ID) || active(uuid.New()) {
		t.Error("SessionActive: want true, false for an expired one, false for a missing one")
	}
	wantCode(t, "SessionRevoke of another account's", h.Store.SessionRevoke(ctx, b.ID, first.ID, now), errs.NotFound)
	wantCode(t, "SessionRevoke of a missing one", h.Store.SessionRevoke(ctx, a.ID, uuid.New(), now), errs.NotFound)
	for range 2 { // the second time changes nothing
		if err := h.Store.SessionRevoke(ctx, a.ID, first.ID, now); err != nil {
			t.Fatal(err)
		}
	}
	if active(first.ID) {
		t.Error("a revoked session is active")
	}
	ended := must[[]uuid.UUID](t)(h.Store.SessionRevokeAll(ctx, a.ID, last.ID, now))
	if !slices.Equal(ended, []uuid.UUID{middle.ID}) {
		t.Errorf("SessionRevokeAll ended %v, want %v only", ended, middle.ID)
	}
	if active(middle.ID) || !active(last.ID) || !active(others.ID) {
		t.Error("SessionRevokeAll ended the wrong sessions")
	}

	_, ended, err := h.Store.AccountUpdate(ctx, b.ID, func(a *users.Account) error {
		a.UpdatedAt, a.Effects.EndSessions = now, true
		return nil
	})
	if err != nil || !slices.Equal(ended, []uuid.UUID{others.ID}) || active(others.ID) {
		t.Errorf("AccountUpdate ended %v, %v, want %v", ended, err, others.ID)
	}
}

func testSessionStale(t *testing.T, h Harness) {
	t.Parallel()
	a := create(t, h, nil)
	s, token := newSession(a, epoch)
	_, err := h.Store.SessionCreate(t.Context(), s, token, "another hash", nil)
	wantCode(t, "SessionCreate with another hash", err, errs.NotFound)
	if must[bool](t)(h.Store.SessionActive(t.Context(), s.ID, epoch)) {
		t.Error("the session was created")
	}
}

func testRefresh(t *testing.T, h Harness) {
	t.Parallel()
	ctx, later := t.Context(), epoch.Add(time.Hour)
	a := create(t, h, nil)
	s, token := createSession(t, h, a, epoch)
	next := users.RefreshToken{Digest: digest(unique()), CreatedAt: later, ExpiresAt: later.Add(24 * time.Hour)}

	err := h.Store.SessionRefresh(ctx, digest(unique()), func(*users.Refresh) error { return nil })
	wantCode(t, "SessionRefresh of an unknown token", err, errs.NotFound)
	refusal := errors.New("no")
	if err := h.Store.SessionRefresh(ctx, token.Digest, func(r *users.Refresh) error { r.Next = &next; return refusal }); err != refusal {
		t.Errorf("SessionRefresh gives %v, want the function's error", err)
	}
	err = h.Store.SessionRefresh(ctx, token.Digest, func(r *users.Refresh) error {
		if r.Token.UsedAt != nil || r.Session.ID != s.ID || r.User.ID != a.ID || r.Session.RevokedAt != nil {
			t.Errorf("SessionRefresh shows %+v", r)
		}
		r.Token.UsedAt, r.Next = &later, &next
		r.Session.LastUsedAt, r.Session.ExpiresAt = later, next.ExpiresAt
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	list := must[[]*users.Session](t)(h.Store.SessionListByUsers(ctx, []uuid.UUID{a.ID}, later, 1))
	if len(list) != 1 || !list[0].LastUsedAt.Equal(later) || !list[0].ExpiresAt.Equal(next.ExpiresAt) {
		t.Errorf("after SessionRefresh: %+v", list)
	}
	if err := h.Store.SessionRefresh(ctx, token.Digest, func(r *users.Refresh) error {
		if r.Token.UsedAt == nil || !r.Token.UsedAt.Equal(later) {
			t.Errorf("a used token shows as %+v", r.Token)
		}
		r.Session.RevokedAt = &later
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if must[bool](t)(h.Store.SessionActive(ctx, s.ID, later)) {
		t.Error("a session revoked by SessionRefresh is active")
	}
	if err := h.Store.SessionRefresh(ctx, next.Digest, func(r *users.Refresh) error {
		if r.Token.UsedAt != nil || r.Session.RevokedAt == nil {
			t.Errorf("the next token of a revoked session shows as %+v", r)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func testRefreshParallel(t *testing.T, h Harness) {
	t.Parallel()
	a := create(t, h, nil)
	_, token := createSession(t, h, a, epoch)
	later := epoch.Add(time.Hour)
	won := parallel(t, func(ctx context.Context) error {
		return h.Store.SessionRefresh(ctx, token.Digest, func(r *users.Refresh) error {
			if r.Token.UsedAt != nil {
				return errs.New(errs.NotFound, "used")
			}
			r.Token.UsedAt = &later
			r.Next = &users.RefreshToken{Digest: digest(unique()), CreatedAt: later, ExpiresAt: later.Add(time.Hour)}
			return nil
		})
	})
	if won != 1 {
		t.Errorf("%d of several refreshes with one token saw it unused", won)
	}
}

func testRevoked(t *testing.T, h Harness) {
	t.Parallel()
	// Times of its own, as the list is of all accounts.
	ctx, now := t.Context(), epoch.Add(1000*time.Hour)
	a := create(t, h, nil)
	var want []uuid.UUID
	for i := range 5 {
		s, _ := createSession(t, h, a, now)
		if err := h.Store.SessionRevoke(ctx, a.ID, s.ID, now.Add(time.Duration(i)*time.Minute)); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			want = append(want, s.ID)
		}
	}
	var (
		got   []uuid.UUID
		after uuid.UUID
	)
	for {
		ids := must[[]uuid.UUID](t)(h.Store.SessionListRevoked(ctx, now.Add(time.Minute), after, 3))
		if len(ids) == 0 {
			break
		}
		got, after = append(got, ids...), ids[len(ids)-1]
	}
	if !slices.Equal(got, want) {
		t.Errorf("revoked since: %v, want %v", got, want)
	}
}

func testPurge(t *testing.T, h Harness) {
	t.Parallel()
	// Times before those of the other tests, whose rows it must not delete.
	ctx, ancient := t.Context(), epoch.Add(-10000*time.Hour)
	token := digest(unique())
	a := create(t, h, func(a *users.Account) {
		a.Effects.Tokens = []users.Token{{Digest: token, Purpose: users.VerifyEmail, CreatedAt: ancient, ExpiresAt: ancient.Add(time.Hour)}}
	})
	expired, refresh := createSession(t, h, a, ancient)
	revoked, _ := newSession(a, ancient)
	revoked.ExpiresAt = epoch
	if _, err := h.Store.SessionCreate(ctx, revoked, users.RefreshToken{Digest: digest(unique()), CreatedAt: ancient, ExpiresAt: epoch}, a.PasswordHash, a.SecondFactorAt); err != nil {
		t.Fatal(err)
	}
	if err := h.Store.SessionRevoke(ctx, a.ID, revoked.ID, ancient); err != nil {
		t.Fatal(err)
	}
	before := ancient.Add(48 * time.Hour)
	deleted := 0
	for {
		n := must[int](t)(h.Store.PurgeExpired(ctx, before, 1))
		if n > 4 {
			t.Errorf("one purge of at most 1 of each of 4 kinds deleted %d", n)
		}
		if n == 0 {
			break
		}
		deleted += n
	}
	// The expired session's refresh token goes by itself or with the session.
	if deleted < 3 || deleted > 4 {
		t.Errorf("%d rows deleted, want a token, a refresh token and two sessions", deleted)
	}
	if must[bool](t)(h.Store.SessionActive(ctx, expired.ID, ancient)) {
		t.Error("an expired session is still there")
	}
	wantCode(t, "SessionRevoke of a purged one", h.Store.SessionRevoke(ctx, a.ID, revoked.ID, epoch), errs.NotFound)
	wantCode(t, "refresh token", h.Store.SessionRefresh(ctx, refresh.Digest, func(*users.Refresh) error { return nil }), errs.NotFound)
	wantCode(t, "token", second(h.Store.AccountGetByToken(ctx, users.VerifyEmail, token, ancient)), errs.NotFound)
	if _, err := h.Store.AccountGet(ctx, a.ID); err != nil {
		t.Errorf("the account: %v", err)
	}
}
