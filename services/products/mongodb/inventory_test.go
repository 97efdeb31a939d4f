package mongodb_test

import (
	"context"
	"testing"

	"github.com/techmart/techmart/devstack/stacktest"
	platform "github.com/techmart/techmart/platform/mongodb"
	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/products/mongodb"
	"github.com/techmart/techmart/services/products/storetest"
)

// openStore gives the store of a fresh database.
func openStore(t *testing.T) *mongodb.Store {
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
	return store
}

func TestInventory(t *testing.T) {
	t.Parallel()
	storetest.Inventory(t, func(t *testing.T) products.InventoryStore { return openStore(t) })
}

func TestReviews(t *testing.T) {
	t.Parallel()
	storetest.Reviews(t, func(t *testing.T) products.ReviewStore { return openStore(t) })
}
