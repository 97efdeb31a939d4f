package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/techmart/techmart/graph/request"
	"github.com/techmart/techmart/services/errs"
)

// DocumentMode says which documents an API client may run.
type DocumentMode string

// The modes, from the loosest to the strictest.
const (
	DocumentsOpen   DocumentMode = "open"   // any
	DocumentsLog    DocumentMode = "log"    // any; those that are not trusted are logged and counted
	DocumentsPrefer DocumentMode = "prefer" // as log, but what is not trusted is not kept by its hash, and must be cheap
	DocumentsOnly   DocumentMode = "only"   // trusted ones
)

// Documents knows the trusted documents: those that API clients have published.
type Documents interface {
	// Document gives the text that an id of the client, or the SHA-256 of a text of its own in
	// hexadecimal, stands for; for the zero client the text with the hash that any client has
	// published. It fails with NOT_FOUND; any other failure means that it could not be told.
	Document(ctx context.Context, client uuid.UUID, id string) (text string, err error)
	// Trusts tells whether the client has published the text; for the zero client whether any has.
	Trusts(ctx context.Context, client uuid.UUID, text string) (bool, error)
}

// maxDocumentID bounds what is looked up at all.
const maxDocumentID = 256

// documentPolicy puts the document in the place of its id or hash, and lets a client run only what
// it may. It goes before everything that looks at a document, so that nothing can be learnt by
// guessing where only trusted ones run.
type documentPolicy struct {
	extension
	g         *Gateway
	persisted persisted
	counted   *prometheus.CounterVec
	logged    *lru.Cache[string, struct{}] // documents that were logged in this process
}

// maxLoggedDocuments bounds the documents that a process remembers to have logged.
const maxLoggedDocuments = 1000

func newDocumentPolicy(g *Gateway) documentPolicy {
	p := documentPolicy{g: g, persisted: newPersisted(g.deps.Persisted, g.config.PersistedTTL, g.log), counted: g.metrics.documents}
	p.logged, _ = lru.New[string, struct{}](maxLoggedDocuments) // fails for sizes below 1 only
	return p
}

// ExtensionName names the extension.
func (documentPolicy) ExtensionName() string { return "DocumentPolicy" }

// Where a document came from, for the metric.
const (
	documentInline    = "inline"    // the request had it, and nobody asked whether it is trusted
	documentPersisted = "persisted" // by the hash of an automatic persisted query
	documentTrusted   = "trusted"
	documentUntrusted = "untrusted" // it ran all the same
	documentRefused   = "refused"   // it is not trusted
	documentMissing   = "missing"   // its id or hash is not known
)

// untrustedKey and keepKey are where the operation's statistics tell what is to be done with a
// document once it is known to be good.
const (
	untrustedKey = "UntrustedDocument"
	keepKey      = "KeepDocument"
)

// asking is who sends a document.
type asking struct {
	client uuid.UUID // zero for a request without API key
	name   string
	mode   DocumentMode
}

func (p documentPolicy) asking(ctx context.Context) asking {
	if c, ok := clientFrom(ctx); ok {
		return asking{c.ID, c.Name, c.Documents}
	}
	mode := p.g.config.Documents
	if mode == "" || p.g.deps.Documents == nil {
		mode = DocumentsOpen
	}
	return asking{name: "none", mode: mode}
}

// MutateOperationParameters finds the document and refuses one that the client may not run.
func (p documentPolicy) MutateOperationParameters(ctx context.Context, params *graphql.RawParams) *gqlerror.Error {
	ref, fault := referenceOf(params.Extensions)
	if fault != nil {
		return fault
	}
	who := p.asking(ctx)
	if params.Query == "" {
		if ref.id == "" {
			return nil // the executor says that there is no operation
		}
		return p.find(ctx, params, who, ref)
	}
	hash := ""
	if ref.id != "" {
		if !ref.isHash() {
			return coded(codeBadRequest, "Send either the query or its id.")
		}
		if sum := sha256.Sum256([]byte(params.Query)); hex.EncodeToString(sum[:]) != strings.ToLower(ref.id) {
			return coded(codeHashMismatch, "The hash is not that of the query.")
		}
		hash = strings.ToLower(ref.id)
	}
	return p.admit(ctx, params.Query, hash, who)
}

// admit decides on a document that came in full, with its hash where that came too.
func (p documentPolicy) admit(ctx context.Context, text, hash string, who asking) *gqlerror.Error {
	stats := &graphql.GetOperationContext(ctx).Stats
	if who.mode != DocumentsOpen {
		switch trusted, err := p.g.deps.Documents.Trusts(ctx, who.client, text); {
		case err != nil && who.mode == DocumentsOnly:
			return p.unavailable(ctx, err)
		case err != nil:
			p.g.log.WarnContext(ctx, "it could not be told whether a document is trusted", "error", err)
		case trusted:
			p.count(who, documentTrusted)
			return nil
		}
		if fault := p.untrusted(ctx, text, who); fault != nil {
			return fault
		}
	} else {
		p.count(who, documentInline)
	}
	if hash != "" && who.mode != DocumentsPrefer {
		stats.SetExtension(keepKey, hash)
	}
	return nil
}

