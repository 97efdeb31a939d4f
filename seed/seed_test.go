package seed_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"hash"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/techmart/techmart/seed"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/payments"
	"github.com/techmart/techmart/services/products"
)

func terms() orders.Config {
	return orders.Config{Currency: "EUR", ShippingFee: money.New(490, "EUR"), FreeShippingFrom: money.New(5000, "EUR"), TaxRatePercent: 19}
}

func digest(t *testing.T, scale int) string {
	t.Helper()
	shop, h := seed.New(scale, terms()), sha256.New()
	for c := range seed.Categories() {
		write(t, h, c)
	}
	number := 0
	for p := range shop.Catalog() {
		write(t, h, p)
		for v := range p.Variants {
			write(t, h, shop.Stock(number, v))
		}
		number++
	}
	for c := range shop.People() {
		write(t, h, c)
	}
	write(t, h, shop.DemoAccounts())
	for o := range shop.History() {
		write(t, h, o)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func write(t *testing.T, h hash.Hash, v any) {
	if err := json.NewEncoder(h).Encode(v); err != nil {
		t.Fatal(err)
	}
}

func TestSameEveryTime(t *testing.T) {
	t.Parallel()
	// A change of this digest changes the data of everybody's demonstration shop.
	const want = "e570fb1b963258a66b72689598ce45635f83a8c99bc27f3c32d6f39edb2f00bf"
	first, second := digest(t, 1), digest(t, 1)
	if first != second {
		t.Fatal("two runs differ")
	}
	if first != want {
		t.Errorf("the digest is %s", first)
	}
}

func TestCatalog(t *testing.T) {
	t.Parallel()
	const scale = 4
	shop := seed.New(scale, terms())
	leaves, depth, parents := map[uuid.UUID]bool{}, map[uuid.UUID]int{}, map[uuid.UUID]bool{}
	slugs := map[string]bool{}
	for c := range seed.Categories() {
		if slugs[c.Slug] || c.Slug == "" {
			t.Errorf("category %q is there twice", c.Slug)
		}
		slugs[c.Slug] = true
		depth[c.ID] = depth[c.ParentID] + 1
		parents[c.ParentID] = true
	}
	for id, d := range depth {
		if !parents[id] {
			leaves[id] = true
			if d != 3 {
				t.Errorf("category %s is at level %d", id, d)
			}
		}
	}
	if len(leaves) < 30 {
		t.Errorf("%d categories at the bottom", len(leaves))
	}

	titles, skus, ids, barcodes, used := map[string]bool{}, map[string]bool{}, map[uuid.UUID]bool{}, map[string]bool{}, map[uuid.UUID]int{}
	images := map[string]bool{}
	count, variants, active := 0, 0, 0
	for p := range shop.Catalog() {
		count++
		used[p.CategoryID]++
		if slugs[p.Slug] || titles[p.Title] || ids[p.ID] || products.MakeSlug(p.Title) != p.Slug {
			t.Errorf("%q (%s) is there twice", p.Title, p.Slug)
		}
		slugs[p.Slug], titles[p.Title], ids[p.ID] = true, true, true
		if p.Status == products.Active {
			active++
		}
		if !strings.HasPrefix(p.Title, p.Vendor) || len(p.Attributes) < 3 || len(p.Options) == 0 || len(p.Media) < 2 {
			t.Errorf("%q is poor: %+v", p.Title, p)
		}
		for v := range p.Variants {
			variant := &p.Variants[v]
			variants++
			if skus[variant.SKU] || ids[variant.ID] || barcodes[variant.Barcode] || len(variant.Barcode) != 13 {
				t.Errorf("variant %s (%s) is there twice", variant.SKU, variant.Barcode)
			}
			skus[variant.SKU], ids[variant.ID], barcodes[variant.Barcode] = true, true, true
			if cents := variant.Price.Amount % 100; cents != 99 && cents != 0 || variant.Price.Amount < 900 {
				t.Errorf("%s costs %s", variant.SKU, variant.Price)
			}
			if variant.CompareAt != nil && variant.CompareAt.Amount <= variant.Price.Amount {
				t.Errorf("%s is no bargain", variant.SKU)
			}
			images[variant.Image.URL] = true
		}
		for _, m := range p.Media {
			images[m.URL] = true
		}
	}
	if count != shop.Products() || active < 2000*scale || variants < 6000*scale {
		t.Errorf("%d products (%d active) with %d variants", count, active, variants)
	}
	for id := range leaves {
		if used[id] == 0 {
			t.Errorf("category %s is empty", id)
		}
	}
	for url := range images {
		svg, ok := seed.Picture(url)
		if !ok {
			t.Fatalf("%s cannot be drawn", url)
		}
		if err := xml.Unmarshal([]byte(svg), new(struct{})); err != nil {
			t.Fatalf("%s: %v", url, err)
		}
	}
}

func TestPeople(t *testing.T) {
	t.Parallel()
	shop := seed.New(3, terms())
	emails, ids := map[string]bool{}, map[uuid.UUID]bool{}
	all := shop.DemoAccounts()
	for a := range shop.People() {
		all = append(all, a)
	}
	for _, a := range all {
		if emails[a.Email] || ids[a.ID] || !strings.Contains(a.Email, "example") {
			t.Errorf("%s is there twice", a.Email)
		}
		emails[a.Email], ids[a.ID] = true, true
	}
	if len(all) != shop.Customers()+3 {
		t.Errorf("%d accounts", len(all))
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	shop := seed.New(1, terms())
	byID := map[uuid.UUID]*products.Product{}
	for p := range shop.Catalog() {
		byID[p.ID] = p
	}
	statuses, paid, numbers, reviews := map[orders.Status]int{}, map[payments.Status]int{}, map[string]bool{}, 0
	demo := shop.Customer(0).ID
	demos := map[orders.Status]int{}
	for o := range shop.History() {
		statuses[o.Order.Status]++
		reviews += len(o.Reviews)
		if numbers[o.Order.Number] {
			t.Errorf("%s is there twice", o.Order.Number)
		}
		numbers[o.Order.Number] = true
		if o.Order.CustomerID == demo {
			demos[o.Order.Status]++
		}
		checkOrder(t, o, byID)
		switch {
		case o.Payment != nil:
			paid[o.Payment.Payment.Status]++
		case o.Order.Status != orders.Pending:
			t.Errorf("%s has no payment", o.Order.Number)
		}
	}
	for _, s := range orders.Statuses {
		if statuses[s] < 10 {
			t.Errorf("%d orders are %s", statuses[s], s)
		}
	}
	for _, s := range payments.Statuses {
		if paid[s] < 10 && s != payments.Pending {
			t.Errorf("%d payments are %s", paid[s], s)
		}
	}
	if len(numbers) != 2000 || reviews < 500 || len(demos) < 3 {
		t.Errorf("%d orders, %d reviews, the demo customer's: %v", len(numbers), reviews, demos)
	}
}

func checkOrder(t *testing.T, o *seed.Order, byID map[uuid.UUID]*products.Product) {
	t.Helper()
	sum, left := money.New(0, "EUR"), 0
	for _, l := range o.Lines {
		p := byID[l.ProductID]
		if p == nil || p.Find(l.VariantID) == nil || p.Find(l.VariantID).Price != l.UnitPrice || p.PublishedAt.After(o.Order.PlacedAt) {
			t.Fatalf("%s has a line of nothing that could be bought: %+v", o.Order.Number, l)
		}
		sum = sum.Add(l.Total)
		left += l.Quantity - l.Fulfilled
	}
	if len(o.Lines) == 0 || o.Order.Subtotal != sum || o.Order.Total != sum.Add(o.Order.Shipping) {
		t.Errorf("%s does not add up", o.Order.Number)
	}
	shipped := o.Order.Status == orders.Fulfilled || o.Order.Status == orders.Delivered || o.Order.Status == orders.Refunded
	if shipped != (left == 0) {
		t.Errorf("%s is %s with %d left to send", o.Order.Number, o.Order.Status, left)
	}
	for i, e := range o.Entries {
		if e.CreatedAt.Before(o.Order.PlacedAt) || i > 0 && e.Position <= o.Entries[i-1].Position {
			t.Errorf("the timeline of %s is out of order", o.Order.Number)
		}
		if e.CreatedAt.After(seed.Epoch) {
			t.Errorf("%s: %s happens in the future", o.Order.Number, e.Type)
		}
	}
	if o.Payment == nil {
		return
	}
	captured := money.New(0, "EUR")
	for _, f := range o.Fulfillments {
		captured = captured.Add(f.Capture)
	}
	if p := o.Payment.Payment; p.Captured != captured || p.Amount != o.Order.Total {
		t.Errorf("%s: captured %s, sent %s", o.Order.Number, p.Captured, captured)
	}
}

func TestMediaHandler(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(seed.MediaHandler())
	t.Cleanup(server.Close)
	for path, want := range map[string]int{
		"/media/laptop/black/0-1.svg": 200, "/media/laptop/midnight-blue/23-2.svg": 200, "/media/laptop/black/24-1.svg": 404,
		"/media/laptop/black/00-1.svg": 404, "/media/laptop/black/0-3.svg": 404, "/media/laptop/black/0-1.png": 404, "/media/nothing/black/0-1.svg": 404,
		"/media/laptop/purple/0-1.svg": 404, "/media/": 404, "/other/laptop/black/0-1.svg": 404, "/media/laptop/black/-1-1.svg": 404,
	} {
		response, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err := response.Body.Close(); err != nil {
			t.Error(err)
		}
		if err != nil || response.StatusCode != want {
			t.Errorf("%s: %d, %v", path, response.StatusCode, err)
		}
		if want == 200 && (response.Header.Get("Content-Type") != "image/svg+xml" || !strings.HasPrefix(string(body), "<svg")) {
			t.Errorf("%s is no picture", path)
		}
	}
	response, err := http.Post(server.URL+"/media/laptop/black/0-1.svg", "text/plain", nil)
	if err != nil || response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %v, %v", response, err)
	}
	if err := response.Body.Close(); err != nil {
		t.Error(err)
	}
}
