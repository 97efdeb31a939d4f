package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/products"
)

// category adds a category.
func (s *shop) category(name string, parent uuid.UUID) *products.Category {
	s.t.Helper()
	c := &products.Category{ID: uuid.Must(uuid.NewV7()), Version: 1, Name: name, Slug: products.MakeSlug(name), ParentID: parent}
	s.must(s.InsertCategory(s.ctx, c))
	return c
}

// branch adds categories below each other.
func (s *shop) branch(names ...string) []*products.Category {
	s.t.Helper()
	var list []*products.Category
	parent := uuid.Nil
	for _, name := range names {
		c := s.category(name, parent)
		list, parent = append(list, c), c.ID
	}
	return list
}

func (s *shop) readCategory(id uuid.UUID) *products.Category {
	s.t.Helper()
	found, err := s.Categories(s.ctx, []uuid.UUID{id})
	s.must(err)
	if found[id] == nil {
		s.t.Fatalf("no category %s", id)
	}
	return found[id]
}

func tree(t *testing.T, s *shop) {
	list := s.branch("Computers", "Laptops")
	sibling := &products.Category{ID: uuid.New(), Version: 1, Name: "Tablets", Slug: "tablets", ParentID: list[0].ID, Position: -1, Description: "Flat."}
	s.must(s.InsertCategory(s.ctx, sibling))
	bySlug, err := s.CategoriesBySlug(s.ctx, []string{"laptops", "none"})
	s.must(err)
	if c := bySlug["laptops"]; len(bySlug) != 1 || c.ID != list[1].ID || !slices.Equal(c.Path, []uuid.UUID{list[0].ID}) || c.ParentID != list[0].ID {
		t.Errorf("by slug: %+v", bySlug)
	}
	below, err := s.Children(s.ctx, []uuid.UUID{uuid.Nil, list[0].ID, list[1].ID})
	s.must(err)
	if len(below) != 3 || len(below[uuid.Nil]) != 1 || len(below[list[0].ID]) != 2 || below[list[0].ID][0].Name != "Tablets" || below[list[1].ID] != nil {
		t.Errorf("children: %v", below)
	}
	s.fails(s.InsertCategory(s.ctx, &products.Category{ID: uuid.New(), Name: "Again", Slug: "laptops"}), errs.Taken, "slug")
	s.fails(s.InsertCategory(s.ctx, &products.Category{ID: uuid.New(), Name: "Lost", Slug: "lost", ParentID: uuid.New()}), errs.NotFound, "parentId")
	c := *list[1]
	c.Version, c.Description = 2, "To carry."
	s.must(s.UpdateCategory(s.ctx, &c))
	s.fails(s.UpdateCategory(s.ctx, &c), errs.Conflict, "expectedVersion")
	if got := s.readCategory(c.ID); got.Description != "To carry." || got.Version != 2 {
		t.Errorf("updated to %+v", got)
	}
	s.fails(s.DeleteCategory(s.ctx, list[0].ID), errs.InvalidState, "id")
	p := product("X14", 100)
	p.CategoryID = sibling.ID
	s.add(p)
	s.fails(s.DeleteCategory(s.ctx, sibling.ID), errs.InvalidState, "id")
	s.must(s.DeleteCategory(s.ctx, list[1].ID))
	s.fails(s.DeleteCategory(s.ctx, list[1].ID), errs.NotFound, "id")
	p = product("X15", 100) // a removal that was refused leaves the category open
	p.CategoryID = sibling.ID
	s.add(p)
	unknown := products.Category{ID: uuid.New(), Version: 2, Name: "Unknown", Slug: "unknown"}
	s.fails(s.UpdateCategory(s.ctx, &unknown), errs.NotFound, "id")
}

func treeBounds(_ *testing.T, s *shop) {
	deep := s.branch("a1", "a2", "a3", "a4", "a5")
	s.fails(s.InsertCategory(s.ctx, &products.Category{ID: uuid.New(), Name: "a6", Slug: "a6", ParentID: deep[4].ID}), errs.LimitExceeded, "parentId")
	short := s.branch("b1", "b2")
	move := *short[0]
	move.Version, move.ParentID = 2, deep[3].ID
	s.fails(s.UpdateCategory(s.ctx, &move), errs.LimitExceeded, "parentId")
	move.ParentID = short[1].ID
	s.fails(s.UpdateCategory(s.ctx, &move), errs.Invalid, "parentId")
	move.ParentID = short[0].ID
	s.fails(s.UpdateCategory(s.ctx, &move), errs.Invalid, "parentId")
	move.ParentID = deep[2].ID
	s.must(s.UpdateCategory(s.ctx, &move))
}

func move(t *testing.T, s *shop) {
	from, to := s.branch("Computers", "Laptops", "Ultrabooks"), s.branch("Office")
	p := product("Nordlicht X14", 100)
	p.CategoryID = from[2].ID
	s.add(p)
	if want := []uuid.UUID{from[0].ID, from[1].ID, from[2].ID}; !slices.Equal(s.get(p.ID).CategoryPath, want) || !slices.Equal(p.CategoryPath, want) {
		t.Fatalf("added below %v", p.CategoryPath)
	}
	c := *from[1]
	c.Version, c.ParentID, c.Name = 2, to[0].ID, "Notebooks"
	s.must(s.UpdateCategory(s.ctx, &c))
	if got := s.readCategory(from[2].ID).Path; !slices.Equal(got, []uuid.UUID{to[0].ID, from[1].ID}) {
		t.Errorf("the category below has the path %v", got)
	}
	got := s.get(p.ID)
	if !slices.Equal(got.CategoryPath, []uuid.UUID{to[0].ID, from[1].ID, from[2].ID}) || got.Version != 1 {
		t.Errorf("the product has the path %v", got.CategoryPath)
	}
	// The words of the categories follow, too.
	for word, want := range map[string]int{"notebooks": 1, "office": 1, "laptops": 0, "computers": 0, "ultrabooks": 1, "x14": 1} {
		if n := s.count(word); n != want {
			t.Errorf("%s counted %d; want %d", word, n, want)
		}
	}
	found, err := s.Search(s.ctx, products.Query{Groups: [][]string{{"office"}}}, products.Filter{}, firstPage(3))
	if err != nil || len(found.Hits) != 1 {
		t.Errorf("found by the new category: %v, %v", found, err)
	}
}

