// Package storetest holds the rules that every store of the catalogue has to keep, as tests.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/products"
)

// Catalog checks a CatalogStore; setup gives an empty one.
func Catalog(t *testing.T, setup func(*testing.T) products.CatalogStore) {
	for name, test := range map[string]func(*testing.T, *shop){
		"read by every key":             readByKeys,
		"unique values":                 uniqueValues,
		"update by version":             updateByVersion,
		"update under a race":           updateRace,
		"refresh":                       refresh,
		"refresh under a race":          refreshRace,
		"idempotency keys":              idempotencyKeys,
		"import":                        importTwice,
		"import reports bad ones":       importBad,
		"import counts words":           importWords,
		"lists":                         lists,
		"lists of categories":           categoryLists,
		"related":                       related,
		"each":                          each,
		"tree":                          tree,
		"tree bounds":                   treeBounds,
		"a move takes all along":        move,
		"moves under a race":            moveRace,
		"a removal under a race":        removalRace,
		"words follow changes":          wordsFollow,
		"spellings":                     spellings,
		"search":                        search,
		"search in pages":               searchPages,
		"facets":                        facets,
		"suggestions":                   suggestions,
		"nothing asked of the catalog":  nothingAskedOfCatalog,
		"a broken cursor is no failure": brokenCursor,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, &shop{CatalogStore: setup(t), t: t, ctx: t.Context()})
		})
	}
}

// shop is a store with short ways to set it up and look at it.
type shop struct {
	products.CatalogStore
	t   testing.TB
	ctx context.Context
}

func (s *shop) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// fails checks the code of an error and the field that it blames.
func (s *shop) fails(err error, code errs.Code, field string) {
	s.t.Helper()
	for _, e := range errs.All(err) {
		if e.Code == code && strings.Join(e.Field, ".") == field {
			return
		}
	}
	s.t.Errorf("got %v; want %s at %q", err, code, field)
}

const euro = money.Currency("EUR")

// product makes a product with one variant for each price, in cents.
func product(title string, prices ...int64) *products.Product {
	id := uuid.Must(uuid.NewV7())
	p := &products.Product{
		ID: id, Version: 1, Slug: products.MakeSlug(title) + "-" + id.String()[24:], Title: title, Vendor: "Nordlicht", Status: products.Active,
		Options: []products.Option{{Name: "Size"}}, PublishedAt: start, CreatedAt: start, UpdatedAt: start,
		PriceMin: money.New(slices.Min(prices), euro), PriceMax: money.New(slices.Max(prices), euro),
	}
	for i, price := range prices {
		size := fmt.Sprint("S", i)
		p.Options[0].Values = append(p.Options[0].Values, size)
		p.Variants = append(p.Variants, products.Variant{
			ID: uuid.Must(uuid.NewV7()), SKU: fmt.Sprintf("%s-%d", id.String()[24:], i), Title: size,
			Options: []products.SelectedOption{{Name: "Size", Value: size}}, Price: money.New(price, euro),
		})
	}
	return p
}

func (s *shop) add(list ...*products.Product) {
	s.t.Helper()
	for _, p := range list {
		s.must(s.InsertProduct(s.ctx, p))
	}
}

func (s *shop) get(id uuid.UUID) *products.Product {
	s.t.Helper()
	found, err := s.Products(s.ctx, []uuid.UUID{id})
	s.must(err)
	if found[id] == nil {
		s.t.Fatalf("no product %s", id)
	}
	return found[id]
}

func titles(list []*products.Product) []string {
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = p.Title
	}
	return out
}

func readByKeys(t *testing.T, s *shop) {
	grams, width, old := 1200, 800, money.New(1500, euro)
	p := product("Café Lamp", 1000, 1200)
	p.DescriptionHTML, p.Description, p.Tags = "<p>Warm</p>", "Warm", []string{"light"}
	p.Media = []products.Media{{URL: "/m/1.svg", Alt: "Lamp", Width: &width}}
	p.Attributes = []products.Attribute{{Key: "power", Name: "Power", Value: "5", Unit: "W"}}
	p.Variants[0].CompareAt, p.Variants[0].WeightGrams, p.Variants[0].Barcode, p.Variants[0].Image = &old, &grams, "4006381333931", &p.Media[0]
	p.Available, p.Rating, p.SoldCount = true, products.Rating{Count: 2, Sum: 9}, 7
	draft := product("Draft", 1)
	draft.Status, draft.PublishedAt = products.Draft, time.Time{}
	s.add(p, draft)
	want := fmt.Sprintf("%+v", show(p))
	check := func(how string, got *products.Product, err error) {
		t.Helper()
		if err != nil || got == nil || fmt.Sprintf("%+v", show(got)) != want {
			t.Errorf("by %s: %+v, %v; want %s", how, got, err, want)
		}
	}
	check("id", s.get(p.ID), nil)
	bySlug, err := s.ProductsBySlug(s.ctx, []string{p.Slug, "none"})
	check("slug", bySlug[p.Slug], err)
	bySKU, err := s.ProductsBySKU(s.ctx, []string{p.Variants[1].SKU})
	check("SKU", bySKU[p.Variants[1].SKU], err)
	byVariant, err := s.ProductsByVariant(s.ctx, []uuid.UUID{p.Variants[0].ID, p.Variants[1].ID})
	check("variant", byVariant[p.Variants[1].ID], err)
	if !s.get(draft.ID).PublishedAt.IsZero() {
		t.Error("a draft was published")
	}
}

