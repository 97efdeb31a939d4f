package users

import (
	"crypto/sha256"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/techmart/techmart/services/viewer"
)

// maxVerified bounds the access tokens that a process remembers to have verified.
const maxVerified = 10_000

// verified remembers access tokens whose signature was right, so that a client that sends one token
// with every request has it verified once. It holds digests, no tokens. Only what cannot change is
// remembered: that a token ends, and that its session may have ended, is looked at each time.
type verified struct {
	tokens *lru.Cache[[sha256.Size]byte, viewer.Viewer]
}

func newVerified() verified {
	tokens, err := lru.New[[sha256.Size]byte, viewer.Viewer](maxVerified)
	if err != nil {
		panic("users: a cache of a fixed size: " + err.Error())
	}
	return verified{tokens}
}

// verify gives the viewer of a token, verified now or before.
func (k verified) verify(keys *KeySet, token string, now time.Time) (viewer.Viewer, error) {
	digest := sha256.Sum256([]byte(token))
	if v, known := k.tokens.Get(digest); known && now.Before(v.ExpiresAt) {
		v.Scopes = slices.Clone(v.Scopes)
		return v, nil
	}
	v, err := keys.Verify(token, now)
	if err == nil {
		kept := v
		kept.Scopes = slices.Clone(v.Scopes)
		k.tokens.Add(digest, kept)
	}
	return v, err
}
