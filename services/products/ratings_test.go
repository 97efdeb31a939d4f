package products_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/products"
)

// killed is a catalogue whose process ends when it is to refresh a rating.
type killed struct{ products.CatalogStore }

func (killed) RefreshRating(context.Context, uuid.UUID, func(context.Context) (products.Rating, error)) error {
	return errors.New("killed")
}

// A process that is killed between a review and the rating of its product leaves a mark, which the next one takes up.
func TestRatingAfterACrash(t *testing.T) {
	t.Parallel()
	s := newStall(t)
	bought := &buyers{product: s.product.ID}
	dying := products.New(products.Deps{
		Catalog: killed{s.store}, Inventory: s.store, Reviews: s.store, Signals: s.board, Purchases: bought, Authors: bought, Currency: "EUR",
	})
	wantRating := func(when string, want products.Rating) {
		t.Helper()
		for range 2 {
			if err := s.EnsureRatings(s.ctx); err != nil {
				t.Fatal(err)
			}
			if p, err := s.Product(s.ctx, s.product.ID); err != nil || p.Rating != want {
				t.Errorf("%s: %v, %v; want %v", when, p.Rating, err, want)
			}
		}
	}
	ada, bob := s.as(uuid.New()), s.as(uuid.New())
	review, err := dying.CreateReview(ada, products.ReviewInput{ProductID: s.product.ID, Rating: 5})
	if err != nil {
		t.Fatalf("the review is stored, but: %v", err)
	}
	wantRating("reviewed", products.Rating{Count: 1, Sum: 5})
	if _, err := dying.CreateReview(ada, products.ReviewInput{ProductID: s.product.ID, Rating: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateReview(bob, products.ReviewInput{ProductID: s.product.ID, Rating: 4}); err != nil {
		t.Fatal(err)
	}
	wantRating("replaced", products.Rating{Count: 2, Sum: 5})
	if err := dying.DeleteReview(ada, review.ID); err != nil {
		t.Fatal(err)
	}
	if found, err := s.Reviews(s.ctx, []uuid.UUID{review.ID}); err != nil || len(found) != 0 {
		t.Errorf("a removed review is seen: %v, %v", found, err)
	}
	if _, err := s.CreateReview(ada, products.ReviewInput{ProductID: s.product.ID, Rating: 3}); err != nil {
		t.Fatal(err)
	}
	wantRating("removed, and written anew", products.Rating{Count: 2, Sum: 7})
}
