package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/products"
)

// count gives how many products the dictionary knows to have a word.
func (s *shop) count(word string) int {
	s.t.Helper()
	v, err := s.LookUpWords(s.ctx, []string{word}, "")
	s.must(err)
	for _, w := range v.Words {
		if w.Text == word {
			return w.Count
		}
	}
	return 0
}

// counts gives the counts of words.
func (s *shop) counts(words ...string) string {
	s.t.Helper()
	var text string
	for _, w := range words {
		text += fmt.Sprintf("%s %d ", w, s.count(w))
	}
	return text
}

func importWords(t *testing.T, s *shop) {
	_, all := s.stock(60)
	var words []string
	for _, p := range all[:10] {
		words = append(words, products.WordsOf(p, nil)...)
	}
	before := s.counts(words...)
	s.must(s.RebuildWords(s.ctx))
	if after := s.counts(words...); after != before {
		t.Errorf("counted %s; rebuilt %s", before, after)
	}
}

func wordsFollow(t *testing.T, s *shop) {
	p := product("Silver lamp", 100)
	s.add(p, product("Silver spoon", 100))
	draft := product("Silver draft", 100)
	draft.Status = products.Draft
	s.add(draft)
	p.Title, p.Version = "Golden lamp", 2
	s.must(s.UpdateProduct(s.ctx, p))
	if got := s.counts("silver", "golden", "lamp", "draft"); got != "silver 1 golden 1 lamp 1 draft 0 " {
		t.Error(got)
	}
	p.Status, p.Version = products.Archived, 3
	s.must(s.UpdateProduct(s.ctx, p))
	draft.Status, draft.Version = products.Active, 2
	s.must(s.UpdateProduct(s.ctx, draft))
	want := "silver 2 golden 0 lamp 0 draft 1 "
	if got := s.counts("silver", "golden", "lamp", "draft"); got != want {
		t.Error(got)
	}
	s.must(s.RebuildWords(s.ctx))
	if got := s.counts("silver", "golden", "lamp", "draft"); got != want {
		t.Errorf("rebuilt: %s", got)
	}
}

func spellings(t *testing.T, s *shop) {
	s.add(product("Laptops", 1), product("Laptop stand", 1), product("Keyboard", 1))
	computers := s.category("Computers", uuid.Nil)
	v, err := s.LookUpWords(s.ctx, []string{"keybaord", "laptop", "lap"}, computers.Slug)
	s.must(err)
	if v.Category != computers.ID {
		t.Errorf("the category is %v", v.Category)
	}
	has := func(list []products.Word, text string) bool {
		return slices.ContainsFunc(list, func(w products.Word) bool { return w.Text == text })
	}
	if !has(v.Words, "keyboard") || !has(v.Words, "laptop") || !has(v.Words, "laptops") || has(v.Words, "stand") {
		t.Errorf("words %v", v.Words)
	}
	if none, err := s.LookUpWords(s.ctx, []string{"lap"}, "none"); err != nil || none.Category != uuid.Nil || len(none.Completions) != 2 {
		t.Errorf("in no category: %v, %v", none, err)
	}
	if len(v.Completions) != 2 || !has(v.Completions, "laptop") || !has(v.Completions, "laptops") {
		t.Errorf("completions %v", v.Completions)
	}
}

func search(t *testing.T, s *shop) {
	c := s.category("Notebooks", uuid.Nil)
	named, described, other := product("Zephyr laptop", 100), product("Stand", 100), product("Zephyr fan", 100)
	described.Description = "Lifts a laptop"
	named.CategoryID = c.ID
	draft := product("Zephyr laptop draft", 100)
	draft.Status = products.Draft
	s.add(named, described, other, draft)
	active := products.Filter{Statuses: []products.Status{products.Active}}
	find := func(q products.Query, f products.Filter) []string {
		t.Helper()
		found, err := s.Search(s.ctx, q, f, firstPage(10))
		s.must(err)
		list := make([]*products.Product, len(found.Hits))
		for i, h := range found.Hits {
			list[i] = h.Product
		}
		if found.Total != len(list) {
			t.Errorf("total %d of %d", found.Total, len(list))
		}
		return titles(list)
	}
	for _, test := range []struct {
		name string
		q    products.Query
		f    products.Filter
		want []string
	}{
		{"the title counts most", products.Query{Groups: [][]string{{"laptop"}}}, active, []string{"Zephyr laptop", "Stand"}},
		{"all words", products.Query{Groups: [][]string{{"zephyr"}, {"laptop", "laptops"}}}, active, []string{"Zephyr laptop"}},
		{"any word", products.Query{Groups: [][]string{{"zephyr"}, {"laptop"}}, Any: true}, active, []string{"Zephyr laptop", "Zephyr fan", "Stand"}},
		{"by category", products.Query{Groups: [][]string{{"notebooks"}}}, active, []string{"Zephyr laptop"}},
		{"by SKU", products.Query{Groups: [][]string{products.SplitWords(other.Variants[0].SKU)[:1]}}, active, []string{"Zephyr fan"}},
		{"drafts", products.Query{Groups: [][]string{{"draft"}}}, active, []string{}},
		{"nothing", products.Query{Groups: [][]string{{"absent"}}}, active, []string{}},
		{"in a category", products.Query{Groups: [][]string{{"zephyr"}}}, products.Filter{Categories: [][]uuid.UUID{{c.ID}}}, []string{"Zephyr laptop"}},
	} {
		if got := find(test.q, test.f); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v; want %v", test.name, got, test.want)
		}
	}
}

