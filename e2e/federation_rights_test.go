package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/techmart/techmart/services/clients"
	"github.com/techmart/techmart/services/users"
	"github.com/techmart/techmart/services/viewer"
)

// entitiesQuery asks as a router does.
const entitiesQuery = `query($of: [_Any!]!) { _entities(representations: $of) { __typename %s } }`

type representation map[string]any

// entities asks for entities, and gives what is there of each.
func (c *client) entities(fields string, of ...representation) (list []map[string]any, a answer) {
	c.s.t.Helper()
	a = c.do(fmt.Sprintf(entitiesQuery, fields), vars{"of": of})
	var out struct {
		Entities []map[string]any `json:"_entities"`
	}
	if len(a.Data) > 0 {
		if err := json.Unmarshal(a.Data, &out); err != nil {
			c.s.t.Fatal(err)
		}
	}
	return out.Entities, a
}

// process is the shop as one of its parts answers.
func (s *split) process(t *testing.T, part string) *shop {
	at := s.within(t)
	at.url = s.parts[part].address
	return at
}

// A subgraph gives each viewer what the whole graph gives, whatever a request says of who it is, and shows
// its schema to routers alone.
func (s *split) rights(t *testing.T) {
	in := s.within(t)
	ada, eve := in.signIn("ada@techmart.example", demoPassword), in.as(users.Customer)
	var own struct {
		Me struct {
			ID     string
			Orders struct {
				Nodes []struct {
					ID      string
					Payment struct{ ID string }
				}
			}
		}
	}
	ada.must(&own, `{ me { id orders(first: 1, where: {statuses: [DELIVERED]}) { nodes { id payment { id } } } } }`, nil)
	order := own.Me.Orders.Nodes[0]
	ofUser, ofOrder := representation{"__typename": "User", "id": own.Me.ID}, representation{"__typename": "Order", "id": order.ID}
	ofPayment := representation{"__typename": "Payment", "id": order.Payment.ID}

	for _, ask := range []struct {
		part, fields string
		of           representation
	}{
		{"users", "... on User { email }", ofUser},
		{"orders", "... on Order { number }", ofOrder},
		{"orders", "... on User { orders(first: 1) { nodes { number } } }", ofUser},
		{"orders", "... on User { cart { id token } }", ofUser},
		{"payments", "... on Payment { status }", ofPayment},
		{"payments", "... on Order { payment { status } }", ofOrder},
		{"notifications", "... on User { notifications { nodes { title } } unreadNotificationCount }", ofUser},
	} {
		at := s.process(t, ask.part)
		list, a := ada.at(at).entities(ask.fields, ask.of)
		if len(list) != 1 || list[0] == nil || len(a.Errors) > 0 {
			t.Errorf("%s: one's own %v is %v: %+v", ask.part, ask.of, list, a.Errors)
		}
		forged := []string{"X-User-Id", own.Me.ID, "X-Viewer", own.Me.ID, "X-Scopes", "users:read orders:read payments:read", "X-Role", "ADMIN",
			"X-Auth-Request-User", "ada@techmart.example", "X-Forwarded-User", "ada@techmart.example", "X-Forwarded-For", "127.0.0.1", "Apollo-Federation-Include-Trace", "ftv1"}
		for name, stranger := range map[string]*client{"a stranger": at.anonymous(), "another customer": eve.at(at)} {
			a := stranger.do(fmt.Sprintf(entitiesQuery, ask.fields), vars{"of": []representation{ask.of}}, forged...)
			text := string(a.Data)
			for _, secret := range []string{"ada@", "T-1", "CAPTURED", `"title"`, `"token":"`} {
				if strings.Contains(text, secret) {
					t.Errorf("%s: %s learns of %v: %s", ask.part, name, ask.of, text)
				}
			}
		}
	}
	if a := s.process(t, "users").anonymous().do(`{ me { id } }`, nil, "Authorization", "Bearer "+ada.token[:len(ada.token)-4]+"AAAA"); a.Status != 401 {
		t.Errorf("a token that nobody signed is answered with %d", a.Status)
	}

	// The schema is for routers. API keys count; a customer's account does not.
	admin := in.signIn("admin@techmart.example", demoPassword)
	plain, err := s.CreateClient(t.Context(), "no-router", clients.Open, []viewer.Scope{viewer.OrdersRead})
	if err != nil {
		t.Fatal(err)
	}
	products := s.process(t, "products")
	const service = `{ _service { sdl } }`
	for name, c := range map[string]struct {
		who  *client
		key  []string
		code string
	}{
		"nobody":                 {products.anonymous(), nil, "UNAUTHENTICATED"},
		"a customer":             {eve.at(products), nil, "FORBIDDEN"},
		"an admin":               {admin.at(products), nil, ""},
		"a client for all else":  {products.anonymous(), []string{"X-API-Key", plain}, "UNAUTHENTICATED"},
		"who says to be trusted": {products.anonymous(), []string{"X-Router-Secret", "x", "Apollo-Router-Authorization", "x"}, "UNAUTHENTICATED"},
	} {
		if a := c.who.do(service, nil, c.key...); a.code() != c.code {
			t.Errorf("%s asks for the SDL and gets %q", name, a.code())
		}
	}
	if a := products.anonymous().do(`{ __schema { types { name } } }`, nil); a.code() != "INTROSPECTION_DISABLED" {
		t.Errorf("introspection by the public: %q", a.code())
	}

	// A part knows no more than its own.
	for part, query := range map[string]string{"products": `{ me { id } }`, "users": `{ products { nodes { id } } }`, "payments": `subscription { orderUpdated { id } }`, "notifications": `mutation { cartLinesAdd(input: {lines: []}) { cart { id } } }`} {
		if a := s.process(t, part).anonymous().do(query, nil); !strings.HasPrefix(a.code(), "GRAPHQL_VALIDATION") {
			t.Errorf("%s answers %s with %q", part, query, a.code())
		}
	}
	s.stubs(t, ada, admin)
}

