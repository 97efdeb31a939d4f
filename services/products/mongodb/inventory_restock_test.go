package mongodb_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/products"
)

// Many calls at once for each of two returns of a variant put each back once, also for one that never had any stock.
func TestRestockOnce(t *testing.T) {
	t.Parallel()
	store, variant, place := openStore(t), uuid.New(), products.Locations[0].ID
	at := time.Now().UTC().Truncate(time.Millisecond)
	restock := func(id uuid.UUID, n int) products.Restock {
		return products.Restock{ID: id, OrderID: uuid.New(), LocationID: place, Note: "Return", At: at,
			Lines: []products.RestockLine{{VariantID: variant, ProductID: uuid.New(), Quantity: n}}}
	}
	first, second := restock(uuid.New(), 2), restock(uuid.New(), 3)
	var (
		all      sync.WaitGroup
		failures [12]error
	)
	for i := range failures {
		all.Go(func() {
			r := first
			if i%2 == 1 {
				r = second
			}
			_, failures[i] = store.Restock(t.Context(), r)
		})
	}
	all.Wait()
	if err := errors.Join(failures[:]...); err != nil {
		t.Fatal(err)
	}
	again, err := store.Restock(t.Context(), first)
	if err != nil || len(again) != 1 || again[0].OnHand(place) != 5 || again[0].Available() != 5 {
		t.Fatalf("5 came back: %+v, %v", again, err)
	}
	history, err := store.History(t.Context(), []uuid.UUID{variant}, page.Request{Limit: 10})
	if err != nil || len(history[variant]) != 2 {
		t.Fatalf("got %+v, %v", history, err)
	}
	for _, line := range history[variant] {
		if line.Reason != products.Returned || line.ReturnID != first.ID && line.ReturnID != second.ID {
			t.Errorf("got %+v", line)
		}
	}
}
