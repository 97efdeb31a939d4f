package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/clients"
	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/users"
	"github.com/techmart/techmart/services/viewer"
)

// The documents of the tests.
const (
	categoriesText = "query Categories { categories { name } }"
	shopText       = "query Shop($n: Int!) { products(first: $n) { nodes { title } } }"
	dearText       = "query Dear { products(first: 100) { nodes { title variants(first: 10) { sku } } } }"
	placeText      = "mutation Forget($input: SessionRevokeAllInput!) { sessionRevokeAll(input: $input) { userErrors { code } } }"
)

func sha(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// apollo is Apollo's manifest of texts, each under its hash, or under the id that comes before it and a space.
func apollo(operations ...vars) string {
	text, err := json.Marshal(vars{"format": "apollo-persisted-query-manifest", "version": 1, "operations": operations})
	if err != nil {
		panic(err)
	}
	return string(text)
}

func operation(id, name, kind, text string) vars {
	return vars{"id": id, "name": name, "type": kind, "body": text}
}

// apiClient makes an API client and gives its key.
func (s *shop) apiClient(name string, mode clients.Mode, scopes ...viewer.Scope) string {
	s.t.Helper()
	key, err := s.CreateClient(s.t.Context(), name, mode, scopes)
	if err != nil {
		s.t.Fatal(err)
	}
	return key
}

func (s *shop) publishDocuments(client, version, manifest string) {
	s.t.Helper()
	if _, err := s.PublishDocuments(s.t.Context(), client, version, strings.NewReader(manifest)); err != nil {
		s.t.Fatal(err)
	}
}

// send posts a body with an API key; none for an empty one.
func (s *shop) send(key string, body vars) answer {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/graphql", bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	return s.fetch(req, key)
}

// get asks by GET with an API key.
func (s *shop) get(key string, query url.Values) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+"/graphql?"+query.Encode(), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Apollo-Require-Preflight", "1")
	return s.fetch(req, key)
}

