package resolvers

import (
	"context"

	"github.com/google/uuid"

	"github.com/techmart/techmart/dataloaders"
	"github.com/techmart/techmart/graph/generated"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/page"
)

type (
	// orderResolver answers the fields of Order; other domains add theirs in their own files.
	orderResolver           struct{ r *Resolver }
	orderConnectionResolver struct{}
	orderLineResolver       struct{ r *Resolver }
)

// Order gives the resolver of orders.
func (r *Resolver) Order() generated.OrderResolver { return orderResolver{r} }

// OrderConnection gives the resolver of lists of orders.
func (r *Resolver) OrderConnection() generated.OrderConnectionResolver {
	return orderConnectionResolver{}
}

// OrderLine gives the resolver of the lines of orders.
func (r *Resolver) OrderLine() generated.OrderLineResolver { return orderLineResolver{r} }

// Order answers Query.order.
func (q queryResolver) Order(ctx context.Context, orderID *string, number *string) (*model.Order, error) {
	switch {
	case (orderID == nil) == (number == nil):
		return nil, errs.New(errs.BadInput, "Give either id or number.")
	case number != nil:
		o, err := q.r.Orders.ByNumber(ctx, *number)
		if err != nil {
			return absent[model.Order](nil, err)
		}
		return newOrder(o), nil
	}
	u, err := id(model.PrefixOrder, *orderID)
	if err != nil {
		return absent[model.Order](nil, err)
	}
	return absent(loadOrder(ctx, u))
}

// Orders answers Query.orders.
func (q queryResolver) Orders(ctx context.Context, first *int, after *string, last *int, before *string, where *model.OrderWhere, sortBy *model.OrderSort) (*model.OrderConnection, error) {
	list := listName("orders", where, sortBy)
	request, err := q.r.Cursors.Request(list, pageArgs(first, after, last, before))
	if err != nil {
		return nil, err
	}
	filter, err := orderFilter(where, q.r.Currency)
	if err != nil {
		return nil, err
	}
	sort := orderSort(sortBy)
	p, err := q.r.Orders.List(ctx, filter, sort, request)
	if err != nil {
		return nil, err
	}
	return newOrderConnection(q.r.Cursors, list, p, sort, func(ctx context.Context) (int, error) {
		return q.r.Orders.Count(ctx, filter)
	}), nil
}

// Orders answers User.orders.
func (u userResolver) Orders(ctx context.Context, user *model.User, first *int, after *string, last *int, before *string, where *model.OrderWhere) (*model.OrderConnection, error) {
	list := listName("user.orders", user.ID, where)
	request, err := u.r.Cursors.Request(list, pageArgs(first, after, last, before))
	if err != nil {
		return nil, err
	}
	filter, err := orderFilter(where, u.r.Currency)
	if err != nil {
		return nil, err
	}
	p, err := dataloaders.Load(ctx, dataloaders.For(ctx).Orders.ByCustomer,
		dataloaders.OrdersKey{CustomerID: user.UserID, Filter: filter, Page: dataloaders.NewPageKey(request)})
	if err != nil {
		return nil, err
	}
	return newOrderConnection(u.r.Cursors, list, p, orders.Sort{Field: orders.ByPlacedAt}, func(ctx context.Context) (int, error) {
		return dataloaders.Load(ctx, dataloaders.For(ctx).Orders.CountCustomers, dataloaders.OrderCountKey{CustomerID: user.UserID, Filter: filter})
	}), nil
}

// TotalCount answers OrderConnection.totalCount.
func (orderConnectionResolver) TotalCount(ctx context.Context, c *model.OrderConnection) (int, error) {
	return c.Count(ctx)
}

// Customer answers Order.customer.
func (o orderResolver) Customer(ctx context.Context, order *model.Order) (*model.User, error) {
	if o.r.elsewhere("User") {
		return newUserReference(order.CustomerID), nil
	}
	u, found, err := dataloaders.Find(ctx, dataloaders.For(ctx).Users.ByID, order.CustomerID)
	if err != nil || !found {
		return nil, err
	}
	return newUser(u), nil
}

// Lines answers Order.lines.
func (orderResolver) Lines(ctx context.Context, order *model.Order) ([]*model.OrderLine, error) {
	lines, err := dataloaders.Load(ctx, dataloaders.For(ctx).Orders.Lines, order.OrderID)
	if err != nil {
		return nil, err
	}
	out := make([]*model.OrderLine, len(lines))
	for i, l := range lines {
		out[i] = newOrderLine(l)
	}
	return out, nil
}

