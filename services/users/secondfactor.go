package users

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// Challenge is what a sign-in gives where the account has a second factor: with a code it is worth a
// session.
type Challenge struct {
	Token     string // opaque
	ExpiresAt time.Time
}

// Enrollment is a second factor that is not on yet.
type Enrollment struct {
	Secret string // base32, to be typed into an authenticator app
	URI    string // otpauth://, the same as a QR code
}

// EnrollSecondFactor makes a secret for the viewer's authenticator app. It asks for nothing until
// ConfirmSecondFactor; a secret made before is void. It fails with UNAUTHENTICATED, INVALID_CREDENTIALS
// or THROTTLED for the password, or INVALID_STATE where a second factor is on.
func (s *Service) EnrollSecondFactor(ctx context.Context, password string) (*Enrollment, error) {
	a, err := s.ownAccount(ctx)
	if err != nil {
		return nil, err
	}
	if a.SecondFactorAt != nil {
		return nil, errSecondFactorOn()
	}
	if err := s.confirmPassword(ctx, a, password, "password"); err != nil {
		return nil, err
	}
	if s.vault == nil {
		return nil, errors.New("users: there is no key to seal second factors with")
	}
	secret := make([]byte, totpSecretSize)
	_, _ = rand.Read(secret) // never fails
	e := &Enrollment{}
	if e.URI, e.Secret, err = authenticator(s.config.Issuer, a.Email, secret); err != nil {
		return nil, err
	}
	sealed := s.vault.seal(a.ID, secret)
	_, _, err = s.store.AccountUpdate(ctx, a.ID, func(a *Account) error { return a.enroll(sealed) })
	if err != nil {
		return nil, err
	}
	return e, nil
}

// ConfirmSecondFactor turns the viewer's second factor on by a first code, ends the other sessions,
// which were opened without it, and gives the recovery codes, which are shown this once. It fails with
// UNAUTHENTICATED, INVALID_CODE or THROTTLED, or INVALID_STATE where none is being set up.
func (s *Service) ConfirmSecondFactor(ctx context.Context, code string) (*User, []string, error) {
	a, err := s.ownAccount(ctx)
	if err != nil {
		return nil, nil, err
	}
	v, now := viewer.FromContext(ctx), s.now()
	codes, digests := newRecoveryCodes()
	changed, ended, err := s.withCode(ctx, a, func() (*Account, []uuid.UUID, error) {
		return s.store.AccountUpdate(ctx, a.ID, func(a *Account) error {
			return a.confirmSecondFactor(s.vault, normalizeCode(code), digests, v.SessionID, now)
		})
	})
	if err != nil {
		return nil, nil, err
	}
	s.revocations.revoke(ctx, s.revokeUntil(now), ended...)
	return &changed.User, codes, nil
}

// DisableSecondFactor turns the viewer's second factor off. It fails with UNAUTHENTICATED,
// INVALID_CREDENTIALS, INVALID_CODE or THROTTLED, or INVALID_STATE where none is on.
func (s *Service) DisableSecondFactor(ctx context.Context, password, code string) (*User, error) {
	return s.changeSecondFactor(ctx, password, code, func(a *Account, now time.Time) { a.disableSecondFactor(now) })
}

// RenewRecoveryCodes gives the viewer new recovery codes, which are shown this once; the old ones are
// void. It fails as DisableSecondFactor does.
func (s *Service) RenewRecoveryCodes(ctx context.Context, password, code string) (*User, []string, error) {
	codes, digests := newRecoveryCodes()
	u, err := s.changeSecondFactor(ctx, password, code, func(a *Account, now time.Time) { a.setRecoveryCodes(digests, now) })
	if err != nil {
		return nil, nil, err
	}
	return u, codes, nil
}

