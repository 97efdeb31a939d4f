package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/techmart/techmart/graph/request"
	"github.com/techmart/techmart/platform/telemetry"
)

// deferral is an answer in parts: queries with @defer, to a client that takes multipart/mixed.
//
// The executor's own context must not end while parts are outstanding: a part that is ready when it
// ends is lost, and whoever waits for it waits for ever. So that context has no end, and what ends
// with the request are the contexts of the resolvers.
type deferral struct {
	ctx  context.Context // of the request, with the deadline
	used bool            // the operation defers parts
}

type deferralKey struct{}

// withParts lets the operation of a context be answered in parts.
func withParts(ctx context.Context) (context.Context, *deferral) {
	d := &deferral{ctx: ctx}
	return context.WithValue(ctx, deferralKey{}, d), d
}

// inParts tells whether the operation of a context is answered in parts.
func inParts(ctx context.Context) (*deferral, bool) {
	d, ok := ctx.Value(deferralKey{}).(*deferral)
	return d, ok && d.used
}

// endOf tells why the work of a context has ended; nil where it has not.
func endOf(ctx context.Context) error {
	if d, ok := inParts(ctx); ok {
		return d.ctx.Err()
	}
	return ctx.Err()
}

// resolving is the context of one resolver: it ends with the request while the resolver runs. The
// executor goes on with it for what is below the field, and there it has no end again.
type resolving struct {
	context.Context
	ends context.Context
	over atomic.Bool // the resolver has returned
}

// Deadline is that of the request.
func (c *resolving) Deadline() (time.Time, bool) { return c.ends.Deadline() }

// Done closes when the request ends.
func (c *resolving) Done() <-chan struct{} {
	if c.over.Load() {
		return nil
	}
	return c.ends.Done()
}

// Err tells why the request has ended.
func (c *resolving) Err() error {
	if c.over.Load() {
		return nil
	}
	return c.ends.Err()
}

// deferring decides about @defer: parts are for queries whose client takes them. Everybody else gets
// the same data in one piece.
type deferring struct{ extension }

// ExtensionName names the extension.
func (deferring) ExtensionName() string { return "Defer" }

// MutateOperationContext makes an operation ready to be answered in parts, or takes @defer out of it.
func (deferring) MutateOperationContext(ctx context.Context, op *graphql.OperationContext) *gqlerror.Error {
	if !strings.Contains(op.RawQuery, "defer") { // the usual case, without a walk
		return nil
	}
	d, ok := ctx.Value(deferralKey{}).(*deferral)
	if !ok || op.Operation.Operation != ast.Query {
		withoutDefer(op)
		return nil
	}
	d.used = true
	resolve := op.ResolverMiddleware
	op.ResolverMiddleware = func(ctx context.Context, next graphql.Resolver) (any, error) {
		own := &resolving{Context: ctx, ends: d.ctx}
		defer own.over.Store(true)
		return resolve(own, next)
	}
	return nil
}

// withoutDefer gives the operation a copy of its document that defers nothing. The document itself
// is shared with other requests.
func withoutDefer(op *graphql.OperationContext) {
	doc := *op.Doc
	doc.Fragments = make(ast.FragmentDefinitionList, len(op.Doc.Fragments))
	for i, f := range op.Doc.Fragments {
		def := *f
		def.SelectionSet = prompt(f.SelectionSet)
		doc.Fragments[i] = &def
	}
	operation := *op.Operation
	operation.SelectionSet = prompt(op.Operation.SelectionSet)
	doc.Operations = ast.OperationList{&operation}
	op.Doc, op.Operation = &doc, &operation
}

// prompt copies a selection without @defer.
func prompt(set ast.SelectionSet) ast.SelectionSet {
	if set == nil {
		return nil
	}
	out := make(ast.SelectionSet, len(set))
	for i, one := range set {
		switch one := one.(type) {
		case *ast.Field:
			f := *one
			f.SelectionSet = prompt(one.SelectionSet)
			out[i] = &f
		case *ast.InlineFragment:
			f := *one
			f.Directives, f.SelectionSet = notDeferred(one.Directives), prompt(one.SelectionSet)
			out[i] = &f
		case *ast.FragmentSpread:
			f := *one
			f.Directives = notDeferred(one.Directives)
			out[i] = &f
		}
	}
	return out
}

func notDeferred(list ast.DirectiveList) ast.DirectiveList {
	if list.ForName("defer") == nil {
		return list
	}
	var kept ast.DirectiveList
	for _, d := range list {
		if d.Name != "defer" {
			kept = append(kept, d)
		}
	}
	return kept
}

