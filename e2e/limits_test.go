package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql/introspection"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/services/users"
)

// raw posts a body and gives the status and the code of the first error.
func (c *client) raw(body string) (status int, code string) {
	c.s.t.Helper()
	req, err := http.NewRequestWithContext(c.s.t.Context(), http.MethodPost, c.s.url+"/graphql", strings.NewReader(body))
	if err != nil {
		c.s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/graphql-response+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.s.t.Fatal(err)
	}
	defer resp.Body.Close() // it is read to its end
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.s.t.Fatal(err)
	}
	a := answer{Status: resp.StatusCode}
	if !bytes.HasPrefix(text, []byte("[")) {
		if err := json.Unmarshal(text, &a); err != nil {
			c.s.t.Fatalf("%d %s: %v", resp.StatusCode, text, err)
		}
	}
	return resp.StatusCode, a.code()
}

// request writes a request's body.
func request(query string, variables vars) string {
	text, err := json.Marshal(vars{"query": query, "variables": variables})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// repeated joins n numbered parts.
func repeated(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format+" ", i)
	}
	return b.String()
}

// Each bound of a request holds where it is set: what is at it runs, what is one past it is refused
// with its own code before anything is run.
func TestLimitsOfRequests(t *testing.T) {
	t.Parallel()
	s := setup(t, func(c *app.Config) {
		c.MaxDepth, c.MaxAliases, c.MaxRootFields, c.MaxDirectives = 6, 4, 5, 3
		c.MaxTokens, c.MaxFragments, c.MaxListItems, c.MaxBodyBytes = 500, 3, 7, 4000
	})
	c := s.anonymous()
	nested := func(n int) string {
		return `{ categories ` + strings.Repeat(`{ parent `, n-2) + `{ name }` + strings.Repeat(` }`, n-2) + ` }`
	}
	ids := func(n int) []string { return strings.Fields(strings.Repeat("x ", n)) }
	literals := func(n int) string { return `{ nodes(ids: [` + strings.Repeat(`"x" `, n) + `]) { id } }` }
	const nodes = `query($ids: [ID!]!) { nodes(ids: $ids) { id } }`
	padded := func(n int) string {
		body := request(`{ __typename }`, nil)
		return body + strings.Repeat(" ", n-len(body))
	}
	for _, tt := range []struct {
		name      string
		good, bad string
		status    int
		code      string
	}{
		{"depth", request(nested(6), nil), request(nested(7), nil), 400, "DEPTH_LIMIT_EXCEEDED"},
		{"aliases", request(`{ `+repeated(`a%d: __typename`, 4)+`}`, nil), request(`{ `+repeated(`a%d: __typename`, 5)+`}`, nil), 400, "ALIAS_LIMIT_EXCEEDED"},
		{"root fields", request(`{ `+strings.Repeat(`__typename `, 5)+`}`, nil), request(`{ `+strings.Repeat(`__typename `, 6)+`}`, nil), 400, "ROOT_FIELD_LIMIT_EXCEEDED"},
		{"directives", request(`{ `+strings.Repeat(`... @skip(if: true) { __typename } `, 3)+`}`, nil), request(`{ `+strings.Repeat(`... @skip(if: true) { __typename } `, 4)+`}`, nil), 400, "DIRECTIVE_LIMIT_EXCEEDED"},
		{"tokens", request(`{ categories { `+strings.Repeat(`id `, 495)+`} }`, nil), request(`{ categories { `+strings.Repeat(`id `, 496)+`} }`, nil), 400, "TOKEN_LIMIT_EXCEEDED"},
		{"fragments", request(`{ ...A ...B ...C } `+`fragment A on Query { __typename } fragment B on Query { __typename } fragment C on Query { __typename }`, nil),
			request(`{ ...A ...B ...C ...D } fragment A on Query { __typename } fragment B on Query { __typename } fragment C on Query { __typename } fragment D on Query { __typename }`, nil), 400, "FRAGMENT_LIMIT_EXCEEDED"},
		{"fragment cycle", request(`{ ...A } fragment A on Query { ...B } fragment B on Query { __typename }`, nil),
			request(`{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }`, nil), 400, "FRAGMENT_CYCLE"},
		{"list in the document", request(literals(7), nil), request(literals(8), nil), 400, "LIST_LIMIT_EXCEEDED"},
		{"list in a variable", request(nodes, vars{"ids": ids(7)}), request(nodes, vars{"ids": ids(8)}), 400, "LIST_LIMIT_EXCEEDED"},
		{"body", padded(4000), padded(4001), 413, "REQUEST_TOO_LARGE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if status, code := c.raw(tt.good); status != 200 || code != "" {
				t.Errorf("at the bound: %d %s", status, code)
			}
			if status, code := c.raw(tt.bad); status != tt.status || code != tt.code {
				t.Errorf("one past the bound: %d %s", status, code)
			}
		})
	}
}

// The cost is bounded where it is set, and the refusal says how much it would be.
func TestLimitOfCost(t *testing.T) {
	t.Parallel()
	s := setup(t, func(c *app.Config) { c.MaxCost = 60 })
	c := s.anonymous()
	for first := 1; ; first++ {
		a := c.do(fmt.Sprintf(`{ products(first: %d) { nodes { id } } }`, first), nil, "Accept", "application/graphql-response+json")
		if len(a.Errors) == 0 {
			spent, _ := a.Extensions["cost"].(map[string]any)
			if n, _ := spent["requestedQueryCost"].(float64); n < 1 || n > 60 {
				t.Fatalf("%d products cost %v, and are given", first, a.Extensions)
			}
			continue
		}
		e := a.Errors[0].Extensions
		if first < 10 || a.Status != 400 || a.code() != "COST_LIMIT_EXCEEDED" || e["requestedQueryCost"] != 61.0 || e["maximumQueryCost"] != 60.0 {
			t.Errorf("%d products: %d %+v", first, a.Status, a.Errors)
		}
		return
	}
}

