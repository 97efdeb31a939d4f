package shopifycsv_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/techmart/techmart/services/products/shopifycsv"
)

// sample is as shops export it: several rows a product, an image-only row, an HTML body with a
// newline, and columns that mean nothing here.
const sample = "\xef\xbb\xbf" + `Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Option3 Name,Option3 Value,Variant SKU,Variant Grams,Variant Inventory Tracker,Variant Inventory Qty,Variant Price,Variant Compare At Price,Variant Barcode,Image Src,Image Position,Image Alt Text,Gift Card,Screen size [in] (product.metafields.specs.screen_size),Stock BER1 (variant.metafields.inventory.ber1),Variant Image,Status
x14,Nordlicht X14,"<p>A ""light"" laptop,
for the road.</p>",Nordlicht,Electronics > Laptops,Laptop,"light, ""a, b"", new",TRUE,Colour,Black,Memory,16 GB,,,X14-B-16,1250.0,shopify,7,999.00,1199.00,'4006381333931,https://cdn.example/1.jpg,2,Front,false,14,4,https://cdn.example/1.jpg,active
x14,,,,,,,,,Silver,,16 GB,,,X14-S-16,1250,shopify,,1049.00,,,https://cdn.example/0.jpg,1,,,,,,
x14,,,,,,,,,,,,,,,,,,,,,https://cdn.example/2.jpg,3,,,,,,
mouse,Mouse,,Nordlicht,,,,FALSE,Title,Default Title,,,,,M-1,,,-2,12.50,,,,,,,,,,draft
`

func ptr(n int) *int { return &n }

// read gives all products without where they stand.
func read(t interface {
	Helper()
	Fatal(...any)
}, r *shopifycsv.Reader) []*shopifycsv.Product {
	t.Helper()
	var all []*shopifycsv.Product
	for {
		p, err := r.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		p.Row = shopifycsv.Row{}
		for i := range p.Variants {
			p.Variants[i].Row = shopifycsv.Row{}
		}
		for i := range p.Images {
			p.Images[i].Row = shopifycsv.Row{}
		}
		all = append(all, p)
	}
}

func open(t testing.TB, text string) *shopifycsv.Reader {
	t.Helper()
	r, err := shopifycsv.NewReader(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReadsWhatShopsExport(t *testing.T) {
	t.Parallel()
	screen := shopifycsv.Metafield{Owner: "product", Namespace: "specs", Key: "screen_size", Name: "Screen size", Unit: "in"}
	want := []*shopifycsv.Product{
		{
			Handle: "x14", Title: "Nordlicht X14", Body: "<p>A \"light\" laptop,\nfor the road.</p>", Vendor: "Nordlicht",
			Category: "Electronics > Laptops", Type: "Laptop", Tags: []string{"light", "a, b", "new"}, Published: true, Status: "active",
			Options: []string{"Colour", "Memory"},
			Variants: []shopifycsv.Variant{
				{Options: []string{"Black", "16 GB"}, SKU: "X14-B-16", Grams: ptr(1250), Quantity: ptr(7), Stock: map[string]int{"ber1": 4}, Price: "999.00", CompareAtPrice: "1199.00", Barcode: "4006381333931", Image: "https://cdn.example/1.jpg"},
				{Options: []string{"Silver", "16 GB"}, SKU: "X14-S-16", Grams: ptr(1250), Price: "1049.00"},
			},
			Images: []shopifycsv.Image{
				{Src: "https://cdn.example/0.jpg", Position: 1}, {Src: "https://cdn.example/1.jpg", Position: 2, Alt: "Front"}, {Src: "https://cdn.example/2.jpg", Position: 3},
			},
			Metafields: []shopifycsv.Value{{Field: screen, Text: "14"}},
		},
		{Handle: "mouse", Title: "Mouse", Vendor: "Nordlicht", Status: "draft", Variants: []shopifycsv.Variant{{SKU: "M-1", Quantity: ptr(-2), Price: "12.50"}}},
	}
	for name, text := range map[string]string{
		"as it is": sample, "without a mark": strings.TrimPrefix(sample, "\xef\xbb\xbf"),
		"no last newline": strings.TrimSuffix(sample, "\n"), "empty lines": strings.ReplaceAll(sample, "\nmouse", "\n\n\nmouse"),
		"the newer names": strings.NewReplacer("Handle,", "URL handle,", "Body (HTML)", "Description", "Variant SKU", "SKU", "Variant Price", "Price", "Image Src", "Product image URL").Replace(sample),
	} {
		r := open(t, text)
		if !r.Has(shopifycsv.Body) || r.Has(shopifycsv.ImageWidth) || len(r.Metafields()) != 2 {
			t.Errorf("%s: the header is misread", name)
		}
		if got := read(t, r); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: read\n%+v %+v; want\n%+v %+v", name, got[0], got[len(got)-1], want[0], want[1])
		}
	}
}

func TestOtherDelimitersAndOrders(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"Title;Variant Price;Handle\nMouse;12.50;mouse\n", "Variant Price\tHandle\tTitle\r\n12.50\tmouse\tMouse\r\n", "handle,TITLE,variant price\nmouse,Mouse,12.50\n",
	} {
		got := read(t, open(t, text))
		if len(got) != 1 || got[0].Handle != "mouse" || got[0].Title != "Mouse" || got[0].Variants[0].Price != "12.50" || got[0].Faults != nil {
			t.Errorf("%q was read as %+v", text, got)
		}
	}
}

