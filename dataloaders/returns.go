package dataloaders

import (
	"context"

	"github.com/google/uuid"
	"github.com/graph-gophers/dataloader/v7"

	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/page"
)

// Returns are the loaders of returns. Each answers only with what the viewer may see.
type Returns struct {
	ByID    *dataloader.Loader[uuid.UUID, *orders.Return]
	ByOrder *dataloader.Loader[ReturnsKey, page.Page[*orders.Return]]
	Count   *dataloader.Loader[uuid.UUID, int] // by order
}

// ReturnsKey asks for a page of an order's returns.
type ReturnsKey struct {
	OrderID uuid.UUID
	Page    PageKey
}

func newReturns(s *orders.Service) *Returns {
	return &Returns{
		ByID: newLoader(s.ReturnsByIDs),
		ByOrder: newLoader(func(ctx context.Context, keys []ReturnsKey) (map[ReturnsKey]page.Page[*orders.Return], error) {
			return alike(keys, func(k ReturnsKey) (uuid.UUID, ReturnsKey) { return k.OrderID, ReturnsKey{Page: k.Page} },
				func(ids []uuid.UUID, k ReturnsKey) (map[uuid.UUID]page.Page[*orders.Return], error) {
					return s.ReturnsByOrders(ctx, ids, k.Page.Request())
				})
		}),
		Count: newLoader(s.CountReturnsByOrders),
	}
}
