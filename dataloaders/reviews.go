package dataloaders

import (
	"github.com/google/uuid"
	"github.com/graph-gophers/dataloader/v7"

	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/products"
)

// Reviews are the loaders of reviews.
type Reviews struct {
	ByID   *dataloader.Loader[uuid.UUID, *products.Review]
	Pages  *dataloader.Loader[products.Nested, page.Page[*products.Review]] // of a product
	Counts *dataloader.Loader[uuid.UUID, int]                               // by product
}

func newReviews(s *products.Service) *Reviews {
	return &Reviews{
		ByID:   newLoader(s.Reviews),
		Pages:  newLoader(s.ProductReviews),
		Counts: newLoader(s.CountReviews),
	}
}