// moveRace puts categories below each other from all sides; whatever comes out has to be a tree.
func moveRace(t *testing.T, s *shop) {
	var list []*products.Category
	for i := range 4 {
		list = append(list, s.category(fmt.Sprint("c", i), uuid.Nil))
	}
	p := product("Lamp", 100)
	p.CategoryID = list[0].ID
	s.add(p)
	var group sync.WaitGroup
	for i := range list {
		group.Go(func() {
			c := *list[i]
			c.Version, c.ParentID = 2, list[(i+1)%len(list)].ID
			if err := s.UpdateCategory(s.ctx, &c); err != nil && !errs.Is(err, errs.Invalid) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	var path []uuid.UUID
	for at := list[0].ID; at != uuid.Nil; at = s.readCategory(at).ParentID {
		path = append([]uuid.UUID{at}, path...)
		if len(path) > len(list) {
			t.Fatal("the categories stand in a circle")
		}
	}
	if got := s.get(p.ID).CategoryPath; !slices.Equal(got, path) {
		t.Errorf("the product has the path %v; want %v", got, path)
	}
}

// removalRace removes categories while products enter them: none may be left in one that is gone.
func removalRace(t *testing.T, s *shop) {
	for i := range 8 {
		c := s.category(fmt.Sprint("c", i), uuid.Nil)
		p := product("Lamp", 100)
		p.CategoryID = c.ID
		var group sync.WaitGroup
		group.Go(func() {
			if err := s.InsertProduct(s.ctx, p); err != nil && !errs.Is(err, errs.NotFound) {
				t.Error(err)
			}
		})
		group.Go(func() {
			if err := s.DeleteCategory(s.ctx, c.ID); err != nil && !errs.Is(err, errs.InvalidState) {
				t.Error(err)
			}
		})
		group.Wait()
		found, err := s.Categories(s.ctx, []uuid.UUID{c.ID})
		s.must(err)
		stored, err := s.Products(s.ctx, []uuid.UUID{p.ID})
		s.must(err)
		if q := stored[p.ID]; q != nil && q.CategoryID != uuid.Nil && found[c.ID] == nil {
			t.Errorf("the product is in a category that is gone")
		}
	}
}

func importTwice(t *testing.T, s *shop) {
	c := s.category("Lamps", uuid.Nil)
	list := []*products.Product{product("One", 100), product("Two", 100, 200)}
	list[0].CategoryID = c.ID
	for _, p := range list {
		p.Available = true
	}
	done, err := s.ImportProducts(s.ctx, list, start)
	s.must(err)
	for i, o := range done {
		if !o.Created || o.Updated || o.Err != nil || o.ID != list[i].ID {
			t.Errorf("first: %+v", o)
		}
	}
	// The same again, with other ids, as a file has none.
	again := func(p *products.Product) *products.Product {
		c := *p
		c.ID, c.Available, c.CreatedAt, c.PublishedAt = uuid.New(), false, time.Time{}, start.Add(time.Hour)
		c.Variants = slices.Clone(c.Variants)
		for i := range c.Variants {
			c.Variants[i].ID = uuid.New()
		}
		return &c
	}
	second := []*products.Product{again(list[0]), again(list[1])}
	done, err = s.ImportProducts(s.ctx, second, start.Add(time.Hour))
	s.must(err)
	for i, o := range done {
		if o.Created || o.Updated || o.Err != nil || o.ID != list[i].ID {
			t.Errorf("second: %+v", o)
		}
	}
	second[1].Title, second[1].Variants = "Zwei", second[1].Variants[:1]
	done, err = s.ImportProducts(s.ctx, second, start.Add(2*time.Hour))
	s.must(err)
	if done[0].Updated || !done[1].Updated || !done[1].Removed {
		t.Errorf("third: %+v", done)
	}
	got := s.get(list[1].ID)
	if got.Title != "Zwei" || got.Version != 2 || !got.Available || got.Variants[0].ID != list[1].Variants[0].ID || !got.CreatedAt.Equal(start) || !got.PublishedAt.Equal(start) || !got.UpdatedAt.Equal(start.Add(2*time.Hour)) {
		t.Errorf("imported %+v", got)
	}
	if n := s.count("two") + s.count("zwei"); n != 1 {
		t.Errorf("the words counted %d", n)
	}
}

func importBad(t *testing.T, s *shop) {
	there := product("There", 100)
	s.add(there)
	thief, lost, good, twin := product("Thief", 100, 200), product("Lost", 100), product("Good", 100), product("Twin", 100)
	thief.Variants[1].SKU, lost.CategoryID, twin.Slug = there.Variants[0].SKU, uuid.New(), good.Slug
	done, err := s.ImportProducts(s.ctx, []*products.Product{thief, lost, good, twin}, start)
	s.must(err)
	s.fails(done[0].Err, errs.Taken, "variants.1.sku")
	s.fails(done[1].Err, errs.NotFound, "categoryId")
	s.fails(done[3].Err, errs.Taken, "slug")
	if done[2].Err != nil || !done[2].Created || s.get(good.ID).Title != "Good" {
		t.Errorf("the good one: %+v", done[2])
	}
}
