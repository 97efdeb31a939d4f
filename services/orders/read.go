package orders

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/viewer"
)

// audience says whose orders the viewer may read.
func audience(ctx context.Context) Audience {
	v := viewer.FromContext(ctx)
	return Audience{Everybody: v.Can(viewer.OrdersRead), Customer: v.UserID}
}

// ByIDs gives those of the orders that the viewer may see, by id.
func (s *Service) ByIDs(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Order, error) {
	found, err := s.store.ByIDs(ctx, ids, audience(ctx))
	if err != nil {
		return nil, err
	}
	byID := make(map[uuid.UUID]*Order, len(found))
	for _, o := range found {
		byID[o.ID] = o
	}
	return byID, nil
}

// ByID gives an order. It fails with NOT_FOUND, also for somebody else's.
func (s *Service) ByID(ctx context.Context, id uuid.UUID) (*Order, error) {
	found, err := s.store.ByIDs(ctx, []uuid.UUID{id}, audience(ctx))
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, NotFound()
	}
	return found[0], nil
}

// ByNumber gives an order by its number in any case. It fails with NOT_FOUND, also for somebody else's.
func (s *Service) ByNumber(ctx context.Context, number string) (*Order, error) {
	o, err := s.store.ByNumber(ctx, strings.ToUpper(strings.TrimSpace(number)))
	if err != nil {
		return nil, err
	}
	if who := audience(ctx); !who.Everybody && (who.Customer == uuid.Nil || who.Customer != o.CustomerID) {
		return nil, NotFound()
	}
	return o, nil
}

// List gives a page of all orders; needs orders:read.
func (s *Service) List(ctx context.Context, f Filter, sort Sort, r page.Request) (page.Page[*Order], error) {
	if err := viewer.FromContext(ctx).Require(viewer.OrdersRead); err != nil {
		return page.Page[*Order]{}, err
	}
	if err := sort.check(); err != nil {
		return page.Page[*Order]{}, err
	}
	if err := f.check(); err != nil {
		return page.Page[*Order]{}, err
	}
	return s.store.List(ctx, f, sort, r)
}

// Count counts all orders; needs orders:read.
func (s *Service) Count(ctx context.Context, f Filter) (int, error) {
	if err := viewer.FromContext(ctx).Require(viewer.OrdersRead); err != nil {
		return 0, err
	}
	if err := f.check(); err != nil {
		return 0, err
	}
	return s.store.Count(ctx, f)
}

// ListByCustomers gives a page of each customer's orders, newest first; an empty one for customers whose orders the
// viewer may not see.
func (s *Service) ListByCustomers(ctx context.Context, customers []uuid.UUID, f Filter, r page.Request) (map[uuid.UUID]page.Page[*Order], error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	pages := make(map[uuid.UUID]page.Page[*Order], len(customers))
	seen := visible(ctx, customers, f)
	if len(seen) > 0 {
		var err error
		if pages, err = s.store.ListByCustomers(ctx, seen, f, r); err != nil {
			return nil, err
		}
	}
	for _, id := range customers {
		if _, ok := pages[id]; !ok {
			pages[id] = page.Trim[*Order](nil, r)
		}
	}
	return pages, nil
}

// CountByCustomers counts each customer's orders; none for customers whose orders the viewer may not see.
func (s *Service) CountByCustomers(ctx context.Context, customers []uuid.UUID, f Filter) (map[uuid.UUID]int, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	counts := make(map[uuid.UUID]int, len(customers))
	for _, id := range customers {
		counts[id] = 0
	}
	seen := visible(ctx, customers, f)
	if len(seen) == 0 {
		return counts, nil
	}
	found, err := s.store.CountByCustomers(ctx, seen, f)
	for id, n := range found {
		counts[id] = n
	}
	return counts, err
}

