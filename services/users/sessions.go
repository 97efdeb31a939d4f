package users

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// maxListedSessions bounds the list of an account's sessions.
const maxListedSessions = 100

// Credentials is the input of SignIn.
type Credentials struct {
	Email     string
	Password  string
	Code      string // of the second factor; empty to be asked for it by a challenge
	CartToken string // of an anonymous cart; empty for none
}

// SignedIn is what a sign-in gives: a session, or a challenge and nothing else.
type SignedIn struct {
	Challenge *Challenge // set where a code of the second factor is needed yet
	User      *User
	SessionID uuid.UUID
	Tokens    Tokens
	CartFault error // why the lines of the anonymous cart did not move; nil where they did or there was none
}

// SignIn opens a session, or gives a challenge where the account has a second factor and no code came
// along. It fails with INVALID_CREDENTIALS, the same way and after the same work whether the account is
// unknown or the password wrong, with INVALID_CODE, and with THROTTLED after many failures. Anyone may
// call it.
func (s *Service) SignIn(ctx context.Context, in Credentials) (*SignedIn, error) {
	email := normalizeEmail(in.Email)
	if len(email) > maxEmail || len(in.Password) > maxPasswordBytes {
		return nil, errCredentials()
	}
	password := normalizePassword(in.Password)
	for range signInTries {
		signed, err := s.signIn(ctx, email, password, in.Code)
		if errors.Is(err, errHashChanged) {
			continue
		}
		if err == nil && signed.Challenge == nil && in.CartToken != "" && s.carts != nil {
			signed.CartFault = s.mergeCart(ctx, signed, in.CartToken)
		}
		return signed, err
	}
	return nil, errCredentials()
}

// signInTries bounds how often a sign-in looks at the account anew, because its password hash changed
// after it was checked: by a change of the password, or as another sign-in made it anew.
const signInTries = 3

var errHashChanged = errors.New("users: the password hash has changed since it was checked")

func (s *Service) signIn(ctx context.Context, email, password, code string) (*SignedIn, error) {
	a, err := s.store.AccountGetByEmail(ctx, email)
	if errs.CodeOf(err) == errs.NotFound {
		a = &Account{}
	} else if err != nil {
		return nil, err
	}
	outdated, err := s.checkPassword(ctx, actionSignIn, email, a, password)
	if err != nil {
		return nil, err
	}
	if outdated {
		if a.PasswordHash, err = s.rehash(ctx, a, password); err != nil {
			return nil, err
		}
	}
	if a.SecondFactorAt == nil {
		return s.openSession(ctx, a)
	}
	if code == "" {
		challenge, err := s.challenge(ctx, a)
		if err != nil {
			return nil, err
		}
		return &SignedIn{Challenge: challenge}, nil
	}
	a, _, err = s.withCode(ctx, a, func() (*Account, []uuid.UUID, error) {
		return s.store.AccountUpdate(ctx, a.ID, func(locked *Account) error {
			if locked.PasswordHash != a.PasswordHash || locked.SecondFactorAt == nil {
				return errHashChanged
			}
			return locked.useCode(s.vault, normalizeCode(code), s.now())
		})
	})
	if err != nil {
		return nil, err
	}
	return s.openSession(ctx, a)
}

// checkPassword checks a password of an account, zero for an unknown one, and counts failures with the
// subject. It fails with INVALID_CREDENTIALS or THROTTLED.
func (s *Service) checkPassword(ctx context.Context, action, subject string, a *Account, password string) (outdated bool, err error) {
	t, err := s.takeFailure(ctx, action, subject, a)
	if err != nil {
		return false, err
	}
	match, outdated, err := s.passwords.Check(ctx, password, a.PasswordHash)
	switch {
	case err != nil:
		t.give(ctx)
		return false, err
	case !match:
		return false, errCredentials()
	}
	t.succeed(ctx)
	return outdated, nil
}