func (s *Service) changeSecondFactor(ctx context.Context, password, code string, change func(*Account, time.Time)) (*User, error) {
	a, err := s.ownAccount(ctx)
	if err != nil {
		return nil, err
	}
	if a.SecondFactorAt == nil {
		return nil, errSecondFactorOff()
	}
	if err := s.confirmPassword(ctx, a, password, "password"); err != nil {
		return nil, err
	}
	now := s.now()
	changed, _, err := s.withCode(ctx, a, func() (*Account, []uuid.UUID, error) {
		return s.store.AccountUpdate(ctx, a.ID, func(a *Account) error {
			if err := a.useCode(s.vault, normalizeCode(code), now); err != nil {
				return err
			}
			change(a, now)
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return &changed.User, nil
}

// ownAccount reads the viewer's account. It fails with UNAUTHENTICATED.
func (s *Service) ownAccount(ctx context.Context) (*Account, error) {
	v := viewer.FromContext(ctx)
	if err := v.RequireAccount(); err != nil {
		return nil, err
	}
	return s.store.AccountGet(ctx, v.UserID)
}

// confirmPassword asks a viewer for the password: whoever found an open session does not have it. It
// fails with INVALID_CREDENTIALS at the field, or THROTTLED.
func (s *Service) confirmPassword(ctx context.Context, a *Account, password, field string) error {
	if len(password) > maxPasswordBytes {
		return errPassword(field)
	}
	_, err := s.checkPassword(ctx, actionPassword, a.ID.String(), a, normalizePassword(password))
	if errs.CodeOf(err) == InvalidCredentials {
		return errPassword(field)
	}
	return err
}

// withCode runs use, which takes a code of the account, and counts it where that fails with
// INVALID_CODE. It fails with THROTTLED instead after many failures.
func (s *Service) withCode(ctx context.Context, a *Account, use func() (*Account, []uuid.UUID, error)) (*Account, []uuid.UUID, error) {
	t, err := s.takeFailure(ctx, actionCode, a.ID.String(), a)
	if err != nil {
		return nil, nil, err
	}
	changed, ended, err := use()
	switch {
	case err == nil:
		t.succeed(ctx)
	case errs.CodeOf(err) != InvalidCode:
		t.give(ctx)
	}
	return changed, ended, err
}

// challenge gives a sign-in whose password was right a challenge. It fails with errHashChanged.
func (s *Service) challenge(ctx context.Context, a *Account) (*Challenge, error) {
	now := s.now()
	secret, digest := newSecret()
	expires := now.Add(s.config.ChallengeTTL)
	_, _, err := s.store.AccountUpdate(ctx, a.ID, func(locked *Account) error {
		if locked.PasswordHash != a.PasswordHash || locked.SecondFactorAt == nil {
			return errHashChanged
		}
		locked.Effects.Tokens = append(locked.Effects.Tokens, Token{Digest: digest, Purpose: ChallengeToken, CreatedAt: now, ExpiresAt: expires})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &Challenge{Token: secret, ExpiresAt: expires}, nil
}

// ConfirmSignIn opens the session of a challenge by a code of the second factor, or a recovery code. It
// fails with INVALID_TOKEN, INVALID_CODE or THROTTLED. Whoever holds the challenge may call it.
func (s *Service) ConfirmSignIn(ctx context.Context, challenge, code, cartToken string) (*SignedIn, error) {
	t, err := s.takeToken(ctx)
	if err != nil {
		return nil, err
	}
	now, digest := s.now(), digestOf(challenge)
	a, err := s.store.AccountGetByToken(ctx, ChallengeToken, digest, now)
	if errs.CodeOf(err) == errs.NotFound {
		return nil, errToken("challenge")
	}
	t.give(ctx)
	if err != nil {
		return nil, err
	}
	a, _, err = s.withCode(ctx, a, func() (*Account, []uuid.UUID, error) {
		return s.store.AccountUpdateByToken(ctx, ChallengeToken, digest, now, func(a *Account) error {
			return a.useCode(s.vault, normalizeCode(code), now)
		})
	})
	if errs.CodeOf(err) == errs.NotFound {
		return nil, errToken("challenge")
	}
	if err != nil {
		return nil, err
	}
	signed, err := s.openSession(ctx, a)
	if errors.Is(err, errHashChanged) {
		return nil, errToken("challenge")
	}
	if err == nil && cartToken != "" && s.carts != nil {
		signed.CartFault = s.mergeCart(ctx, signed, cartToken)
	}
	return signed, err
}
