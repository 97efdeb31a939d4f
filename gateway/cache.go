package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/techmart/techmart/services/viewer"
)

// varying are the headers of a request that an answer of the graph depends on.
const varying = "Accept, Accept-Encoding, Authorization, X-Api-Key"

// noStore is the policy of everything that nobody may keep.
const noStore = "no-store"

// cachePolicy is how long an answer may be kept, and by whom: @cacheControl by the rules of Apollo
// Server. Zero is not at all.
type cachePolicy struct {
	maxAge  int // seconds
	private bool
}

// header gives the policy as Cache-Control.
func (p cachePolicy) header() string {
	switch {
	case p.maxAge <= 0:
		return noStore
	case p.private:
		return "private, max-age=" + strconv.Itoa(p.maxAge)
	}
	return "public, max-age=" + strconv.Itoa(p.maxAge)
}

// policyOf gives the policy of what an operation asks for, whoever does.
func policyOf(schema *ast.Schema, op *graphql.OperationContext) cachePolicy {
	if op.Operation.Operation != ast.Query {
		return cachePolicy{}
	}
	w := policyWalk{schema: schema, fragments: op.Doc.Fragments, seen: make(map[string]bool), policy: cachePolicy{maxAge: math.MaxInt32}}
	w.selection(op.Operation.SelectionSet)
	if w.policy.maxAge == math.MaxInt32 { // nothing was asked for but type names
		w.policy.maxAge = 0
	}
	return w.policy
}

// policyWalk finds the strictest hint of a selection. Whether fields are left out by @skip or
// @include does not count: what may be asked for decides.
type policyWalk struct {
	schema    *ast.Schema
	fragments ast.FragmentDefinitionList
	seen      map[string]bool // fragments, by name
	policy    cachePolicy
}

func (w *policyWalk) selection(set ast.SelectionSet) {
	for _, one := range set {
		switch one := one.(type) {
		case *ast.Field:
			w.field(one)
		case *ast.InlineFragment:
			w.selection(one.SelectionSet)
		case *ast.FragmentSpread:
			if def := w.fragments.ForName(one.Name); def != nil && !w.seen[one.Name] {
				w.seen[one.Name] = true
				w.selection(def.SelectionSet)
			}
		}
	}
}

func (w *policyWalk) field(f *ast.Field) {
	if f.Name == "__typename" {
		return
	}
	if f.Definition == nil {
		w.policy.maxAge = 0
		return
	}
	root := f.ObjectDefinition == w.schema.Query
	returned := w.schema.Types[f.Definition.Type.Name()]
	composite := returned != nil && returned.IsCompositeType()
	h := hintOf(f.Definition.Directives)
	if composite {
		h = h.or(hintOf(returned.Directives))
	}
	if guarded(f.Definition.Directives) || returned != nil && guarded(returned.Directives) {
		h = hint{maxAge: 0, known: true, private: true}
	}
	switch {
	case h.known:
		w.policy.maxAge = min(w.policy.maxAge, h.maxAge)
	case root, composite && !h.inherit:
		w.policy.maxAge = 0
	}
	w.policy.private = w.policy.private || h.private
	w.selection(f.SelectionSet)
}

// guarded tells whether access to a field depends on who asks.
func guarded(list ast.DirectiveList) bool {
	return list.ForName("authenticated") != nil || list.ForName("requiresScopes") != nil
}

// hint is what @cacheControl says.
type hint struct {
	maxAge         int
	known          bool // maxAge is given
	private, scope bool // scope: it is given
	inherit        bool
}

func hintOf(list ast.DirectiveList) (h hint) {
	d := list.ForName("cacheControl")
	if d == nil {
		return h
	}
	for _, arg := range d.Arguments {
		switch text := arg.Value.Raw; arg.Name {
		case "maxAge":
			if n, err := strconv.Atoi(text); err == nil {
				h.maxAge, h.known = max(n, 0), true
			}
		case "scope":
			h.scope, h.private = true, text == "PRIVATE"
		case "inheritMaxAge":
			h.inherit = text == "true"
		}
	}
	return h
}

// or completes a field's hint with that of its type.
func (h hint) or(t hint) hint {
	if !h.known && !h.inherit {
		h.maxAge, h.known, h.inherit = t.maxAge, t.known, t.inherit
	}
	if !h.scope {
		h.scope, h.private = t.scope, t.private
	}
	return h
}

// sharedCost is extensions.cost of an answer that others will read too: without what is left of the
// first one's budget.
type sharedCost struct {
	Requested int  `json:"requestedQueryCost"`
	Actual    *int `json:"actualQueryCost"`
}

// keepable gives the Cache-Control of an answer, and whether it is the same for everybody. Only
// answers to GET without an error are ever kept, and none of a viewer.
func (g *Gateway) keepable(ctx context.Context, r *http.Request, op *graphql.OperationContext, resp *graphql.Response) (control string, shared bool) {
	if r.Method != http.MethodGet {
		return noStore, false
	}
	if v := viewer.FromContext(ctx); v.UserID != uuid.Nil || v.ClientID != uuid.Nil || v.System || len(v.Scopes) > 0 {
		g.metrics.cacheable.WithLabelValues("viewer").Inc()
		return "private, no-store", false
	}
	policy := policyOf(g.deps.Schema.Schema(), op)
	if len(resp.Errors) > 0 || policy.maxAge <= 0 {
		g.metrics.cacheable.WithLabelValues("none").Inc()
		return noStore, false
	}
	if policy.private {
		g.metrics.cacheable.WithLabelValues("private").Inc()
		return policy.header(), false
	}
	g.metrics.cacheable.WithLabelValues("public").Inc()
	if c, ok := resp.Extensions["cost"].(costExtension); ok {
		resp.Extensions["cost"] = sharedCost{Requested: c.Requested, Actual: c.Actual}
	}
	return policy.header(), true
}

// tag is the strong entity tag of an answer: of its bytes before they are coded.
func tag(body []byte) string {
	sum := sha256.Sum256(body)
	return base64.RawURLEncoding.EncodeToString(sum[:15])
}

// entityTag gives the ETag of a body in a coding: other bytes, another tag.
func entityTag(tag string, c coding) string {
	if c != identity {
		tag += "-" + string(c)
	}
	return `"` + tag + `"`
}

// matches tells whether If-None-Match names the answer, in whatever coding the client or a cache
// has it.
func matches(headers []string, tag string) (entity string, ok bool) {
	for _, header := range headers {
		for one := range strings.SplitSeq(header, ",") {
			one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
			if one == "*" {
				return entityTag(tag, identity), true
			}
			for _, c := range []coding{identity, gzipped, zstded} {
				if entity := entityTag(tag, c); one == entity {
					return entity, true
				}
			}
		}
	}
	return "", false
}
