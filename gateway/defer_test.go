package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/techmart/techmart/gateway"
	"github.com/techmart/techmart/graph/generated"
	"github.com/techmart/techmart/graph/model"
)

// slowRoot answers the children of a category when told to.
type slowRoot struct {
	root
	children func(context.Context) ([]*model.Category, error)
}

func (r slowRoot) Category() generated.CategoryResolver { return category{children: r.children} }

type category struct {
	generated.CategoryResolver
	children func(context.Context) ([]*model.Category, error)
}

func (c category) Children(ctx context.Context, _ *model.Category) ([]*model.Category, error) {
	return c.children(ctx)
}

func setupChildren(t *testing.T, children func(context.Context) ([]*model.Category, error), change ...func(*gateway.Config, *gateway.Deps)) *edge {
	t.Helper()
	return setup(t, append(change, func(_ *gateway.Config, d *gateway.Deps) {
		d.Schema = generated.NewExecutableSchema(generated.Config{Resolvers: slowRoot{children: children}, Directives: noDirectives()})
	})...)
}

const apolloAccept = "multipart/mixed;deferSpec=20220824,application/graphql-response+json,application/json;q=0.9"

// part is one part of an answer.
type part struct {
	Data        map[string]any
	Errors      []map[string]any
	HasNext     *bool
	Extensions  map[string]any
	Incremental []struct {
		Data   map[string]any
		Path   []any
		Label  string
		Errors []struct{ Extensions map[string]any }
	}
}

// parts opens an answer in parts.
func (e *edge) parts(t *testing.T, ctx context.Context, query string, headers ...string) (*http.Response, func() *part) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL+"/graphql", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", apolloAccept)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := e.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	kind, attributes, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	if kind != "multipart/mixed" {
		return resp, nil
	}
	if attributes["boundary"] != "-" || attributes["deferspec"] != "20220824" {
		t.Errorf("media type: %s", resp.Header.Get("Content-Type"))
	}
	reader := multipart.NewReader(resp.Body, attributes["boundary"])
	return resp, func() *part {
		t.Helper()
		p, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Header.Get("Content-Type"); got != "application/json; charset=utf-8" {
			t.Errorf("media type of a part: %s", got)
		}
		out := new(part)
		if err := json.NewDecoder(p).Decode(out); err != nil {
			t.Fatal(err)
		}
		return out
	}
}

func TestDefer(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	e := setupChildren(t, func(ctx context.Context) ([]*model.Category, error) {
		select {
		case <-release:
			return []*model.Category{{ID: "cat_2", Name: "Small"}}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	resp, next := e.parts(t, t.Context(), `query P { categories { name ...Below @defer(label: "below") } } fragment Below on Category { children { name } }`)
	if resp.StatusCode != 200 || resp.Header.Get("Cache-Control") != "no-store" || next == nil {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	first := next() // before what is deferred is there
	if first.HasNext == nil || !*first.HasNext || first.Extensions["cost"] == nil {
		t.Errorf("first part: %+v", first)
	}
	if list := first.Data["categories"].([]any); list[0].(map[string]any)["name"] != "Laptops" || list[0].(map[string]any)["children"] != nil {
		t.Errorf("first part: %+v", first.Data)
	}
	close(release)
	second := next()
	if len(second.Incremental) != 1 || second.HasNext == nil || *second.HasNext {
		t.Fatalf("second part: %+v", second)
	}
	late := second.Incremental[0]
	if late.Label != "below" || len(late.Path) != 2 || late.Path[0] != "categories" || late.Path[1] != 0.0 {
		t.Errorf("place: %+v", late)
	}
	if got := late.Data["children"].([]any)[0].(map[string]any)["name"]; got != "Small" {
		t.Errorf("data: %+v", late.Data)
	}
	if last := next(); last != nil {
		t.Errorf("after the last part: %+v", last)
	}
}

func TestDeferInOnePiece(t *testing.T) {
	t.Parallel()
	e := setupChildren(t, func(context.Context) ([]*model.Category, error) {
		return []*model.Category{{ID: "cat_2", Name: "Small"}}, nil
	})
	const query = `query($now: Boolean = true) { categories { name ... @defer(if: $now) { children { name } } } }`
	for _, accept := range []string{"application/json", "application/graphql-response+json", "*/*", "multipart/mixed;incrementalSpec=v0.2, application/json"} {
		resp, next := e.parts(t, t.Context(), query, "Accept", accept)
		if next != nil {
			t.Fatalf("%s: %v", accept, resp.Header)
		}
		if text, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(text), `{"name":"Laptops","children":[{"name":"Small"}]}`) || strings.Contains(string(text), "hasNext") {
			t.Errorf("%s: %v %s", accept, err, text)
		}
	}
	resp, next := e.parts(t, t.Context(), `{ categories { name ... @defer(if: false) { children { name } } } }`)
	if text, err := io.ReadAll(resp.Body); next != nil || err != nil || !strings.Contains(string(text), "Small") {
		t.Errorf("nothing to defer: %v %s", err, text)
	}
	// A document that was in one piece is in parts for the next client, and the other way round.
	if _, next = e.parts(t, t.Context(), query); next == nil {
		t.Error("the document lost its @defer")
	}
	if resp, next = e.parts(t, t.Context(), `mutation { cartLinesAdd(input: {lines: []}) { ... @defer { __typename } } }`); next != nil {
		t.Errorf("a mutation in parts: %v", resp.Header)
	}
	if _, next = e.parts(t, t.Context(), `{ __typename }`, "Accept", "multipart/mixed"); next == nil {
		t.Fatal("a client of multipart/mixed alone")
	}
	if only := next(); only.Data["__typename"] != "Query" || *only.HasNext {
		t.Errorf("the only part: %+v", only)
	}
}

func TestDeferredFailure(t *testing.T) {
	t.Parallel()
	e := setupChildren(t, func(ctx context.Context) ([]*model.Category, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}, func(c *gateway.Config, _ *gateway.Deps) { c.OperationTimeout = 50 * time.Millisecond })
	_, next := e.parts(t, t.Context(), `{ categories { name ... @defer { children { name } } } }`)
	next()
	late := next()
	if len(late.Incremental) != 1 || len(late.Incremental[0].Errors) != 1 || late.Incremental[0].Errors[0].Extensions["code"] != "TIMEOUT" {
		t.Errorf("after the deadline: %+v", late)
	}
	if last := next(); last != nil {
		t.Errorf("after the last part: %+v", last)
	}
}

func TestDeferredWorkEndsWithItsClient(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	e := setupChildren(t, func(ctx context.Context) ([]*model.Category, error) {
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	}, func(c *gateway.Config, _ *gateway.Deps) { c.OperationTimeout = time.Hour })
	ctx, leave := context.WithCancel(t.Context())
	_, next := e.parts(t, ctx, `{ categories { name ... @defer { children { name } } } }`)
	next()
	leave()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Error("the client has left, and its work goes on")
	}
	e.Close() // waits for the handler
}
