package users

import (
	"context"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// ChangePassword changes the viewer's password and ends the other sessions. It fails with
// UNAUTHENTICATED, INVALID_CREDENTIALS or THROTTLED for the current password, the faults of the new one,
// or CONFLICT where it was changed at the same time.
func (s *Service) ChangePassword(ctx context.Context, current, password string) (*User, error) {
	v := viewer.FromContext(ctx)
	if err := v.RequireAccount(); err != nil {
		return nil, err
	}
	a, err := s.store.AccountGet(ctx, v.UserID)
	if err != nil {
		return nil, err
	}
	current, password = normalizePassword(current), normalizePassword(password)
	var c errs.Collector
	if err := s.confirmPassword(ctx, a, current, "currentPassword"); errs.CodeOf(err) == InvalidCredentials {
		c.Merge(err)
	} else if err != nil {
		return nil, err
	}
	checkPassword(&c, password, a.Email, a.DisplayName, "newPassword")
	if c.Err() == nil && password == current {
		c.Add(errs.Invalid, "This is the password until now.", "newPassword")
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	hash, err := s.passwords.Hash(ctx, password)
	if err != nil {
		return nil, err
	}
	now := s.now()
	changed, ended, err := s.store.AccountUpdate(ctx, a.ID, func(locked *Account) error {
		if locked.PasswordHash != a.PasswordHash {
			return errs.New(errs.Conflict, "The password was changed at the same time.").With("currentVersion", locked.Version)
		}
		locked.setPassword(hash, v.SessionID, now)
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.revocations.revoke(ctx, s.revokeUntil(now), ended...)
	return &changed.User, nil
}

// ResetPassword sets a new password by the token that was sent, which also proves the address, and ends
// all sessions. It fails with INVALID_TOKEN or the faults of the password; then the token stays good; or
// with THROTTLED. Delays that others have brought upon the account end, and from its network they do
// not come again: whoever has the mailbox always gets in. A second factor stays on.
// Whoever holds the token may call it.
func (s *Service) ResetPassword(ctx context.Context, token, password string) (*User, error) {
	t, err := s.takeToken(ctx)
	if err != nil {
		return nil, err
	}
	now, digest := s.now(), digestOf(token)
	password = normalizePassword(password)
	var c errs.Collector
	a, err := s.store.AccountGetByToken(ctx, ResetPassword, digest, now)
	switch {
	case errs.CodeOf(err) == errs.NotFound:
		a = &Account{}
		c.Merge(errToken("token"))
	case err != nil:
		return nil, err
	default:
		t.give(ctx)
	}
	checkPassword(&c, password, a.Email, a.DisplayName, "newPassword")
	if err := c.Err(); err != nil {
		return nil, err
	}
	hash, err := s.passwords.Hash(ctx, password)
	if err != nil {
		return nil, err
	}
	now = s.now()
	from := network(ctx)
	changed, ended, err := s.store.AccountUpdateByToken(ctx, ResetPassword, digest, now, func(a *Account) error {
		a.verifyEmail(now)
		a.setPassword(hash, uuid.Nil, now)
		a.ResetNetwork = from
		return nil
	})
	if errs.CodeOf(err) == errs.NotFound {
		return nil, errToken("token")
	}
	if err != nil {
		return nil, err
	}
	s.revocations.revoke(ctx, s.revokeUntil(now), ended...)
	for action, subject := range map[string]string{actionSignIn: changed.Email, actionPassword: changed.ID.String(), actionCode: changed.ID.String()} {
		s.limits.forget(ctx, limitKey(action, subject), limitKey(action, subject, from))
	}
	return &changed.User, nil
}
