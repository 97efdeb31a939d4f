package resolvers

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/google/uuid"

	"github.com/techmart/techmart/dataloaders"
	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/graph/generated"
	"github.com/techmart/techmart/graph/model"
	platform "github.com/techmart/techmart/platform/mongodb"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/products/mongodb"
	"github.com/techmart/techmart/services/viewer"
)

// bell is a hub of one channel of signals.
type bell struct{ rung chan []byte }

func (b bell) Publish(_ context.Context, _ string, payload []byte) error {
	b.rung <- payload
	return nil
}

func (b bell) Subscribe(context.Context, string) (<-chan []byte, error) { return b.rung, nil }

// everyone has bought everything.
type everyone struct{}

func (everyone) HasBought(context.Context, uuid.UUID, uuid.UUID) (bool, error) { return true, nil }
func (everyone) DisplayName(context.Context, uuid.UUID) (string, error)        { return "Ada", nil }

// stockGraph serves the fields of stock and reviews over a shop with two products of one variant each.
type stockGraph struct {
	executor *executor.Executor
	service  *products.Service
	products []*products.Product
	bell     bell
}

func newStockGraph(t *testing.T) *stockGraph {
	t.Helper()
	db, disconnect, err := platform.Open(t.Context(), platform.Config{URL: stacktest.MongoDB(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = disconnect(context.Background()) })
	store, g := mongodb.New(db), &stockGraph{bell: bell{make(chan []byte, 64)}}
	if err := store.EnsureIndexes(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.service = products.New(products.Deps{
		Catalog: store, Inventory: store, Reviews: store, Signals: g.bell, Purchases: everyone{}, Authors: everyone{}, Currency: "EUR",
	})
	system := viewer.NewContext(t.Context(), viewer.System)
	if err := g.service.EnsureInventory(system); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"mouse", "lamp"} {
		p, err := g.service.Create(system, products.NewProduct{Content: products.Product{
			Title: name, Vendor: "Nordlicht", Status: products.Active, Variants: []products.Variant{{SKU: name, Price: money.New(100, "EUR")}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		g.products = append(g.products, p)
	}
	r := &Resolver{Products: g.service, Cursors: page.NewCursors([]byte("0123456789abcdef0123456789abcdef")), Currency: "EUR"}
	g.executor = executor.New(generated.NewExecutableSchema(generated.Config{Resolvers: r, Directives: Directives()}))
	return g
}

// start runs a document for a viewer and gives what reads its answers.
func (g *stockGraph) start(t *testing.T, ctx context.Context, v viewer.Viewer, document string) func() string {
	t.Helper()
	ctx = dataloaders.NewContext(viewer.NewContext(ctx, v), dataloaders.New(dataloaders.Services{Products: g.service}))
	ctx = graphql.StartOperationTrace(ctx)
	operation, faults := g.executor.CreateOperationContext(ctx, &graphql.RawParams{Query: document})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	next, ctx := g.executor.DispatchOperation(ctx, operation)
	return func() string {
		response := next(ctx)
		switch {
		case response == nil:
			return "the end"
		case len(response.Errors) > 0:
			return response.Errors[0].Message
		}
		return string(response.Data)
	}
}

// ask gives the data of an answer, or the message of its first error.
func (g *stockGraph) ask(t *testing.T, v viewer.Viewer, document string, args ...any) string {
	t.Helper()
	return g.start(t, t.Context(), v, fmt.Sprintf(document, args...))()
}

func (g *stockGraph) variant(i int) string {
	return model.ID(model.PrefixVariant, g.products[i].Variants[0].ID)
}

func location(i int) string { return model.ID(model.PrefixLocation, products.Locations[i].ID) }

var clerk = viewer.Viewer{UserID: uuid.New(), Scopes: []viewer.Scope{viewer.InventoryRead, viewer.InventoryWrite}}

const adjust = `mutation { inventoryAdjust(input: {variantId: %q, locationId: %q, expectedOnHand: %d, onHand: %d, reason: RECEIVED, note: "%s"}) {
	variant { quantityAvailable available } adjustment { id delta onHandAfter reason note location { code } } userErrors { code field } } }`

func TestStockInTheGraph(t *testing.T) {
	t.Parallel()
	g := newStockGraph(t)
	got := g.ask(t, clerk, adjust, g.variant(0), location(1), 0, 7, "pallet 3")
	var answer struct {
		InventoryAdjust struct{ Adjustment struct{ ID string } }
	}
	if err := json.Unmarshal([]byte(got), &answer); err != nil {
		t.Fatal(got, err)
	}
	id := answer.InventoryAdjust.Adjustment.ID
	if want := `{"inventoryAdjust":{"variant":{"quantityAvailable":7,"available":true},"adjustment":{"id":"` + id +
		`","delta":7,"onHandAfter":7,"reason":"RECEIVED","note":"pallet 3","location":{"code":"ROT1"}},"userErrors":[]}}`; got != want {
		t.Errorf("adjusted\n%s; want\n%s", got, want)
	}
	g.ask(t, clerk, adjust, g.variant(0), location(1), 7, 5, "")
	tests := map[string]struct {
		got, want string
	}{
		"every fault at once": {g.ask(t, clerk, adjust, "nonsense", "nonsense", -1, 1, ""),
			`{"inventoryAdjust":{"variant":null,"adjustment":null,"userErrors":[{"code":"NOT_FOUND","field":["input","variantId"]},{"code":"NOT_FOUND","field":["input","locationId"]},{"code":"OUT_OF_RANGE","field":["input","expectedOnHand"]}]}}`},
		"a stale number": {g.ask(t, clerk, adjust, g.variant(0), location(1), 7, 6, ""),
			`{"inventoryAdjust":{"variant":null,"adjustment":null,"userErrors":[{"code":"CONFLICT","field":["input","expectedOnHand"]}]}}`},
		"a customer adjusts": {g.ask(t, viewer.Viewer{UserID: uuid.New()}, adjust, g.variant(0), location(1), 5, 6, ""), "FORBIDDEN: Your account may not do this."},
		"a list": {g.ask(t, clerk, `{ products(sortBy: {field: TITLE, direction: DESC}) { nodes { available variants { quantityAvailable inventoryLevels { onHand reserved available location { name } }
			inventoryHistory(first: 1) { nodes { delta } edges { node { onHandAfter } } pageInfo { hasNextPage } } } } } }`),
			`{"products":{"nodes":[{"available":true,"variants":[{"quantityAvailable":5,"inventoryLevels":[{"onHand":5,"reserved":0,"available":5,"location":{"name":"Rotterdam"}}],"inventoryHistory":{"nodes":[{"delta":-2}],"edges":[{"node":{"onHandAfter":5}}],"pageInfo":{"hasNextPage":true}}}]},` +
				`{"available":false,"variants":[{"quantityAvailable":0,"inventoryLevels":[],"inventoryHistory":{"nodes":[],"edges":[],"pageInfo":{"hasNextPage":false}}}]}]}}`},
		"locations":       {g.ask(t, clerk, `{ locations { code } }`), `{"locations":[{"code":"BER1"},{"code":"ROT1"}]}`},
		"nodes":           {g.ask(t, clerk, `{ nodes(ids: [%q, %q]) { ... on Location { code } ... on InventoryAdjustment { delta } } }`, location(0), id), `{"nodes":[{"code":"BER1"},{"delta":7}]}`},
		"a visitor's":     {g.ask(t, viewer.Viewer{}, `{ nodes(ids: [%q, %q]) { id } }`, location(0), id), `{"nodes":[null,null]}`},
		"a bad first":     {g.ask(t, clerk, `{ productVariant(sku: "mouse") { inventoryHistory(first: 0) { nodes { id } } } }`), "BAD_USER_INPUT: first: Ask for 1 to 100 items."},
		"a strange after": {g.ask(t, clerk, `{ productVariant(sku: "mouse") { inventoryHistory(after: "x") { nodes { id } } } }`), "CURSOR_MISMATCH: This cursor was not made by this list with this filter and sort."},
	}
	for name, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s:\n%s; want\n%s", name, tt.got, tt.want)
		}
	}
}

func TestStockChangedInTheGraph(t *testing.T) {
	t.Parallel()
	g := newStockGraph(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	next := g.start(t, ctx, viewer.Viewer{}, fmt.Sprintf(`subscription { stockChanged(variantId: %q) { sku } }`, g.variant(0)))
	g.ask(t, clerk, adjust, g.variant(0), location(0), 0, 3, "")
	if got := next(); got != `{"stockChanged":{"sku":"mouse"}}` {
		t.Errorf("told %s", got)
	}
	if _, err := g.service.Archive(viewer.NewContext(ctx, viewer.System), g.products[0].ID, 1); err != nil {
		t.Fatal(err)
	}
	g.bell.rung <- nil
	if got := next(); got != "the end" {
		t.Errorf("told %s of what is out of the shop", got)
	}
	if got := g.ask(t, viewer.Viewer{}, `subscription { stockChanged(variantId: "var_x") { sku } }`); !strings.HasPrefix(got, "NOT_FOUND") {
		t.Errorf("watched nothing: %s", got)
	}
}

func TestReviewsInTheGraph(t *testing.T) {
	t.Parallel()
	g := newStockGraph(t)
	ada, product := viewer.Viewer{UserID: uuid.New()}, model.ID(model.PrefixProduct, g.products[0].ID)
	const create = `mutation { reviewCreate(input: {productId: %q, rating: %d, title: "Solid", body: "Good."}) { review { id rating title body authorName product { slug rating { average count } } } userErrors { code field } } }`
	got := g.ask(t, ada, create, product, 4)
	var answer struct {
		ReviewCreate struct{ Review struct{ ID string } }
	}
	if err := json.Unmarshal([]byte(got), &answer); err != nil {
		t.Fatal(got, err)
	}
	id := answer.ReviewCreate.Review.ID
	if want := `{"reviewCreate":{"review":{"id":"` + id + `","rating":4,"title":"Solid","body":"Good.","authorName":"Ada","product":{"slug":"mouse","rating":{"average":4,"count":1}}},"userErrors":[]}}`; got != want {
		t.Errorf("reviewed\n%s; want\n%s", got, want)
	}
	g.ask(t, viewer.Viewer{UserID: uuid.New()}, create, product, 5)
	const remove = `mutation { reviewDelete(input: {id: %q}) { deletedReviewId userErrors { code field } } }`
	for _, tt := range []struct{ name, got, want string }{
		{"faults", g.ask(t, ada, create, "x", 6), `{"reviewCreate":{"review":null,"userErrors":[{"code":"NOT_FOUND","field":["input","productId"]},{"code":"OUT_OF_RANGE","field":["input","rating"]}]}}`},
		{"a list", g.ask(t, viewer.Viewer{}, `{ products(sortBy: {field: TITLE, direction: DESC}) { nodes { rating { average } reviews(first: 1) { totalCount nodes { rating } edges { node { rating } } pageInfo { hasNextPage } } } } }`),
			`{"products":{"nodes":[{"rating":{"average":4.5},"reviews":{"totalCount":2,"nodes":[{"rating":5}],"edges":[{"node":{"rating":5}}],"pageInfo":{"hasNextPage":true}}},{"rating":{"average":null},"reviews":{"totalCount":0,"nodes":[],"edges":[],"pageInfo":{"hasNextPage":false}}}]}}`},
		{"a node", g.ask(t, viewer.Viewer{}, `{ node(id: %q) { ... on Review { rating } } }`, id), `{"node":{"rating":4}}`},
		{"another's", g.ask(t, clerk, remove, id), `{"reviewDelete":{"deletedReviewId":null,"userErrors":[{"code":"NOT_FOUND","field":["input","id"]}]}}`},
		{"no id", g.ask(t, ada, remove, "x"), `{"reviewDelete":{"deletedReviewId":null,"userErrors":[{"code":"NOT_FOUND","field":["input","id"]}]}}`},
		{"one's own", g.ask(t, ada, remove, id), `{"reviewDelete":{"deletedReviewId":"` + id + `","userErrors":[]}}`},
		{"a visitor", g.ask(t, viewer.Viewer{}, remove, id), "UNAUTHENTICATED: Sign in to do this."},
	} {
		if tt.got != tt.want {
			t.Errorf("%s:\n%s; want\n%s", tt.name, tt.got, tt.want)
		}
	}
}