// show gives a product with its pointers followed.
func show(p *products.Product) []any {
	c := *p
	c.Variants = nil
	out := []any{c.ID, c.Version, c.Slug, c.Title, c.DescriptionHTML, c.Description, c.Vendor, c.Status, c.CategoryID, c.Options, c.Attributes, c.Tags,
		c.PriceMin, c.PriceMax, c.Available, c.Rating, c.SoldCount, c.PublishedAt, c.CreatedAt, c.UpdatedAt, *c.Media[0].Width}
	for _, v := range p.Variants {
		out = append(out, v.ID, v.SKU, v.Title, v.Options, v.Price, v.Barcode)
		if v.CompareAt != nil {
			out = append(out, *v.CompareAt, *v.WeightGrams, v.Image.URL)
		}
	}
	return out
}

func uniqueValues(_ *testing.T, s *shop) {
	one, other := product("One", 100), product("Other", 100, 200)
	s.add(one, other)
	again := product("Again", 100)
	again.Slug = one.Slug
	s.fails(s.InsertProduct(s.ctx, again), errs.Taken, "slug")
	again = product("Again", 100, 200)
	again.Variants[1].SKU = one.Variants[0].SKU
	s.fails(s.InsertProduct(s.ctx, again), errs.Taken, "variants.1.sku")
	other.Version, other.Slug = 2, one.Slug
	s.fails(s.UpdateProduct(s.ctx, other), errs.Taken, "slug")
	again = product("Again", 100)
	again.ID = one.ID
	s.fails(s.InsertProduct(s.ctx, again), errs.Conflict, "")
	again = product("Again", 100)
	again.CategoryID = uuid.New()
	s.fails(s.InsertProduct(s.ctx, again), errs.NotFound, "categoryId")
}

func updateByVersion(t *testing.T, s *shop) {
	p := product("Lamp", 100)
	s.add(p)
	s.must(s.SetAvailable(s.ctx, map[uuid.UUID]bool{p.ID: true}))
	s.must(s.SetRatings(s.ctx, map[uuid.UUID]products.Rating{p.ID: {Count: 3, Sum: 13}}))
	s.must(s.AddSold(s.ctx, map[uuid.UUID]int{p.ID: 4}))
	p.Title, p.Version, p.UpdatedAt = "Desk lamp", 2, start.Add(time.Hour)
	s.must(s.UpdateProduct(s.ctx, p))
	got := s.get(p.ID)
	if got.Title != "Desk lamp" || got.Version != 2 || !got.Available || got.Rating.Tenths() != 43 || got.SoldCount != 4 || !got.UpdatedAt.Equal(p.UpdatedAt) {
		t.Errorf("after the update: %+v", got)
	}
	err := s.UpdateProduct(s.ctx, p)
	s.fails(err, errs.Conflict, "expectedVersion")
	if all := errs.All(err); len(all) != 1 || all[0].Data["currentVersion"] != 2 {
		t.Errorf("the conflict carries %v", all)
	}
	s.fails(s.UpdateProduct(s.ctx, product("Unknown", 1)), errs.NotFound, "id")
}

func updateRace(t *testing.T, s *shop) {
	p := product("Lamp", 100)
	s.add(p)
	var won atomic.Int32
	var group sync.WaitGroup
	for i := range 12 {
		group.Go(func() {
			mine := *p
			mine.Version, mine.Title = 2, fmt.Sprint("Lamp ", i)
			switch err := s.UpdateProduct(s.ctx, &mine); {
			case err == nil:
				won.Add(1)
			case !errs.Is(err, errs.Conflict):
				t.Error(err)
			}
		})
	}
	group.Wait()
	if won.Load() != 1 {
		t.Errorf("%d changes of one version", won.Load())
	}
}

