package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"

	"github.com/techmart/techmart/gateway"
	"github.com/techmart/techmart/graph/generated"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/platform/telemetry"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// customer and staff are whom the tokens of the tests stand for.
var (
	customer = viewer.Viewer{UserID: uuid.MustParse("0190c5e0-0000-7000-8000-000000000001")}
	staff    = viewer.Viewer{UserID: uuid.MustParse("0190c5e0-0000-7000-8000-000000000002"), Scopes: []viewer.Scope{viewer.OrdersRead}}
)

type tokens struct {
	ended *atomic.Bool // the sessions; nil for never
}

// Active follows ended.
func (k tokens) Active(context.Context, viewer.Viewer) error {
	if k.ended != nil && k.ended.Load() {
		return errs.New(errs.Unauthenticated, "The session has ended.")
	}
	return nil
}

// Authenticate knows two tokens, and one that cannot be checked.
func (tokens) Authenticate(_ context.Context, token string) (viewer.Viewer, error) {
	switch token {
	case "customer":
		return customer, nil
	case "staff":
		return staff, nil
	case "down":
		return viewer.Viewer{}, errors.New("secret-host: connection refused")
	}
	return viewer.Viewer{}, errs.New(errs.Unauthenticated, "The token is not good.")
}

// root answers a few fields of the real schema.
type root struct {
	generated.ResolverRoot
	stock chan *model.ProductVariant
}

func (r root) Query() generated.QueryResolver               { return query{} }
func (r root) Mutation() generated.MutationResolver         { return mutation{} }
func (r root) Subscription() generated.SubscriptionResolver { return subscription{stock: r.stock} }

type query struct{ generated.QueryResolver }

func (query) Me(ctx context.Context) (*model.User, error) {
	v := viewer.FromContext(ctx)
	if !v.Authenticated() {
		return nil, nil
	}
	return &model.User{ID: v.UserID.String(), DisplayName: "Ada"}, nil
}

func (query) Node(ctx context.Context, id string) (model.Node, error) {
	switch id {
	case "internal":
		return nil, errors.New("pq: password authentication failed for secret-host")
	case "panic":
		panic("secret-panic")
	case "forbidden":
		return nil, errs.New(errs.Forbidden, "Your account may not do this.")
	case "slow":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return nil, nil
}

func (query) Categories(context.Context) ([]*model.Category, error) {
	return []*model.Category{{ID: "cat_1", Name: "Laptops"}}, nil
}

type mutation struct{ generated.MutationResolver }

func (mutation) CartLinesAdd(context.Context, model.CartLinesAddInput) (*model.CartLinesAddPayload, error) {
	return &model.CartLinesAddPayload{}, nil
}

type subscription struct {
	generated.SubscriptionResolver
	stock chan *model.ProductVariant
}

func (s subscription) StockChanged(ctx context.Context, id string) (<-chan *model.ProductVariant, error) {
	if id == "refused" {
		return nil, errs.New(errs.NotFound, "There is no such variant.")
	}
	out := make(chan *model.ProductVariant)
	go func() {
		defer close(out)
		for {
			select {
			case v, ok := <-s.stock:
				if !ok {
					return
				}
				select {
				case out <- v:
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

// edge is a gateway under test.
type edge struct {
	*httptest.Server
	gateway *gateway.Gateway
	stock   chan *model.ProductVariant
	log     *logBuffer
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func limits() gateway.Limits {
	return gateway.Limits{Cost: 1000, Depth: 10, Aliases: 5, RootFields: 5, Directives: 5, Tokens: 1000, Fragments: 50, ListItems: 10, Batch: 3}
}

// noDirectives let everybody in.
func noDirectives() generated.DirectiveRoot {
	return generated.DirectiveRoot{
		Authenticated:  func(ctx context.Context, _ any, next graphql.Resolver) (any, error) { return next(ctx) },
		RequiresScopes: func(ctx context.Context, _ any, next graphql.Resolver, _ [][]string) (any, error) { return next(ctx) },
	}
}

func setup(t *testing.T, change ...func(*gateway.Config, *gateway.Deps)) *edge {
	t.Helper()
	e := &edge{stock: make(chan *model.ProductVariant), log: new(logBuffer)}
	c := gateway.Config{
		MaxBodyBytes: 16 << 10, OperationTimeout: 5 * time.Second, Limits: limits(),
		KeepAlive: time.Minute, InitTimeout: 5 * time.Second, PersistedTTL: time.Hour,
	}
	d := gateway.Deps{
		Schema: generated.NewExecutableSchema(generated.Config{
			Resolvers:  root{stock: e.stock},
			Directives: noDirectives(),
		}),
		Loaders:       func(ctx context.Context) context.Context { return ctx },
		Authenticator: tokens{},
		JWKS:          func() []byte { return []byte(`{"keys":[]}`) },
		Registry:      telemetry.NewRegistry(),
		Log:           slog.New(slog.NewJSONHandler(e.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range change {
		f(&c, &d)
	}
	g, err := gateway.New(c, d)
	if err != nil {
		t.Fatal(err)
	}
	e.gateway = g
	e.Server = httptest.NewServer(g.Handler())
	t.Cleanup(e.Close)
	return e
}

func production(c *gateway.Config, _ *gateway.Deps) { c.Production = true }

// answer is what came back.
type answer struct {
	status int
	header http.Header
	text   string
	Data   map[string]any `json:"data"`
	Errors []struct {
		Message    string         `json:"message"`
		Path       []any          `json:"path"`
		Extensions map[string]any `json:"extensions"`
	} `json:"errors"`
	Extensions map[string]any `json:"extensions"`
}

// code is that of the first error.
func (a answer) code() string {
	if len(a.Errors) == 0 {
		return ""
	}
	code, _ := a.Errors[0].Extensions["code"].(string)
	return code
}

func (e *edge) do(t *testing.T, method, target, body string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, e.URL+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := e.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, text: string(text)}
	if strings.Contains(resp.Header.Get("Content-Type"), "json") && resp.Header.Get("Content-Encoding") == "" && !strings.HasPrefix(a.text, "[") {
		if err := json.Unmarshal(text, &a); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
	return a
}

// post sends an operation as the specification's clients do.
func (e *edge) post(t *testing.T, query string, headers ...string) answer {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query})
	if err != nil {
		t.Fatal(err)
	}
	return e.do(t, http.MethodPost, "/graphql", string(body),
		append([]string{"Content-Type", "application/json", "Accept", "application/graphql-response+json"}, headers...)...)
}
