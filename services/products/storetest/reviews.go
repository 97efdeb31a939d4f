package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/products"
)

// Reviews checks a ReviewStore; setup gives an empty one.
func Reviews(t *testing.T, setup func(*testing.T) products.ReviewStore) {
	for name, test := range map[string]func(*testing.T, products.ReviewStore){
		"one for each author and product": oneReview,
		"at once":                         reviewsAtOnce,
		"pages of many products":          reviewPages,
		"in bulk":                         reviewsInBulk,
		"marks until they are rated":      reviewMarks,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, setup(t))
		})
	}
}

func review(product, author uuid.UUID, stars int, at time.Time) *products.Review {
	return &products.Review{
		ID: uuid.Must(uuid.NewV7()), ProductID: product, AuthorID: author, AuthorName: "Ada",
		Rating: stars, Title: "Solid", Body: "Does what it says.", CreatedAt: at,
	}
}

func oneReview(t *testing.T, s products.ReviewStore) {
	product, author := uuid.New(), uuid.New()
	first, err := s.PutReview(t.Context(), review(product, author, 5, start))
	if err != nil {
		t.Fatal(err)
	}
	second := review(product, author, 2, start.Add(time.Hour))
	second.Title, second.AuthorName = "", "Ada L."
	got, err := s.PutReview(t.Context(), second)
	want := *second
	want.ID, want.Unrated = first.ID, got.Unrated
	if err != nil || *got != want {
		t.Fatalf("replaced by %+v, %v; want %+v", got, err, want)
	}
	want.Unrated = uuid.Nil
	found, err := s.Reviews(t.Context(), []uuid.UUID{first.ID, second.ID})
	if err != nil || len(found) != 1 || *found[first.ID] != want {
		t.Errorf("stored %v, %v", found, err)
	}
	ratings, err := s.Ratings(t.Context(), []uuid.UUID{product, author})
	if err != nil || len(ratings) != 1 || ratings[product] != (products.Rating{Count: 1, Sum: 2}) {
		t.Errorf("ratings %v, %v", ratings, err)
	}
	if _, err := s.DeleteReview(t.Context(), first.ID); err != nil {
		t.Error(err)
	}
	if _, err := s.DeleteReview(t.Context(), first.ID); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("deleted twice: %v", err)
	}
}

func reviewMarks(t *testing.T, s products.ReviewStore) {
	product, author := uuid.New(), uuid.New()
	wantMarks := func(want ...*products.Review) {
		t.Helper()
		got, err := s.Unrated(t.Context(), 10)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%d marks, %v; want %d", len(got), err, len(want))
		}
		for _, m := range want {
			if !slices.ContainsFunc(got, func(g *products.Review) bool {
				return g.ID == m.ID && g.ProductID == product && g.Unrated == m.Unrated
			}) {
				t.Errorf("no mark of %+v", m)
			}
		}
	}
	put := func(author uuid.UUID, stars int) *products.Review {
		t.Helper()
		r, err := s.PutReview(t.Context(), review(product, author, stars, start))
		if err != nil || r.Unrated == uuid.Nil {
			t.Fatal(r, err)
		}
		return r
	}
	rated := func(marks ...*products.Review) {
		t.Helper()
		if err := s.Rated(t.Context(), marks); err != nil {
			t.Fatal(err)
		}
	}
	first := put(author, 1)
	second := put(author, 2) // in its place
	other := put(uuid.New(), 3)
	wantMarks(second, other)
	rated(first, other) // the first one was set anew
	wantMarks(second)
	gone, err := s.DeleteReview(t.Context(), second.ID)
	if err != nil {
		t.Fatal(err)
	}
	again := put(author, 5) // while the mark of the removed one is there
	if again.ID == second.ID {
		t.Error("a removed review came back")
	}
	wantMarks(gone, again)
	pages, err := s.ProductReviews(t.Context(), []uuid.UUID{product}, page.Request{Limit: 5})
	counts, failed := s.CountReviews(t.Context(), []uuid.UUID{product})
	found, missed := s.Reviews(t.Context(), []uuid.UUID{gone.ID})
	if len(pages[product]) != 2 || counts[product] != 2 || len(found) != 0 || err != nil || failed != nil || missed != nil {
		t.Errorf("%d on the page, %d counted, found %v; %v, %v, %v", len(pages[product]), counts[product], found, err, failed, missed)
	}
	for range 2 {
		rated(second, gone, again)
		wantMarks()
	}
	rated()
	if found, err := s.Reviews(t.Context(), []uuid.UUID{again.ID, other.ID}); err != nil || len(found) != 2 {
		t.Errorf("left %v, %v", found, err)
	}
}

