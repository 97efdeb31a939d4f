package users

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
)

// Registration is the input of Register.
type Registration struct {
	Email       string
	Password    string
	DisplayName string
}

// Register opens an account and sends a verification token to its address. Where the address has an
// account, its owner gets a message instead, and the caller the same answer after the same work. It
// fails with the faults of the input, or THROTTLED. Anyone may call it.
func (s *Service) Register(ctx context.Context, in Registration) error {
	defer s.floor(ctx)()
	var c errs.Collector
	email := checkEmail(&c, in.Email, "email")
	name := checkText(&c, in.DisplayName, true, maxDisplayName, "displayName")
	password := normalizePassword(in.Password)
	checkPassword(&c, password, email, name, "password")
	if err := c.Err(); err != nil {
		return err
	}
	if err := s.takeRequest(ctx, actionRegister, email); err != nil {
		return err
	}
	hash, err := s.passwords.Hash(ctx, password)
	if err != nil {
		return err
	}
	now := s.now()
	a := &Account{
		User:         User{ID: newID(), Email: email, DisplayName: name, Roles: []Role{Customer}, CreatedAt: now, UpdatedAt: now, Version: 1},
		PasswordHash: hash,
		MailsSince:   now,
		Mails:        1,
	}
	secret, digest := newSecret()
	a.issue(EventRegistered, secret, Token{Digest: digest, Purpose: VerifyEmail, CreatedAt: now, ExpiresAt: now.Add(s.config.VerificationTTL)})
	err = s.store.AccountCreate(ctx, a)
	if !errs.Is(err, errs.Taken) {
		return err
	}
	return s.mail(ctx, email, EventRegistrationAttempted, func(a *Account) { a.emit(EventRegistrationAttempted) })
}

// RequestEmailVerification sends a new verification token to an address that waits for one; the answer
// is the same for any address. It fails with THROTTLED after many requests. Anyone may call it.
func (s *Service) RequestEmailVerification(ctx context.Context, email string) error {
	return s.requestToken(ctx, actionVerify, email, VerifyEmail, EventEmailVerificationRequested, s.config.VerificationTTL)
}

// RequestPasswordReset sends a reset token; the answer is the same for any address. It fails with
// THROTTLED after many requests. Anyone may call it.
func (s *Service) RequestPasswordReset(ctx context.Context, email string) error {
	return s.requestToken(ctx, actionReset, email, ResetPassword, EventPasswordResetRequested, s.config.ResetTTL)
}

func (s *Service) requestToken(ctx context.Context, action, email string, purpose TokenPurpose, eventType string, life time.Duration) error {
	defer s.floor(ctx)()
	var c errs.Collector
	email = checkEmail(&c, email, "email")
	if err := c.Err(); err != nil {
		return err
	}
	if err := s.takeRequest(ctx, action, email); err != nil {
		return err
	}
	now := s.now()
	secret, digest := newSecret()
	return s.mail(ctx, email, eventType, func(a *Account) {
		if purpose == VerifyEmail && a.EmailVerified() {
			return
		}
		a.issue(eventType, secret, Token{Digest: digest, Purpose: purpose, CreatedAt: now, ExpiresAt: now.Add(life)})
	})
}

// mail lets send put a message into the effects of the account of an address, unless there is none, or
// it got too many of late.
func (s *Service) mail(ctx context.Context, email, eventType string, send func(*Account)) error {
	found, err := s.store.AccountGetByEmail(ctx, email)
	if err == nil {
		_, _, err = s.store.AccountUpdate(ctx, found.ID, func(a *Account) error {
			if a.takeMail(eventType, s.now()) {
				send(a)
			}
			return nil
		})
	}
	if errs.CodeOf(err) == errs.NotFound {
		return nil
	}
	return err
}

// VerifyEmail proves an e-mail address by the token that was sent to it. It fails with INVALID_TOKEN, or
// THROTTLED. Whoever holds the token may call it.
func (s *Service) VerifyEmail(ctx context.Context, token string) (*User, error) {
	t, err := s.takeToken(ctx)
	if err != nil {
		return nil, err
	}
	now := s.now()
	a, _, err := s.store.AccountUpdateByToken(ctx, VerifyEmail, digestOf(token), now, func(a *Account) error {
		a.verifyEmail(now)
		return nil
	})
	if errs.CodeOf(err) == errs.NotFound {
		return nil, errToken("token")
	}
	t.give(ctx)
	if err != nil {
		return nil, err
	}
	return &a.User, nil
}

// floor gives a function that waits until the answer has taken its least time.
func (s *Service) floor(ctx context.Context) func() {
	if s.config.AnswerFloor < 0 {
		return func() {}
	}
	timer := time.NewTimer(s.config.AnswerFloor)
	return func() {
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }
