package resolvers

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/google/uuid"

	"github.com/techmart/techmart/dataloaders"
	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/graph/generated"
	"github.com/techmart/techmart/platform/mongodb"
	"github.com/techmart/techmart/platform/telemetry"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/products"
	productsmongodb "github.com/techmart/techmart/services/products/mongodb"
	"github.com/techmart/techmart/services/viewer"
)

// shopGraph serves the fields of the catalogue.
type shopGraph struct {
	t      *testing.T
	server http.Handler
	calls  int64 // to MongoDB, of the last document
}

// catalogManager is staff; the zero viewer is a visitor.
var catalogManager = viewer.Viewer{UserID: uuid.MustParse("01900000-0000-7000-8000-00000000000a"), Scopes: []viewer.Scope{viewer.CatalogWrite}}

func newShopGraph(t *testing.T) *shopGraph {
	t.Helper()
	db, disconnect, err := mongodb.Open(t.Context(), mongodb.Config{URL: stacktest.MongoDB(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = disconnect(context.Background()) })
	store := productsmongodb.New(db)
	if err := store.EnsureIndexes(t.Context()); err != nil {
		t.Fatal(err)
	}
	service := products.New(products.Deps{Catalog: store, Inventory: store, Reviews: store, Currency: "EUR"})
	resolver := &Resolver{Products: service, Currency: "EUR", Cursors: page.NewCursors([]byte("0123456789abcdef0123456789abcdef"))}
	server := handler.New(generated.NewExecutableSchema(generated.Config{Resolvers: resolver, Directives: Directives()}))
	server.AddTransport(transport.POST{})
	server.AroundResponses(func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
		return next(dataloaders.NewContext(ctx, dataloaders.New(dataloaders.Services{Products: service})))
	})
	return &shopGraph{t: t, server: server}
}

// ask runs a document for the viewer and decodes its data into answer. It gives the codes of its errors.
func (g *shopGraph) ask(v viewer.Viewer, document string, answer any, variables map[string]any) []string {
	g.t.Helper()
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		g.t.Fatal(err)
	}
	ctx, calls := telemetry.WithCalls(viewer.NewContext(g.t.Context(), v))
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/graphql", strings.NewReader(string(body)))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	g.server.ServeHTTP(recorder, request)
	g.calls = calls.Of(telemetry.MongoDB)
	result := struct {
		Data   any
		Errors []struct{ Message string }
	}{Data: answer}
	if err := json.Unmarshal(recorder.Body.Bytes(), &result); err != nil {
		g.t.Fatalf("%v: %s", err, recorder.Body)
	}
	var messages []string
	for _, e := range result.Errors {
		messages = append(messages, e.Message)
	}
	return messages
}

func (g *shopGraph) must(v viewer.Viewer, document string, answer any, variables map[string]any) {
	g.t.Helper()
	if messages := g.ask(v, document, answer, variables); len(messages) > 0 {
		g.t.Fatalf("%s: %q", document, messages)
	}
}

type object = map[string]any

// fill makes three categories below each other and n products in the last one.
func (g *shopGraph) fill(n int) (category string) {
	g.t.Helper()
	for _, name := range []string{"Computers", "Laptops", "Ultrabooks"} {
		var made struct {
			CategoryCreate struct {
				Category   struct{ ID string }
				UserErrors []object
			}
		}
		input := object{"name": name}
		if category != "" {
			input["parentId"] = category
		}
		g.must(catalogManager, `mutation($in: CategoryCreateInput!) { categoryCreate(input: $in) { category { id } userErrors { code } } }`, &made, object{"in": input})
		category = made.CategoryCreate.Category.ID
	}
	for i := range n {
		var made struct {
			ProductCreate struct {
				Product    struct{ ID string }
				UserErrors []object
			}
		}
		g.must(catalogManager, `mutation($in: ProductCreateInput!) { productCreate(input: $in) { product { id } userErrors { code message field } } }`, &made, object{"in": object{
			"title": fmt.Sprint("Nordlicht X", i), "slug": fmt.Sprint("nordlicht-x", i), "vendor": "Nordlicht", "status": "ACTIVE", "categoryId": category,
			"descriptionHtml": "<p>Light laptop</p>", "attributes": []object{{"key": "screen_size", "name": "Screen size", "value": "14", "unit": "in"}},
			"variants": []object{{"sku": fmt.Sprint("NX", i), "price": object{"amount": fmt.Sprint(100 + i), "currencyCode": "EUR"}}},
		}})
		if len(made.ProductCreate.UserErrors) > 0 {
			g.t.Fatal(made.ProductCreate.UserErrors)
		}
	}
	return category
}