func (s *shop) fetch(req *http.Request, key string) (a answer) {
	s.t.Helper()
	if key != "" {
		req.Header.Set("X-API-Key", key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close() // it is read to its end
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a = answer{Status: resp.StatusCode, Header: resp.Header}
	if err := json.Unmarshal(text, &a); err != nil {
		s.t.Fatalf("%d %s: %v", resp.StatusCode, text, err)
	}
	return a
}

// metric gives the lines of a metric.
func (s *shop) metric(name string) string {
	s.t.Helper()
	resp, err := http.Get(s.url + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close() // it is read to its end
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, name) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func persisted(hash string) vars {
	return vars{"persistedQuery": vars{"version": 1, "sha256Hash": hash}}
}

// An API key tells the client, has its scopes where no account asks, and none where one does.
func TestAPIKeys(t *testing.T) {
	t.Parallel()
	s := setup(t)
	key := s.apiClient("partner", clients.Open, viewer.OrdersRead)
	staff := vars{"query": "{ orders(first: 1) { nodes { id } } }"}
	if a := s.send(key, staff); a.code() != "" {
		t.Errorf("a client with orders:read: %+v", a.Errors)
	}
	if a := s.send("", staff); a.code() != "UNAUTHENTICATED" {
		t.Errorf("nobody reads orders: %+v", a.Errors)
	}
	if a := s.send(key, vars{"query": "{ users(first: 1) { nodes { id } } }"}); a.code() != "UNAUTHENTICATED" {
		t.Errorf("a scope that the client has not: %+v", a.Errors)
	}
	if a := s.send(key, vars{"query": "{ cart { id } }"}); a.code() != "" && a.code() != "UNAUTHENTICATED" {
		t.Errorf("a cart of a client without an account: %+v", a.Errors)
	}
	customer := s.as(users.Customer)
	if a := customer.do("{ orders(first: 1) { nodes { id } } }", nil, "X-API-Key", key); a.code() != "FORBIDDEN" {
		t.Errorf("an account has its own scopes, whatever its client has: %+v", a.Errors)
	}
	if a := customer.do("{ me { id } }", nil, "X-API-Key", key); a.code() != "" {
		t.Errorf("an account through a client: %+v", a.Errors)
	}
	for what, bad := range map[string]string{
		"an unknown key": "tm_" + strings.Repeat("a", 52), "a part of a key": key[:20], "a long text": strings.Repeat("k", 4000), "more": key + "a",
	} {
		if a := s.send(bad, staff); a.Status != http.StatusUnauthorized || a.code() != "UNAUTHENTICATED" {
			t.Errorf("%s: %d %+v", what, a.Status, a.Errors)
		}
	}
}

// Clients that use the same idempotency key do not meet, and neither gets the other's answer.
func TestAPIClientsActForThemselves(t *testing.T) {
	t.Parallel()
	s := setup(t)
	p := s.product("Desk Lamp", "29.90", 4)
	keys := []string{s.apiClient("warehouse", clients.Open, viewer.InventoryWrite), s.apiClient("erp", clients.Open, viewer.InventoryWrite)}
	for i, key := range keys {
		before := 4 + i
		a := s.send(key, vars{"query": `mutation($input: InventoryAdjustInput!) { inventoryAdjust(input: $input) { adjustment { onHandAfter } userErrors { code message } } }`,
			"variables": vars{"input": vars{"idempotencyKey": "same", "variantId": p.variantID, "locationId": model.ID(model.PrefixLocation, products.Locations[0].ID),
				"expectedOnHand": before, "onHand": before + 1, "reason": "COUNTED"}}})
		if want := fmt.Sprintf(`"onHandAfter":%d`, before+1); !strings.Contains(string(a.Data), want) {
			t.Errorf("client %d: %s %+v; want %s", i, a.Data, a.Errors, want)
		}
	}
	if lines := s.metric("api_keys_total"); !strings.Contains(lines, `outcome="good"`) {
		t.Errorf("the metric does not know good keys: %s", lines)
	}
}

// A rotated key overlaps with the old one, and what is revoked in one process ends in all.
func TestKeysAreRotatedAndRevoked(t *testing.T) {
	t.Parallel()
	s := setup(t)
	other := open(t, s.config)
	other.run(false)
	first := s.apiClient("web", clients.Open)
	good := func(at *shop, key string) bool {
		return at.send(key, vars{"query": categoriesText}).Status == http.StatusOK
	}
	eventually(t, "the new key is good in both processes", func() bool { return good(s, first) && good(other, first) })

	second, err := s.RotateClient(t.Context(), "web", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second key is good", func() bool { return good(other, second) })
	if !good(other, first) {
		t.Error("the first key ended before the overlap")
	}
	third, err := other.RotateClient(t.Context(), "web", 0)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	eventually(t, "the first keys end without an overlap", func() bool { return !good(s, first) && !good(s, second) })
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("it took %v for a key to end", took)
	}
	eventually(t, "the third key is good", func() bool { return good(s, third) })
	if err := other.RevokeClient(t.Context(), "web", ""); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	eventually(t, "a revoked client is refused", func() bool { return !good(s, third) && !good(other, third) })
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("it took %v for a client to be revoked", took)
	}
	if _, err := s.RotateClient(t.Context(), "web", 0); err == nil {
		t.Error("a revoked client has a new key")
	}
}

// A published document runs by its id, by its hash and in full, by POST and by GET.
func TestTrustedDocuments(t *testing.T) {
	t.Parallel()
	s := setup(t)
	key := s.apiClient("web", clients.Only)
	s.publishDocuments("web", "1.0.0", apollo(operation(sha(categoriesText), "Categories", "query", categoriesText), operation("shop-list", "Shop", "query", shopText)))
	s.publishDocuments("web", "1.1.0", fmt.Sprintf(`{%q: %q, "3f0b": "query ByRelay { categories { id } }"}`, sha(categoriesText), categoriesText))
	hash := sha(categoriesText)
	n := vars{"n": 3}
	for what, body := range map[string]vars{
		"documentId, an id":                {"documentId": "shop-list", "variables": n},
		"documentId, the bare hash":        {"documentId": hash},
		"documentId, sha256:":              {"documentId": "sha256:" + hash},
		"documentId, a hash beside its id": {"documentId": "sha256:" + sha(shopText), "variables": n},
		"documentId of Relay":              {"documentId": "3f0b"},
		"persistedQuery":                   {"extensions": persisted(hash)},
		"persistedQuery with an id":        {"extensions": persisted("shop-list"), "variables": n},
		"the hash with the text":           {"query": categoriesText, "extensions": persisted(hash)},
		"the text":                         {"query": categoriesText},
		"an operation's name":              {"documentId": hash, "operationName": "Categories"},
	} {
		if a := s.send(key, body); a.Status != 200 || len(a.Errors) > 0 || len(a.Data) < 10 {
			t.Errorf("%s: %d %s %+v", what, a.Status, a.Data, a.Errors)
		}
	}
	for what, query := range map[string]url.Values{
		"documentId":     {"documentId": {"shop-list"}, "variables": {`{"n":3}`}},
		"sha256:":        {"documentId": {"sha256:" + hash}},
		"persistedQuery": {"extensions": {`{"persistedQuery":{"version":1,"sha256Hash":"` + hash + `"}}`}},
	} {
		if a := s.get(key, query); a.Status != 200 || len(a.Errors) > 0 {
			t.Errorf("GET by %s: %d %+v", what, a.Status, a.Errors)
		}
	}
	for what, c := range map[string]struct {
		body vars
		code string
	}{
		"another text":               {vars{"query": "{ categories { id } }"}, "DOCUMENT_NOT_TRUSTED"},
		"a space more":               {vars{"query": categoriesText + " "}, "DOCUMENT_NOT_TRUSTED"},
		"a guessed field":            {vars{"query": "{ secretField }"}, "DOCUMENT_NOT_TRUSTED"},
		"no GraphQL":                 {vars{"query": "}{"}, "DOCUMENT_NOT_TRUSTED"},
		"introspection":              {vars{"query": "{ __schema { types { name } } }"}, "DOCUMENT_NOT_TRUSTED"},
		"a wrong hash":               {vars{"query": categoriesText, "extensions": persisted(sha("{ a }"))}, "PERSISTED_QUERY_HASH_MISMATCH"},
		"an unknown hash":            {vars{"extensions": persisted(sha("{ a }"))}, "PERSISTED_QUERY_NOT_FOUND"},
		"an unknown id":              {vars{"documentId": "shop-lists"}, "PERSISTED_QUERY_NOT_FOUND"},
		"registering":                {vars{"query": "{ categories { id } }", "extensions": persisted(sha("{ categories { id } }"))}, "DOCUMENT_NOT_TRUSTED"},
		"an id with another text":    {vars{"query": "{ a }", "documentId": "shop-list"}, "BAD_REQUEST"},
		"two different names":        {vars{"documentId": "3f0b", "extensions": persisted(hash)}, "BAD_REQUEST"},
		"sha256: and no hash":        {vars{"documentId": "sha256:abc"}, "BAD_REQUEST"},
		"an id of 257 characters":    {vars{"documentId": strings.Repeat("a", 257)}, "BAD_REQUEST"},
		"persistedQuery, version 2":  {vars{"extensions": vars{"persistedQuery": vars{"version": 2, "sha256Hash": hash}}}, "BAD_REQUEST"},
		"a registered one by itself": {vars{"extensions": persisted(sha("{ categories { id } }"))}, "PERSISTED_QUERY_NOT_FOUND"},
	} {
		a := s.send(key, c.body)
		if a.code() != c.code {
			t.Errorf("%s: %s; want %s", what, a.code(), c.code)
		}
		if strings.Contains(fmt.Sprint(a.Errors), "secretField") || a.Data != nil {
			t.Errorf("%s gives something away: %s %+v", what, a.Data, a.Errors)
		}
	}
	lines := s.metric("graphql_documents_total")
	for _, kind := range []string{"trusted", "refused", "missing"} {
		if !strings.Contains(lines, `client="web",kind="`+kind+`"`) {
			t.Errorf("the metric does not know %s:\n%s", kind, lines)
		}
	}
	if err := s.RetireDocuments(t.Context(), "web", "1.0.0"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a retired document is refused", func() bool {
		return s.send(key, vars{"documentId": "shop-list", "variables": n}).code() == "PERSISTED_QUERY_NOT_FOUND"
	})
	if a := s.send(key, vars{"documentId": hash}); a.code() != "" {
		t.Errorf("what another version has is retired: %+v", a.Errors)
	}
}

// Each mode lets a client run what it says.
func TestDocumentModes(t *testing.T) {
	t.Parallel()
	s := setup(t, func(c *app.Config) { c.UntrustedCost = 50 })
	other := s.apiClient("other", clients.Only)
	s.publishDocuments("other", "1", apollo(operation("x", "Shop", "query", shopText)))
	key := s.apiClient("web", clients.Open)
	s.publishDocuments("web", "1", apollo(operation("list", "Categories", "query", categoriesText)))
	unknown, free := "{ categories { id } }", "{ categories { slug } }"
	for _, c := range []struct {
		mode                                                      clients.Mode
		trusted, full, register, fromHash, dear, otherID, badText string
	}{
		{clients.Open, "", "", "", "", "", "PERSISTED_QUERY_NOT_FOUND", "GRAPHQL_VALIDATION_FAILED"},
		{clients.Log, "", "", "", "", "", "PERSISTED_QUERY_NOT_FOUND", "GRAPHQL_VALIDATION_FAILED"},
		{clients.Prefer, "", "", "", "PERSISTED_QUERY_NOT_FOUND", "DOCUMENT_NOT_TRUSTED", "PERSISTED_QUERY_NOT_FOUND", "GRAPHQL_VALIDATION_FAILED"},
		{clients.Only, "", "DOCUMENT_NOT_TRUSTED", "DOCUMENT_NOT_TRUSTED", "PERSISTED_QUERY_NOT_FOUND", "DOCUMENT_NOT_TRUSTED", "PERSISTED_QUERY_NOT_FOUND", "DOCUMENT_NOT_TRUSTED"},
	} {
		if err := s.SetClientMode(t.Context(), "web", c.mode); err != nil {
			t.Fatal(err)
		}
		probe := sha(categoriesText + string(c.mode)) // counted in the mode that is in force
		eventually(t, "the mode is "+string(c.mode), func() bool {
			s.send(key, vars{"documentId": probe})
			return s.send(key, vars{"query": "query Probe { categories { name } }"}).code() == c.full
		})
		if c.mode == clients.Log || c.mode == clients.Prefer { // they answer as the mode before: wait for what differs
			want := `client="web",kind="untrusted"`
			eventually(t, "unknown documents are counted", func() bool {
				s.send(key, vars{"query": unknown})
				return strings.Contains(s.metric("graphql_documents_total"), want)
			})
		}
		if c.mode == clients.Prefer {
			eventually(t, "dear unknown documents are refused", func() bool { return s.send(key, vars{"query": dearText}).code() == c.dear })
		}
		for what, x := range map[string]struct {
			body vars
			code string
		}{
			"a trusted id": {vars{"documentId": "list"}, c.trusted}, "an unknown text": {vars{"query": unknown}, c.full},
			"registering": {vars{"query": free, "extensions": persisted(sha(free))}, c.register},
			"a dear one":  {vars{"query": dearText}, c.dear}, "an id of another client": {vars{"documentId": "x", "variables": vars{"n": 1}}, c.otherID},
			"a guess": {vars{"query": "{ secretField }"}, c.badText},
		} {
			if a := s.send(key, x.body); a.code() != x.code {
				t.Errorf("%s, %s: %q; want %q", c.mode, what, a.code(), x.code)
			}
		}
		if a := s.send(key, vars{"extensions": persisted(sha(free))}); a.code() != c.fromHash {
			t.Errorf("%s, by the hash that was registered: %q; want %q", c.mode, a.code(), c.fromHash)
		}
	}
	if a := s.send(other, vars{"documentId": "x", "variables": vars{"n": 1}}); a.code() != "" {
		t.Errorf("the other client: %+v", a.Errors)
	}
	if a := s.send("", vars{"query": unknown}); a.code() != "" {
		t.Errorf("a request without a key is not held to a client's mode: %+v", a.Errors)
	}
	if a := s.send("", vars{"documentId": "list"}); a.code() != "PERSISTED_QUERY_NOT_FOUND" {
		t.Errorf("a client's id without its key: %+v", a.Errors)
	}
}

// Where requests without a key may run trusted documents only, those are what clients have published.
func TestOnlyTrustedDocumentsWithoutKey(t *testing.T) {
	t.Parallel()
	s := setup(t, func(c *app.Config) { c.Documents = "only" })
	s.apiClient("web", clients.Only)
	s.publishDocuments("web", "1", apollo(operation("list", "Categories", "query", categoriesText)))
	eventually(t, "a published text runs", func() bool { return s.send("", vars{"query": categoriesText}).code() == "" })
	for what, c := range map[string]struct {
		body vars
		code string
	}{
		"by hash": {vars{"documentId": "sha256:" + sha(categoriesText)}, ""}, "by a client's id": {vars{"documentId": "list"}, "PERSISTED_QUERY_NOT_FOUND"},
		"another text": {vars{"query": "{ secretField }"}, "DOCUMENT_NOT_TRUSTED"},
	} {
		if a := s.send("", c.body); a.code() != c.code {
			t.Errorf("%s: %q; want %q", what, a.code(), c.code)
		}
	}
}

// Nothing of a manifest is published unless all of it is good, and a version never changes.
func TestPublishing(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.apiClient("web", clients.Open)
	for what, c := range map[string]struct{ manifest, want string }{
		"a field that is not there": {apollo(operation("a", "", "query", categoriesText), operation("b", "Bad", "query", "query Bad { categories { price } }")), `Cannot query field "price" on type "Category"`},
		"every fault at once":       {`{"a": "{ nothing }", "b": "{ never }"}`, `"never"`},
		"no GraphQL":                {`{"a": "{"}`, "a: "},
		"two operations":            {`{"a": "query A { categories { id } } query B { categories { id } }"}`, "one operation, not 2"},
		"another name":              {apollo(operation("a", "Shop", "query", categoriesText)), `the document "Categories"`},
		"another kind":              {apollo(operation("a", "Categories", "mutation", categoriesText)), "it is a query"},
		"an id with a space":        {`{"a b": "{ categories { id } }"}`, "none of them a space"},
		"too deep":                  {`{"a": "{ categories { parent` + strings.Repeat(" { parent", 20) + " { id }" + strings.Repeat(" }", 20) + ` } }"}`, "at most"},
		"not a manifest":            {`[1]`, "not a JSON object"},
	} {
		if n, err := s.PublishDocuments(t.Context(), "web", "1", strings.NewReader(c.manifest)); err == nil || n != 0 || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %d, %v; want %q", what, n, err, c.want)
		}
	}
	if list, err := s.Releases(t.Context(), "web"); err != nil || len(list) != 0 {
		t.Errorf("something was published: %+v, %v", list, err)
	}
	s.publishDocuments("web", "1", apollo(operation("a", "Shop", "query", shopText), operation("b", "Forget", "mutation", placeText)))
	s.publishDocuments("web", "1", apollo(operation("b", "Forget", "mutation", placeText), operation("a", "Shop", "query", shopText)))
	for version, manifest := range map[string]string{"1": `{"a": "{ categories { id } }"}`, "2": `{"a": "{ categories { id } }"}`} {
		if _, err := s.PublishDocuments(t.Context(), "web", version, strings.NewReader(manifest)); err == nil || !strings.Contains(err.Error(), "never changes") {
			t.Errorf("other documents under version %s: %v", version, err)
		}
	}
	list, err := s.App.Documents(t.Context(), "web", "1")
	if err != nil || len(list) != 2 || list[0].Name != "Forget" || list[0].Kind != "mutation" || list[0].Cost < 10 || list[1].Cost < 1 || list[1].Text != shopText {
		t.Errorf("what is recorded: %+v, %v", list, err)
	}
}

