package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/products"
)

func firstPage(limit int) page.Request { return page.Request{Limit: limit} }

// Sorts are all sorts in both directions.
func Sorts() []products.Sort {
	var all []products.Sort
	for _, field := range []products.SortField{products.ByPublished, products.ByPrice, products.ByTitle, products.ByRating, products.BySold, products.ByUpdated} {
		all = append(all, products.Sort{Field: field}, products.Sort{Field: field, Ascending: true})
	}
	return all
}

// Filters are filters of each kind, and some of several kinds.
func Filters(categories []uuid.UUID) map[string]products.Filter {
	low, high, yes, no := int64(2000), int64(6000), true, false
	from, to := start.Add(20*time.Hour), start.Add(70*time.Hour)
	active := []products.Status{products.Active}
	red := products.AttributeFilter{Key: "colour", Values: []string{"red", "blue"}}
	return map[string]products.Filter{
		"all":             {},
		"active":          {Statuses: active},
		"category":        {Statuses: active, Categories: [][]uuid.UUID{{categories[0]}}},
		"categories":      {Statuses: active, Categories: [][]uuid.UUID{{categories[1], categories[2]}}},
		"both categories": {Statuses: active, Categories: [][]uuid.UUID{{categories[0]}, {categories[1], categories[3]}}},
		"no category":     {Statuses: active, Categories: [][]uuid.UUID{{}}},
		"vendor":          {Statuses: active, Vendors: []string{"Nordlicht"}},
		"vendors":         {Statuses: active, Vendors: []string{"Nordlicht", "Volta"}},
		"price":           {Statuses: active, PriceMin: &low, PriceMax: &high},
		"at least":        {Statuses: active, PriceMin: &high},
		"at most":         {Statuses: active, PriceMax: &low},
		"attribute":       {Statuses: active, Attributes: []products.AttributeFilter{red}},
		"attributes":      {Statuses: active, Attributes: []products.AttributeFilter{red, {Key: "size", Values: []string{"1"}}}},
		"available":       {Statuses: active, Available: &yes},
		"sold out":        {Statuses: active, Available: &no},
		"rating":          {Statuses: active, RatingMin: 30},
		"tags":            {Statuses: active, Tags: []string{"new", "sale"}},
		"states":          {Statuses: []products.Status{products.Draft, products.Archived}},
		"updated":         {UpdatedGTE: &from, UpdatedLT: &to},
		"much":            {Statuses: active, Categories: [][]uuid.UUID{{categories[0]}}, Vendors: []string{"Nordlicht", "Kvarn"}, PriceMin: &low, Available: &yes, RatingMin: 20, Tags: []string{"new"}},
	}
}

// stock fills a store with a category tree and products of all kinds, the same each time.
func (s *shop) stock(n int) (categories []uuid.UUID, list []*products.Product) {
	s.t.Helper()
	parent := uuid.Nil
	for i := range 4 { // 0 over 1 over 2, and 3 apart
		if i == 3 {
			parent = uuid.Nil
		}
		c := &products.Category{ID: uuid.Must(uuid.NewV7()), Version: 1, Name: fmt.Sprint("Part ", i), Slug: fmt.Sprint("part-", i), ParentID: parent}
		s.must(s.InsertCategory(s.ctx, c))
		categories, parent = append(categories, c.ID), c.ID
	}
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(values ...string) string { return values[r.IntN(len(values))] }
	for i := range n {
		p := product(pick("Lamp", "lamp", "Éclair", "Zebra", "Monitor")+" "+strconv.Itoa(i%7), int64(1000+500*r.IntN(8)), int64(3000+500*r.IntN(12)))
		p.Vendor, p.Available = pick("Nordlicht", "Volta", "Kvarn"), r.IntN(3) > 0
		p.Status = []products.Status{products.Active, products.Active, products.Active, products.Draft, products.Archived}[r.IntN(5)]
		if r.IntN(5) > 0 {
			p.CategoryID = categories[r.IntN(len(categories))]
		}
		p.Attributes = []products.Attribute{{Key: "colour", Name: "Colour", Value: pick("red", "blue", "green")}, {Key: "size", Name: "Size", Value: pick("1", "2")}}
		p.Tags = [][]string{nil, {"new"}, {"sale", "new"}}[r.IntN(3)]
		p.Rating = products.Rating{Count: r.IntN(3)}
		p.Rating.Sum = p.Rating.Count * (1 + r.IntN(5))
		p.SoldCount = r.IntN(6)
		p.PublishedAt, p.UpdatedAt = start.Add(time.Duration(r.IntN(30))*time.Hour), start.Add(time.Duration(r.IntN(90))*time.Hour)
		if p.Status == products.Draft {
			p.PublishedAt = time.Time{}
		}
		p.PriceMin, p.PriceMax = span(p)
		list = append(list, p)
	}
	outcomes, err := s.ImportProducts(s.ctx, list, start)
	s.must(err)
	stored := make([]*products.Product, 0, n)
	for _, o := range outcomes {
		s.must(o.Err)
		stored = append(stored, s.get(o.ID))
	}
	return categories, stored
}

