package mongodb_test

import (
	"testing"

	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/products/storetest"
)

func TestCatalog(t *testing.T) {
	t.Parallel()
	storetest.Catalog(t, func(t *testing.T) products.CatalogStore { return openStore(t) })
}