// Retiring a field that a published document uses fails a check that names the client.
func TestDocumentsAreCheckedAgainstASchema(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, name := range []string{"web", "ios", "gone", "retired"} {
		s.apiClient(name, clients.Open)
		s.publishDocuments(name, "7", apollo(operation("list", "Categories", "query", categoriesText), operation("shop", "Shop", "query", shopText)))
	}
	s.publishDocuments("ios", "8", apollo(operation("shop", "Shop", "query", shopText)))
	if err := s.RevokeClient(t.Context(), "gone", ""); err != nil {
		t.Fatal(err)
	}
	if err := s.RetireDocuments(t.Context(), "retired", "7"); err != nil {
		t.Fatal(err)
	}
	if broken, looked, err := s.CheckDocuments(t.Context()); err != nil || len(broken) != 0 || looked != 5 {
		t.Errorf("against the program's own schema: %+v of %d, %v", broken, looked, err)
	}
	if broken, looked, err := s.CheckDocuments(t.Context(), "../graph/schema"); err != nil || len(broken) != 0 || looked != 5 {
		t.Errorf("against the files of the schema: %+v of %d, %v", broken, looked, err)
	}
	dir := filepath.Join(t.TempDir(), "schema")
	if err := os.CopyFS(dir, os.DirFS("../graph/schema")); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "products.graphqls")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, after, ok := strings.Cut(string(text), "type Category ")
	if !ok {
		t.Fatal("there is no type Category")
	}
	if err := os.WriteFile(file, []byte(before+"type Category "+strings.Replace(after, "  name: ", "  label: ", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	broken, looked, err := s.CheckDocuments(context.Background(), dir)
	if err != nil || looked != 5 || len(broken) != 2 {
		t.Fatalf("%d of %d are broken, %v: %+v", len(broken), looked, err, broken)
	}
	for i, client := range []string{"ios", "web"} {
		b := broken[i]
		if b.Client != client || b.Version != "7" || b.Document != "Categories (list)" || !strings.Contains(fmt.Sprint(b.Faults), `Cannot query field "name" on type "Category"`) {
			t.Errorf("%+v", b)
		}
	}
	if _, _, err := s.CheckDocuments(t.Context(), "nothing.graphqls"); err == nil {
		t.Error("a file that is not there is a schema")
	}
}