// The bound on depth leaves the query by which tools read the schema alone.
func TestIntrospectionIsNotTooDeep(t *testing.T) {
	t.Parallel()
	s := setup(t, func(c *app.Config) { c.MaxDepth = 4 })
	var out struct {
		Schema struct{ Types []struct{ Name string } } `json:"__schema"`
	}
	s.anonymous().must(&out, introspection.Query, nil)
	if len(out.Schema.Types) < 100 {
		t.Errorf("the schema has %d types", len(out.Schema.Types))
	}
}

// A short query that asks for ever more of everything is refused at once, before it takes memory:
// what each level multiplies is known.
func TestNestedListsAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	s := setup(t, func(c *app.Config) { c.MaxDepth, c.MaxTokens = 200, 50_000 })
	query := `{ products(first: 2) { nodes { id ` + strings.Repeat(`relatedProducts(first: 2) { id `, 30) + strings.Repeat(`} `, 30) + `} } }`
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	status, code := s.anonymous().raw(request(query, nil))
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	if status != 400 || code != "COST_LIMIT_EXCEEDED" {
		t.Errorf("30 levels: %d %s", status, code)
	}
	if took > 2*time.Second {
		t.Errorf("the refusal took %v", took)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 200<<20 {
		t.Errorf("the refusal took %d MiB", grown>>20)
	}
}

// locked holds the orders, so that every statement that reads them waits, until the test ends. It
// gives how many do.
func (s *shop) locked() (waiting func() int) {
	s.t.Helper()
	ctx := context.Background()
	holder, err := pgx.Connect(ctx, s.config.PostgresURL)
	if err != nil {
		s.t.Fatal(err)
	}
	watcher, err := pgx.Connect(ctx, s.config.PostgresURL)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _, _ = holder.Close(ctx), watcher.Close(ctx) })
	if _, err := holder.Exec(ctx, `BEGIN`); err != nil {
		s.t.Fatal(err)
	}
	if _, err := holder.Exec(ctx, `LOCK TABLE orders.orders IN ACCESS EXCLUSIVE MODE`); err != nil {
		s.t.Fatal(err)
	}
	return func() (n int) {
		s.t.Helper()
		err := watcher.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%orders.orders%'`).Scan(&n)
		if err != nil {
			s.t.Fatal(err)
		}
		return n
	}
}

const myOrders = `{ me { orders(first: 3) { nodes { number } } } }`

// What runs for a client that has left is stopped, down to its statement in the database.
func TestStatementsEndWhenTheClientLeaves(t *testing.T) {
	t.Parallel()
	s := setup(t, func(c *app.Config) { c.OperationTimeout = time.Minute })
	ada := s.as(users.Customer)
	waiting := s.locked()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/graphql", strings.NewReader(request(myOrders, nil)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+ada.token)
	ended := make(chan error, 1)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		ended <- err
	}()
	eventually(t, "the statement waits", func() bool { return waiting() > 0 })
	leave()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the request ended with %v", err)
	}
	eventually(t, "the statement is cancelled", func() bool { return waiting() == 0 })
}

// An operation that takes too long is answered in time, and its statement is stopped.
func TestStatementsEndWithTheOperationsTime(t *testing.T) {
	t.Parallel()
	s := setup(t, func(c *app.Config) { c.OperationTimeout = 700 * time.Millisecond })
	ada := s.as(users.Customer)
	if a := ada.do(myOrders, nil); len(a.Errors) > 0 {
		t.Fatalf("within its time: %+v", a.Errors)
	}
	waiting := s.locked()
	began := time.Now()
	a := ada.do(myOrders, nil)
	if took := time.Since(began); a.code() != "TIMEOUT" || took < 600*time.Millisecond || took > 5*time.Second {
		t.Errorf("past its time it is answered %d %+v after %v", a.Status, a.Errors, took)
	}
	eventually(t, "the statement is cancelled", func() bool { return waiting() == 0 })
}

// A database that takes a question and never answers does not hold an operation longer than its time.
func TestSilentDatabases(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		url   func(*app.Config) *string
		query string
	}{
		"PostgreSQL": {func(c *app.Config) *string { return &c.PostgresURL }, myOrders},
		"MongoDB":    {func(c *app.Config) *string { return &c.MongoURL }, `{ products(first: 3) { nodes { title } } }`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := config(t)
			server := tt.url(&c)
			line, address := lay(t, *server)
			*server = address
			c.OperationTimeout, c.LogLevel = time.Second, "error"
			s := open(t, c)
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.run(false)
			ada := s.as(users.Customer)
			if a := ada.do(tt.query, nil); len(a.Errors) > 0 {
				t.Fatalf("at first: %+v", a.Errors)
			}
			line.mute()
			began := time.Now()
			a := ada.do(tt.query, nil)
			if took := time.Since(began); a.code() != "TIMEOUT" || took > 6*time.Second {
				t.Errorf("in the silence it is answered %d %+v after %v", a.Status, a.Errors, took)
			}
		})
	}
}