// untrusted refuses a document that is not trusted, or notes that it runs all the same.
func (p documentPolicy) untrusted(ctx context.Context, text string, who asking) *gqlerror.Error {
	if who.mode == DocumentsOnly {
		p.count(who, documentRefused)
		p.report(ctx, text, who)
		return coded(codeNotTrusted, "Only documents that were published beforehand are run here.")
	}
	p.count(who, documentUntrusted)
	p.report(ctx, text, who)
	if who.mode == DocumentsPrefer {
		graphql.GetOperationContext(ctx).Stats.SetExtension(untrustedKey, true)
	}
	return nil
}

// report logs a document that is not trusted, once in this process for each client. The text is left
// out: it may hold values.
func (p documentPolicy) report(ctx context.Context, text string, who asking) {
	sum := sha256.Sum256([]byte(text))
	hash := hex.EncodeToString(sum[:])
	if known, _ := p.logged.ContainsOrAdd(who.client.String()+hash, struct{}{}); known {
		return
	}
	p.g.log.LogAttrs(ctx, slog.LevelWarn, "a document is not trusted",
		slog.String("requestId", request.FromContext(ctx).ID), slog.String("client", who.name),
		slog.String("mode", string(who.mode)), slog.String("document", hash), slog.Int("bytes", len(text)))
}

// find puts the document in the place of its id or hash.
func (p documentPolicy) find(ctx context.Context, params *graphql.RawParams, who asking, ref reference) *gqlerror.Error {
	if p.g.deps.Documents != nil && (who.client != uuid.Nil || who.mode != DocumentsOpen) {
		text, err := p.g.deps.Documents.Document(ctx, who.client, ref.id)
		switch {
		case err == nil:
			p.count(who, documentTrusted)
			params.Query = text
			return nil
		case !errs.Is(err, errs.NotFound):
			return p.unavailable(ctx, err)
		}
	}
	if ref.isHash() && (who.mode == DocumentsOpen || who.mode == DocumentsLog) {
		if text, found := p.persisted.find(ctx, strings.ToLower(ref.id)); found {
			params.Query = text
			if who.mode == DocumentsOpen {
				p.count(who, documentPersisted)
				return nil
			}
			return p.untrusted(ctx, text, who)
		}
	}
	p.count(who, documentMissing)
	return &gqlerror.Error{Message: "PersistedQueryNotFound", Extensions: map[string]any{"code": codeNotPersisted}}
}

func (p documentPolicy) unavailable(ctx context.Context, err error) *gqlerror.Error {
	p.g.log.ErrorContext(ctx, "trusted documents cannot be read", "requestId", request.FromContext(ctx).ID, "error", err)
	return coded(string(errs.Unavailable), "It cannot be told now whether the document is trusted. Try again.")
}

func (p documentPolicy) count(who asking, kind string) {
	p.counted.WithLabelValues(who.name, kind).Inc()
}

// MutateOperationContext bounds the cost of a validated document that is not trusted.
func (p documentPolicy) MutateOperationContext(_ context.Context, op *graphql.OperationContext) *gqlerror.Error {
	if bounded, _ := op.Stats.GetExtension(untrustedKey).(bool); !bounded || p.g.config.UntrustedCost <= 0 {
		return nil
	}
	if n := p.g.cost.Estimate(op.Doc, op.Operation, op.Variables); n > p.g.config.UntrustedCost {
		err := coded(codeNotTrusted, "The operation costs %d; a document that was not published beforehand may cost %d.", n, p.g.config.UntrustedCost)
		err.Extensions["requestedQueryCost"], err.Extensions["maximumQueryCost"] = n, p.g.config.UntrustedCost
		return err
	}
	return nil
}

// reference is the id or hash by which a request names a document.
type reference struct{ id string }

func (r reference) isHash() bool {
	b, err := hex.DecodeString(r.id)
	return err == nil && len(b) == sha256.Size
}

// referenceOf reads documentId (an id, a hash, or sha256: and a hash) and extensions.persistedQuery
// (Apollo's, whose sha256Hash is an id where a manifest says so).
func referenceOf(extensions map[string]any) (reference, *gqlerror.Error) {
	var ref reference
	if raw, ok := extensions[documentIDExtension]; ok && raw != nil {
		id, _ := raw.(string)
		if ref.id, ok = documentID(id); !ok {
			return ref, coded(codeBadRequest, "documentId is an id of a published document, or sha256: and the hash of its text.")
		}
	}
	raw, ok := extensions["persistedQuery"]
	if !ok || raw == nil {
		return ref, nil
	}
	fields, _ := raw.(map[string]any)
	version, _ := fields["version"].(interface{ Int64() (int64, error) })
	id, _ := fields["sha256Hash"].(string)
	if n, err := version1(version); err != nil || n != 1 || id == "" || len(id) > maxDocumentID {
		return ref, coded(codeBadRequest, "extensions.persistedQuery needs version 1 and a sha256Hash.")
	}
	if ref.id != "" && !strings.EqualFold(ref.id, id) {
		return ref, coded(codeBadRequest, "documentId and extensions.persistedQuery name different documents.")
	}
	return reference{id}, nil
}

// documentID takes the scheme off an id.
func documentID(id string) (string, bool) {
	if hash, ok := strings.CutPrefix(id, "sha256:"); ok {
		return strings.ToLower(hash), reference{hash}.isHash()
	}
	return id, id != "" && len(id) <= maxDocumentID
}