func searchPages(t *testing.T, s *shop) {
	for i := range 11 {
		p := product("Lamp", 100)
		if i%3 == 0 {
			p.Title = "Lamp lamp"
		}
		s.add(p)
	}
	q := products.Query{Groups: [][]string{{"lamp"}}}
	whole, err := s.Search(s.ctx, q, products.Filter{}, firstPage(20))
	s.must(err)
	var want []uuid.UUID
	keys := make(map[uuid.UUID]page.Key)
	for _, h := range whole.Hits {
		want = append(want, h.Product.ID)
		keys[h.Product.ID] = h.Key()
	}
	for _, backward := range []bool{false, true} {
		got, err := walk(backward, 3, func(p *products.Product) page.Key { return keys[p.ID] }, func(r page.Request) ([]*products.Product, error) {
			found, err := s.Search(s.ctx, q, products.Filter{}, r)
			if err != nil {
				return nil, err
			}
			list := make([]*products.Product, len(found.Hits))
			for i, h := range found.Hits {
				list[i] = h.Product
			}
			return list, nil
		})
		if err != nil || len(want) != 11 || !slices.Equal(got, want) {
			t.Errorf("backward %t: %d of %d, %v", backward, len(got), len(want), err)
		}
	}
}

func facets(t *testing.T, s *shop) {
	list := s.branch("Light", "Lamps")
	for i, price := range []int64{1000, 2600, 900000} {
		p := product("Lamp", price)
		p.PriceMin, p.PriceMax = money.New(price, euro), money.New(price, euro)
		p.CategoryID, p.Vendor, p.Available = list[i%2].ID, []string{"Volta", "Kvarn", "Volta"}[i], i > 0
		p.Rating = products.Rating{Count: i, Sum: 4 * i}
		p.Attributes = []products.Attribute{{Key: "power", Name: "Power", Value: fmt.Sprint(5 + i/2), Unit: "W"}}
		s.add(p)
	}
	found, err := s.Search(s.ctx, products.Query{Groups: [][]string{{"lamp"}}}, products.Filter{}, firstPage(1))
	s.must(err)
	got := ""
	for _, f := range found.Facets {
		got += f.Key + ":"
		for _, v := range f.Values {
			got += fmt.Sprintf(" %s=%d", v.Label, v.Count)
		}
		got += "; "
	}
	want := "category: Light=3 Lamps=1; vendor: Volta=2 Kvarn=1; price: 0 to 25 EUR=1 25 to 50 EUR=1 2500 EUR and more=1; " +
		"rating: 1 star and more=2 2 stars and more=2 3 stars and more=2 4 stars and more=2; available: In stock=2 Out of stock=1; power: 5 W=2 6 W=1; "
	if got != want || found.Total != 3 || len(found.Hits) != 2 {
		t.Errorf("facets %s\nwant %s", got, want)
	}
}

func suggestions(t *testing.T, s *shop) {
	s.add(product("Laptop stand", 1), product("Laptop sleeve", 1), product("Lapis spoon", 1))
	hidden := product("Lapdog", 1)
	hidden.Status = products.Draft
	s.add(hidden)
	for _, test := range []struct {
		text  string
		limit int
		want  []string
	}{
		{"lap", 8, []string{"laptop", "lapis", "Lapis spoon", "Laptop sleeve", "Laptop stand"}},
		{"lap", 1, []string{"laptop"}},
		{"laptop s", 8, []string{"laptop sleeve", "laptop stand"}},
		{"spoon la", 8, []string{"spoon lapis"}},
		{"none", 8, []string{}},
	} {
		got, err := s.Suggest(s.ctx, test.text, products.SplitWords(test.text), test.limit)
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%q: %q, %v; want %q", test.text, got, err, test.want)
		}
	}
}