func TestHeadersThatAreNone(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"an empty file": "", "no Handle": "Title,Price\n", "UTF-16": "\xff\xfeH\x00", "Latin-1": "Handle,Gr\xf6\xdfe\n",
		"twice": "Handle,Title,title\n", "broken": "Handle,\"Title\n",
	} {
		if _, err := shopifycsv.NewReader(strings.NewReader(text)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := shopifycsv.NewReader(failing{}); err == nil {
		t.Error("a source that fails was taken")
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }

func TestFaults(t *testing.T) {
	t.Parallel()
	header := "Handle,Title,Body (HTML),Published,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Variant SKU,Variant Grams,Variant Inventory Qty,Variant Price,Image Src,Image Position,Status,Stock BER1 (variant.metafields.inventory.ber1)\n"
	tests := map[string]struct {
		rows string
		want []string // line column of each fault
		good string   // handles without a fault
	}{
		"no handle":               {",Mouse,,,,,,,M,,,1,,,,\nb,B,,,,,,,B,,,1,,,,\n", []string{"2 Handle"}, "b"},
		"comes back":              {"a,A,,,,,,,A,,,1,,,,\nb,B,,,,,,,B,,,1,,,,\na,A,,,,,,,A2,,,1,,,,\n", []string{"4 Handle"}, "a b"},
		"published":               {"a,A,,maybe,,,,,A,,,1,,,,\n", []string{"2 Published"}, ""},
		"status":                  {"a,A,,,,,,,A,,,1,,,gone,\n", []string{"2 Status"}, ""},
		"weight":                  {"a,A,,,,,,,A,heavy,,1,,,,\n", []string{"2 Variant Grams"}, ""},
		"negative weight":         {"a,A,,,,,,,A,-1,,1,,,,\n", []string{"2 Variant Grams"}, ""},
		"pieces":                  {"a,A,,,,,,,A,,1.5,1,,,,\n", []string{"2 Variant Inventory Qty"}, ""},
		"stock":                   {"a,A,,,,,,,A,,,1,,,,-1\n", []string{"2 Stock BER1 (variant.metafields.inventory.ber1)"}, ""},
		"position":                {"a,A,,,,,,,A,,,1,/p.svg,first,,\n", []string{"2 Image Position"}, ""},
		"behind a newline":        {"a,A,\"<p>\n</p>\",,,,,,A,,x,1,,,,\n", []string{"3 Variant Inventory Qty"}, ""},
		"several in one":          {"a,A,,maybe,,,,,A,x,,1,,,gone,\nb,B,,,,,,,B,,,1,,,,\n", []string{"2 Published", "2 Status", "2 Variant Grams"}, "b"},
		"an option without name":  {"a,A,,,,Black,,,A,,,1,,,,\n", []string{"2 Option1 Value"}, ""},
		"the second option alone": {"a,A,,,,,Memory,16 GB,A,,,1,,,,\n", []string{"2 Option2 Name", "2 Option2 Value"}, ""},
		"no value":                {"a,A,,,Colour,Black,,,A,,,1,,,,\na,,,,,,,,A2,,,1,,,,\n", []string{"3 Option1 Value"}, ""},
		"too many cells":          {"a,A,,,,,,,A,,,1,,,,,x\nb,B,,,,,,,B,,,1,,,,,,,\n", []string{"2 "}, "b"},
		"not UTF-8":               {"a,Gr\xf6\xdfe,,,,,,,A,,,1,,,,\nb,B,,,,,,,B,,,1,,,,\n", []string{"2 Title"}, "b"},
		"bare quote, first row":   {"a,12\" A,,,,,,,A,,,1,,,,\na,,,,,,,,A2,,,1,,,,\nb,B,,,,,,,B,,,1,,,,\n", []string{"2 "}, "b"},
		"bare quote, later row":   {"a,A,,,Colour,Black,,,A,,,1,,,,\na,,,,,12\" x,,,A2,,,1,,,,\nb,B,,,,,,,B,,,1,,,,\n", []string{"3 "}, "b"},
		"never closed":            {"a,\"A,,,,,,,A,,,1,,,,\nb,B,,,,,,,B,,,1,,,,\nc,C,,,,,,,C,,,1,,,,\n", []string{"2 "}, "b c"},
		"too many rows":           {"a,A,,,Colour,0,,,A,,,1,,,,\n" + strings.Repeat("a,,,,,,,,,,,,/p.svg,,,\n", 1000) + "b,B,,,,,,,B,,,1,,,,\n", []string{"1002 "}, "b"},
		"short rows are fine":     {"a,A\n", nil, "a"},
	}
	for name, tt := range tests {
		var faults, good []string
		for _, p := range read(t, open(t, header+tt.rows)) {
			for _, f := range p.Faults {
				faults = append(faults, fmt.Sprintf("%d %s", f.Line, f.Column))
			}
			if p.Faults == nil {
				good = append(good, p.Handle)
			}
		}
		if strings.Join(faults, "|") != strings.Join(tt.want, "|") || strings.Join(good, " ") != tt.good {
			t.Errorf("%s: faults %q, good %q; want %q and %q", name, faults, good, tt.want, tt.good)
		}
	}
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	t.Parallel()
	text := rapid.Custom(func(t *rapid.T) string {
		return strings.TrimSpace(rapid.StringMatching(`[a-zA-Z0-9ä€,;"' \n\r<>&=\[\]()-]{0,12}`).Draw(t, "text"))
	})
	name := rapid.StringMatching(`[A-Z][a-z]{0,6}( \[[a-z]*\]| \(x\))?`)
	fields := []shopifycsv.Metafield{
		{Owner: "product", Namespace: "specs", Key: "a", Name: "Size", Unit: "in"}, {Owner: "product", Namespace: "specs", Key: "a", Name: "Size"},
		{Owner: "product", Namespace: "specs", Key: "b", Name: "Odd [x]"}, {Owner: "product", Namespace: "specs", Key: "c", Name: "Odd (x)", Unit: "°"},
	}
	rapid.Check(t, func(t *rapid.T) {
		var want []*shopifycsv.Product
		for i := range rapid.IntRange(0, 4).Draw(t, "products") {
			p := &shopifycsv.Product{
				Handle: fmt.Sprintf("p-%d", i), Title: text.Draw(t, "title"), Body: rapid.StringMatching(`[a-z<>"\n\r, ]{0,20}`).Draw(t, "body"), Vendor: text.Draw(t, "vendor"),
				Category: text.Draw(t, "category"), Type: text.Draw(t, "type"), Published: rapid.Bool().Draw(t, "published"),
				Status: rapid.SampledFrom([]string{"active", "draft", "archived"}).Draw(t, "status"),
			}
			for _, tag := range rapid.SliceOfN(text, 0, 3).Draw(t, "tags") {
				if tag != "" {
					p.Tags = append(p.Tags, tag)
				}
			}
			for range rapid.IntRange(0, 3).Draw(t, "options") {
				p.Options = append(p.Options, name.Draw(t, "option"))
			}
			if len(p.Options) == 1 && strings.EqualFold(p.Options[0], "title") {
				p.Options[0] = "Colour"
			}
			n := 1
			if len(p.Options) > 0 {
				n = rapid.IntRange(1, 4).Draw(t, "variants")
			}
			for j := range n {
				v := shopifycsv.Variant{SKU: rapid.SampledFrom([]string{"'", "''7", "'7", "7", "S-"}).Draw(t, "sku") + fmt.Sprint(j), Price: "1.00", Barcode: text.Draw(t, "barcode")}
				for range p.Options {
					v.Options = append(v.Options, name.Draw(t, "choice"))
				}
				if rapid.Bool().Draw(t, "counted") {
					v.Quantity, v.Grams, v.Stock = ptr(3), ptr(0), map[string]int{"ber1": 3}
				}
				p.Variants = append(p.Variants, v)
			}
			for j := range rapid.IntRange(0, 5).Draw(t, "images") {
				p.Images = append(p.Images, shopifycsv.Image{Src: fmt.Sprintf("/p/%d.svg", j), Position: j + 1, Alt: text.Draw(t, "alt"), Width: j, Height: j})
			}
			for _, f := range fields {
				if value := text.Draw(t, "value"); value != "" {
					p.Metafields = append(p.Metafields, shopifycsv.Value{Field: f, Text: value})
				}
			}
			want = append(want, p)
		}
		var file bytes.Buffer
		w, err := shopifycsv.NewWriter(&file, fields, []string{"BER1"})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range want {
			if err := w.Write(p); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		r, err := shopifycsv.NewReader(&file)
		if err != nil {
			t.Fatal(err)
		}
		got := read(t, r)
		if !reflect.DeepEqual(got, want) {
			for i := range got {
				t.Logf("%+v\n%+v", got[i], want[i])
			}
			t.Fatal("the products changed on the way")
		}
	})
}

func TestWriterRefusesWhatHasNoColumn(t *testing.T) {
	t.Parallel()
	w, err := shopifycsv.NewWriter(io.Discard, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if w.Write(&shopifycsv.Product{Handle: "a", Metafields: []shopifycsv.Value{{}}}) == nil ||
		w.Write(&shopifycsv.Product{Handle: "a", Variants: []shopifycsv.Variant{{Stock: map[string]int{"X": 1}}}}) == nil {
		t.Error("a value got lost")
	}
}

// endless is a file of many products, made as it is read.
type endless struct {
	left    int64
	product int
	pending []byte
}

func (e *endless) Read(buf []byte) (int, error) {
	if len(e.pending) == 0 {
		if e.left <= 0 {
			return 0, io.EOF
		}
		if e.product++; e.product == 1 {
			e.pending = []byte("Handle,Title,Body (HTML),Option1 Name,Option1 Value,Variant SKU,Variant Price\n")
		}
		body := strings.Repeat("<p>Long, and \"\"quoted\"\".</p>\n", 60)
		e.pending = fmt.Appendf(e.pending, "p-%[1]d,Product %[1]d,\"%[2]s\",Colour,Black,S-%[1]d-B,10.00\np-%[1]d,,,,Silver,S-%[1]d-S,11.00\n", e.product, body)
		e.left -= int64(len(e.pending))
	}
	n := copy(buf, e.pending)
	e.pending = e.pending[n:]
	return n, nil
}

func TestReadsALargeFileInLittleMemory(t *testing.T) {
	r, err := shopifycsv.NewReader(&endless{left: 50 << 20})
	if err != nil {
		t.Fatal(err)
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, count := heap(), 0
	var grown uint64
	for {
		p, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil || p.Faults != nil || len(p.Variants) != 2 {
			t.Fatal(p, err)
		}
		if count++; count%5000 == 0 {
			now := heap()
			grown = max(grown, now-min(now, before))
		}
	}
	if count < 25_000 || grown > 16<<20 {
		t.Errorf("%d products with %d MiB more", count, grown>>20)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(sample)
	f.Add("Handle,Title\na,\"b\n")
	f.Add("Handle;Tags\na;\"\"\"x\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := shopifycsv.NewReader(strings.NewReader(text))
		if err != nil {
			return
		}
		lines := strings.Count(text, "\n") + 1
		for {
			p, err := r.Next()
			if err == io.EOF {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if p.Handle == "" && p.Faults == nil {
				t.Fatalf("rows without a handle and without a fault: %+v", p)
			}
			for _, fault := range p.Faults {
				if fault.Line < 1 || fault.Line > lines || fault.Reason == "" {
					t.Fatalf("a fault at line %d of %d: %+v", fault.Line, lines, fault)
				}
			}
		}
	})
}
