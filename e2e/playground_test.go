package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/e2e/node"
	"github.com/techmart/techmart/services/users"
)

// playgroundShop is what the script gets to know of the shop.
type playgroundShop struct {
	URL       string `json:"url"`
	Token     string `json:"token"` // of the demo customer
	VariantID string `json:"variantId"`
}

// Developers sign in with one click, run each worked query, and see what it cost.
func TestPlayground(t *testing.T) {
	t.Parallel()
	chromium := node.Chromium(t)
	node.Install(t, webDir)
	s := setup(t)
	about := playgroundShop{URL: s.url}
	for _, a := range app.DemoAccounts() {
		role := users.Role(strings.ToUpper(strings.ReplaceAll(a.Role, " ", "_")))
		_, err := s.Services.Users.CreateAccount(t.Context(), users.NewAccount{
			Email: a.Email, DisplayName: "Demo " + a.Role, Password: a.Password, Roles: []users.Role{users.Customer, role}, Verified: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		if role == users.Customer {
			about.Token = s.signIn(a.Email, a.Password).token
		}
	}
	about.VariantID = s.product("Fjord Camera", "100.00", 1000).variantID
	text, err := json.Marshal(about)
	if err != nil {
		t.Fatal(err)
	}
	out, err := node.Run(t, webDir, webTimeout, []string{"SHOP=" + string(text), "CHROMIUM=" + chromium},
		"node", "--test", "--test-reporter=spec", "--test-timeout=300000", "playground.test.mjs")
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// The worked queries fit the schema, also those that the browser's test does not run.
func TestWorkedQueries(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../graph/schema.graphql")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "schema.graphql", Input: string(text)})
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../gateway/playground/src/collection/*/*.graphql")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d worked queries, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := gqlparser.LoadQueryWithRules(schema, string(text), rules.NewDefaultRules()); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if !strings.HasPrefix(string(text), "# ") {
			t.Errorf("%s has no name", file)
		}
	}
}
