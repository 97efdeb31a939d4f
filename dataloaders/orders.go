package dataloaders

import (
	"context"
	"strings"

	"github.com/google/uuid"
	"github.com/graph-gophers/dataloader/v7"

	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/page"
)

// Orders are the loaders of orders. Each answers only with what the viewer may see.
type Orders struct {
	ByID           *dataloader.Loader[uuid.UUID, *orders.Order]
	Lines          *dataloader.Loader[uuid.UUID, []*orders.Line]        // by order
	Fulfillments   *dataloader.Loader[uuid.UUID, []*orders.Fulfillment] // by order
	Fulfillment    *dataloader.Loader[uuid.UUID, *orders.Fulfillment]   // by its own id
	ByCustomer     *dataloader.Loader[OrdersKey, page.Page[*orders.Order]]
	CountCustomers *dataloader.Loader[OrderCountKey, int]
	Timeline       *dataloader.Loader[TimelineKey, page.Page[*orders.Entry]]
}

// OrdersKey asks for a page of a customer's orders.
type OrdersKey struct {
	CustomerID uuid.UUID
	Filter     orders.Filter
	Page       PageKey
}

// OrderCountKey asks for the number of a customer's orders.
type OrderCountKey struct {
	CustomerID uuid.UUID
	Filter     orders.Filter
}

// TimelineKey asks for a page of an order's timeline.
type TimelineKey struct {
	OrderID uuid.UUID
	Page    PageKey
}

// PageKey is a page.Request that can be compared.
type PageKey struct {
	limit    int
	backward bool
	from     string // the values of the key, each ended by a zero byte
}

// NewPageKey makes the PageKey of a request.
func NewPageKey(r page.Request) PageKey {
	k := PageKey{limit: r.Limit, backward: r.Backward}
	for _, value := range r.From {
		k.from += value + "\x00"
	}
	return k
}

// Request gives the request again.
func (k PageKey) Request() page.Request {
	r := page.Request{Limit: k.limit, Backward: k.backward}
	if k.from != "" {
		r.From = strings.Split(strings.TrimSuffix(k.from, "\x00"), "\x00")
	}
	return r
}

func newOrders(s *orders.Service) *Orders {
	return &Orders{
		ByID:         newLoader(s.ByIDs),
		Lines:        newLoader(s.Lines),
		Fulfillments: newLoader(s.Fulfillments),
		Fulfillment:  newLoader(s.FulfillmentsByIDs),
		ByCustomer: newLoader(func(ctx context.Context, keys []OrdersKey) (map[OrdersKey]page.Page[*orders.Order], error) {
			return alike(keys, func(k OrdersKey) (uuid.UUID, OrdersKey) {
				return k.CustomerID, OrdersKey{Filter: k.Filter, Page: k.Page}
			},
				func(ids []uuid.UUID, k OrdersKey) (map[uuid.UUID]page.Page[*orders.Order], error) {
					return s.ListByCustomers(ctx, ids, k.Filter, k.Page.Request())
				})
		}),
		CountCustomers: newLoader(func(ctx context.Context, keys []OrderCountKey) (map[OrderCountKey]int, error) {
			return alike(keys, func(k OrderCountKey) (uuid.UUID, OrderCountKey) { return k.CustomerID, OrderCountKey{Filter: k.Filter} },
				func(ids []uuid.UUID, k OrderCountKey) (map[uuid.UUID]int, error) {
					return s.CountByCustomers(ctx, ids, k.Filter)
				})
		}),
		Timeline: newLoader(func(ctx context.Context, keys []TimelineKey) (map[TimelineKey]page.Page[*orders.Entry], error) {
			return alike(keys, func(k TimelineKey) (uuid.UUID, TimelineKey) { return k.OrderID, TimelineKey{Page: k.Page} },
				func(ids []uuid.UUID, k TimelineKey) (map[uuid.UUID]page.Page[*orders.Entry], error) {
					return s.Timeline(ctx, ids, k.Page.Request())
				})
		}),
	}
}

// alike fetches keys that differ in their parent only together, in one call for each kind of them. split divides a key into
// its parent and what is left of it.
func alike[K comparable, V any](keys []K, split func(K) (uuid.UUID, K), fetch func(parents []uuid.UUID, rest K) (map[uuid.UUID]V, error)) (map[K]V, error) {
	groups := make(map[K][]K)
	var kinds []K
	for _, k := range keys {
		_, rest := split(k)
		if groups[rest] == nil {
			kinds = append(kinds, rest)
		}
		groups[rest] = append(groups[rest], k)
	}
	found := make(map[K]V, len(keys))
	for _, rest := range kinds {
		parents := make([]uuid.UUID, len(groups[rest]))
		for i, k := range groups[rest] {
			parents[i], _ = split(k)
		}
		values, err := fetch(parents, rest)
		if err != nil {
			return nil, err
		}
		for i, k := range groups[rest] {
			if v, ok := values[parents[i]]; ok {
				found[k] = v
			}
		}
	}
	return found, nil
}