// TestProductPages runs alone: loaders gather until nothing else in the process could run.
func TestProductPages(t *testing.T) {
	g := newShopGraph(t)
	category := g.fill(12)
	for name, test := range map[string]struct {
		most     int64 // calls; 0 for no bound but that they do not grow
		document string
	}{
		"list":                         {4, `query($n: Int) { products(first: $n) { nodes { title category { name } priceRange { min { amount } } variants(first: 1) { sku quantityAvailable } } } }`},
		"page":                         {5, `query($n: Int) { product(slug: "nordlicht-x3") { title category { name ancestors { name } } variants { sku quantityAvailable } reviews(first: $n) { nodes { body } } } }`},
		"search":                       {3, `query($n: Int) { search(query: "nordlicht lapto", first: $n) { products { totalCount nodes { title category { name } } } facets { key values { value count } } } }`},
		"list in a category by slug":   {4, `query($n: Int) { products(first: $n, where: {categorySlug: "laptops"}) { nodes { title category { name } priceRange { min { amount } } variants(first: 1) { sku quantityAvailable } } } }`},
		"search in a category by slug": {3, `query($n: Int) { search(query: "nordlicht lapto", first: $n, where: {categorySlug: "laptops"}) { products { totalCount nodes { title category { name } } } facets { key values { value count } } } }`},
		"tree":                         {0, `query($n: Int) { categories { name children { name children { name products(first: $n) { nodes { title } } } } } }`},
		"related":                      {0, `query($n: Int) { products(first: $n) { nodes { relatedProducts(first: 3) { title } variants { product { title } } } } }`},
		"counts":                       {0, `query($n: Int) { categories { products(first: $n) { totalCount } children { products(first: $n) { totalCount nodes { category { parent { name } } } } } } products(first: $n) { totalCount } }`},
	} {
		g.must(viewer.Viewer{}, test.document, new(object), object{"n": 2})
		few := g.calls
		g.must(viewer.Viewer{}, test.document, new(object), object{"n": 10})
		if g.calls > few || test.most > 0 && g.calls > test.most {
			t.Errorf("%s made %d and %d calls; want at most %d", name, few, g.calls, test.most)
		}
	}
	var found struct {
		Search struct {
			Products struct {
				TotalCount int
				PageInfo   struct {
					HasNextPage bool
					EndCursor   string
				}
			}
			Facets []struct {
				Key    string
				Values []struct{ Value, Label string }
			}
		}
	}
	g.must(viewer.Viewer{}, `{ search(query: "laptop", first: 5) { products { totalCount pageInfo { hasNextPage endCursor } } facets { key values { value label } } } }`, &found, nil)
	if found.Search.Products.TotalCount != 12 || !found.Search.Products.PageInfo.HasNextPage {
		t.Errorf("found %+v", found)
	}
	// What a facet gives narrows the search.
	value := ""
	for _, f := range found.Search.Facets {
		if f.Key == "category" {
			for _, v := range f.Values {
				if v.Label == "Ultrabooks" {
					value = v.Value
				}
			}
		}
	}
	if value != category {
		t.Errorf("the facet of the category has the value %q; want %q", value, category)
	}
	g.must(viewer.Viewer{}, `query($c: [ID!]) { search(query: "laptop", where: { categoryIds: $c, price: { gte: "105" }, attributes: [{ key: "screen_size", values: ["14"] }] }) { products { totalCount } } }`, &found, object{"c": []string{value}})
	if found.Search.Products.TotalCount != 7 {
		t.Errorf("narrowed to %d", found.Search.Products.TotalCount)
	}
	messages := g.ask(viewer.Viewer{}, `query($after: String) { search(query: "other", after: $after) { products { totalCount } } }`, new(object), object{"after": found.Search.Products.PageInfo.EndCursor})
	if len(messages) != 1 || !strings.Contains(messages[0], "cursor") {
		t.Errorf("another search's cursor: %q", messages)
	}
}

