package importer_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/techmart/techmart/devstack/stacktest"
	platform "github.com/techmart/techmart/platform/mongodb"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/products/importer"
	"github.com/techmart/techmart/services/products/mongodb"
	"github.com/techmart/techmart/services/viewer"
)

// quiet is a hub without subscribers.
type quiet struct{}

func (quiet) Publish(context.Context, string, []byte) error { return nil }
func (quiet) Subscribe(context.Context, string) (<-chan []byte, error) {
	return nil, errs.New(errs.Unavailable, "There is no hub.")
}

// setup gives an empty shop, and a context of the program itself.
func setup(t *testing.T) (*products.Service, context.Context) {
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
	service := products.New(products.Deps{Catalog: store, Inventory: store, Reviews: store, Signals: quiet{}, Currency: "EUR"})
	ctx := viewer.NewContext(t.Context(), viewer.System)
	if err := service.EnsureInventory(ctx); err != nil {
		t.Fatal(err)
	}
	return service, ctx
}

func load(t *testing.T, ctx context.Context, s *products.Service, file string) importer.Report {
	t.Helper()
	report, err := importer.Import(ctx, s, strings.NewReader(file), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func export(t *testing.T, ctx context.Context, s *products.Service) string {
	t.Helper()
	var file bytes.Buffer
	if err := importer.Export(ctx, s, &file, nil); err != nil {
		t.Fatal(err)
	}
	return file.String()
}

// everything gives all products and their stock.
func everything(t *testing.T, ctx context.Context, s *products.Service) map[string]products.Product {
	t.Helper()
	all := make(map[string]products.Product)
	if err := s.Export(ctx, func(p *products.Product) error {
		all[p.Slug] = *p
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

const shop = `Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Option3 Name,Option3 Value,Variant SKU,Variant Grams,Variant Inventory Tracker,Variant Inventory Qty,Variant Price,Variant Compare At Price,Variant Barcode,Image Src,Image Position,Image Alt Text,Gift Card,Screen size [in] (product.metafields.specs.screen_size),Colour (product.metafields.shopify.color-pattern),Variant Image,Status
x14,Nordlicht X14,"<p>A ""light"" laptop &amp; more,
for the road.</p>",Nordlicht,Electronics > Computers > Laptops,Laptop,"light, new",TRUE,Colour,Black,Memory,16 GB,,,X14-B-16,1250.0,shopify,7,999.00,1199.00,'4006381333931,https://cdn.example/1.jpg,2,Front,false,14,black,https://cdn.example/1.jpg,active
x14,,,,,,,,,Silver,,16 GB,,,X14-S-16,1250,shopify,0,1049.00,0.00,,//cdn.example/0.jpg,1,,,,,,
x14,,,,,,,,,,,,,,,,,,,,,https://cdn.example/2.jpg,3,,,,,,
Mouse_1,Mouse,,Nordlicht,,Accessories,,FALSE,Title,Default Title,,,,,,,,-2,12.50,,,,,,,,,,draft
old,Old,,Nordlicht,Electronics,,,FALSE,Title,Default Title,,,,,OLD-1,,,3,1.00,,,,,,,,,,archived
`

func TestImportTakesWhatShopsExport(t *testing.T) {
	t.Parallel()
	s, ctx := setup(t)
	if r := load(t, ctx, s, "\xef\xbb\xbf"+shop); r.Products != 3 || r.Created != 3 || r.FaultSum != 0 || r.Stock != 2 {
		t.Fatalf("imported %+v", r)
	}
	all := everything(t, ctx, s)
	p := all["x14"]
	paths, err := s.CategoryPaths(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got := []any{
		p.Title, p.Description, p.Status, p.Available, strings.Join(paths[p.CategoryID], "/"), p.Tags, p.Options, p.PriceMin.String(), p.PriceMax.String(),
		p.Attributes, len(p.Media), p.Media[0].URL, p.Media[1].Alt, p.Variants[0].Title, p.Variants[0].CompareAt.String(), p.Variants[0].Barcode,
		*p.Variants[0].WeightGrams, p.Variants[0].Image.Alt, p.Variants[1].CompareAt == nil,
	}
	want := []any{
		"Nordlicht X14", "A \"light\" laptop & more, for the road.", products.Active, true, "Electronics/Computers/Laptops", []string{"light", "new"},
		[]products.Option{{Name: "Colour", Values: []string{"Black", "Silver"}}, {Name: "Memory", Values: []string{"16 GB"}}}, "999.00 EUR", "1049.00 EUR",
		[]products.Attribute{{Key: "screen_size", Name: "Screen size", Value: "14", Unit: "in"}, {Key: "color_pattern", Name: "Colour", Value: "black"}, {Key: "product_type", Name: "Type", Value: "Laptop"}},
		3, "https://cdn.example/0.jpg", "Front", "Black / 16 GB", "1199.00 EUR", "4006381333931", 1250, "Front", true,
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("%d: %#v; want %#v", i, got[i], want[i])
		}
	}
	mouse, old := all["mouse-1"], all["old"]
	if mouse.Status != products.Draft || mouse.Variants[0].SKU != "MOUSE-1" || len(mouse.Options) != 0 || mouse.Available || paths[mouse.CategoryID][0] != "Accessories" {
		t.Errorf("the mouse is %+v", mouse)
	}
	if old.Status != products.Archived || !old.Available {
		t.Errorf("the old one is %+v", old)
	}
}

func TestImportAgainChangesNothing(t *testing.T) {
	t.Parallel()
	s, ctx := setup(t)
	load(t, ctx, s, shop)
	before := everything(t, ctx, s)
	if r := load(t, ctx, s, shop); r.Unchanged != 3 || r.Created+r.Updated+r.Stock+r.FaultSum != 0 {
		t.Errorf("again: %+v", r)
	}
	if after := everything(t, ctx, s); !reflect.DeepEqual(after, before) {
		t.Errorf("changed to %+v from %+v", after, before)
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	s, ctx := setup(t)
	load(t, ctx, s, shop)
	variant := everything(t, ctx, s)["x14"].Variants[0].ID
	if _, _, err := s.AdjustInventory(ctx, products.AdjustInput{VariantID: variant, LocationID: products.Locations[1].ID, OnHand: 5, Reason: products.Received}); err != nil {
		t.Fatal(err)
	}
	if err := s.Reserve(ctx, uuid.New(), []products.StockLine{{VariantID: variant, Quantity: 9}}); err != nil {
		t.Fatal(err)
	}
	before, file := everything(t, ctx, s), export(t, ctx, s)
	if r := load(t, ctx, s, file); r.Unchanged != 3 || r.Created+r.Updated+r.Stock+r.FaultSum != 0 {
		t.Errorf("into the same shop: %+v", r)
	}
	if after := everything(t, ctx, s); !reflect.DeepEqual(after, before) {
		t.Errorf("changed to %+v from %+v", after, before)
	}
	other, ctx := setup(t)
	if r := load(t, ctx, other, file); r.Created != 3 || r.Stock != 3 || r.FaultSum != 0 {
		t.Errorf("into another shop: %+v", r)
	}
	lines := func(text string) map[string]bool {
		set := make(map[string]bool)
		for line := range strings.SplitSeq(text, "\n") {
			set[line] = true
		}
		return set
	}
	if again := export(t, ctx, other); !reflect.DeepEqual(lines(again), lines(file)) {
		t.Errorf("another shop exports\n%s\ninstead of\n%s", again, file)
	}
}

// What is sold when there is none is so again in another shop, and ends where a file says so.
func TestPolicyIsCarried(t *testing.T) {
	t.Parallel()
	s, ctx := setup(t)
	const header = "Handle,Title,Body (HTML),Vendor,Variant SKU,Variant Price,Variant Inventory Qty,Variant Inventory Policy\n"
	load(t, ctx, s, header+"a,A,,V,A-1,1,0,Continue\nb,B,,V,B-1,1,0,deny\nc,C,,V,C-1,1,2,\n")
	other, ctx := setup(t)
	load(t, ctx, other, export(t, ctx, s))
	for _, shop := range []*products.Service{s, other} {
		all := everything(t, ctx, shop)
		if !all["a"].Available || all["b"].Available || !all["c"].Available {
			t.Errorf("available: a %v, b %v, c %v", all["a"].Available, all["b"].Available, all["c"].Available)
		}
	}
	load(t, ctx, other, header+"a,A,,V,A-1,1,0,\n")
	if !everything(t, ctx, other)["a"].Available {
		t.Error("a file that says nothing changed the policy")
	}
	load(t, ctx, other, header+"a,A,,V,A-1,1,0,deny\n")
	if everything(t, ctx, other)["a"].Available {
		t.Error("back orders did not end")
	}
	r := load(t, ctx, other, header+"a,A,,V,A-1,1,0,maybe\n")
	if r.FaultSum != 1 || r.Faults[0].String() != "line 2, Variant Inventory Policy (a): write deny or continue" {
		t.Errorf("faults %v", r.Faults)
	}
}

func TestImportChangesWhatTheFileSays(t *testing.T) {
	t.Parallel()
	s, ctx := setup(t)
	load(t, ctx, s, shop)
	r := load(t, ctx, s, "Handle,Variant SKU,Variant Price,Variant Inventory Qty,Option1 Name,Option1 Value,Option2 Name,Option2 Value\n"+
		"x14,X14-B-16,949.00,2,Colour,Anthracite,Memory,16 GB\nx14,X14-R-16,1.00,4,,Red,,16 GB\nold,OLD-1,1.00,3,,,,\n")
	if r.Updated != 1 || r.Unchanged != 1 || r.Stock != 2 || r.FaultSum != 0 {
		t.Errorf("imported %+v", r)
	}
	p := everything(t, ctx, s)["x14"]
	var skus []string
	for _, v := range p.Variants {
		skus = append(skus, v.SKU)
	}
	if p.Title != "Nordlicht X14" || p.Version != 2 || len(p.Media) != 3 || p.PriceMin.String() != "1.00 EUR" ||
		!reflect.DeepEqual(p.Options[0].Values, []string{"Silver", "Anthracite", "Red"}) || !reflect.DeepEqual(skus, []string{"X14-B-16", "X14-R-16", "X14-S-16"}) {
		t.Errorf("changed to %+v", p)
	}
	stocks, err := s.Stock(ctx, []uuid.UUID{p.Variants[0].ID, p.Variants[1].ID})
	if err != nil || stocks[p.Variants[0].ID].Available() != 2 || stocks[p.Variants[1].ID].Available() != 4 {
		t.Errorf("stock %v, %v", stocks, err)
	}
	pages, err := s.Histories(ctx, []products.Nested{products.NestedIn(p.Variants[0].ID, page.Request{Limit: 5})})
	if err != nil || len(pages) != 1 {
		t.Fatal(pages, err)
	}
	for _, history := range pages {
		if len(history.Items) != 2 || history.Items[0].Delta != -5 || history.Items[0].Note != "Product CSV" {
			t.Errorf("history %+v", history.Items)
		}
	}
}

func TestBadRowsAreReportedAndGoodOnesGoIn(t *testing.T) {
	t.Parallel()
	s, ctx := setup(t)
	load(t, ctx, s, shop)
	header := "Handle,Title,Body (HTML),Vendor,Tags,Variant SKU,Variant Inventory Qty,Variant Price,Variant Compare At Price,Image Src,Option1 Name,Option1 Value,Stock BER1 (variant.metafields.inventory.ber1),Size (product.metafields.specs.size)\n"
	tests := map[string]struct {
		row, want string
	}{
		"price":            {"a,A,,V,,A-1,,cheap,,,,,,", `line 2, Variant Price (a): "cheap" is not a decimal number`},
		"digits":           {"a,A,,V,,A-1,,1.999,,,,,,", "line 2, Variant Price (a): EUR has at most 2 decimal places"},
		"no price":         {"a,A,,V,,A-1,,,,,,,,", "line 2, Variant Price (a): a variant needs a price"},
		"behind a newline": {"a,A,\"<p>\n</p>\",V,,A-1,,-1,,,,,,", "line 3, Variant Price (a): A price is 0 or more, and less than a thousand million"},
		"no title":         {"a,,,V,,A-1,,1,,,,,,", "line 2, Title (a): It is missing"},
		"no vendor":        {"a,A,,,,A-1,,1,,,,,,", "line 2, Vendor (a): It is missing"},
		"a SKU in use":     {"a,A,,V,,X14-B-16,,1,,,,,,", "line 2, Variant SKU (a): The SKU X14-B-16 is in use"},
		"a SKU twice":      {"a,A,,V,,A-1,,1,,,Colour,Red,,\na,,,,,A-1,,1,,,,Blue,,", "line 3, Variant SKU (a): another variant of the product has the SKU A-1"},
		"choices twice":    {"a,A,,V,,A-1,,1,,,Colour,Red,,\na,,,,,A-2,,1,,,,Red,,", "line 3, Option1 Value (a): Another variant has the same choices"},
		"picture":          {"a,A,,V,,A-1,,1,,http://cdn.example/1.jpg,,,,", "line 2, Image Src (a): Use https or a path from the root"},
		"second picture":   {"a,A,,V,,A-1,,1,,/1.jpg,,,,\na,,,,,,,,,ftp://x,,,,", "line 3, Image Src (a): Use https or a path from the root"},
		"attribute":        {"a,A,,V,,A-1,,1,,,,,," + strings.Repeat("x", 501), "line 2, Size (product.metafields.specs.size) (a): It has more than 500 characters"},
		"much stock":       {"a,A,,V,,A-1,1000001,1,,,,,,", "line 2, Variant Inventory Qty (a): a variant has at most 1000000 pieces"},
		"stock disagrees":  {"a,A,,V,,A-1,5,1,,,,,4,", "line 2, Variant Inventory Qty (a): 5 pieces in all, but the locations have 4"},
		"handle":           {"---,A,,V,,A-1,,1,,,,,,", "line 2, Handle (---): the handle has neither letters nor digits"},
		"same address":     {"a b,A,,V,,A-1,,1,,,,,,\nA-B,A,,V,,A-2,,1,,,,,,", "line 3, Handle (A-B): another product of the file has the same address a-b"},
		"broken":           {"a,12\" A,,V,,A-1,,1,,,,,,", "line 2 (a): a quotation mark stands inside an unquoted cell; quote the cell and double the mark"},
		"not in the file":  {"x14,X14,,V,,X14-B-16,,1,,,,,,", "line 2, Variant SKU (x14): variant X14-S-16, which is not in the file: The product has no such option"},
	}
	n := 0
	for name, tt := range tests {
		n++
		r := load(t, ctx, s, header+tt.row+fmt.Sprintf("\ngood-%d,Good,,V,,G-%d,,1,,,,,,\n", n, n))
		if len(r.Faults) == 0 || r.Faults[0].String() != tt.want || r.Failed != 1 || everything(t, ctx, s)[fmt.Sprintf("good-%d", n)].Title != "Good" {
			t.Errorf("%s: %+v; want %q", name, r, tt.want)
		}
	}
}

func TestImportNeedsItsRights(t *testing.T) {
	t.Parallel()
	s, ctx := setup(t)
	visitor := viewer.NewContext(ctx, viewer.Viewer{UserID: uuid.New()})
	if _, err := importer.Import(visitor, s, strings.NewReader(shop), importer.Options{}); errs.CodeOf(err) != errs.Forbidden {
		t.Errorf("imported: %v", err)
	}
	if err := importer.Export(visitor, s, io.Discard, nil); errs.CodeOf(err) != errs.Forbidden {
		t.Errorf("exported: %v", err)
	}
	for name, file := range map[string]string{
		"no location": "Handle,Stock X (variant.metafields.inventory.x)\na,1\n", "no file": "", "no handle": "a,b\n",
	} {
		if _, err := importer.Import(ctx, s, strings.NewReader(file), importer.Options{}); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

// flood is a file of many products, most of which are equal to those of the batch before.
type flood struct {
	products, next int
	pending        []byte
}

func (f *flood) Read(buf []byte) (int, error) {
	if len(f.pending) == 0 {
		if f.next == f.products {
			return 0, io.EOF
		}
		if f.next == 0 {
			f.pending = []byte("Handle,Title,Body (HTML),Vendor,Variant SKU,Variant Price,Variant Inventory Qty\n")
		}
		f.pending = fmt.Appendf(f.pending, "p-%[1]d,Product %[1]d,\"%[2]s\",V,S-%[1]d,10.00,1\n", f.next, strings.Repeat("<p>Long, long text.</p>\n", 400))
		f.next++
	}
	n := copy(buf, f.pending)
	f.pending = f.pending[n:]
	return n, nil
}

func TestImportStreams(t *testing.T) {
	s, ctx := setup(t)
	const count = 1500
	var most uint64
	calls := 0
	r, err := importer.Import(ctx, s, &flood{products: count}, importer.Options{Progress: func(p importer.Progress) {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapAlloc)
		calls++
		if p.Bytes == 0 || p.Products == 0 {
			t.Errorf("progress %+v", p)
		}
	}})
	if err != nil || r.Created != count || r.Stock != count || calls < count/500 {
		t.Fatalf("%+v, %v after %d calls", r, err, calls)
	}
	if most > 100<<20 {
		t.Errorf("%d MiB in use for a file of 14 MB", most>>20)
	}
}