func reviewsAtOnce(t *testing.T, s products.ReviewStore) {
	product, author := uuid.New(), uuid.New()
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			if _, err := s.PutReview(t.Context(), review(product, author, 1+i%5, start)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	counts, err := s.CountReviews(t.Context(), []uuid.UUID{product})
	if err != nil || counts[product] != 1 {
		t.Errorf("%d reviews of one author, %v", counts[product], err)
	}
}

func reviewPages(t *testing.T, s products.ReviewStore) {
	busy, quiet, bare := uuid.New(), uuid.New(), uuid.New()
	var want []string
	for i := range 8 { // two of each time
		at := start.Add(time.Duration(i/2) * time.Minute)
		r := review(busy, uuid.New(), 3, at)
		r.Title = fmt.Sprint(i)
		if _, err := s.PutReview(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		want = append([]string{r.Title}, want...)
	}
	if _, err := s.PutReview(t.Context(), review(quiet, uuid.New(), 3, start)); err != nil {
		t.Fatal(err)
	}
	var walked []string
	for r := (page.Request{Limit: 3}); ; {
		rows, err := s.ProductReviews(t.Context(), []uuid.UUID{busy, quiet, bare}, r)
		if err != nil {
			t.Fatal(err)
		}
		if r.From == nil && (len(rows[quiet]) != 1 || len(rows[bare]) != 0) {
			t.Errorf("the others have %d and %d reviews", len(rows[quiet]), len(rows[bare]))
		}
		p := page.Trim(rows[busy], r)
		for _, review := range p.Items {
			walked = append(walked, review.Title)
		}
		if !p.HasNext {
			break
		}
		r.From = p.Items[len(p.Items)-1].Key()
	}
	if !slices.Equal(walked, want) {
		t.Errorf("walked %v; want %v", walked, want)
	}
	back, err := s.ProductReviews(t.Context(), []uuid.UUID{busy}, page.Request{Limit: 1, Backward: true})
	if err != nil || len(back[busy]) != 2 || back[busy][0].Title != "0" {
		t.Errorf("from the end: %v, %v", back[busy], err)
	}
	for _, key := range []page.Key{{"x"}, {"x", "y"}, {start.Format(time.RFC3339Nano), "y"}} {
		if _, err := s.ProductReviews(t.Context(), []uuid.UUID{busy}, page.Request{Limit: 1, From: key}); err == nil {
			t.Errorf("the position %v was taken", key)
		}
	}
}

func reviewsInBulk(t *testing.T, s products.ReviewStore) {
	product, author := uuid.New(), uuid.New()
	list := []*products.Review{review(product, author, 5, start), review(product, uuid.New(), 4, start)}
	again := []*products.Review{list[0], review(product, author, 1, start), review(product, uuid.New(), 3, start)}
	for _, part := range [][]*products.Review{nil, list, again} {
		if err := s.InsertReviews(t.Context(), part); err != nil {
			t.Fatal(err)
		}
	}
	ratings, err := s.Ratings(t.Context(), []uuid.UUID{product})
	if err != nil || ratings[product] != (products.Rating{Count: 3, Sum: 12}) {
		t.Errorf("ratings %v, %v", ratings, err)
	}
}
