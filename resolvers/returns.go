package resolvers

import (
	"context"

	"github.com/google/uuid"

	"github.com/techmart/techmart/dataloaders"
	"github.com/techmart/techmart/graph/generated"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/page"
)

type (
	returnResolver           struct{ r *Resolver }
	returnLineResolver       struct{ r *Resolver }
	returnConnectionResolver struct{}
)

// Return gives the resolver of returns.
func (r *Resolver) Return() generated.ReturnResolver { return returnResolver{r} }

// ReturnLine gives the resolver of the lines of returns.
func (r *Resolver) ReturnLine() generated.ReturnLineResolver { return returnLineResolver{r} }

// ReturnConnection gives the resolver of lists of returns.
func (r *Resolver) ReturnConnection() generated.ReturnConnectionResolver {
	return returnConnectionResolver{}
}

// TotalCount answers ReturnConnection.totalCount.
func (returnConnectionResolver) TotalCount(ctx context.Context, c *model.ReturnConnection) (int, error) {
	return c.Count(ctx)
}

// Returns answers Query.returns.
func (q queryResolver) Returns(ctx context.Context, first *int, after *string, last *int, before *string, where *model.ReturnWhere, sortBy *model.ReturnSort) (*model.ReturnConnection, error) {
	list := listName("returns", where, sortBy)
	request, err := q.r.Cursors.Request(list, pageArgs(first, after, last, before))
	if err != nil {
		return nil, err
	}
	var filter orders.ReturnFilter
	if where != nil {
		filter.Refused = where.RefundRefused != nil && *where.RefundRefused
		if where.Status != nil {
			filter.Status = orders.ReturnStatus(*where.Status)
		}
	}
	sort := orders.ReturnSort{Field: orders.ReturnsByRequestedAt}
	if sortBy != nil {
		sort = orders.ReturnSort{Field: orders.ReturnSortField(sortBy.Field), Ascending: sortBy.Direction == model.SortDirectionAsc}
	}
	p, err := q.r.Orders.ListReturns(ctx, filter, sort, request)
	if err != nil {
		return nil, err
	}
	return newReturnConnection(q.r.Cursors, list, p, sort.Key, func(ctx context.Context) (int, error) {
		return q.r.Orders.CountReturns(ctx, filter)
	}), nil
}

// Returns answers Order.returns.
func (o orderResolver) Returns(ctx context.Context, order *model.Order, first *int, after *string) (*model.ReturnConnection, error) {
	list := listName("order.returns", order.ID)
	request, err := o.r.Cursors.Request(list, pageArgs(first, after, nil, nil))
	if err != nil {
		return nil, err
	}
	p, err := dataloaders.Load(ctx, dataloaders.For(ctx).Returns.ByOrder,
		dataloaders.ReturnsKey{OrderID: order.OrderID, Page: dataloaders.NewPageKey(request)})
	if err != nil {
		return nil, err
	}
	return newReturnConnection(o.r.Cursors, list, p, (*orders.Return).Key, func(ctx context.Context) (int, error) {
		return dataloaders.Load(ctx, dataloaders.For(ctx).Returns.Count, order.OrderID)
	}), nil
}

// Order answers Return.order.
func (returnResolver) Order(ctx context.Context, r *model.Return) (*model.Order, error) {
	return absent(loadOrder(ctx, r.OrderID))
}

// OrderLine answers ReturnLine.orderLine.
func (returnLineResolver) OrderLine(ctx context.Context, l *model.ReturnLine) (*model.OrderLine, error) {
	lines, err := dataloaders.Load(ctx, dataloaders.For(ctx).Orders.Lines, l.OrderID)
	if err != nil {
		return nil, err
	}
	for _, line := range lines {
		if line.ID == l.LineID {
			return newOrderLine(line), nil
		}
	}
	return nil, nil
}

// returnNodes are the look-ups of returns for node(id).
func (r *Resolver) returnNodes() map[string]nodeFunc {
	return map[string]nodeFunc{
		model.PrefixReturn: func(ctx context.Context, id uuid.UUID) (model.Node, error) {
			found, err := dataloaders.Load(ctx, dataloaders.For(ctx).Returns.ByID, id)
			if err != nil {
				return nil, err
			}
			return newReturn(found), nil
		},
	}
}

func newReturnConnection(cursors *page.Cursors, list string, p page.Page[*orders.Return], key func(*orders.Return) page.Key, count model.CountFunc) *model.ReturnConnection {
	connection := &model.ReturnConnection{Nodes: make([]*model.Return, 0, len(p.Items)), Count: count}
	connection.Edges, connection.PageInfo = edges(cursors, list, p, key, func(cursor string, r *orders.Return) *model.ReturnEdge {
		node := newReturn(r)
		connection.Nodes = append(connection.Nodes, node)
		return &model.ReturnEdge{Cursor: cursor, Node: node}
	})
	return connection
}

// newReturn gives the graph's form of a return.
func newReturn(r *orders.Return) *model.Return {
	out := &model.Return{
		ID: model.ID(model.PrefixReturn, r.ID), OrderID: r.OrderID, Number: r.Number, Status: model.ReturnStatus(r.Status),
		NextStatuses: make([]model.ReturnStatus, 0, 3), Lines: make([]*model.ReturnLine, len(r.Lines)), Note: optional(r.Note),
		RejectionReason: optional(r.Reason), Instructions: optional(r.Instructions), RefundProblem: optional(r.Problem),
		PaidOtherwise: optional(r.Settlement), RequestedAt: r.RequestedAt, UpdatedAt: r.UpdatedAt, ReceivedAt: r.ReceivedAt, RestockedAt: r.RestockedAt,
	}
	for _, s := range r.Status.Next() {
		out.NextStatuses = append(out.NextStatuses, model.ReturnStatus(s))
	}
	if r.ReceivedAt != nil {
		out.RefundTotal = newMoney(r.Refund)
	}
	for i, l := range r.Lines {
		line := &model.ReturnLine{
			OrderID: r.OrderID, LineID: l.LineID, Quantity: l.Quantity, Reason: model.ReturnReason(l.Reason),
			QuantityReceived: l.Received, QuantityRestocked: l.Restock,
		}
		if r.ReceivedAt != nil {
			line.Refund = newMoney(l.Refund)
		}
		out.Lines[i] = line
	}
	return out
}