// Stock fills a store with n products of all kinds, the same each time.
func Stock(t testing.TB, store products.CatalogStore, n int) {
	t.Helper()
	(&shop{CatalogStore: store, t: t, ctx: t.Context()}).stock(n)
}

func span(p *products.Product) (low, high money.Money) {
	a, b := p.Variants[0].Price, p.Variants[1].Price
	return money.New(min(a.Amount, b.Amount), euro), money.New(max(a.Amount, b.Amount), euro)
}

// matches says of a product what a store says by its indexes.
func matches(p *products.Product, f products.Filter) bool {
	oneOf := func(values []string, v string) bool { return len(values) == 0 || slices.Contains(values, v) }
	for _, any := range f.Categories {
		if !slices.ContainsFunc(any, func(id uuid.UUID) bool { return slices.Contains(p.CategoryPath, id) }) {
			return false
		}
	}
	priced := slices.ContainsFunc(p.Variants, func(v products.Variant) bool {
		return (f.PriceMin == nil || v.Price.Amount >= *f.PriceMin) && (f.PriceMax == nil || v.Price.Amount <= *f.PriceMax)
	})
	for _, a := range f.Attributes {
		if !slices.ContainsFunc(p.Attributes, func(b products.Attribute) bool { return a.Key == b.Key && slices.Contains(a.Values, b.Value) }) {
			return false
		}
	}
	for _, tag := range f.Tags {
		if !slices.Contains(p.Tags, tag) {
			return false
		}
	}
	return priced && oneOf(f.Vendors, p.Vendor) && (f.Available == nil || p.Available == *f.Available) && p.Rating.Tenths() >= f.RatingMin &&
		(len(f.Statuses) == 0 || slices.Contains(f.Statuses, p.Status)) &&
		(f.UpdatedGTE == nil || !p.UpdatedAt.Before(*f.UpdatedGTE)) && (f.UpdatedLT == nil || p.UpdatedAt.Before(*f.UpdatedLT))
}

// expected gives the ids of a list as a plain sort finds them.
func expected(all []*products.Product, f products.Filter, by products.Sort) []uuid.UUID {
	var list []*products.Product
	for _, p := range all {
		if matches(p, f) {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b *products.Product) int {
		x, y := by.Key(a), by.Key(b)
		order := cmp.Compare(x[0], y[0])
		if by.Field != products.ByTitle {
			n, _ := strconv.ParseInt(x[0], 10, 64)
			m, _ := strconv.ParseInt(y[0], 10, 64)
			order = cmp.Compare(n, m)
		}
		order = cmp.Or(order, cmp.Compare(x[1], y[1]))
		if !by.Ascending {
			order = -order
		}
		return order
	})
	return ids(list)
}

func ids(list []*products.Product) []uuid.UUID {
	out := make([]uuid.UUID, len(list))
	for i, p := range list {
		out[i] = p.ID
	}
	return out
}

// walk reads a list page by page.
func walk(backward bool, limit int, key func(*products.Product) page.Key, read func(page.Request) ([]*products.Product, error)) ([]uuid.UUID, error) {
	var all []uuid.UUID
	r := page.Request{Limit: limit, Backward: backward}
	for {
		rows, err := read(r)
		if err != nil {
			return nil, err
		}
		p := page.Trim(rows, r)
		if backward {
			all = append(ids(p.Items), all...)
		} else {
			all = append(all, ids(p.Items)...)
		}
		switch {
		case !backward && p.HasNext:
			r.From = key(p.Items[len(p.Items)-1])
		case backward && p.HasPrevious:
			r.From = key(p.Items[0])
		default:
			return all, nil
		}
	}
}

