package e2e

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/techmart/techmart/services/clients"
	"github.com/techmart/techmart/services/users"
)

// What the set-ups of Apollo Kotlin and Apollo iOS ask is published as it is, and runs by its ids alone.
func TestApolloClients(t *testing.T) {
	t.Parallel()
	s := setup(t)
	camera := s.product("Fjord Camera", "100.00", 10)
	account := s.account(users.Customer)
	for _, name := range []string{"kotlin", "ios"} {
		file, err := os.ReadFile("../clients/" + name + "/manifest.json")
		if err != nil {
			t.Fatal(err)
		}
		var manifest struct {
			Operations []struct{ ID, Name string }
		}
		if err := json.Unmarshal(file, &manifest); err != nil {
			t.Fatal(err)
		}
		ids := make(map[string]string)
		for _, o := range manifest.Operations {
			ids[o.Name] = o.ID
		}
		key := s.apiClient(name, clients.Only)
		in, err := os.Open("../clients/" + name + "/manifest.json")
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close() // it was only read
		if n, err := s.PublishDocuments(t.Context(), name, "1.0.0", in); err != nil || n != len(ids) {
			t.Fatalf("%s: %d documents are published: %v", name, n, err)
		}
		run := func(c *client, out any, operation string, v vars) {
			t.Helper()
			var a answer
			eventually(t, operation+" is known", func() bool {
				var err error
				a, err = c.named(ids[operation], v, "X-API-Key", key)
				return err == nil && a.code() != "PERSISTED_QUERY_NOT_FOUND" && a.code() != "UNAUTHENTICATED"
			})
			if len(a.Errors) > 0 {
				t.Fatalf("%s: %s: %+v", name, operation, a.Errors)
			}
			if err := json.Unmarshal(a.Data, out); err != nil {
				t.Fatal(err)
			}
		}

		var found struct {
			Search struct {
				Products struct{ Nodes []struct{ Slug string } }
			}
		}
		run(s.anonymous(), &found, "Search", vars{"query": "camera", "first": 1})
		if len(found.Search.Products.Nodes) != 1 {
			t.Fatalf("%s finds %+v", name, found)
		}
		var screen struct {
			Product struct{ Variants []struct{ ID string } }
		}
		run(s.anonymous(), &screen, "ProductScreen", vars{"slug": found.Search.Products.Nodes[0].Slug})
		if len(screen.Product.Variants) != 1 || screen.Product.Variants[0].ID != camera.variantID {
			t.Fatalf("%s shows %+v", name, screen)
		}
		var signed struct {
			SessionCreate struct{ Tokens struct{ AccessToken string } }
		}
		run(s.anonymous(), &signed, "SignIn", vars{"email": account.Email, "password": account.Password})
		customer := &client{s: s, token: signed.SessionCreate.Tokens.AccessToken}
		var added struct {
			CartLinesAdd struct{ Cart struct{ TotalQuantity int } }
		}
		run(customer, &added, "AddToCart", vars{"key": name + "-add", "variantId": camera.variantID, "quantity": 1})
		if added.CartLinesAdd.Cart.TotalQuantity != 1 {
			t.Fatalf("%s: %+v", name, added)
		}
		var placed struct {
			OrderPlace struct {
				Order      *struct{ ID string }
				UserErrors []userError
			}
		}
		run(customer, &placed, "PlaceOrder", vars{"key": name + "-order", "paymentToken": "tok_visa", "address": vars{
			"recipient": "Ada Lovelace", "line1": "Ackerstr. 1", "postalCode": "10115", "city": "Berlin", "countryCode": "DE",
		}})
		if placed.OrderPlace.Order == nil {
			t.Fatalf("%s: %+v", name, placed.OrderPlace.UserErrors)
		}
		eventually(t, "the order is confirmed", func() bool { return customer.orderStatus(placed.OrderPlace.Order.ID) == "CONFIRMED" })
	}
}
