package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/techmart/techmart/graph/generated"
	"github.com/techmart/techmart/services/users"
)

// moves says of each mutation that takes no key why it needs none: it neither creates nor moves stock, orders or
// money.
var moves = map[string]string{
	"cartDiscountCodesUpdate": "sets codes", "cartShippingMethodSelect": "sets a choice", "cartMerge": "a cart is merged once",
	"orderNoteAdd":  "a note",
	"productUpdate": "compares versions", "productArchive": "sets a status", "inventoryPolicySet": "sets a choice", "categoryCreate": "its slug is taken once",
	"categoryUpdate": "compares versions", "categoryDelete": "deletes", "reviewCreate": "one of each customer", "reviewDelete": "deletes",
	"promotionUpdate": "compares versions", "promotionDelete": "deletes",
	"webhookEndpointUpdate": "compares versions", "webhookEndpointDelete": "deletes",
	"notificationsMarkRead": "sets a mark",
}

// ofAccounts is where the mutations are declared that move nothing but accounts.
const ofAccounts = "users.graphqls"

// Every mutation of the schema takes a key and says whether it repeats its answer, or is known to need none; those that
// do are all tried.
func TestEveryMutationThatMovesSomethingTakesAKey(t *testing.T) {
	t.Parallel()
	schema := generated.NewExecutableSchema(generated.Config{}).Schema()
	for _, m := range schema.Mutation.Fields {
		if strings.HasSuffix(m.Position.Src.Name, ofAccounts) || m.Name[:2] == "__" {
			continue
		}
		input := schema.Types[m.Arguments[0].Type.Name()]
		payload := schema.Types[m.Type.Name()]
		takes := input.Fields.ForName("idempotencyKey") != nil
		tells := slices.ContainsFunc(payload.Fields, func(f *ast.FieldDefinition) bool {
			return f.Name == "replayed" && f.Type.String() == "Boolean!"
		})
		_, tried := repeatables[m.Name]
		_, excused := moves[m.Name]
		if takes != tells || takes != tried || takes == excused {
			t.Errorf("%s: takes a key %t, tells of replays %t, is tried %t, is excused %t", m.Name, takes, tells, tried, excused)
		}
	}
}

// Two mutations of one request share its header, and neither takes the other's answer; the request can be repeated.
func TestOneHeaderForSeveralMutations(t *testing.T) {
	t.Parallel()
	s := setup(t)
	p, c, key := s.unique(9), s.as(users.Customer), uuid.NewString()
	type payload struct {
		Replayed   bool
		UserErrors []userError
	}
	send := func(query string, variables vars) (a, b payload) {
		t.Helper()
		got, err := c.post(query, variables, "Idempotency-Key", key)
		if err != nil || len(got.Errors) > 0 {
			t.Fatal(got.Errors, err)
		}
		var out struct{ A, B payload }
		if err := json.Unmarshal(got.Data, &out); err != nil {
			t.Fatal(err)
		}
		return out.A, out.B
	}
	const both = `mutation($a: CartLinesAddInput!, $b: CartLinesAddInput!) {
		a: cartLinesAdd(input: $a) { replayed userErrors { code message field } }
		b: cartLinesAdd(input: $b) { replayed userErrors { code message field } } }`
	two := vars{"a": vars{"lines": []vars{{"variantId": p.variantID, "quantity": 1}}}, "b": vars{"lines": []vars{{"variantId": p.variantID, "quantity": 2}}}}
	for i, key255 := range []bool{false, true} {
		if key255 {
			for len(key) < 255 {
				key += "k"
			}
		}
		for again := range 2 {
			a, b := send(both, two)
			if len(a.UserErrors)+len(b.UserErrors) > 0 || a.Replayed != (again == 1) || b.Replayed != (again == 1) {
				t.Errorf("round %d, time %d: %+v and %+v", i, again, a, b)
			}
		}
		var out struct{ Cart struct{ TotalQuantity int } }
		if c.must(&out, `{ cart { totalQuantity } }`, nil); out.Cart.TotalQuantity != 3*(i+1) {
			t.Errorf("round %d: %d pieces are in the cart", i, out.Cart.TotalQuantity)
		}
	}
}

// A key belongs to its viewer: another one's call with it is a call of its own.
func TestAKeyIsItsViewers(t *testing.T) {
	t.Parallel()
	s := setup(t)
	p, key := s.unique(9), uuid.NewString()
	for range 2 {
		r := repeatable{mutation: "cartLinesAdd", shows: `cart { totalQuantity }`, by: s.as(users.Customer)}
		shown, codes, replayed, err := r.ask(vars{"idempotencyKey": key, "lines": []vars{{"variantId": p.variantID, "quantity": 1}}})
		if err != nil || codes != "" || replayed || shown != `{"cart":{"totalQuantity":1}}` {
			t.Errorf("it answers %s %s %t %v", shown, codes, replayed, err)
		}
	}
}
