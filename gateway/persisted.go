package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// persistedInProcess bounds the persisted queries that a process remembers without asking the store.
const persistedInProcess = 1000

// persisted answers automatic persisted queries (Apollo's protocol, version 1): a client sends the
// SHA-256 of a document, and the document itself only when told that it is not known. Only
// documents that passed validation and all limits are kept.
type persisted struct {
	extension
	local graphql.Cache[string]
	store Store // nil for none
	ttl   time.Duration
	log   *slog.Logger
}

func newPersisted(store Store, ttl time.Duration, log *slog.Logger) persisted {
	return persisted{local: lru.New[string](persistedInProcess), store: store, ttl: ttl, log: log}
}

// ExtensionName names the extension.
func (persisted) ExtensionName() string { return "PersistedQueries" }

// persistKey is where the hash of a document waits until the document is known to be good.
const persistKey = "Persist"

// MutateOperationParameters puts the document in the place of its hash.
func (p persisted) MutateOperationParameters(ctx context.Context, params *graphql.RawParams) *gqlerror.Error {
	raw, ok := params.Extensions["persistedQuery"]
	if !ok || raw == nil {
		return nil
	}
	fields, _ := raw.(map[string]any)
	hash, _ := fields["sha256Hash"].(string)
	version, _ := fields["version"].(interface{ Int64() (int64, error) })
	if n, err := version1(version); err != nil || n != 1 || !isHash(hash) {
		return coded(codeBadRequest, "extensions.persistedQuery needs version 1 and a sha256Hash.")
	}
	if params.Query == "" {
		text, found := p.find(ctx, hash)
		if !found {
			return &gqlerror.Error{Message: "PersistedQueryNotFound", Extensions: map[string]any{"code": codeNotPersisted}}
		}
		params.Query = text
		return nil
	}
	if sum := sha256.Sum256([]byte(params.Query)); hex.EncodeToString(sum[:]) != hash {
		return coded(codeHashMismatch, "The hash is not that of the query.")
	}
	graphql.GetOperationContext(ctx).Stats.SetExtension(persistKey, hash)
	return nil
}

// MutateOperationContext keeps a document that has just been validated.
func (p persisted) MutateOperationContext(ctx context.Context, op *graphql.OperationContext) *gqlerror.Error {
	hash, ok := op.Stats.GetExtension(persistKey).(string)
	if !ok || len(op.RawQuery) > maxCachedDocument {
		return nil
	}
	p.local.Add(ctx, hash, op.RawQuery)
	if p.store != nil {
		if err := p.store.Put(ctx, hash, op.RawQuery, p.ttl); err != nil {
			p.log.WarnContext(ctx, "persisted query not stored", "error", err)
		}
	}
	return nil
}

// find looks in the process, then in the store. A store that does not answer is a miss: the client
// sends the document.
func (p persisted) find(ctx context.Context, hash string) (string, bool) {
	if text, ok := p.local.Get(ctx, hash); ok {
		return text, true
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
	p.local.Add(ctx, hash, text)
	return text, true
}

func version1(n interface{ Int64() (int64, error) }) (int64, error) {
	if n == nil {
		return 0, nil
	}
	return n.Int64()
}

func isHash(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size
}