func TestProductLookups(t *testing.T) {
	t.Parallel()
	g := newShopGraph(t)
	g.fill(2)
	var found struct {
		BySlug, BySku, ByID, Absent, Wrong *struct{ ID, Title string }
		Variant                            *struct {
			ID      string
			Product struct{ ID string }
		}
		Node        *struct{ Title string }
		Category    *struct{ ID, Name string }
		Suggestions []string
	}
	g.must(viewer.Viewer{}, `{ bySlug: product(slug: "nordlicht-x1") { id title } bySku: product(sku: "NX1") { id title } absent: product(slug: "none") { id title }
		wrong: product(id: "ord_1") { id title } variant: productVariant(sku: "NX1") { id product { id } } category(slug: "laptops") { id name } suggestions: searchSuggestions(prefix: "nord") }`, &found, nil)
	if found.BySlug == nil || found.BySku == nil || *found.BySlug != *found.BySku || found.Absent != nil || found.Wrong != nil || found.Variant.Product.ID != found.BySku.ID {
		t.Errorf("found %+v", found)
	}
	if found.Category == nil || found.Category.Name != "Laptops" || len(found.Suggestions) == 0 || found.Suggestions[0] != "nordlicht" {
		t.Errorf("found %+v and %q", found.Category, found.Suggestions)
	}
	var nodes struct {
		Nodes []struct {
			ID string `json:"id"`
		}
	}
	wanted := []string{found.BySlug.ID, found.Variant.ID, found.Category.ID}
	nodeFuncs := (&Resolver{}).productNodes()
	if len(nodeFuncs) != 3 {
		t.Errorf("%d kinds of nodes", len(nodeFuncs))
	}
	g.must(viewer.Viewer{}, `query($ids: [ID!]!) { nodes(ids: $ids) { id } }`, &nodes, object{"ids": wanted})
	for i, n := range nodes.Nodes {
		if n.ID != wanted[i] {
			t.Errorf("node %d is %s; want %s", i, n.ID, wanted[i])
		}
	}
	for _, document := range []string{
		`{ product { id } }`, `{ product(id: "x", slug: "y") { id } }`, `{ productVariant { id } }`, `{ category { id } }`,
		`{ products(first: 101) { nodes { id } } }`, `{ products(where: { price: { gte: "1.234" } }) { nodes { id } } }`, `{ products(where: { ratingAtLeast: 6 }) { nodes { id } } }`,
		`{ products(where: { statuses: [DRAFT] }) { nodes { id } } }`, `{ search(query: "") { facets { key } } }`, `{ searchSuggestions(prefix: "a", first: 101) }`,
		`{ product(slug: "nordlicht-x1") { variants(first: 0) { id } } }`, `{ product(slug: "nordlicht-x1") { media(first: 101) { url } } }`, `{ product(slug: "nordlicht-x1") { relatedProducts(first: 101) { id } } }`,
		`mutation { productArchive(input: { id: "x", expectedVersion: 1 }) { product { id } } }`,
	} {
		if messages := g.ask(viewer.Viewer{}, document, new(object), nil); len(messages) != 1 {
			t.Errorf("%s: %q", document, messages)
		}
	}
}

