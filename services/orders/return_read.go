package orders

import (
	"context"
	"strconv"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/viewer"
)

// ReturnsByIDs gives those of the returns that the viewer may see, by id.
func (s *Service) ReturnsByIDs(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Return, error) {
	found, err := s.store.ReturnsByIDs(ctx, ids, audience(ctx))
	if err != nil {
		return nil, err
	}
	byID := make(map[uuid.UUID]*Return, len(found))
	for _, r := range found {
		byID[r.ID] = r.shown(ctx)
	}
	return byID, nil
}

// shown takes away what is for staff only.
func (r *Return) shown(ctx context.Context) *Return {
	if r != nil && !viewer.FromContext(ctx).Can(viewer.OrdersRead) {
		r.Problem = ""
	}
	return r
}

// ReturnsByOrders gives a page of the returns of those of the orders that the viewer may see, by order, first asked for
// first.
func (s *Service) ReturnsByOrders(ctx context.Context, orderIDs []uuid.UUID, r page.Request) (map[uuid.UUID]page.Page[*Return], error) {
	if r.From != nil {
		if len(r.From) != 1 {
			return nil, errs.New(errs.CursorMismatch, "This cursor was not made by this list.")
		}
		if _, err := strconv.Atoi(r.From[0]); err != nil {
			return nil, errs.New(errs.CursorMismatch, "This cursor was not made by this list.")
		}
	}
	found, err := s.store.ReturnsByOrders(ctx, orderIDs, audience(ctx), r)
	for _, p := range found {
		for _, r := range p.Items {
			r.shown(ctx)
		}
	}
	return filled(found, orderIDs), err
}

// CountReturnsByOrders counts the returns of those of the orders that the viewer may see; none for others.
func (s *Service) CountReturnsByOrders(ctx context.Context, orderIDs []uuid.UUID) (map[uuid.UUID]int, error) {
	found, err := s.store.CountReturnsByOrders(ctx, orderIDs, audience(ctx))
	return filled(found, orderIDs), err
}

// ListReturns gives a page of all returns; needs orders:read.
func (s *Service) ListReturns(ctx context.Context, f ReturnFilter, sort ReturnSort, r page.Request) (page.Page[*Return], error) {
	if err := viewer.FromContext(ctx).Require(viewer.OrdersRead); err != nil {
		return page.Page[*Return]{}, err
	}
	if err := sort.check(); err != nil {
		return page.Page[*Return]{}, err
	}
	return s.store.Returns(ctx, f, sort, r)
}

// CountReturns counts all returns; needs orders:read.
func (s *Service) CountReturns(ctx context.Context, f ReturnFilter) (int, error) {
	if err := viewer.FromContext(ctx).Require(viewer.OrdersRead); err != nil {
		return 0, err
	}
	return s.store.CountReturns(ctx, f)
}
