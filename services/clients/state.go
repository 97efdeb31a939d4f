package clients

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"
	"time"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// Bounds of a client.
const (
	maxKeys    = 10                  // that are good at the same time
	MaxOverlap = 90 * 24 * time.Hour // of an old key with the new one
)

const (
	keyPrefix  = "tm_"
	keyBytes   = 32
	hintLength = len(keyPrefix) + 8
)

var keyAlphabet = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newKey makes a key: 256 random bits behind a prefix by which scanners for leaked secrets know it.
func newKey(now time.Time) (text string, k Key) {
	b := make([]byte, keyBytes)
	_, _ = rand.Read(b) // never fails
	text = keyPrefix + keyAlphabet.EncodeToString(b)
	return text, Key{Hash: HashOf(text), Hint: text[:hintLength], CreatedAt: now}
}

// HashOf gives the hash of a key or of a document's text.
func HashOf(text string) Hash { return sha256.Sum256([]byte(text)) }

// GoodAt tells whether the key is good at a time.
func (k Key) GoodAt(now time.Time) bool {
	return k.RevokedAt.IsZero() && (k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt))
}

// Active tells whether the client is in use.
func (c *Client) Active() bool { return c.RevokedAt.IsZero() }

// Rotate adds a key and lets every other one end after the overlap. It fails with INVALID_STATE for
// a revoked client, and with LIMIT_EXCEEDED where too many keys are good.
func (c *Client) Rotate(k Key, overlap time.Duration, now time.Time) error {
	if err := c.mustBeActive(); err != nil {
		return err
	}
	good, end := 0, now.Add(overlap)
	for i, old := range c.Keys {
		if !old.GoodAt(now) {
			continue
		}
		good++
		if old.ExpiresAt.IsZero() || end.Before(old.ExpiresAt) {
			c.Keys[i].ExpiresAt = end
		}
	}
	if good >= maxKeys && overlap > 0 {
		return errs.Newf(errs.LimitExceeded, "%s has %d keys that are good: revoke some, or rotate with --overlap=0s.", c.Name, good)
	}
	c.Keys = append(c.Keys, k)
	c.UpdatedAt = now
	return nil
}

// Revoke ends the client with all its keys, at once and for good.
func (c *Client) Revoke(now time.Time) {
	if !c.Active() {
		return
	}
	c.RevokedAt, c.UpdatedAt = now, now
	for i := range c.Keys {
		if c.Keys[i].RevokedAt.IsZero() {
			c.Keys[i].RevokedAt = now
		}
	}
}

// RevokeKey ends one key at once. The hint is how the key begins, or the whole key. It fails with NOT_FOUND.
func (c *Client) RevokeKey(hint string, now time.Time) error {
	i := slices.IndexFunc(c.Keys, func(k Key) bool { return k.Hint == hint || k.Hash == HashOf(hint) })
	if i < 0 {
		return errs.At(errs.NotFound, c.Name+" has no such key; `techmart clients list` shows how its keys begin.", "key")
	}
	if c.Keys[i].RevokedAt.IsZero() {
		c.Keys[i].RevokedAt, c.UpdatedAt = now, now
	}
	return nil
}

// SetMode changes which documents the client may run. It fails with INVALID and INVALID_STATE.
func (c *Client) SetMode(m Mode, now time.Time) error {
	if !m.Known() {
		return errs.At(errs.Invalid, "A mode is open, log, prefer or only.", "mode")
	}
	if err := c.mustBeActive(); err != nil {
		return err
	}
	c.Mode, c.UpdatedAt = m, now
	return nil
}

// SetScopes changes what the client may do without an account. It fails with INVALID and INVALID_STATE.
func (c *Client) SetScopes(scopes []viewer.Scope, now time.Time) error {
	var faults errs.Collector
	checkScopes(&faults, scopes)
	if err := faults.Err(); err != nil {
		return err
	}
	if err := c.mustBeActive(); err != nil {
		return err
	}
	c.Scopes, c.UpdatedAt = slices.Compact(slices.Sorted(slices.Values(scopes))), now
	return nil
}

func (c *Client) mustBeActive() error {
	if !c.Active() {
		return errs.At(errs.InvalidState, c.Name+" is revoked. Make a new client.", "name")
	}
	return nil
}

func checkScopes(faults *errs.Collector, scopes []viewer.Scope) {
	for _, s := range scopes {
		if !slices.Contains(viewer.Scopes(), s) {
			faults.Addf([]string{"scopes"}, errs.Invalid, "There is no scope %q; there are %s.", s, list(viewer.Scopes()))
		}
	}
}

func list(scopes []viewer.Scope) string {
	texts := make([]string, len(scopes))
	for i, s := range scopes {
		texts[i] = string(s)
	}
	return strings.Join(texts, ", ")
}