// Fulfillments answers Order.fulfillments.
func (orderResolver) Fulfillments(ctx context.Context, order *model.Order) ([]*model.Fulfillment, error) {
	parcels, err := dataloaders.Load(ctx, dataloaders.For(ctx).Orders.Fulfillments, order.OrderID)
	if err != nil {
		return nil, err
	}
	out := make([]*model.Fulfillment, len(parcels))
	for i, f := range parcels {
		out[i] = newFulfillment(f)
	}
	return out, nil
}

// Timeline answers Order.timeline.
func (o orderResolver) Timeline(ctx context.Context, order *model.Order, first *int, after *string) (*model.OrderEventConnection, error) {
	list := listName("order.timeline", order.ID)
	request, err := o.r.Cursors.Request(list, pageArgs(first, after, nil, nil))
	if err != nil {
		return nil, err
	}
	p, err := dataloaders.Load(ctx, dataloaders.For(ctx).Orders.Timeline,
		dataloaders.TimelineKey{OrderID: order.OrderID, Page: dataloaders.NewPageKey(request)})
	if err != nil {
		return nil, err
	}
	connection := &model.OrderEventConnection{Nodes: make([]*model.OrderEvent, 0, len(p.Items))}
	connection.Edges, connection.PageInfo = edges(o.r.Cursors, list, p, (*orders.Entry).Key, func(cursor string, e *orders.Entry) *model.OrderEventEdge {
		node := &model.OrderEvent{ID: model.ID(model.PrefixOrderEvent, e.ID), Type: e.Type, Message: e.Message, CreatedAt: e.CreatedAt}
		connection.Nodes = append(connection.Nodes, node)
		return &model.OrderEventEdge{Cursor: cursor, Node: node}
	})
	return connection, nil
}

// Product answers OrderLine.product.
func (l orderLineResolver) Product(ctx context.Context, line *model.OrderLine) (*model.Product, error) {
	if l.r.elsewhere("Product") {
		return newProductReference(line.ProductID), nil
	}
	p, found, err := dataloaders.Find(ctx, dataloaders.For(ctx).Products.ByID, line.ProductID)
	if err != nil || !found {
		return nil, err
	}
	return newProduct(p), nil
}

// Variant answers OrderLine.variant.
func (l orderLineResolver) Variant(ctx context.Context, line *model.OrderLine) (*model.ProductVariant, error) {
	return l.r.findVariant(ctx, line.VariantID)
}

// findVariant loads a variant; nil for one that is gone or that the viewer may not see.
func (r *Resolver) findVariant(ctx context.Context, id uuid.UUID) (*model.ProductVariant, error) {
	if r.elsewhere("ProductVariant") {
		return newVariantReference(id), nil
	}
	v, found, err := dataloaders.Find(ctx, dataloaders.For(ctx).Products.VariantByID, id)
	if err != nil || !found {
		return nil, err
	}
	return newVariant(v.Product, v.Variant), nil
}

// orderNodes are the look-ups of this domain for node(id).
func (r *Resolver) orderNodes() map[string]nodeFunc {
	return map[string]nodeFunc{
		model.PrefixOrder: func(ctx context.Context, id uuid.UUID) (model.Node, error) {
			o, err := loadOrder(ctx, id)
			if err != nil {
				return nil, err
			}
			return o, nil
		},
		model.PrefixFulfillment: func(ctx context.Context, id uuid.UUID) (model.Node, error) {
			f, err := dataloaders.Load(ctx, dataloaders.For(ctx).Orders.Fulfillment, id)
			if err != nil {
				return nil, err
			}
			return newFulfillment(f), nil
		},
	}
}

func loadOrder(ctx context.Context, id uuid.UUID) (*model.Order, error) {
	o, err := dataloaders.Load(ctx, dataloaders.For(ctx).Orders.ByID, id)
	if err != nil {
		return nil, err
	}
	return newOrder(o), nil
}

// orderFilter reads which orders are asked for. Amounts are in the shop's currency.
func orderFilter(where *model.OrderWhere, currency money.Currency) (orders.Filter, error) {
	var f orders.Filter
	if where == nil {
		return f, nil
	}
	statuses := make([]orders.Status, len(where.Statuses))
	for i, s := range where.Statuses {
		statuses[i] = orders.Status(s)
	}
	f.Statuses, f.Search = orders.NewStatusSet(statuses...), text(where.Search)
	if where.PlacedAt != nil {
		if where.PlacedAt.Gte != nil {
			f.PlacedFrom = where.PlacedAt.Gte.UTC()
		}
		if where.PlacedAt.Lt != nil {
			f.PlacedBefore = where.PlacedAt.Lt.UTC()
		}
	}
	if where.Total != nil {
		var err error
		if f.MinTotal, err = optionalAmount(where.Total.Gte, currency, "gte"); err != nil {
			return f, err
		}
		if f.MaxTotal, err = optionalAmount(where.Total.Lte, currency, "lte"); err != nil {
			return f, err
		}
	}
	if where.CustomerID != nil {
		var err error
		if f.CustomerID, err = model.ParseID(model.PrefixUser, *where.CustomerID); err != nil {
			return f, errs.At(errs.BadInput, "This is no id of a customer.", "where", "customerId")
		}
	}
	return f, nil
}

