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
	if len(current) > maxPasswordBytes {
		c.Add(InvalidCredentials, "The password is not right.", "currentPassword")
	} else if _, err := s.checkPassword(ctx, a.Email, current, a.PasswordHash); errs.CodeOf(err) == InvalidCredentials {
		c.Add(InvalidCredentials, "The password is not right.", "currentPassword")
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
// all sessions. It fails with INVALID_TOKEN or the faults of the password; then the token stays good.
// Whoever holds the token may call it.
func (s *Service) ResetPassword(ctx context.Context, token, password string) (*User, error) {
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
	changed, ended, err := s.store.AccountUpdateByToken(ctx, ResetPassword, digest, now, func(a *Account) error {
		a.verifyEmail(now)
		a.setPassword(hash, uuid.Nil, now)
		return nil
	})
	if errs.CodeOf(err) == errs.NotFound {
		return nil, errToken("token")
	}
	if err != nil {
		return nil, err
	}
	s.revocations.revoke(ctx, s.revokeUntil(now), ended...)
	return &changed.User, s.store.AttemptsDelete(ctx, changed.Email)
}
