package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/e2e/node"
	"github.com/techmart/techmart/services/clients"
	"github.com/techmart/techmart/services/users"
)

const (
	// interopDir holds what the public has written, as npm packages, and the scripts that use it.
	interopDir = "interop"
	// scriptTimeout bounds the run of one script.
	scriptTimeout = time.Minute
)

// interopShop is what a script gets to know of the shop.
type interopShop struct {
	URL           string         `json:"url"`
	Introspection bool           `json:"introspection"` // whether the public has it
	Customer      interopAccount `json:"customer"`
	Product       interopProduct `json:"product"`
	Keys          interopKeys    `json:"keys"`
}

type interopAccount struct {
	ID       string `json:"id"`
	Email    string `json:"email"`
	Password string `json:"password"`
}

// interopKeys are the API keys of front ends that may run nothing but what they have published, one by
// Apollo's manifest and one by Relay's map.
type interopKeys struct {
	Apollo string `json:"apollo"`
	Relay  string `json:"relay"`
}

type interopProduct struct {
	ID        string `json:"id"`
	Slug      string `json:"slug"`
	VariantID string `json:"variantId"`
}

// Clients and audits that others have written work with the shop, as the public meets it in
// production. The audit of the protocol also runs as in development, where introspection is on.
func TestInterop(t *testing.T) {
	t.Parallel()
	node.Install(t, interopDir)
	production, development := modes(t)
	var stock []stocked
	for _, title := range []string{"Fjord Camera", "Fjord Lens", "Fjord Tripod"} {
		stock = append(stock, development.product(title, "100.00", 1000))
	}
	keys := development.published()
	scripts, err := filepath.Glob(filepath.Join(interopDir, "*.test.mjs"))
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts", err)
	}
	run := func(name, script string, s *shop, introspection bool) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.within(t).script(script, introspection, stock[0], keys)
		})
	}
	run("audit in development", "audit.test.mjs", development, true)
	for _, script := range scripts {
		run(filepath.Base(script), filepath.Base(script), production, false)
	}
}

// modes is two processes on the same stores: one answers as in production, the other answers as in
// development and works too.
func modes(t *testing.T) (production, development *shop) {
	t.Helper()
	c := config(t)
	c.SecondFactorKeys = users.GenerateKey()
	development = open(t, c)
	if err := development.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	development.run(true)
	c.Mode, c.SMTPURL = app.Production, "smtp://127.0.0.1:25" // it has no worker, so it sends no mail
	production = open(t, c)
	production.run(false)
	return production, development
}

// published registers the two front ends and publishes their documents, as their build tools write them.
func (s *shop) published() (keys interopKeys) {
	s.t.Helper()
	out, err := node.Run(s.t, interopDir, scriptTimeout, []string{"NODE_ENV=production"}, "node", "manifest.mjs")
	if err != nil {
		s.t.Fatalf("manifest.mjs: %v\n%s", err, out)
	}
	var manifests struct{ Apollo, Relay json.RawMessage }
	if err := json.Unmarshal([]byte(out), &manifests); err != nil {
		s.t.Fatalf("manifest.mjs: %v\n%s", err, out)
	}
	publish := func(name string, manifest []byte) string {
		key, err := s.CreateClient(s.t.Context(), name, clients.Only, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		if n, err := s.PublishDocuments(s.t.Context(), name, "1.0.0", bytes.NewReader(manifest)); err != nil || n == 0 {
			s.t.Fatalf("%d documents of %s are published: %v", n, name, err)
		}
		return key
	}
	return interopKeys{publish("apollo-shop", manifests.Apollo), publish("relay-shop", manifests.Relay)}
}

// summary is a line at the end of what node's test runner says.
var summary = regexp.MustCompile(`(?m)^# (tests|pass|fail|cancelled|skipped|todo) (\d+)$`)

// script runs one script with an account of its own. All of its tests run, and all pass.
func (s *shop) script(name string, introspection bool, product stocked, keys interopKeys) {
	s.t.Helper()
	account := s.account(users.Customer)
	var slug struct{ Product struct{ Slug string } }
	s.anonymous().must(&slug, `query($id: ID!) { product(id: $id) { slug } }`, vars{"id": product.productID})
	text, err := json.Marshal(interopShop{
		URL: s.url + "/graphql", Introspection: introspection, Customer: account,
		Product: interopProduct{product.productID, slug.Product.Slug, product.variantID},
		Keys:    keys,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	limit := strconv.FormatInt((scriptTimeout / 2).Milliseconds(), 10)
	out, err := node.Run(s.t, interopDir, scriptTimeout, []string{"SHOP=" + string(text), "NODE_ENV=production"},
		"node", "--test", "--test-reporter=tap", "--test-timeout="+limit, name)
	count := make(map[string]string)
	for _, line := range summary.FindAllStringSubmatch(out, -1) {
		count[line[1]] = line[2]
	}
	if err != nil || count["pass"] != count["tests"] || count["tests"] == "0" || count["tests"] == "" {
		s.t.Errorf("%s: %v\n%s", name, err, out)
		return
	}
	s.t.Logf("%s: %s tests pass", name, count["pass"])
}

// account is a new account of the role, whose address is verified.
func (s *shop) account(role users.Role) interopAccount {
	s.t.Helper()
	email := fmt.Sprintf("interop-%d@example.com", time.Now().UnixNano())
	u, err := s.Services.Users.CreateAccount(s.t.Context(), users.NewAccount{
		Email: email, DisplayName: "Interop", Password: password, Roles: []users.Role{role}, Verified: true,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return interopAccount{u.ID.String(), email, password}
}
