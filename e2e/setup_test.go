// Package e2e tests the whole program over HTTP against real servers, wired as in production.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/users"
	"github.com/techmart/techmart/services/viewer"
)

// shop is a running program with servers of its own.
type shop struct {
	*app.App
	t      *testing.T
	config app.Config
	url    string
}

// password opens every account of the tests.
const password = "correct-horse-battery-1"

// wide is a budget that no test uses up by chance.
const wide = "10000000/1000000"

// config gives a configuration of fresh, empty stores.
func config(t *testing.T) app.Config {
	t.Helper()
	redisURL, prefix := stacktest.Redis(t)
	rabbitURL, namespace := stacktest.RabbitMQ(t)
	vars := map[string]string{
		"MODE": app.Development, "HTTP_ADDR": "127.0.0.1:0",
		"POSTGRES_URL": stacktest.Postgres(t), "MONGODB_URL": stacktest.MongoDB(t),
		"REDIS_URL": redisURL, "REDIS_PREFIX": prefix, "RABBITMQ_URL": rabbitURL, "RABBITMQ_NAMESPACE": namespace,
		"TOKEN_KEYS": users.GenerateKey(), "CURSOR_SECRET": "0123456789abcdefghijklmnopqrstuvwxyz", "SECOND_FACTOR_KEYS": users.GenerateKey(),
		"SHOW_BACKEND_CALLS": "true", "LOG_LEVEL": "warn", "LOG_FORMAT": "text",
		"RETRY_DELAYS": "100ms,200ms", "POSTGRES_MAX_CONNS": "8",
		// Budgets are on, but wide: all tests come from one address.
		"BUDGET_ANONYMOUS": wide, "BUDGET_CUSTOMER": wide, "BUDGET_STAFF": wide, "BUDGET_CLIENT": wide,
	}
	environ := make([]string, 0, len(vars))
	for name, value := range vars {
		environ = append(environ, app.Prefix+name+"="+value)
	}
	c, err := app.Load(environ)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// setup starts a shop without products and accounts: API and worker.
func setup(t *testing.T, change ...func(*app.Config)) *shop {
	t.Helper()
	c := config(t)
	for _, f := range change {
		f(&c)
	}
	s := open(t, c)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.run(true)
	return s
}

// open puts the program together without running it.
func open(t *testing.T, c app.Config) *shop {
	t.Helper()
	a, err := app.New(t.Context(), c, app.Options{Log: testLog{t}, Demo: app.DemoAccounts()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := a.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return &shop{App: a, t: t, config: c}
}

// run serves on a free port, and works, until the test ends.
func (s *shop) run(worker bool) {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.url = "http://" + l.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, app.Parts{API: l, Worker: worker}) }()
	s.t.Cleanup(func() {
		stop()
		select {
		case err := <-ended:
			if err != nil {
				s.t.Errorf("run: %v", err)
			}
		case <-time.After(30 * time.Second):
			s.t.Error("the program does not end")
		}
	})
}

// testLog writes the program's log into the test's.
type testLog struct{ t *testing.T }

// Write logs one line.
func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// client calls the graph, with a token or without.
type client struct {
	s      *shop
	token  string
	key    string // of an API client
	userID string
}

// anonymous is a client without an account.
func (s *shop) anonymous() *client { return &client{s: s} }

// as is a client with a new account of the role, whose address is verified.
func (s *shop) as(role users.Role) *client {
	s.t.Helper()
	email := fmt.Sprintf("%s-%d@example.com", strings.ToLower(string(role)), time.Now().UnixNano())
	_, err := s.Services.Users.CreateAccount(s.t.Context(), users.NewAccount{
		Email: email, DisplayName: "Test " + string(role), Password: password, Roles: []users.Role{role}, Verified: true,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.signIn(email, password)
}

// signIn is a client with a new session.
func (s *shop) signIn(email, secret string) *client {
	s.t.Helper()
	var out struct {
		SessionCreate struct {
			Tokens *struct{ AccessToken string }
			User   struct{ ID string }
		}
	}
	s.anonymous().must(&out, `mutation($input: SessionCreateInput!) {
		sessionCreate(input: $input) { tokens { accessToken } user { id } userErrors { code message } }
	}`, vars{"input": vars{"email": email, "password": secret}})
	if out.SessionCreate.Tokens == nil {
		s.t.Fatalf("%s cannot sign in", email)
	}
	return &client{s: s, token: out.SessionCreate.Tokens.AccessToken, userID: out.SessionCreate.User.ID}
}

type vars = map[string]any

// answer is what the graph said.
type answer struct {
	Status     int
	Header     http.Header
	Data       json.RawMessage
	Errors     []graphError
	Extensions map[string]any
}

type graphError struct {
	Message    string
	Path       []any
	Extensions map[string]any
}

// code is that of the first error.
func (a answer) code() string {
	if len(a.Errors) == 0 {
		return ""
	}
	code, _ := a.Errors[0].Extensions["code"].(string)
	return code
}

// do runs an operation.
func (c *client) do(query string, variables vars, headers ...string) answer {
	c.s.t.Helper()
	a, err := c.post(query, variables, headers...)
	if err != nil {
		c.s.t.Fatal(err)
	}
	return a
}

// post is do for any goroutine.
func (c *client) post(query string, variables vars, headers ...string) (answer, error) {
	return c.send(vars{"query": query, "variables": variables}, headers...)
}

// named runs a published document by its id.
func (c *client) named(id string, variables vars, headers ...string) (answer, error) {
	return c.send(vars{"documentId": id, "variables": variables}, headers...)
}

func (c *client) send(request vars, headers ...string) (a answer, err error) {
	body, err := json.Marshal(request)
	if err != nil {
		return a, err
	}
	req, err := http.NewRequestWithContext(c.s.t.Context(), http.MethodPost, c.s.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.key != "" {
		req.Header.Set("X-API-Key", c.key)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close() // it is read to its end
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return a, err
	}
	a = answer{Status: resp.StatusCode, Header: resp.Header}
	if err := json.Unmarshal(text, &a); err != nil {
		return a, fmt.Errorf("%d %s: %w", resp.StatusCode, text, err)
	}
	return a, nil
}

// must runs an operation that has no top-level error, and reads its data into out.
func (c *client) must(out any, query string, variables vars) {
	c.s.t.Helper()
	a := c.do(query, variables)
	if len(a.Errors) > 0 || a.Status != http.StatusOK {
		c.s.t.Fatalf("status %d, errors %+v, of %s", a.Status, a.Errors, query)
	}
	if err := json.Unmarshal(a.Data, out); err != nil {
		c.s.t.Fatal(err)
	}
}

// userError is one of a payload's userErrors.
type userError struct {
	Code    string
	Message string
	Field   []string
}

// eventually asks again and again until done, for a minute at most.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(time.Minute)
	for !done() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("it does not come true: %s", what)
		}
	}
}

// stocked is a product that can be bought.
type stocked struct{ productID, variantID string }

// product puts a product with one variant into the shop, with so many in stock.
func (s *shop) product(title, price string, onHand int) stocked {
	s.t.Helper()
	ctx := viewer.NewContext(s.t.Context(), viewer.System)
	amount, err := money.Parse(price, money.Currency(s.config.Currency))
	if err != nil {
		s.t.Fatal(err)
	}
	outcomes, err := s.Services.Products.ImportProducts(ctx, []*products.Product{{
		Title: title, Vendor: "Nordlicht", Status: products.Active,
		Variants: []products.Variant{{SKU: strings.ToUpper(products.MakeSlug(title)), Price: amount}},
	}})
	if err != nil || outcomes[0].Err != nil {
		s.t.Fatal(err, outcomes)
	}
	p, err := s.Services.Products.Product(ctx, outcomes[0].ID)
	if err != nil {
		s.t.Fatal(err)
	}
	_, _, err = s.Services.Products.AdjustInventory(ctx, products.AdjustInput{
		VariantID: p.Variants[0].ID, LocationID: products.Locations[0].ID, OnHand: onHand, Reason: products.Received,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	var out struct {
		Product struct {
			ID       string
			Variants []struct{ ID string }
		}
	}
	s.anonymous().must(&out, `query($slug: String!) { product(slug: $slug) { id variants { id } } }`, vars{"slug": p.Slug})
	return stocked{out.Product.ID, out.Product.Variants[0].ID}
}
