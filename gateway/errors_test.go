package gateway_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/techmart/techmart/gateway"
)

func TestErrors(t *testing.T) {
	t.Parallel()
	e := setup(t, func(c *gateway.Config, _ *gateway.Deps) { c.OperationTimeout = 50 * time.Millisecond })
	for id, code := range map[string]string{
		"internal": "INTERNAL", "panic": "INTERNAL", "forbidden": "FORBIDDEN", "slow": "TIMEOUT", "nothing": "",
	} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			a := e.post(t, fmt.Sprintf(`{ node(id: %q) { id } }`, id), "X-Request-Id", "req-"+id)
			if a.status != 200 || a.code() != code {
				t.Fatalf("got %d %s", a.status, a.text)
			}
			if strings.Contains(a.text, "secret") {
				t.Errorf("shown: %s", a.text)
			}
			if a.header.Get("X-Request-Id") != "req-"+id {
				t.Errorf("request id: %q", a.header.Get("X-Request-Id"))
			}
			if code == "INTERNAL" {
				if a.Errors[0].Extensions["requestId"] != "req-"+id {
					t.Errorf("extensions: %v", a.Errors[0].Extensions)
				}
				if log := e.log.String(); !strings.Contains(log, "secret-") {
					t.Error("the cause is not logged")
				}
			}
		})
	}
}

func TestArgumentThatCannotBeRead(t *testing.T) {
	t.Parallel()
	a := setup(t).post(t, `{ orders(where: {placedAt: {gte: "yesterday"}}) { totalCount } }`)
	if a.code() != "BAD_USER_INPUT" || !strings.Contains(a.Errors[0].Message, "DateTime") {
		t.Errorf("got %s", a.text)
	}
}

func TestRequestIDIsMadeWhereItIsUnfit(t *testing.T) {
	t.Parallel()
	e := setup(t)
	for _, id := range []string{"", "a b", strings.Repeat("x", 65), "a\"b"} {
		if got := e.do(t, "GET", "/healthz", "", "X-Request-Id", id).header.Get("X-Request-Id"); got == id || len(got) != 36 {
			t.Errorf("%q gave %q", id, got)
		}
	}
}

func TestProductionShowsLittle(t *testing.T) {
	t.Parallel()
	e := setup(t, production)
	if a := e.post(t, `{ __schema { types { name } } }`); a.code() != "INTROSPECTION_DISABLED" || a.status != 200 || a.Data["__schema"] != nil {
		t.Errorf("introspection: %d %s", a.status, a.text)
	}
	if a := e.post(t, `query { ...F } fragment F on Query { __type(name: "User") { name } }`); a.code() != "INTROSPECTION_DISABLED" || a.Data["__type"] != nil {
		t.Errorf("introspection by fragment: %s", a.text)
	}
	if a := e.post(t, `{ __schema { queryType { name } } }`, "Authorization", "Bearer staff"); a.code() != "" || a.Data["__schema"] == nil {
		t.Errorf("introspection by staff: %s", a.text)
	}
	for _, query := range []string{`{ mee { id } }`, `{ node(idd: "x") { id } }`, `{ me { displayNam } }`, `{ node(id: "x") { ... on Usr { id } } }`} {
		if a := e.post(t, query); a.code() != "GRAPHQL_VALIDATION_FAILED" || strings.Contains(a.text, "Did you mean") {
			t.Errorf("%s: %s", query, a.text)
		}
	}
	for _, target := range []string{"/", "/playground", "/playground/accounts.json"} {
		if a := e.do(t, "GET", target, ""); a.status != 404 {
			t.Errorf("%s: %d", target, a.status)
		}
	}
	if a := e.post(t, `{ __typename }`); a.header.Get("Strict-Transport-Security") != "" || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers: %v", a.header)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	e := setup(t)
	nested := func(n int) string { // n levels
		return `{ categories ` + strings.Repeat(`{ parent `, n-2) + `{ name }` + strings.Repeat(` }`, n-2) + ` }`
	}
	repeat := func(format string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	high := func(c *gateway.Config, _ *gateway.Deps) { c.Limits.Cost, c.Limits.RootFields = 1<<30, 100 }
	free := setup(t, high)
	for _, c := range []struct {
		name string
		edge *edge
		good string
		bad  string
		code string
	}{
		{"depth", free, nested(10), nested(11), "DEPTH_LIMIT_EXCEEDED"},
		{"depth by fragment", free, `query { categories { ...A } } fragment A on Category { parent { name } }`,
			`query { categories { ...A } } fragment A on Category ` + strings.TrimPrefix(nested(11), "{ categories ")[:len(nested(11))-len("{ categories ")-2], "DEPTH_LIMIT_EXCEEDED"},
		{"aliases", free, `{ ` + repeat(`a%d: __typename `, 5) + `}`, `{ ` + repeat(`a%d: __typename `, 6) + `}`, "ALIAS_LIMIT_EXCEEDED"},
		{"root fields", e, `{ me { id } categories { id } node(id: "x") { id } nodes(ids: []) { id } __typename }`,
			`{ ` + repeat(`a%d: __typename `, 6) + `}`, "ROOT_FIELD_LIMIT_EXCEEDED"},
		{"directives", free, `{ me { ` + strings.Repeat(`... @skip(if: true) { id } `, 5) + ` } }`, `{ me { ` + strings.Repeat(`... @skip(if: true) { id } `, 6) + ` } }`, "DIRECTIVE_LIMIT_EXCEEDED"},
		{"tokens", free, `{ me { ` + strings.Repeat("id ", 990) + `} }`, `{ me { ` + strings.Repeat("id ", 1001) + `} }`, "TOKEN_LIMIT_EXCEEDED"},
		{"cost", e, `{ products(first: 10) { nodes { id } } }`, `{ products(first: 100) { nodes { variants(first: 100) { id } } } }`, "COST_LIMIT_EXCEEDED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if a := c.edge.post(t, c.bad); a.status != 400 || a.code() != c.code {
				t.Errorf("past the bound: %d %s", a.status, a.text)
			}
			if a := c.edge.post(t, c.good); strings.Contains(a.code(), "LIMIT") {
				t.Errorf("at the bound: %d %s", a.status, a.text)
			}
		})
	}
}

// A document that doubles with each fragment must be refused at once.
func TestFragmentBomb(t *testing.T) {
	t.Parallel()
	e := setup(t)
	var b strings.Builder
	b.WriteString(`query { categories { ...F0 } }`)
	for i := range 40 {
		fmt.Fprintf(&b, ` fragment F%d on Category { ...F%d ...F%d }`, i, i+1, i+1)
	}
	b.WriteString(` fragment F40 on Category { name ...F0 }`)
	began := time.Now()
	if a := e.post(t, b.String()); a.status != 400 {
		t.Errorf("got %d %s", a.status, a.text)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
}
