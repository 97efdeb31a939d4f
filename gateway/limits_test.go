package gateway_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/techmart/techmart/gateway"
)

// Input values are bounded whether they stand in the document or in the variables, and each time,
// also where the document is known.
func TestInputLimits(t *testing.T) {
	t.Parallel()
	e := setup(t)
	list := func(n int) string { return `[` + strings.TrimSuffix(strings.Repeat(`"x", `, n), `, `) + `]` }
	deep := func(n int) string { return strings.Repeat(`[`, n) + strings.Repeat(`]`, n) }
	literal := func(value string) string { return fmt.Sprintf(`{"query":%q}`, `{ nodes(ids: `+value+`) { id } }`) }
	standard := func(value string) string {
		return fmt.Sprintf(`{"query":%q}`, `query($ids: [ID!]! = `+value+`) { nodes(ids: $ids) { id } }`)
	}
	directive := func(value string) string {
		return fmt.Sprintf(`{"query":%q}`, `{ me @skip(if: `+value+`) { id } }`)
	}
	variable := func(value string) string {
		return fmt.Sprintf(`{"query":"query($ids: [ID!]!) { nodes(ids: $ids) { id } }","variables":{"ids":%s}}`, value)
	}
	inObject := func(value string) string {
		return fmt.Sprintf(`{"query":"query($ids: [ID!]!) { nodes(ids: $ids) { id } }","variables":{"ids":[],"other":{"a":[%s]}}}`, strings.Trim(value, "[]"))
	}
	for name, c := range map[string]struct {
		good, bad string
		code      string
	}{
		"list in the document":            {literal(list(10)), literal(list(11)), "LIST_LIMIT_EXCEEDED"},
		"list as a default":               {standard(list(10)), standard(list(11)), "LIST_LIMIT_EXCEEDED"},
		"list in a directive":             {directive(list(10)), directive(list(11)), "LIST_LIMIT_EXCEEDED"},
		"list in a variable":              {variable(list(10)), variable(list(11)), "LIST_LIMIT_EXCEEDED"},
		"list in an object in a variable": {inObject(list(10)), inObject(list(11)), "LIST_LIMIT_EXCEEDED"},
		"lists together":                  {literal(`[` + list(4) + `, ` + list(4) + `]`), literal(`[` + list(4) + `, ` + list(5) + `]`), "LIST_LIMIT_EXCEEDED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 2 {
				if a := e.do(t, "POST", "/graphql", c.good, "Content-Type", "application/json", "Accept", "application/graphql-response+json"); strings.Contains(a.code(), "LIMIT") {
					t.Errorf("at the bound: %d %s", a.status, a.text)
				}
				if a := e.do(t, "POST", "/graphql", c.bad, "Content-Type", "application/json", "Accept", "application/graphql-response+json"); a.status != 400 || a.code() != c.code {
					t.Errorf("past the bound: %d %s", a.status, a.text)
				}
			}
		})
	}
	wide := setup(t, func(c *gateway.Config, _ *gateway.Deps) { c.Limits.ListItems = 1000 })
	for name, body := range map[string]func(string) string{"document": literal, "variable": variable} {
		if a := wide.do(t, "POST", "/graphql", body(deep(32)), "Content-Type", "application/json", "Accept", "application/graphql-response+json"); strings.Contains(a.code(), "LIMIT") {
			t.Errorf("%s nested at the bound: %d %s", name, a.status, a.text)
		}
		for _, n := range []int{33, 400} {
			if a := wide.do(t, "POST", "/graphql", body(deep(n)), "Content-Type", "application/json", "Accept", "application/graphql-response+json"); a.status != 400 || a.code() != "INPUT_DEPTH_LIMIT_EXCEEDED" {
				t.Errorf("%s nested %d deep: %d %s", name, n, a.status, a.text)
			}
		}
	}
}

// Fragments are counted, and none may spread itself; a long chain of them is fine.
func TestFragmentLimits(t *testing.T) {
	t.Parallel()
	e := setup(t)
	chain := func(n int) string {
		var b strings.Builder
		b.WriteString(`{ categories { ...F1 } }`)
		for i := 1; i < n; i++ {
			fmt.Fprintf(&b, ` fragment F%d on Category { ...F%d }`, i, i+1)
		}
		fmt.Fprintf(&b, ` fragment F%d on Category { name }`, n)
		return b.String()
	}
	if a := e.post(t, chain(50)); a.status != 200 || a.code() != "" {
		t.Errorf("50 fragments: %d %s", a.status, a.text)
	}
	if a := e.post(t, chain(51)); a.status != 400 || a.code() != "FRAGMENT_LIMIT_EXCEEDED" {
		t.Errorf("51 fragments: %d %s", a.status, a.text)
	}
	for name, document := range map[string]string{
		"itself":           `{ categories { ...A } } fragment A on Category { parent { ...A } }`,
		"two":              `{ categories { ...A } } fragment A on Category { name ...B } fragment B on Category { parent { ... { ...A } } }`,
		"one not used":     `{ categories { name } } fragment A on Category { ...A }`,
		"behind a chain":   `{ categories { ...A } } fragment A on Category { ...B } fragment B on Category { ...C } fragment C on Category { ...B }`,
		"behind directive": `{ categories { ...A @skip(if: true) } } fragment A on Category { ...A @include(if: false) }`,
	} {
		if a := e.post(t, document); a.status != 400 || a.code() != "FRAGMENT_CYCLE" {
			t.Errorf("%s: %d %s", name, a.status, a.text)
		}
	}
	if a := e.post(t, `{ categories { ...A ...B } } fragment A on Category { ...C } fragment B on Category { ...C } fragment C on Category { name }`); a.status != 200 {
		t.Errorf("one fragment spread twice: %d %s", a.status, a.text)
	}
}
