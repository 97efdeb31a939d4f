package users

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// Authenticate gives the viewer of an access token. It fails with UNAUTHENTICATED where the token is not
// good or its session has ended, and with UNAVAILABLE where that cannot be told. The token's session is
// looked up once, in the revocations, or in the store while they do not answer.
func (s *Service) Authenticate(ctx context.Context, accessToken string) (viewer.Viewer, error) {
	now := s.now()
	v, err := s.verified.verify(s.keys, accessToken, now)
	if err != nil {
		s.log.DebugContext(ctx, "access token refused", "error", err)
		return viewer.Viewer{}, errUnauthenticated()
	}
	if err := s.Active(ctx, v); err != nil {
		return viewer.Viewer{}, err
	}
	return v, nil
}

// Active tells whether the session of a viewer whose token was good still lasts. It fails with
// UNAUTHENTICATED once the session was ended, and with UNAVAILABLE where that cannot be told.
func (s *Service) Active(ctx context.Context, v viewer.Viewer) error {
	if v.System {
		return nil
	}
	revoked, err := s.revocations.revoked(ctx, v.SessionID, s.now())
	if err != nil {
		return err
	}
	if revoked {
		return errUnauthenticated()
	}
	return nil
}

// JWKS gives the public keys of access tokens as a JSON Web Key Set.
func (s *Service) JWKS() []byte { return s.keys.JWKS() }

// RestoreRevocations remembers anew the sessions that ended while access tokens of theirs may still
// live. Run it at the start and every minute: it mends what was lost while the revocations were away.
func (s *Service) RestoreRevocations(ctx context.Context) error {
	if s.revocations.remote == nil {
		return nil
	}
	now := s.now()
	var after uuid.UUID
	for {
		ids, err := s.store.SessionListRevoked(ctx, now.Add(-s.config.AccessTTL), after, restoreBatch)
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := s.revocations.remote.Revoke(ctx, now.Add(s.config.AccessTTL), ids...); err != nil {
			return err
		}
		after = ids[len(ids)-1]
	}
}

const (
	restoreBatch    = 1000
	remoteTimeout   = 300 * time.Millisecond
	remoteRest      = time.Second // for which revocations that failed are not asked again
	fallbackTimeout = time.Second
	fallbackTurns   = 4 // look-ups in the store at a time, which serves others too
)

// revocations asks the remote revocations whether a session has ended, and the store while they are away.
type revocations struct {
	remote    Revocations // nil for none
	store     Store
	clock     func() time.Time
	log       *slog.Logger
	restUntil atomic.Int64 // Unix nanoseconds
	turns     chan struct{}
}

func newRevocations(remote Revocations, store Store, clock func() time.Time, log *slog.Logger) *revocations {
	return &revocations{remote: remote, store: store, clock: clock, log: log, turns: make(chan struct{}, fallbackTurns)}
}

// revoke remembers sessions that have ended in the store already. A failure is logged only: while the
// revocations are away the store is asked, and RestoreRevocations tells them afterwards.
func (r *revocations) revoke(ctx context.Context, until time.Time, ids ...uuid.UUID) {
	if r.remote == nil || len(ids) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fallbackTimeout)
	defer cancel()
	if err := r.remote.Revoke(ctx, until, ids...); err != nil {
		r.rest()
		r.log.ErrorContext(ctx, "users: sessions ended, but the revocations do not know yet", "sessions", len(ids), "error", err)
	}
}

func (r *revocations) rest() { r.restUntil.Store(r.clock().Add(remoteRest).UnixNano()) }

func (r *revocations) revoked(ctx context.Context, id uuid.UUID, now time.Time) (bool, error) {
	if r.remote != nil && r.clock().UnixNano() >= r.restUntil.Load() {
		asking, cancel := context.WithTimeout(ctx, remoteTimeout)
		revoked, err := r.remote.Revoked(asking, id)
		cancel()
		if err == nil {
			return revoked, nil
		}
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		r.rest()
		r.log.WarnContext(ctx, "users: the revocations do not answer, asking the store", "error", err)
	}
	asking, cancel := context.WithTimeout(ctx, fallbackTimeout)
	defer cancel()
	select {
	case r.turns <- struct{}{}:
		defer func() { <-r.turns }()
	case <-asking.Done():
		return false, unavailable(asking.Err())
	}
	active, err := r.store.SessionActive(asking, id, now)
	if err != nil {
		return false, unavailable(err)
	}
	return !active, nil
}

func unavailable(cause error) error {
	e := errs.New(errs.Unavailable, "The session cannot be checked right now: try again in a moment.")
	e.Cause = cause
	return e
}