// answerInParts runs a query that may defer parts of its answer. One that in fact defers none is
// answered in one piece.
func (g *Gateway) answerInParts(ctx context.Context, w http.ResponseWriter, r *http.Request, op *graphql.OperationContext, d *deferral, want accepted, calls *telemetry.Calls) {
	ends, cancel := context.WithTimeout(ctx, g.config.OperationTimeout)
	defer cancel()
	d.ctx = ends
	responses, running := g.exec.DispatchOperation(context.WithoutCancel(ctx), op)
	defer func() {
		cancel()
		for responses(running) != nil { // nothing may wait to hand a part over
		}
	}()
	resp := responses(running)
	if resp == nil || r.Context().Err() != nil { // the client has left
		panic(http.ErrAbortHandler)
	}
	if resp.HasNext == nil && !want.parts {
		g.answered(ctx, w, r, op, resp, want.kind, calls)
		return
	}
	g.metrics.deferred.Inc()
	h := w.Header()
	if g.config.ShowBackendCalls { // those of the first part
		h.Set("X-TechMart-Backend-Calls", backendCalls(calls))
	}
	h.Set("Content-Type", `multipart/mixed; boundary="-"; deferSpec=`+deferSpec)
	h.Set("Cache-Control", noStore)
	h.Set("X-Accel-Buffering", "no")
	h.Add("Vary", varying)
	parts := partWriter{out: eventWriter{w: w, control: http.NewResponseController(w), patience: partPatience},
		nulls: newPlaceholders(op.Operation, op.Doc.Fragments)}
	err := parts.first(resp)
	for err == nil && parts.more {
		if resp = responses(running); resp == nil {
			err = parts.end()
			break
		}
		err = parts.next(resp)
	}
	if err != nil {
		g.log.DebugContext(ctx, "an answer in parts was cut off", "requestId", request.FromContext(ctx).ID, "error", err)
	}
}

// partPatience bounds the writing of one part: a slow reader is cut off.
const partPatience = 10 * time.Second

// partWriter writes multipart/mixed as clients of deferSpec=20220824 read it: the delimiter follows
// each part at once, so that they need not wait for the next one.
type partWriter struct {
	out   eventWriter
	nulls *placeholders
	more  bool // parts follow
}

const partHead = "Content-Type: application/json; charset=utf-8\r\n\r\n"

func (p *partWriter) first(resp *graphql.Response) (err error) {
	var b bytes.Buffer
	if p.more = resp.HasNext != nil && *resp.HasNext; p.more {
		if resp.Data, err = p.nulls.first(resp.Data); err != nil {
			return err
		}
	}
	b.WriteString("\r\n---\r\n" + partHead)
	if err := encode(&b, resp, true); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // its closing brace
	fmt.Fprintf(&b, `,"hasNext":%t}`, p.more)
	return p.send(&b)
}

func (p *partWriter) next(resp *graphql.Response) (err error) {
	var b bytes.Buffer
	p.more = resp.HasNext != nil && *resp.HasNext
	if resp.Data, err = p.nulls.next(resp.Data, resp.Path); err != nil {
		return err
	}
	b.WriteString(partHead + `{"incremental":[`)
	if err := encode(&b, resp, true); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // its closing brace
	path := []byte("[]")
	if len(resp.Path) > 0 {
		var err error
		if path, err = json.Marshal(resp.Path); err != nil {
			return fmt.Errorf("gateway: path of a part: %w", err)
		}
	}
	b.WriteString(`,"path":`)
	b.Write(path)
	if resp.Label != "" {
		label, err := json.Marshal(resp.Label)
		if err != nil {
			return fmt.Errorf("gateway: label of a part: %w", err)
		}
		b.WriteString(`,"label":`)
		b.Write(label)
	}
	b.WriteByte('}')
	if !p.more {
		rest, err := p.nulls.rest()
		if err != nil {
			return err
		}
		b.Write(rest)
	}
	fmt.Fprintf(&b, `],"hasNext":%t}`, p.more)
	return p.send(&b)
}

// end says that nothing follows, where the last part did not.
func (p *partWriter) end() error {
	p.more = false
	b := bytes.NewBufferString(partHead + `{"hasNext":false}`)
	return p.send(b)
}

func (p *partWriter) send(b *bytes.Buffer) error {
	if b.WriteString("\r\n---"); !p.more {
		b.WriteString("--")
	}
	b.WriteString("\r\n")
	return p.out.write(b.Bytes())
}
