package e2e

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/app"
	web "github.com/techmart/techmart/clients/web"
	"github.com/techmart/techmart/e2e/node"
	"github.com/techmart/techmart/gateway/documents"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/users"
	"github.com/techmart/techmart/services/viewer"
)

const (
	// webDir has the scripts that use the shop front.
	webDir = "web"
	// webTimeout bounds their run.
	webTimeout = 10 * time.Minute
	// webProducts are found in the search: more than a page of it.
	webProducts = 27
)

// webShop is what the scripts get to know of the shop.
type webShop struct {
	URL       string            `json:"url"`
	Products  int               `json:"products"`
	Documents map[string]string `json:"documents"` // the names of the published ones by their ids
	Customer  interopAccount    `json:"customer"`
}

// The shop front does in a browser what customers do, with nothing but its published documents.
func TestWeb(t *testing.T) {
	t.Parallel()
	chromium := node.Chromium(t)
	node.Install(t, webDir)
	s := setup(t, func(c *app.Config) { c.PublicURL = "https://shop.example" + web.Prefix })
	if _, err := s.OpenShop(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	s.listening()
	var made struct {
		PromotionCreate struct{ UserErrors []userError }
	}
	s.as(users.Admin).must(&made, `mutation { promotionCreate(input: {promotion: {code: "WELCOME10", title: "Ten percent off", kind: PERCENTAGE, percent: "10"}}) { userErrors { code message } } }`, nil)
	if len(made.PromotionCreate.UserErrors) > 0 {
		t.Fatal(made)
	}
	about := webShop{URL: s.url, Products: webProducts, Documents: make(map[string]string), Customer: s.account(users.Customer)}
	published, err := documents.Parse(web.Manifest())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range published {
		about.Documents[d.ID] = d.Name
	}
	text, err := json.Marshal(about)
	if err != nil {
		t.Fatal(err)
	}
	out, err := node.Run(t, webDir, webTimeout, []string{"SHOP=" + string(text), "CHROMIUM=" + chromium},
		"node", "--test", "--test-reporter=spec", "--test-timeout=300000", "shop.test.mjs")
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// A shop front that is opened again keeps its key while it is good, and gets a new one otherwise.
func TestWebKey(t *testing.T) {
	t.Parallel()
	s := setup(t)
	open := func(kept string) string {
		t.Helper()
		key, err := s.OpenShop(t.Context(), kept)
		if err != nil || key == "" {
			t.Fatalf("%q %v", key, err)
		}
		return key
	}
	first := open("")
	if again := open(first); again != first {
		t.Error("the key is not kept")
	}
	if lost := open("tm_of-another-shop"); lost == first {
		t.Error("a key that is not known is taken for the client's")
	}
	releases, err := s.Releases(t.Context(), app.ShopClient)
	if err != nil || len(releases) != 1 || releases[0].Version != web.Version() {
		t.Errorf("published: %+v %v", releases, err)
	}
}

// listening puts headphones of two colours into the shop, in a category of their own.
func (s *shop) listening() {
	s.t.Helper()
	ctx := viewer.NewContext(s.t.Context(), viewer.System)
	category, err := s.Services.Products.CreateCategory(ctx, &products.Category{Name: "Listening", Description: "To hear it all."})
	if err != nil {
		s.t.Fatal(err)
	}
	width, height := 800, 600
	list := make([]*products.Product, webProducts)
	for i := range list {
		p := &products.Product{
			Title: fmt.Sprintf("Fjord Headphones %d", i+1), Vendor: "Fjord", Status: products.Active, CategoryID: category.ID,
			DescriptionHTML: "<p>They are <strong>quiet</strong>.</p>", Options: []products.Option{{Name: "Colour", Values: []string{"Black", "Silver"}}},
		}
		if i%20 == 4 {
			p.Vendor = "Nordlicht"
		}
		for j, colour := range p.Options[0].Values {
			image := products.Media{URL: fmt.Sprintf("/media/headphones/%s/%d-1.svg", products.MakeSlug(colour), i%20), Alt: p.Title + " in " + colour, Width: &width, Height: &height}
			p.Media = append(p.Media, image)
			p.Variants = append(p.Variants, products.Variant{
				SKU: fmt.Sprintf("FJ-%d-%d", i+1, j), Options: []products.SelectedOption{{Name: "Colour", Value: colour}}, Image: &image,
				Price: money.Money{Amount: int64(9900 + 2000*j + 100*i), Currency: money.Currency(s.config.Currency)},
			})
		}
		list[i] = p
	}
	outcomes, err := s.Services.Products.ImportProducts(ctx, list)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, o := range outcomes {
		if o.Err != nil {
			s.t.Fatal(o.Err)
		}
		s.stock(o.ID, 40, 25)
	}
}

// stock sets what is there of each variant of a product.
func (s *shop) stock(product uuid.UUID, onHand ...int) {
	s.t.Helper()
	ctx := viewer.NewContext(s.t.Context(), viewer.System)
	p, err := s.Services.Products.Product(ctx, product)
	if err != nil {
		s.t.Fatal(err)
	}
	for i, n := range onHand {
		_, _, err := s.Services.Products.AdjustInventory(ctx, products.AdjustInput{
			VariantID: p.Variants[i].ID, LocationID: products.Locations[0].ID, OnHand: n, Reason: products.Received,
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
}