func TestProductMaintenance(t *testing.T) {
	t.Parallel()
	g := newShopGraph(t)
	category := g.fill(1)
	type payload struct {
		Product *struct {
			ID, Title, Status string
			Version           int
			Variants          []struct{ ID, Title string }
			Options           []struct{ Name string }
			Category          *struct{ ID string }
		}
		Category *struct {
			ID, Name string
			Version  int
			Parent   *struct{ Name string }
		}
		DeletedCategoryID *string
		UserErrors        []struct {
			Code           string
			Field          []string
			CurrentVersion int
		}
	}
	run := func(field, input string, in object) payload {
		t.Helper()
		var answer struct{ Payload payload }
		selection := `product { id title status version variants { id title } options { name } category { id } }`
		switch {
		case field == "categoryDelete":
			selection = `deletedCategoryId`
		case strings.HasPrefix(field, "category"):
			selection = `category { id name version parent { name } }`
		}
		g.must(catalogManager, `mutation($in: `+input+`!) { payload: `+field+`(input: $in) { `+selection+` userErrors { code field ... on ConflictError { currentVersion } } } }`, &answer, object{"in": in})
		return answer.Payload
	}
	price := object{"amount": "12.90", "currencyCode": "EUR"}
	got := run("productCreate", "ProductCreateInput", object{"title": "", "vendor": "V", "categoryId": "cat_x",
		"variants": []object{{"id": "var_x", "sku": "", "price": object{"amount": "1.234", "currencyCode": "EUR"}, "compareAtPrice": object{"amount": "1", "currencyCode": "XXX"}}}})
	var faults []string
	for _, e := range got.UserErrors {
		faults = append(faults, e.Code+" "+strings.Join(e.Field, "."))
	}
	want := "NOT_FOUND input.variants.0.id, INVALID input.variants.0.price.amount, INVALID input.variants.0.compareAtPrice.currencyCode, NOT_FOUND input.categoryId, REQUIRED input.title, REQUIRED input.variants.0.sku"
	if text := strings.Join(faults, ", "); text != want || got.Product != nil {
		t.Errorf("faults %s\nwant %s", text, want)
	}
	got = run("productCreate", "ProductCreateInput", object{"title": "Lamp", "vendor": "V", "categoryId": category, "tags": []string{"new"}, "idempotencyKey": "k",
		"options": []object{{"name": "Colour", "values": []string{"Red"}}}, "media": []object{{"url": "/m.svg", "alt": "Lamp"}},
		"variants": []object{{"sku": "L1", "price": price, "compareAtPrice": price, "barcode": "1", "weightGrams": 5, "selectedOptions": []object{{"name": "Colour", "value": "Red"}}}}})
	p := got.Product
	if p == nil || p.Status != "DRAFT" || p.Category.ID != category || p.Variants[0].Title != "Red" {
		t.Fatalf("created %+v", got)
	}
	got = run("productUpdate", "ProductUpdateInput", object{"id": p.ID, "expectedVersion": 1, "title": "Red lamp", "status": "ACTIVE"})
	if got.Product == nil || got.Product.Version != 2 || got.Product.Title != "Red lamp" || got.Product.Options[0].Name != "Colour" {
		t.Errorf("updated %+v", got)
	}
	got = run("productUpdate", "ProductUpdateInput", object{"id": p.ID, "expectedVersion": 1, "title": "Blue lamp"})
	if len(got.UserErrors) != 1 || got.UserErrors[0].Code != "CONFLICT" || got.UserErrors[0].CurrentVersion != 2 {
		t.Errorf("a conflict answers %+v", got.UserErrors)
	}
	got = run("productUpdate", "ProductUpdateInput", object{"id": p.ID, "expectedVersion": 2, "categoryId": category, "clearCategory": true})
	if len(got.UserErrors) != 1 || got.UserErrors[0].Code != "INVALID" || got.UserErrors[0].Field[1] != "clearCategory" {
		t.Errorf("a category and none: %+v", got.UserErrors)
	}
	got = run("productUpdate", "ProductUpdateInput", object{"id": p.ID, "expectedVersion": 2, "clearCategory": true})
	if got.Product == nil || got.Product.Version != 3 || got.Product.Category != nil {
		t.Errorf("taken out of its category: %+v", got)
	}
	got = run("productUpdate", "ProductUpdateInput", object{"id": p.ID, "expectedVersion": 3, "categoryId": category})
	if got.Product == nil || got.Product.Category == nil || got.Product.Category.ID != category {
		t.Errorf("put back: %+v", got)
	}
	got = run("productArchive", "ProductArchiveInput", object{"id": p.ID, "expectedVersion": 4})
	if got.Product == nil || got.Product.Status != "ARCHIVED" {
		t.Errorf("archived %+v", got)
	}
	got = run("categoryUpdate", "CategoryUpdateInput", object{"id": category, "expectedVersion": 1, "name": "Light ones", "toTop": true})
	if got.Category == nil || got.Category.Name != "Light ones" || got.Category.Parent != nil || got.Category.Version != 2 {
		t.Errorf("moved %+v", got)
	}
	got = run("categoryUpdate", "CategoryUpdateInput", object{"id": category, "expectedVersion": 2, "parentId": category, "toTop": true})
	if len(got.UserErrors) != 1 || got.UserErrors[0].Field[1] != "toTop" {
		t.Errorf("both places: %+v", got.UserErrors)
	}
	if got = run("categoryDelete", "CategoryDeleteInput", object{"id": category}); len(got.UserErrors) != 1 || got.UserErrors[0].Code != "INVALID_STATE" {
		t.Errorf("removed while it holds products: %+v", got)
	}
	fresh := run("categoryCreate", "CategoryCreateInput", object{"name": "Empty"})
	if got = run("categoryDelete", "CategoryDeleteInput", object{"id": fresh.Category.ID}); got.DeletedCategoryID == nil {
		t.Errorf("not removed: %+v", got)
	}
}