func optionalAmount(amount *string, currency money.Currency, bound string) (orders.Optional, error) {
	if amount == nil {
		return orders.Optional{}, nil
	}
	m, err := money.Parse(*amount, currency)
	if err != nil {
		return orders.Optional{}, errs.At(errs.BadInput, "This is no amount of "+string(currency)+".", "where", "total", bound)
	}
	return orders.Optional{Set: true, Value: m.Amount}, nil
}

func orderSort(by *model.OrderSort) orders.Sort {
	if by == nil {
		return orders.Sort{Field: orders.ByPlacedAt}
	}
	return orders.Sort{Field: orders.SortField(by.Field), Ascending: by.Direction == model.SortDirectionAsc}
}

func newOrderConnection(cursors *page.Cursors, list string, p page.Page[*orders.Order], sort orders.Sort, count model.CountFunc) *model.OrderConnection {
	connection := &model.OrderConnection{Nodes: make([]*model.Order, 0, len(p.Items)), Count: count}
	connection.Edges, connection.PageInfo = edges(cursors, list, p, sort.Key, func(cursor string, o *orders.Order) *model.OrderEdge {
		node := newOrder(o)
		connection.Nodes = append(connection.Nodes, node)
		return &model.OrderEdge{Cursor: cursor, Node: node}
	})
	return connection
}

// newOrder gives the graph's form of an order.
func newOrder(o *orders.Order) *model.Order {
	next := make([]model.OrderStatus, 0, 4)
	for _, s := range o.Status.Next() {
		next = append(next, model.OrderStatus(s))
	}
	a := o.Address
	out := &model.Order{
		ID: model.ID(model.PrefixOrder, o.ID), OrderID: o.ID, CustomerID: o.CustomerID, Number: o.Number,
		Status: model.OrderStatus(o.Status), NextStatuses: next, Email: o.Email,
		Subtotal: newMoney(o.Subtotal), ShippingTotal: newMoney(o.Shipping), TaxTotal: newMoney(o.Tax), Total: newMoney(o.Total),
		ShippingAddress: &model.OrderAddress{
			Recipient: a.Recipient, Line1: a.Line1, Line2: optional(a.Line2), PostalCode: a.PostalCode, City: a.City,
			Region: optional(a.Region), CountryCode: a.CountryCode, Phone: optional(a.Phone),
		},
		StatusReason: optional(o.StatusReason()), PlacedAt: o.PlacedAt, UpdatedAt: o.UpdatedAt, Version: o.Version,
	}
	priceOrder(out, o)
	return out
}

func newOrderLine(l *orders.Line) *model.OrderLine {
	return &model.OrderLine{
		ID: model.ID(model.PrefixOrderLine, l.ID), ProductID: l.ProductID, VariantID: l.VariantID,
		Title: l.Title, VariantTitle: l.VariantTitle, Sku: l.SKU, Quantity: l.Quantity, QuantityFulfilled: l.Fulfilled,
		UnitPrice: newMoney(l.UnitPrice), Total: newMoney(l.Total), DiscountTotal: newMoney(l.Discount), TaxTotal: newMoney(l.Tax),
	}
}

func newFulfillment(f *orders.Fulfillment) *model.Fulfillment {
	out := &model.Fulfillment{
		ID: model.ID(model.PrefixFulfillment, f.ID), Status: model.FulfillmentStatus(f.Status), Carrier: optional(f.Carrier),
		TrackingNumber: optional(f.TrackingNumber), TrackingURL: optional(f.TrackingURL),
		Lines: make([]*model.FulfillmentLine, len(f.Lines)), CreatedAt: f.CreatedAt, DeliveredAt: f.DeliveredAt,
	}
	for i, l := range f.Lines {
		out.Lines[i] = &model.FulfillmentLine{OrderLineID: model.ID(model.PrefixOrderLine, l.LineID), Quantity: l.Quantity}
	}
	return out
}