// stubs tries every field that leads to an entity of another part: that costs no call.
func (s *split) stubs(t *testing.T, ada, admin *client) {
	for _, pair := range []struct {
		who         *client
		part        string
		bare, field string
	}{
		{admin, "orders", `{ orders(first: 20) { nodes { id } } }`, `{ orders(first: 20) { nodes { id customer { id __typename } } } }`},
		{admin, "orders", `{ orders(first: 20) { nodes { lines { id } } } }`, `{ orders(first: 20) { nodes { lines { id product { id } variant { id } } } } }`},
		{admin, "payments", `{ payments(first: 20) { nodes { id } } }`, `{ payments(first: 20) { nodes { id order { id } } } }`},
		{ada, "orders", `{ cart { lines { id } } }`, `{ cart { lines { id variant { id } } } }`},
	} {
		at := pair.who.at(s.process(t, pair.part))
		bare := at.do(pair.bare, nil)
		if len(bare.Errors) > 0 {
			t.Fatalf("%s: %+v", pair.bare, bare.Errors)
		}
		few, more := 0, 1
		for range 10 { // what is asked from time to time is no part of it
			few, more = at.counted(pair.bare), at.counted(pair.field)
			if more <= few {
				break
			}
		}
		if more > few {
			t.Errorf("%s takes %d calls, and %d without the stubs", pair.field, more, few)
		}
	}
	user := representation{"__typename": "User", "id": ada.userID}
	if _, a := ada.at(s.process(t, "orders")).entities("... on User { id }", user); backendCalls(a) > 1 { // the session
		t.Errorf("an entity of another part takes calls: %s", a.Header.Get("X-TechMart-Backend-Calls"))
	}
}

// counted gives the calls behind an operation.
func (c *client) counted(query string) int {
	c.s.t.Helper()
	return backendCalls(c.do(query, nil))
}