func refresh(t *testing.T, s *shop) {
	p := product("Lamp", 100)
	s.add(p)
	s.must(s.RefreshAvailable(s.ctx, p.ID, func(context.Context) (bool, error) { return true, nil }))
	s.must(s.RefreshRating(s.ctx, p.ID, func(context.Context) (products.Rating, error) { return products.Rating{Count: 1, Sum: 4}, nil }))
	if got := s.get(p.ID); !got.Available || got.Rating != (products.Rating{Count: 1, Sum: 4}) || got.Version != 1 {
		t.Errorf("refreshed to %+v", got)
	}
	broken := errors.New("broken")
	if err := s.RefreshAvailable(s.ctx, p.ID, func(context.Context) (bool, error) { return false, broken }); !errors.Is(err, broken) {
		t.Errorf("a failure gave %v", err)
	}
	s.must(s.RefreshAvailable(s.ctx, uuid.New(), func(context.Context) (bool, error) { return true, nil }))
	// The first to begin comes last, with old data.
	s.must(s.RefreshAvailable(s.ctx, p.ID, func(ctx context.Context) (bool, error) {
		return true, s.RefreshAvailable(ctx, p.ID, func(context.Context) (bool, error) { return false, nil })
	}))
	if s.get(p.ID).Available {
		t.Error("old data won")
	}
}

func refreshRace(t *testing.T, s *shop) {
	p := product("Lamp", 100)
	s.add(p)
	var truth atomic.Int32 // the stock
	var group sync.WaitGroup
	for range 12 {
		group.Go(func() {
			truth.Add(1)
			if err := s.RefreshRating(s.ctx, p.ID, func(context.Context) (products.Rating, error) {
				n := int(truth.Load())
				return products.Rating{Count: n, Sum: n}, nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := s.get(p.ID).Rating.Count; got != 12 {
		t.Errorf("stored %d; want 12", got)
	}
}

func idempotencyKeys(t *testing.T, s *shop) {
	key := products.IdempotencyKey{Owner: uuid.New(), Operation: "productCreate", Key: "k", Hash: []byte{1}}
	proposed := uuid.New()
	claim := func(k products.IdempotencyKey, id uuid.UUID) (products.Claim, error) {
		return s.ClaimKey(s.ctx, k, id, time.Minute)
	}
	if c, err := claim(key, proposed); err != nil || c != (products.Claim{ID: proposed, First: true}) {
		t.Fatalf("claimed %+v, %v", c, err)
	}
	_, err := claim(key, uuid.New())
	s.fails(err, errs.InFlight, "idempotencyKey")
	other := key
	other.Hash = []byte{2}
	_, err = claim(other, uuid.New())
	s.fails(err, errs.IdempotencyReused, "idempotencyKey")
	s.must(s.FinishKey(s.ctx, key))
	if c, err := claim(key, uuid.New()); err != nil || c != (products.Claim{ID: proposed, Answered: true}) {
		t.Errorf("claimed again %+v, %v", c, err)
	}
	stranger := other
	stranger.Owner = uuid.New()
	// Its process is killed: another call goes on under the same id.
	if c, err := s.ClaimKey(s.ctx, stranger, proposed, 0); err != nil || !c.First {
		t.Errorf("a stranger's key: %+v, %v", c, err)
	}
	if c, err := claim(stranger, uuid.New()); err != nil || c != (products.Claim{ID: proposed}) {
		t.Errorf("a key whose lease has ended: %+v, %v", c, err)
	}
	s.must(s.ReleaseKey(s.ctx, key))
	if c, err := claim(other, uuid.New()); err != nil || !c.First {
		t.Errorf("a released key: %+v, %v", c, err)
	}
}

func nothingAskedOfCatalog(t *testing.T, s *shop) {
	byID, err1 := s.Products(s.ctx, nil)
	pages, err2 := s.CategoryProducts(s.ctx, nil, products.Filter{}, products.Sort{}, firstPage(1))
	counts, err3 := s.CountCategoryProducts(s.ctx, nil, products.Filter{})
	near, err4 := s.RelatedProducts(s.ctx, []*products.Product{product("Alone", 1)}, 3)
	below, err5 := s.Children(s.ctx, nil)
	words, err6 := s.LookUpWords(s.ctx, nil, "none")
	text, err7 := s.Suggest(s.ctx, "", nil, 3)
	outcomes, err8 := s.ImportProducts(s.ctx, nil, start)
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7, err8, s.SetAvailable(s.ctx, nil), s.RebuildWords(s.ctx)); err != nil {
		t.Error(err)
	}
	if n := len(byID) + len(pages) + len(counts) + len(below) + len(words.Words) + len(text) + len(outcomes); n != 0 || len(near) != 1 {
		t.Errorf("%d answers to nothing", n)
	}
}
