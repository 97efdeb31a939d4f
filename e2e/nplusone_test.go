package e2e

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/techmart/techmart/app"
)

// loadSchema reads the SDL as it stands in the repository.
func loadSchema(t *testing.T) *ast.Schema {
	t.Helper()
	files, err := filepath.Glob("../graph/schema/*.graphqls")
	if err != nil || len(files) == 0 {
		t.Fatalf("no schema: %v", err)
	}
	var sources []*ast.Source
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, &ast.Source{Name: name, Input: string(text)})
	}
	schema, err := gqlparser.LoadSchema(sources...)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// Every list of the graph, with all its relations, costs as many calls to the servers at 50 items
// as at 5. The lists are found in the schema: a new one is tried without anyone remembering it.
//
// It runs alone: the loaders gather until nothing else in the process could run, and so would wait
// for other tests.
func TestNoListCostsMoreCallsWhenItIsLonger(t *testing.T) {
	s := seeded(t, func(c *app.Config) { c.MaxCost = 25_000 }) // no page asks for all relations of 50 things
	// A customer with an order history and an address, who is made staff too, so that one viewer sees every list filled.
	admin := s.signIn("admin@techmart.example", demoPassword)
	args := s.listArgs(admin)
	fields, err := listFields(loadSchema(t), args)
	if err != nil {
		t.Fatal(err)
	}
	schema := loadSchema(t)
	sized, grown := 0, 0
	for _, f := range fields {
		t.Run(f.name, func(t *testing.T) {
			short, long := f.query(schema, args, 5), f.query(schema, args, 50)
			few, fewBytes := admin.callsTo(t, short, 0, perTime)
			if long == short { // it has no size of its own: it grows with its parents, in their tests
				return
			}
			many, manyBytes := admin.callsTo(t, long, few, perTime)
			if many > few {
				t.Errorf("at 5 items it takes %d calls, at 50 items %d:\n%s", few, many, long)
			}
			sized++
			if manyBytes > fewBytes {
				grown++
			}
		})
	}
	if grown < sized/3 {
		t.Errorf("only %d of %d lists were longer at 50 than at 5: the data prove nothing", grown, sized)
	}
}

// perTime is what a process asks from time to time, whatever is asked of it: a request that takes longer
// than others meets it more often.
const perTime = "budget"

// callsOf gives the calls to all servers behind a warm request, and the size of its data. Two relations
// that lead to the same things share a call when they happen to be asked for at the same time, so
// the fewest of several tries count, up to the first that is good enough.
func (c *client) callsOf(t *testing.T, query string, enough int) (calls, bytes int) {
	t.Helper()
	return c.callsTo(t, query, enough, "")
}

// callsTo is callsOf without the calls to one backend.
func (c *client) callsTo(t *testing.T, query string, enough int, without string) (calls, bytes int) {
	t.Helper()
	const warmUp, least, most = 1, 4, 40
	calls = math.MaxInt
	for try := range most {
		a := c.do(query, nil)
		if len(a.Errors) > 0 {
			t.Fatalf("%+v of %s", a.Errors, query)
		}
		sum := 0
		for part := range strings.FieldsSeq(a.Header.Get("X-TechMart-Backend-Calls")) {
			backend, text, _ := strings.Cut(part, "=")
			if backend == without {
				continue
			}
			n, err := strconv.Atoi(text)
			if err != nil {
				t.Fatalf("the header says %q", part)
			}
			sum += n
		}
		if sum == 0 {
			t.Fatal("the answer took no call: nothing was measured")
		}
		if try >= warmUp {
			calls, bytes = min(calls, sum), len(a.Data)
		}
		if calls <= enough || enough == 0 && try >= least {
			break
		}
	}
	return calls, bytes
}

// listArgs gives the arguments of the root fields that need some, and fills the viewer's cart.
func (s *shop) listArgs(admin *client) map[string]string {
	s.t.Helper()
	var out struct {
		Products struct {
			Nodes []struct {
				ID       string
				Slug     string
				Variants []struct{ ID string }
			}
		}
		Payments struct{ Nodes []struct{ ID string } }
		Orders   struct{ Nodes []struct{ ID string } }
		Users    struct{ Nodes []struct{ ID string } }
	}
	admin.must(&out, `{ products(first: 50, where: {available: true}) { nodes { id slug variants(first: 1) { id } } }
		payments(first: 1) { nodes { id } } orders(first: 50) { nodes { id } } users(first: 1) { nodes { id } } }`, nil)
	var lines []vars
	var ids, representations []string
	for _, p := range out.Products.Nodes {
		lines = append(lines, vars{"variantId": p.Variants[0].ID, "quantity": 1})
		ids = append(ids, strconv.Quote(p.ID))
		representations = append(representations, fmt.Sprintf(`{__typename: "Product", id: %q}`, p.ID))
	}
	admin.change("cartLinesAdd", "CartLinesAddInput", vars{"lines": lines})
	product := out.Products.Nodes[0]
	var hook, delivery string
	for range 8 {
		hook, _ = admin.hook(vars{"url": "http://127.0.0.1:9999/", "eventTypes": allOfOrders})
		for range 2 {
			delivery = admin.testWebhook(hook)
		}
	}
	now := time.Now().UTC()
	return map[string]string{
		"Query._entities":             "representations: [" + strings.Join(representations, ", ") + "]",
		"Query.node":                  fmt.Sprintf("id: %q", product.ID),
		"Query.nodes":                 "ids: [" + strings.Join(ids, ", ") + "]",
		"Query.product":               fmt.Sprintf("slug: %q", product.Slug),
		"Query.productVariant":        fmt.Sprintf("id: %q", product.Variants[0].ID),
		"Query.orders":                "where: {statuses: [DELIVERED]}", // each has all its relations
		"Query.category":              `slug: "laptops"`,
		"Query.search":                `query: "laptop"`,
		"Query.queryCost":             `document: "{ me { id } }"`,
		"Query.order":                 fmt.Sprintf("id: %q", out.Orders.Nodes[0].ID),
		"Query.payment":               fmt.Sprintf("id: %q", out.Payments.Nodes[0].ID),
		"Query.promotion":             `id: "promo_00000000000000000000000000"`, // it has no lists
		"Query.paymentReconciliation": fmt.Sprintf("from: %q, to: %q", now.AddDate(0, 0, -30).Format(time.RFC3339), now.Format(time.RFC3339)),
		"Query.webhookEndpoint":       fmt.Sprintf("id: %q", hook),
		"Query.webhookDelivery":       fmt.Sprintf("id: %q", delivery),
		"Query.user":                  fmt.Sprintf("id: %q", out.Users.Nodes[0].ID),
	}
}

// What the demo data are made with.
const demoPassword = "techmart-demo-2026"

// seeded is a shop with the demo data, API and worker running.
func seeded(t *testing.T, change ...func(*app.Config)) *shop {
	t.Helper()
	s := setup(t, change...)
	if err := s.Seed(t.Context(), 1, func(string) {}); err != nil {
		t.Fatal(err)
	}
	return s
}