func lists(t *testing.T, s *shop) {
	categories, all := s.stock(90)
	for name, f := range Filters(categories) {
		for _, by := range Sorts() {
			want := expected(all, f, by)
			for _, backward := range []bool{false, true} {
				got, err := walk(backward, 13, by.Key, func(r page.Request) ([]*products.Product, error) { return s.ListProducts(s.ctx, f, by, r) })
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("%s by %v, backward %t: %d products, %v; want %d", name, by, backward, len(got), err, len(want))
				}
			}
		}
		n, err := s.CountProducts(s.ctx, f)
		if want := len(expected(all, f, products.Sort{})); err != nil || n != want {
			t.Errorf("%s: counted %d, %v; want %d", name, n, err, want)
		}
	}
}

func categoryLists(t *testing.T, s *shop) {
	categories, all := s.stock(60)
	f := products.Filter{Statuses: []products.Status{products.Active}}
	wanted := append(slices.Clone(categories), uuid.New())
	for _, by := range []products.Sort{{}, {Field: products.ByTitle, Ascending: true}} {
		pages, err := s.CategoryProducts(s.ctx, wanted, f, by, firstPage(5))
		s.must(err)
		for _, c := range wanted {
			in := f
			in.Categories = [][]uuid.UUID{{c}}
			want := expected(all, in, by)
			if got := ids(pages[c]); !slices.Equal(got, want[:min(6, len(want))]) {
				t.Errorf("%v of %s", got, c)
			}
		}
	}
	counts, err := s.CountCategoryProducts(s.ctx, wanted, f)
	s.must(err)
	for _, c := range wanted {
		in := f
		in.Categories = [][]uuid.UUID{{c}}
		if want := len(expected(all, in, products.Sort{})); counts[c] != want {
			t.Errorf("counted %d; want %d", counts[c], want)
		}
	}
}

func related(t *testing.T, s *shop) {
	c := s.category("Lamps", uuid.Nil)
	make := func(title string, price int64, colour string, available bool) *products.Product {
		p := product(title, price)
		p.CategoryID, p.Available = c.ID, available
		p.Attributes = []products.Attribute{{Key: "colour", Name: "Colour", Value: colour}, {Key: "power", Name: "Power", Value: "5"}}
		s.add(p)
		return p
	}
	one := make("one", 1000, "red", true)
	make("same", 1010, "red", true)
	make("dear", 9000, "red", true)
	make("blue", 990, "blue", true)
	make("gone", 1000, "red", false)
	elsewhere := product("elsewhere", 1000)
	elsewhere.Available = true
	s.add(elsewhere)
	found, err := s.RelatedProducts(s.ctx, []*products.Product{one, elsewhere}, 3)
	s.must(err)
	if got := titles(found[one.ID]); !slices.Equal(got, []string{"same", "blue", "dear"}) {
		t.Errorf("related: %v", got)
	}
	if len(found[elsewhere.ID]) != 0 {
		t.Errorf("related without a category: %v", found[elsewhere.ID])
	}
}

func each(t *testing.T, s *shop) {
	_, all := s.stock(20)
	n := 0
	s.must(s.EachProduct(s.ctx, func(*products.Product) error { n++; return nil }))
	stop := errors.New("enough")
	if err := s.EachProduct(s.ctx, func(*products.Product) error { return stop }); n != len(all) || !errors.Is(err, stop) {
		t.Errorf("%d products, %v", n, err)
	}
}

func brokenCursor(_ *testing.T, s *shop) {
	for _, key := range []page.Key{{"1"}, {"x", uuid.NewString()}, {"1", "x"}} {
		r := page.Request{Limit: 1, From: key}
		_, err := s.ListProducts(s.ctx, products.Filter{}, products.Sort{Field: products.ByPrice}, r)
		s.fails(err, errs.CursorMismatch, "")
		_, err = s.Search(s.ctx, products.Query{Groups: [][]string{{"a"}}}, products.Filter{}, r)
		s.fails(err, errs.CursorMismatch, "")
	}
}
