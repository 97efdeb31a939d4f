package clients

import (
	"context"
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// program lets only the program itself pass: clients are managed from the command line.
func program(ctx context.Context) error {
	if !viewer.FromContext(ctx).System {
		return errs.New(errs.Forbidden, "API clients are managed by the shop's operators.")
	}
	return nil
}

// Create makes a client with its first key, which is given once and never again. It fails with
// INVALID for each wrong value and with TAKEN.
func (s *Service) Create(ctx context.Context, name string, mode Mode, scopes []viewer.Scope) (c *Client, key string, err error) {
	if err := program(ctx); err != nil {
		return nil, "", err
	}
	var faults errs.Collector
	if !nameForm.MatchString(name) {
		faults.Add(errs.Invalid, "A name has up to 63 of a-z, 0-9, dot, dash and underscore, and begins with a letter or digit.", "name")
	}
	if !mode.Known() {
		faults.Add(errs.Invalid, "A mode is open, log, prefer or only.", "mode")
	}
	checkScopes(&faults, scopes)
	if err := faults.Err(); err != nil {
		return nil, "", err
	}
	now := s.now()
	key, first := newKey(now)
	c = &Client{
		ID: uuid.Must(uuid.NewV7()), Name: name, Mode: mode, Scopes: slices.Compact(slices.Sorted(slices.Values(scopes))),
		Keys: []Key{first}, CreatedAt: now, UpdatedAt: now,
	}
	if err := s.store.Create(ctx, c); err != nil {
		return nil, "", err
	}
	s.log.InfoContext(ctx, "API client created", "client", name, "mode", mode, "key", first.Hint)
	return c, key, nil
}

// List gives all clients, revoked ones too, by name.
func (s *Service) List(ctx context.Context) ([]*Client, error) {
	if err := program(ctx); err != nil {
		return nil, err
	}
	return s.store.Clients(ctx)
}

// Rotate gives a client a new key, which is given once and never again; the others stay good for the
// overlap. It fails with NOT_FOUND, OUT_OF_RANGE, INVALID_STATE and LIMIT_EXCEEDED.
func (s *Service) Rotate(ctx context.Context, name string, overlap time.Duration) (key string, err error) {
	if err := program(ctx); err != nil {
		return "", err
	}
	if overlap < 0 || overlap > MaxOverlap {
		return "", errs.At(errs.OutOfRange, "The overlap is from 0s to 2160h (90 days).", "overlap")
	}
	now := s.now()
	key, fresh := newKey(now)
	if _, err := s.store.Update(ctx, name, func(c *Client) error { return c.Rotate(fresh, overlap, now) }); err != nil {
		return "", err
	}
	s.log.InfoContext(ctx, "API key rotated", "client", name, "key", fresh.Hint, "overlap", overlap)
	return key, nil
}

// Revoke ends a client with all its keys, or only the key that begins with the hint where that is
// not empty. It fails with NOT_FOUND.
func (s *Service) Revoke(ctx context.Context, name, hint string) error {
	return s.update(ctx, name, "API key revoked", func(c *Client, now time.Time) error {
		if hint != "" {
			return c.RevokeKey(hint, now)
		}
		c.Revoke(now)
		return nil
	})
}

// SetMode changes which documents a client may run. It fails with NOT_FOUND, INVALID and INVALID_STATE.
func (s *Service) SetMode(ctx context.Context, name string, m Mode) error {
	return s.update(ctx, name, "mode of an API client changed", func(c *Client, now time.Time) error { return c.SetMode(m, now) })
}

// SetScopes changes what a client may do without an account. It fails with NOT_FOUND, INVALID and
// INVALID_STATE.
func (s *Service) SetScopes(ctx context.Context, name string, scopes []viewer.Scope) error {
	return s.update(ctx, name, "scopes of an API client changed", func(c *Client, now time.Time) error { return c.SetScopes(scopes, now) })
}

func (s *Service) update(ctx context.Context, name, what string, change func(*Client, time.Time) error) error {
	if err := program(ctx); err != nil {
		return err
	}
	now := s.now()
	c, err := s.store.Update(ctx, name, func(c *Client) error { return change(c, now) })
	if err != nil {
		return err
	}
	s.log.InfoContext(ctx, what, "client", name, "mode", c.Mode, "active", c.Active())
	return nil
}
