package dataloaders

import (
	"github.com/google/uuid"
	"github.com/graph-gophers/dataloader/v7"

	"github.com/techmart/techmart/services/promotions"
)

// Promotions are the loaders of promotions. Each answers only with what the viewer may see.
type Promotions struct {
	ByID *dataloader.Loader[uuid.UUID, *promotions.Promotion]
}

func newPromotions(s *promotions.Service) *Promotions {
	return &Promotions{ByID: newLoader(s.ByIDs)}
}
