package dataloaders

import (
	"github.com/google/uuid"
	"github.com/graph-gophers/dataloader/v7"

	"github.com/techmart/techmart/services/carts"
)

// Carts are the loaders of carts. Each answers only with what the viewer may see.
type Carts struct {
	ByUser *dataloader.Loader[uuid.UUID, *carts.Cart] // the open cart of an account
}

func newCarts(s *carts.Service) *Carts {
	return &Carts{ByUser: newLoader(s.ByUsers)}
}
