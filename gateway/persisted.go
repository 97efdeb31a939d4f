package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"time"

	"github.com/99designs/gqlgen/graphql"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// persistedInProcess bounds the persisted queries that a process remembers without asking the store.
const persistedInProcess = 1000

// persisted keeps automatic persisted queries (Apollo's protocol, version 1): a client sends the
// SHA-256 of a document, and the document itself only when told that it is not known. Only
// documents that passed validation and all limits are kept. As an extension it goes last.
type persisted struct {
	extension
	local *lru.Cache[string, kept]
	store Store // nil for none
	ttl   time.Duration
	log   *slog.Logger
}

// kept is a text that this process remembers.
type kept struct {
	text  string
	until time.Time
}

func newPersisted(store Store, ttl time.Duration, log *slog.Logger) persisted {
	p := persisted{store: store, ttl: ttl, log: log}
	p.local, _ = lru.New[string, kept](persistedInProcess) // fails for sizes below 1 only
	return p
}

// ExtensionName names the extension.
func (persisted) ExtensionName() string { return "PersistedQueries" }

// MutateOperationContext keeps a document that has just been found good.
func (p persisted) MutateOperationContext(ctx context.Context, op *graphql.OperationContext) *gqlerror.Error {
	hash, ok := op.Stats.GetExtension(keepKey).(string)
	if !ok || len(op.RawQuery) > maxCachedDocument {
		return nil
	}
	p.remember(hash, op.RawQuery)
	if p.store != nil {
		if err := p.store.Put(ctx, hash, op.RawQuery, p.ttl); err != nil {
			p.log.WarnContext(ctx, "persisted query not stored", "error", err)
		}
	}
	return nil
}

func (p persisted) remember(hash, text string) {
	p.local.Add(hash, kept{text, time.Now().Add(p.ttl)})
}

// find looks in the process, then in the store. A store that does not answer is a miss: the client
// sends the document.
func (p persisted) find(ctx context.Context, hash string) (string, bool) {
	if one, ok := p.local.Get(hash); ok && time.Now().Before(one.until) {
		return one.text, true
	}
	if p.store == nil {
		return "", false
	}
	text, found, err := p.store.Get(ctx, hash)
	if err != nil {
		p.log.WarnContext(ctx, "persisted query not read", "error", err)
		return "", false
	}
	if sum := sha256.Sum256([]byte(text)); !found || hex.EncodeToString(sum[:]) != hash {
		return "", false
	}
	p.remember(hash, text)
	return text, true
}

func version1(n interface{ Int64() (int64, error) }) (int64, error) {
	if n == nil {
		return 0, nil
	}
	return n.Int64()
}
