package dataloaders

import (
	"github.com/google/uuid"
	"github.com/graph-gophers/dataloader/v7"

	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/products"
)

// Inventory are the loaders of stock.
type Inventory struct {
	Stock       *dataloader.Loader[uuid.UUID, products.Stock] // by variant
	Locations   *dataloader.Loader[uuid.UUID, products.Location]
	Adjustments *dataloader.Loader[uuid.UUID, *products.Adjustment]
	Histories   *dataloader.Loader[products.Nested, page.Page[*products.Adjustment]] // of a variant
}

func newInventory(s *products.Service) *Inventory {
	return &Inventory{
		Stock:       newLoader(s.Stock),
		Locations:   newLoader(s.LocationsByID),
		Adjustments: newLoader(s.Adjustments),
		Histories:   newLoader(s.Histories),
	}
}
