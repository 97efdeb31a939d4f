package storetest

import (
	"bytes"
	"testing"
	"time"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/users"
)

func testSecondFactor(t *testing.T, h Harness) {
	t.Parallel()
	ctx, since := t.Context(), epoch.Add(time.Hour)
	a := create(t, h, nil)
	codes := [][]byte{digest("one"), digest("two")}
	change := func(fn func(*users.Account)) {
		t.Helper()
		if _, _, err := h.Store.AccountUpdate(ctx, a.ID, func(a *users.Account) error { fn(a); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	change(func(a *users.Account) {
		a.SecondFactorSecret, a.SecondFactorAt, a.SecondFactorStep = []byte("sealed"), &since, 42
		a.RecoveryDigests, a.RecoveryCodes, a.ResetNetwork = codes, 2, "192.0.2.1"
	})
	got := must[*users.Account](t)(h.Store.AccountGet(ctx, a.ID))
	if !bytes.Equal(got.SecondFactorSecret, []byte("sealed")) || got.SecondFactorAt == nil || !got.SecondFactorAt.Equal(since) || got.SecondFactorStep != 42 ||
		len(got.RecoveryDigests) != 2 || !bytes.Equal(got.RecoveryDigests[1], codes[1]) || got.RecoveryCodes != 2 || got.ResetNetwork != "192.0.2.1" {
		t.Errorf("kept %+v", got)
	}

	// A session that was promised before the second factor is none.
	before, token := newSession(a, epoch)
	wantCode(t, "SessionCreate without the second factor", second(h.Store.SessionCreate(ctx, before, token, a.PasswordHash, nil)), errs.NotFound)
	u := must[*users.User](t)(h.Store.SessionCreate(ctx, before, token, a.PasswordHash, got.SecondFactorAt))
	if u.SecondFactorAt == nil || u.RecoveryCodes != 2 {
		t.Errorf("SessionCreate gives %+v", u)
	}

	challenge := digest(unique())
	change(func(a *users.Account) {
		a.Effects.Tokens = []users.Token{{Digest: challenge, Purpose: users.ChallengeToken, CreatedAt: epoch, ExpiresAt: since}}
	})
	if found := must[*users.Account](t)(h.Store.AccountGetByToken(ctx, users.ChallengeToken, challenge, epoch)); found.ID != a.ID || found.SecondFactorStep != 42 {
		t.Errorf("the challenge leads to %+v", found)
	}

	change(func(a *users.Account) {
		a.SecondFactorSecret, a.SecondFactorAt, a.SecondFactorStep, a.RecoveryDigests, a.RecoveryCodes = nil, nil, 0, nil, 0
	})
	got = must[*users.Account](t)(h.Store.AccountGet(ctx, a.ID))
	if got.SecondFactorSecret != nil || got.SecondFactorAt != nil || len(got.RecoveryDigests) != 0 || got.RecoveryCodes != 0 {
		t.Errorf("turned off: %+v", got)
	}
}