// visible gives the customers whose orders the viewer may see and that the filter lets through.
func visible(ctx context.Context, customers []uuid.UUID, f Filter) []uuid.UUID {
	v := viewer.FromContext(ctx)
	var seen []uuid.UUID
	for _, id := range customers {
		if v.IsOrCan(id, viewer.OrdersRead) && (f.CustomerID == uuid.Nil || f.CustomerID == id) {
			seen = append(seen, id)
		}
	}
	return seen
}

// Lines gives the lines of those of the orders that the viewer may see, by order; none for others.
func (s *Service) Lines(ctx context.Context, orderIDs []uuid.UUID) (map[uuid.UUID][]*Line, error) {
	found, err := s.store.Lines(ctx, orderIDs, audience(ctx))
	return filled(found, orderIDs), err
}

// Fulfillments gives the parcels of those of the orders that the viewer may see, by order, first sent first.
func (s *Service) Fulfillments(ctx context.Context, orderIDs []uuid.UUID) (map[uuid.UUID][]*Fulfillment, error) {
	found, err := s.store.Fulfillments(ctx, orderIDs, audience(ctx))
	return filled(found, orderIDs), err
}

// FulfillmentsByIDs gives those of the parcels that the viewer may see, by id.
func (s *Service) FulfillmentsByIDs(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Fulfillment, error) {
	found, err := s.store.FulfillmentsByIDs(ctx, ids, audience(ctx))
	if err != nil {
		return nil, err
	}
	byID := make(map[uuid.UUID]*Fulfillment, len(found))
	for _, f := range found {
		byID[f.ID] = f
	}
	return byID, nil
}

// Timeline gives a page of the timelines of those of the orders that the viewer may see, by order, oldest first.
func (s *Service) Timeline(ctx context.Context, orderIDs []uuid.UUID, r page.Request) (map[uuid.UUID]page.Page[*Entry], error) {
	if r.From != nil {
		if len(r.From) != 1 {
			return nil, errs.New(errs.CursorMismatch, "This cursor was not made by this list.")
		}
		if _, err := strconv.ParseInt(r.From[0], 10, 64); err != nil {
			return nil, errs.New(errs.CursorMismatch, "This cursor was not made by this list.")
		}
	}
	found, err := s.store.Timeline(ctx, orderIDs, audience(ctx), r)
	return filled(found, orderIDs), err
}

// filled gives the map with an empty value for each id that has none.
func filled[V any](m map[uuid.UUID]V, ids []uuid.UUID) map[uuid.UUID]V {
	for _, id := range ids {
		if _, ok := m[id]; !ok && m != nil {
			var none V
			m[id] = none
		}
	}
	return m
}

// Key gives the place of an entry in its timeline.
func (e *Entry) Key() page.Key { return page.Key{strconv.FormatInt(e.Position, 10)} }

// bought are the statuses of orders that came about.
var bought = []Status{Confirmed, PartiallyFulfilled, Fulfilled, Delivered, Refunded}

// HasBought reports whether the user has an order, confirmed or later, with the product.
func (s *Service) HasBought(ctx context.Context, userID, productID uuid.UUID) (bool, error) {
	return s.store.HasBought(ctx, userID, productID, bought)
}

// Key gives the place of an order in a list that is sorted so.
func (s Sort) Key(o *Order) page.Key {
	switch s.Field {
	case ByUpdatedAt:
		return page.Key{o.UpdatedAt.Format(time.RFC3339Nano), o.ID.String()}
	case ByTotal:
		return page.Key{strconv.FormatInt(o.Total.Amount, 10), o.ID.String()}
	}
	return page.Key{o.PlacedAt.Format(time.RFC3339Nano), o.ID.String()}
}

func (s Sort) check() error {
	switch s.Field {
	case ByPlacedAt, ByUpdatedAt, ByTotal:
		return nil
	}
	return errs.At(errs.BadInput, "Orders are not sorted by this.", "sortBy", "field")
}

func (f Filter) check() error {
	if utf8.RuneCountInString(f.Search) > 254 || !printable(f.Search) {
		return errs.At(errs.BadInput, "A search has at most 254 characters.", "where", "search")
	}
	return nil
}