// rehash makes the hash anew with today's parameters. It fails with errHashChanged.
func (s *Service) rehash(ctx context.Context, verified *Account, password string) (string, error) {
	hash, err := s.passwords.Hash(ctx, password)
	if err != nil {
		return "", err
	}
	a, _, err := s.store.AccountUpdate(ctx, verified.ID, func(a *Account) error {
		if a.PasswordHash == verified.PasswordHash {
			a.PasswordHash = hash
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if a.PasswordHash != hash {
		return "", errHashChanged
	}
	return hash, nil
}

func (s *Service) openSession(ctx context.Context, a *Account) (*SignedIn, error) {
	now, client := s.now(), clientFrom(ctx)
	expires := now.Add(min(s.config.SessionIdle, s.config.SessionMax))
	session := &Session{
		ID: newID(), UserID: a.ID, CreatedAt: now, LastUsedAt: now, ExpiresAt: expires,
		UserAgent: shorten(client.UserAgent, maxUserAgent), IPAddress: shorten(client.IPAddress, maxUserAgent),
	}
	secret, digest := newSecret()
	user, err := s.store.SessionCreate(ctx, session, RefreshToken{Digest: digest, CreatedAt: now, ExpiresAt: expires}, a.PasswordHash, a.SecondFactorAt)
	if errs.CodeOf(err) == errs.NotFound {
		return nil, errHashChanged
	}
	if err != nil {
		return nil, err
	}
	tokens, err := s.tokens(user, session, secret, now)
	if err != nil {
		return nil, err
	}
	return &SignedIn{User: user, SessionID: session.ID, Tokens: tokens}, nil
}

func (s *Service) tokens(u *User, session *Session, refresh string, now time.Time) (Tokens, error) {
	expires := now.Add(s.config.AccessTTL)
	if expires.After(session.ExpiresAt) {
		expires = session.ExpiresAt
	}
	access, err := s.keys.Sign(viewer.Viewer{UserID: u.ID, SessionID: session.ID, Scopes: Scopes(u.Roles)}, now, expires)
	if err != nil {
		return Tokens{}, err
	}
	return Tokens{AccessToken: access, AccessExpiresAt: expires, RefreshToken: refresh, RefreshExpiresAt: session.ExpiresAt}, nil
}

func (s *Service) mergeCart(ctx context.Context, signed *SignedIn, token string) error {
	ctx = viewer.NewContext(ctx, viewer.Viewer{UserID: signed.User.ID, SessionID: signed.SessionID, Scopes: Scopes(signed.User.Roles)})
	err := s.carts.Merge(ctx, signed.User.ID, token)
	switch code := errs.CodeOf(err); {
	case err == nil, code == errs.NotFound: // the cart is gone: nothing to lose
		return nil
	case code == errs.LimitExceeded:
		return errs.At(code, "The carts are too large to become one: remove lines, then merge them.", "cartToken")
	}
	s.log.ErrorContext(ctx, "users: the cart was not merged at sign-in", "error", err)
	return errs.At(errs.InFlight, "The cart could not be moved right now: merge it again.", "cartToken")
}

// RefreshSession exchanges a refresh token for new tokens. It fails with INVALID_TOKEN; a token that was
// used before ends its session. Whoever holds the token may call it.
func (s *Service) RefreshSession(ctx context.Context, refreshToken string) (*Tokens, error) {
	now := s.now()
	secret, digest := newSecret()
	var (
		r            *Refresh
		good, reused bool
	)
	err := s.store.SessionRefresh(ctx, digestOf(refreshToken), func(found *Refresh) error {
		r = found
		expires := now.Add(s.config.SessionIdle)
		if end := r.Session.CreatedAt.Add(s.config.SessionMax); end.Before(expires) {
			expires = end
		}
		good, reused = r.rotate(RefreshToken{Digest: digest, CreatedAt: now, ExpiresAt: expires}, now)
		return nil
	})
	if errs.CodeOf(err) == errs.NotFound {
		return nil, errToken("refreshToken")
	}
	if err != nil {
		return nil, err
	}
	if reused {
		s.log.WarnContext(ctx, "users: a refresh token came twice, its session has ended", "session", r.Session.ID, "user", r.User.ID)
		s.revocations.revoke(ctx, s.revokeUntil(now), r.Session.ID)
	}
	if !good {
		return nil, errToken("refreshToken")
	}
	tokens, err := s.tokens(&r.User, &r.Session, secret, now)
	if err != nil {
		return nil, err
	}
	return &tokens, nil
}

// revokeUntil is when the last access token of a session that ended at the time has ended too.
func (s *Service) revokeUntil(now time.Time) time.Time {
	return now.Add(s.config.AccessTTL + time.Minute)
}

// RevokeSession ends a session of the viewer, the current one for nil, and gives its id. It fails with
// UNAUTHENTICATED or NOT_FOUND.
func (s *Service) RevokeSession(ctx context.Context, sessionID *uuid.UUID) (uuid.UUID, error) {
	v := viewer.FromContext(ctx)
	if err := v.RequireAccount(); err != nil {
		return uuid.Nil, err
	}
	id := v.SessionID
	if sessionID != nil {
		id = *sessionID
	}
	now := s.now()
	if err := s.store.SessionRevoke(ctx, v.UserID, id, now); err != nil {
		if errs.CodeOf(err) == errs.NotFound {
			return uuid.Nil, errNotFound("sessionId")
		}
		return uuid.Nil, err
	}
	s.revocations.revoke(ctx, s.revokeUntil(now), id)
	return id, nil
}

// RevokeAllSessions ends the viewer's sessions, the current one too unless keepCurrent, and gives their
// number. It fails with UNAUTHENTICATED.
func (s *Service) RevokeAllSessions(ctx context.Context, keepCurrent bool) (int, error) {
	v := viewer.FromContext(ctx)
	if err := v.RequireAccount(); err != nil {
		return 0, err
	}
	keep := uuid.Nil
	if keepCurrent {
		keep = v.SessionID
	}
	now := s.now()
	ids, err := s.store.SessionRevokeAll(ctx, v.UserID, keep, now)
	if err != nil {
		return 0, err
	}
	s.revocations.revoke(ctx, s.revokeUntil(now), ids...)
	return len(ids), nil
}

// SessionsByUser gives the newest sessions that are signed in, newest first, by account; only the
// viewer's own.
func (s *Service) SessionsByUser(ctx context.Context, userIDs []uuid.UUID) (map[uuid.UUID][]*Session, error) {
	v := viewer.FromContext(ctx)
	out := make(map[uuid.UUID][]*Session, len(userIDs))
	var own []uuid.UUID
	for _, id := range userIDs {
		out[id] = nil
		if v.Is(id) {
			own = []uuid.UUID{id}
		}
	}
	// Asked for nobody too, so that the cost of a list of accounts does not depend on who is in it.
	list, err := s.store.SessionListByUsers(ctx, own, s.now(), maxListedSessions)
	if err != nil {
		return nil, err
	}
	for _, session := range list {
		out[session.UserID] = append(out[session.UserID], session)
	}
	return out, nil
}

// SessionsByID gives the sessions that are signed in, by id; only the viewer's own.
func (s *Service) SessionsByID(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Session, error) {
	v := viewer.FromContext(ctx)
	out := make(map[uuid.UUID]*Session, len(ids))
	if v.UserID == uuid.Nil {
		return out, nil
	}
	list, err := s.store.SessionListByIDs(ctx, v.UserID, ids, s.now())
	if err != nil {
		return nil, err
	}
	for _, session := range list {
		out[session.ID] = session
	}
	return out, nil
}
