package products_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/devstack/stacktest"
	platform "github.com/techmart/techmart/platform/mongodb"
	"github.com/techmart/techmart/platform/redis"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/products/mongodb"
	"github.com/techmart/techmart/services/viewer"
)

var morning = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)

// catalog is a service over a fresh database, with contexts of a manager and of a visitor.
type catalog struct {
	*products.Service
	t       *testing.T
	manager context.Context
	visitor context.Context
}

func openCatalog(t *testing.T) *catalog {
	t.Helper()
	db, disconnect, err := platform.Open(t.Context(), platform.Config{URL: stacktest.MongoDB(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = disconnect(context.Background()) })
	store := mongodb.New(db)
	if err := store.EnsureIndexes(t.Context()); err != nil {
		t.Fatal(err)
	}
	address, prefix := stacktest.Redis(t)
	client, err := redis.Open(t.Context(), redis.Config{URL: address, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	hub := redis.NewHub(client)
	t.Cleanup(func() {
		_ = hub.Close()
		_ = client.Close()
	})
	var mu sync.Mutex
	now := morning
	return &catalog{
		Service: products.New(products.Deps{Catalog: store, Inventory: store, Reviews: store, Signals: hub, Currency: "EUR", Clock: func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			now = now.Add(time.Second)
			return now
		}}),
		t:       t,
		manager: viewer.NewContext(t.Context(), viewer.Viewer{UserID: uuid.New(), Scopes: []viewer.Scope{viewer.CatalogWrite}}),
		visitor: t.Context(),
	}
}

func (c *catalog) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// faults checks the codes and fields of all failures: "INVALID slug".
func (c *catalog) faults(err error, want ...string) {
	c.t.Helper()
	var got []string
	for _, e := range errs.All(err) {
		got = append(got, strings.TrimSpace(string(e.Code)+" "+strings.Join(e.Field, ".")))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		c.t.Errorf("got %q (%v); want %q", got, err, want)
	}
}

func lamp(sku string) products.Product {
	return products.Product{
		Title: "Desk lamp", Vendor: "Nordlicht", Status: products.Active, DescriptionHTML: `<p>Warm <b>light</b></p><script>alert(1)</script>`,
		Options: []products.Option{{Name: "Colour", Values: []string{"Black", "White"}}, {Name: "Size", Values: []string{"S"}}},
		Variants: []products.Variant{
			{SKU: sku + "-1", Price: money.New(2990, "EUR"), Options: []products.SelectedOption{{Name: "Size", Value: "S"}, {Name: "Colour", Value: "Black"}}},
			{SKU: sku + "-2", Price: money.New(1990, "EUR"), Options: []products.SelectedOption{{Name: "Colour", Value: "White"}, {Name: "Size", Value: "S"}}},
		},
		Tags: []string{" light ", "light"},
	}
}

func (c *catalog) create(p products.Product) *products.Product {
	c.t.Helper()
	created, err := c.Create(c.manager, products.NewProduct{Content: p})
	c.must(err)
	return created
}

func TestCreate(t *testing.T) {
	t.Parallel()
	c := openCatalog(t)
	p := c.create(lamp("A"))
	if p.Slug != "desk-lamp" || p.Variants[0].Title != "Black / S" || p.PriceMin.Amount != 1990 || p.PriceMax.Amount != 2990 || len(p.Tags) != 1 {
		t.Errorf("created %+v", p)
	}
	if p.DescriptionHTML != "<p>Warm <b>light</b></p>" || p.Description != "Warm light" {
		t.Errorf("described %q, %q", p.DescriptionHTML, p.Description)
	}
	if !p.PublishedAt.Equal(p.CreatedAt) || p.Version != 1 {
		t.Errorf("published %v, version %d", p.PublishedAt, p.Version)
	}
	other := c.create(lamp("B"))
	if !strings.HasPrefix(other.Slug, "desk-lamp-") {
		t.Errorf("the second of a title has the slug %s", other.Slug)
	}
	taken := lamp("C")
	taken.Slug = "desk-lamp"
	_, err := c.Create(c.manager, products.NewProduct{Content: taken})
	c.faults(err, "TAKEN slug")
	_, err = c.Create(c.manager, products.NewProduct{Content: lamp("A")})
	c.faults(err, "TAKEN variants.0.sku")
	_, err = c.Create(c.visitor, products.NewProduct{Content: lamp("D")})
	c.faults(err, "UNAUTHENTICATED")
	customer := viewer.NewContext(t.Context(), viewer.Viewer{UserID: uuid.New()})
	_, err = c.Create(customer, products.NewProduct{Content: lamp("D")})
	c.faults(err, "FORBIDDEN")
}

func TestCreateReportsEveryFault(t *testing.T) {
	t.Parallel()
	c := openCatalog(t)
	minus := -1
	bad := products.Product{
		Title: strings.Repeat("x", 201), Slug: "No Slug", Status: "GONE", DescriptionHTML: strings.Repeat("x", 50_001),
		Options: []products.Option{{Name: "Colour", Values: []string{"Red", "Red"}}, {Name: "colour"}},
		Variants: []products.Variant{
			{SKU: "A", Price: money.New(-1, "EUR"), WeightGrams: &minus, Options: []products.SelectedOption{{Name: "Colour", Value: "Blue"}, {Name: "Shape", Value: "Round"}}},
			{SKU: "A", ID: uuid.New(), Price: money.New(1, "USD")},
		},
		Media:      []products.Media{{URL: "javascript:alert(1)", Alt: "x", Width: &minus}, {URL: "//elsewhere/x"}},
		Attributes: []products.Attribute{{Key: "Screen Size", Name: "Screen size"}, {Key: "a", Name: "A", Value: "1"}, {Key: "a", Name: "A", Value: "2"}},
		Tags:       []string{"ok", "not\nok"},
	}
	_, err := c.Create(c.manager, products.NewProduct{Content: bad, IdempotencyKey: strings.Repeat("k", 256), Faults: errs.At(errs.Invalid, "From outside.", "outside")})
	c.faults(err, "TOO_LONG idempotencyKey", "INVALID outside", "TOO_LONG title", "INVALID slug", "REQUIRED vendor", "INVALID status", "TOO_LONG descriptionHtml",
		"TAKEN options.0.values.1", "TAKEN options.1.name", "REQUIRED options.1.values",
		"OUT_OF_RANGE variants.0.price.amount", "OUT_OF_RANGE variants.0.weightGrams", "NOT_FOUND variants.0.selectedOptions.0.name",
		"NOT_FOUND variants.0.selectedOptions.1.value", "REQUIRED variants.0.selectedOptions",
		"NOT_FOUND variants.1.id", "TAKEN variants.1.sku", "INVALID variants.1.price.currencyCode", "REQUIRED variants.1.selectedOptions", "REQUIRED variants.1.selectedOptions",
		"INVALID media.0.url", "OUT_OF_RANGE media.0.width", "INVALID media.1.url",
		"INVALID attributes.0.key", "REQUIRED attributes.0.value", "TAKEN attributes.2.key", "INVALID tags.1")
	_, err = c.Create(c.manager, products.NewProduct{Content: products.Product{Title: "日本", Vendor: "V", Status: products.Draft}})
	c.faults(err, "REQUIRED variants")
}

func TestCreateTwiceWithOneKey(t *testing.T) {
	t.Parallel()
	c := openCatalog(t)
	in := products.NewProduct{Content: lamp("A"), IdempotencyKey: "one"}
	results := make([]*products.Product, 6)
	var group sync.WaitGroup
	for i := range results {
		group.Go(func() {
			p, err := c.Create(c.manager, in)
			if err != nil && errs.CodeOf(err) != errs.InFlight {
				t.Error(err)
			}
			results[i] = p
		})
	}
	group.Wait()
	results = slices.DeleteFunc(results, func(p *products.Product) bool { return p == nil })
	for range 2 {
		p, err := c.Create(c.manager, in)
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, p)
	}
	if len(results) < 3 {
		t.Error("nobody who came at once got the product")
	}
	for _, p := range results {
		if p == nil || p.ID != results[0].ID {
			t.Errorf("created %v and %v", p, results[0])
		}
	}
	in.Content.Title = "Other"
	_, err := c.Create(c.manager, in)
	c.faults(err, "IDEMPOTENCY_REUSED idempotencyKey")
	// A refused call leaves its key free.
	refused := products.NewProduct{Content: lamp("A"), IdempotencyKey: "two"}
	_, err = c.Create(c.manager, refused)
	c.faults(err, "TAKEN variants.0.sku")
	refused.Content = lamp("B")
	_, err = c.Create(c.manager, refused)
	c.must(err)
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	c := openCatalog(t)
	p := c.create(lamp("A"))
	title := "Floor lamp"
	q, err := c.Update(c.manager, p.ID, 1, products.Change{Title: &title})
	c.must(err)
	if q.Title != title || q.Version != 2 || q.Slug != p.Slug || len(q.Variants) != 2 || !q.UpdatedAt.After(p.UpdatedAt) {
		t.Errorf("updated to %+v", q)
	}
	_, err = c.Update(c.manager, p.ID, 1, products.Change{Title: &title})
	c.faults(err, "CONFLICT expectedVersion")
	_, err = c.Update(c.manager, uuid.New(), 1, products.Change{})
	c.faults(err, "NOT_FOUND id")
	_, err = c.Update(c.visitor, p.ID, 2, products.Change{Title: &title})
	c.faults(err, "UNAUTHENTICATED")
	draft := products.Draft
	_, err = c.Update(c.manager, p.ID, 2, products.Change{Status: &draft, Variants: []products.Variant{}})
	c.faults(err, "INVALID_STATE status", "REQUIRED variants")

	// One variant stays, one ends, one is new; the last one with stock ends.
	c.must(c.stock(p.Variants[1], 3))
	if got, err := c.Product(c.visitor, p.ID); err != nil || !got.Available {
		t.Errorf("with stock: %+v, %v", got, err)
	}
	fresh := products.Variant{SKU: "A-3", Price: money.New(990, "EUR"), Options: []products.SelectedOption{{Name: "Colour", Value: "White"}, {Name: "Size", Value: "S"}}}
	q, err = c.Update(c.manager, p.ID, 2, products.Change{Variants: []products.Variant{p.Variants[0], fresh}})
	c.must(err)
	if q.Variants[0].ID != p.Variants[0].ID || q.Variants[1].ID == uuid.Nil || q.PriceMin.Amount != 990 || q.Available {
		t.Errorf("variants %+v, available %t", q.Variants, q.Available)
	}
	_, err = c.Update(c.manager, p.ID, 3, products.Change{Variants: []products.Variant{p.Variants[1]}})
	c.faults(err, "NOT_FOUND variants.0.id")
}

// stock puts pieces of a variant on the shelf.
func (c *catalog) stock(v products.Variant, pieces int) error {
	ctx := viewer.NewContext(c.visitor, viewer.System)
	if err := c.EnsureInventory(ctx); err != nil {
		return err
	}
	_, _, err := c.AdjustInventory(ctx, products.AdjustInput{VariantID: v.ID, LocationID: products.Locations[0].ID, OnHand: pieces, Reason: products.Received})
	return err
}

func TestArchive(t *testing.T) {
	t.Parallel()
	c := openCatalog(t)
	p := c.create(lamp("A"))
	q, err := c.Archive(c.manager, p.ID, 1)
	c.must(err)
	if q.Status != products.Archived || !q.PublishedAt.Equal(p.PublishedAt) {
		t.Errorf("archived %+v", q)
	}
	for how, look := range map[string]func(context.Context) error{
		"id":      func(ctx context.Context) error { _, err := c.Product(ctx, p.ID); return err },
		"slug":    func(ctx context.Context) error { _, err := c.ProductBySlug(ctx, p.Slug); return err },
		"SKU":     func(ctx context.Context) error { _, err := c.ProductBySKU(ctx, "A-1"); return err },
		"variant": func(ctx context.Context) error { _, err := c.VariantBySKU(ctx, "A-2"); return err },
	} {
		if err := look(c.visitor); errs.CodeOf(err) != errs.NotFound {
			t.Errorf("a visitor reads it by %s: %v", how, err)
		}
		if err := look(c.manager); err != nil {
			t.Errorf("a manager by %s: %v", how, err)
		}
	}
	found, err := c.Variants(c.visitor, []uuid.UUID{p.Variants[0].ID})
	if err != nil || len(found) != 0 {
		t.Errorf("a visitor reads variants: %v, %v", found, err)
	}
	offers, err := c.Offers(c.visitor, []uuid.UUID{p.Variants[0].ID, uuid.New()})
	c.must(err)
	if o := offers[p.Variants[0].ID]; len(offers) != 1 || o.Sellable || o.Price.Amount != 2990 || o.ProductTitle != "Desk lamp" || o.VariantTitle != "Black / S" {
		t.Errorf("offers %+v", offers)
	}
}

func TestFilterOfStaff(t *testing.T) {
	t.Parallel()
	c := openCatalog(t)
	draft := lamp("A")
	draft.Status = products.Draft
	c.create(draft)
	c.create(lamp("B"))
	drafts := products.Where{Filter: products.Filter{Statuses: []products.Status{products.Draft}}}
	customer := viewer.NewContext(t.Context(), viewer.Viewer{UserID: uuid.New()})
	_, err := c.List(customer, drafts, products.Sort{}, page.Request{Limit: 5})
	c.faults(err, "FORBIDDEN where.statuses")
	_, err = c.Count(customer, products.Where{Filter: products.Filter{UpdatedGTE: &morning}})
	c.faults(err, "FORBIDDEN where.updatedAt")
	_, err = c.Search(customer, "lamp", drafts, page.Request{Limit: 5})
	c.faults(err, "FORBIDDEN where.statuses")
	_, err = c.List(c.visitor, drafts, products.Sort{}, page.Request{Limit: 5})
	c.faults(err, "UNAUTHENTICATED")
	p, err := c.List(c.manager, drafts, products.Sort{}, page.Request{Limit: 5})
	if err != nil || len(p.Items) != 1 || p.Items[0].Status != products.Draft {
		t.Errorf("drafts: %+v, %v", p, err)
	}
	p, err = c.List(c.visitor, products.Where{}, products.Sort{}, page.Request{Limit: 5})
	if err != nil || len(p.Items) != 1 || p.Items[0].Status != products.Active {
		t.Errorf("the shop: %+v, %v", p, err)
	}
	none, err := c.List(c.visitor, products.Where{CategorySlug: "none"}, products.Sort{}, page.Request{Limit: 5})
	if err != nil || len(none.Items) != 0 {
		t.Errorf("in no category: %+v, %v", none, err)
	}
	nothing, err := c.Search(c.visitor, "lamp", products.Where{CategorySlug: "none"}, page.Request{Limit: 5})
	if err != nil || nothing.Total != 0 {
		t.Errorf("found in no category: %+v, %v", nothing, err)
	}
	low, high := int64(1), int64(2)
	many := make([]string, 101)
	_, err = c.List(c.visitor, products.Where{Filter: products.Filter{PriceMin: &high, PriceMax: &low, Vendors: many, Tags: many, RatingMin: 51,
		Categories: [][]uuid.UUID{make([]uuid.UUID, 101)}, Attributes: []products.AttributeFilter{{Key: "a"}}}}, products.Sort{}, page.Request{Limit: 5})
	c.faults(err, "BAD_USER_INPUT where.price", "BAD_USER_INPUT where.vendors", "BAD_USER_INPUT where.tags", "BAD_USER_INPUT where.ratingAtLeast",
		"BAD_USER_INPUT where.categoryIds", "BAD_USER_INPUT where.attributes")
	_, err = c.Related(c.visitor, nil, 101)
	c.faults(err, "BAD_USER_INPUT first")
}

func TestCategories(t *testing.T) {
	t.Parallel()
	c := openCatalog(t)
	_, err := c.CreateCategory(c.visitor, &products.Category{Name: "Lamps"})
	c.faults(err, "UNAUTHENTICATED")
	_, err = c.CreateCategory(c.manager, &products.Category{Name: " ", Slug: "Bad Slug", Description: strings.Repeat("x", 1001), Position: 1 << 30})
	c.faults(err, "REQUIRED name", "INVALID slug", "TOO_LONG description", "OUT_OF_RANGE position")
	lamps, err := c.CreateCategory(c.manager, &products.Category{Name: "Lamps"})
	c.must(err)
	again, err := c.CreateCategory(c.manager, &products.Category{Name: "Lamps", ParentID: lamps.ID})
	c.must(err)
	if lamps.Slug != "lamps" || again.Slug == "lamps" || !slices.Equal(again.Path, []uuid.UUID{lamps.ID}) {
		t.Errorf("made %+v and %+v", lamps, again)
	}
	name, top := "Desk lamps", uuid.Nil
	moved, err := c.UpdateCategory(c.manager, again.ID, 1, products.CategoryChange{Name: &name, ParentID: &top})
	c.must(err)
	if moved.Name != name || moved.ParentID != uuid.Nil || len(moved.Path) != 0 || moved.Version != 2 {
		t.Errorf("moved to %+v", moved)
	}
	_, err = c.UpdateCategory(c.manager, again.ID, 1, products.CategoryChange{})
	c.faults(err, "CONFLICT expectedVersion")
	_, err = c.UpdateCategory(c.manager, uuid.New(), 1, products.CategoryChange{})
	c.faults(err, "NOT_FOUND id")
	_, err = c.UpdateCategory(c.visitor, again.ID, 2, products.CategoryChange{})
	c.faults(err, "UNAUTHENTICATED")
	c.faults(c.DeleteCategory(c.visitor, again.ID), "UNAUTHENTICATED")
	c.must(c.DeleteCategory(c.manager, again.ID))
	found, err := c.CategoryBySlug(c.visitor, "lamps")
	if err != nil || found.ID != lamps.ID {
		t.Errorf("by slug: %v, %v", found, err)
	}
	_, err = c.CategoryBySlug(c.visitor, "none")
	c.faults(err, "NOT_FOUND")
}

func TestImport(t *testing.T) {
	t.Parallel()
	c := openCatalog(t)
	top := &products.Category{ID: uuid.New(), Name: "Light", Slug: "light"}
	below := &products.Category{ID: uuid.New(), Name: "Lamps", Slug: "lamps", ParentID: top.ID}
	for range 2 {
		ids, err := c.ImportCategories(c.manager, []*products.Category{top, below})
		if err != nil || !slices.Equal(ids, []uuid.UUID{top.ID, below.ID}) {
			t.Errorf("categories %v, %v", ids, err)
		}
	}
	for range 2 {
		id, err := c.EnsureCategory(c.manager, []string{"light", "Lamps", "Desk"})
		found, err2 := c.Categories(c.visitor, []uuid.UUID{id})
		if err != nil || err2 != nil || !slices.Equal(found[id].Path, []uuid.UUID{top.ID, below.ID}) {
			t.Errorf("ensured %v, %v, %v", found, err, err2)
		}
	}
	good, bad := lamp("A"), lamp("B")
	bad.Vendor = ""
	for round := range 2 {
		done, err := c.ImportProducts(c.manager, []*products.Product{&bad, &good})
		c.must(err)
		c.faults(done[0].Err, "REQUIRED vendor")
		if done[1].Err != nil || done[1].Created != (round == 0) || done[1].Updated {
			t.Errorf("round %d: %+v", round, done[1])
		}
	}
	for _, err := range []error{
		second(c.ImportProducts(c.visitor, nil)), second(c.ImportCategories(c.visitor, nil)), second(c.EnsureCategory(c.visitor, nil)),
		c.Export(c.visitor, nil),
	} {
		c.faults(err, "UNAUTHENTICATED")
	}
	n := 0
	c.must(c.Export(c.manager, func(*products.Product) error { n++; return nil }))
	if n != 1 {
		t.Errorf("exported %d", n)
	}
}

func TestSearchUnderstands(t *testing.T) {
	t.Parallel()
	c := openCatalog(t)
	for i, title := range []string{"Nordlicht X14 laptop", "Laptop sleeve", "USB hub", "Wireless keyboard", "Monitor stand"} {
		p := lamp(fmt.Sprint("S", i))
		p.Title, p.DescriptionHTML = title, ""
		c.create(p)
	}
	for query, want := range map[string]string{
		"laptop":           "Laptop sleeve, Nordlicht X14 laptop",
		"LAPTOPS":          "Laptop sleeve, Nordlicht X14 laptop",
		"lapt":             "Laptop sleeve, Nordlicht X14 laptop",
		"labtop":           "Laptop sleeve, Nordlicht X14 laptop (laptop)",
		"keybaord wirless": "Wireless keyboard (keyboard wireless)",
		"x14 lap":          "Nordlicht X14 laptop",
		"laptop monitor":   "Laptop sleeve, Monitor stand, Nordlicht X14 laptop",
		"x15":              "",
		"qqqqqqqq":         "",
		"!!!":              "",
	} {
		found, err := c.Search(c.visitor, query, products.Where{}, page.Request{Limit: 10})
		c.must(err)
		var titles []string
		for _, h := range found.Page.Items {
			titles = append(titles, h.Product.Title)
		}
		slices.Sort(titles)
		got := strings.Join(titles, ", ")
		if found.Corrected != "" {
			got += " (" + found.Corrected + ")"
		}
		if got != want {
			t.Errorf("%q found %s; want %s", query, got, want)
		}
	}
	_, err := c.Search(c.visitor, " ", products.Where{}, page.Request{Limit: 10})
	c.faults(err, "BAD_USER_INPUT query")
	_, err = c.Suggestions(c.visitor, strings.Repeat("x", 101), 8)
	c.faults(err, "BAD_USER_INPUT prefix")
	_, err = c.Suggestions(c.visitor, "x", 101)
	c.faults(err, "BAD_USER_INPUT first")
	got, err := c.Suggestions(c.visitor, "Lap", 8)
	if err != nil || !slices.Equal(got, []string{"laptop", "Laptop sleeve"}) {
		t.Errorf("suggested %q, %v", got, err)
	}
	c.must(c.RebuildSearch(c.visitor))
}
