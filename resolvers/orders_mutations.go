package resolvers

import (
	"context"
	"strconv"

	"github.com/google/uuid"

	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/graph/request"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/orders"
)

// OrderPlace answers Mutation.orderPlace.
func (m mutationResolver) OrderPlace(ctx context.Context, input model.OrderPlaceInput) (*model.OrderPlacePayload, error) {
	in := orders.PlaceInput{IdempotencyKey: request.IdempotencyKey(ctx, input.IdempotencyKey), PaymentToken: input.PaymentToken}
	var faults errs.Collector
	if input.ShippingAddressID != nil {
		address, err := id(model.PrefixAddress, *input.ShippingAddressID, "shippingAddressId")
		faults.Merge(err)
		in.ShippingAddressID = address
	}
	if a := input.ShippingAddress; a != nil {
		in.ShippingAddress = &orders.Address{
			Recipient: a.Recipient, Line1: a.Line1, Line2: text(a.Line2), PostalCode: a.PostalCode, City: a.City,
			Region: text(a.Region), CountryCode: a.CountryCode, Phone: text(a.Phone),
		}
	}
	var err error
	in.ExpectedTotal, err = moneyInput(input.ExpectedTotal, "expectedTotal")
	faults.Merge(err)
	in.Faults = faults.Err()
	var replayed bool
	in.Replayed = &replayed
	order, wrong, err := changedOrder(nil, func() (*orders.Order, error) { return m.r.Orders.Place(ctx, in) })
	if err != nil {
		return nil, err
	}
	return &model.OrderPlacePayload{Order: order, Replayed: replayed, UserErrors: wrong}, nil
}

// OrderCancel answers Mutation.orderCancel.
func (m mutationResolver) OrderCancel(ctx context.Context, input model.OrderCancelInput) (*model.OrderCancelPayload, error) {
	orderID, err := id(model.PrefixOrder, input.ID, "id")
	var replayed bool
	order, wrong, err := changedOrder(err, func() (*orders.Order, error) {
		return m.r.Orders.Cancel(ctx, orders.CancelInput{
			IdempotencyKey: request.IdempotencyKey(ctx, input.IdempotencyKey), OrderID: orderID, Reason: text(input.Reason),
			ExpectedVersion: input.ExpectedVersion, Replayed: &replayed,
		})
	})
	if err != nil {
		return nil, err
	}
	return &model.OrderCancelPayload{Order: order, Replayed: replayed, UserErrors: wrong}, nil
}

// OrderFulfill answers Mutation.orderFulfill.
func (m mutationResolver) OrderFulfill(ctx context.Context, input model.OrderFulfillInput) (*model.OrderFulfillPayload, error) {
	var faults errs.Collector
	orderID, err := id(model.PrefixOrder, input.OrderID, "orderId")
	faults.Merge(err)
	in := orders.FulfillInput{
		IdempotencyKey: request.IdempotencyKey(ctx, input.IdempotencyKey), OrderID: orderID,
		Carrier: text(input.Carrier), TrackingNumber: text(input.TrackingNumber), TrackingURL: text(input.TrackingURL),
	}
	if input.Lines != nil {
		in.Lines = make([]orders.FulfillmentLine, len(input.Lines))
	}
	for i, l := range input.Lines {
		line, err := id(model.PrefixOrderLine, l.OrderLineID, "lines", strconv.Itoa(i), "orderLineId")
		faults.Merge(err)
		in.Lines[i] = orders.FulfillmentLine{LineID: line, Quantity: l.Quantity}
	}
	in.Faults = faults.Err()
	var (
		parcel   *orders.Fulfillment
		replayed bool
	)
	in.Replayed = &replayed
	order, wrong, err := changedOrder(nil, func() (o *orders.Order, err error) {
		o, parcel, err = m.r.Orders.Fulfill(ctx, in)
		return o, err
	})
	if err != nil {
		return nil, err
	}
	payload := &model.OrderFulfillPayload{Order: order, Replayed: replayed, UserErrors: wrong}
	if parcel != nil {
		payload.Fulfillment = newFulfillment(parcel)
	}
	return payload, nil
}

// OrderDeliver answers Mutation.orderDeliver.
func (m mutationResolver) OrderDeliver(ctx context.Context, input model.OrderDeliverInput) (*model.OrderDeliverPayload, error) {
	var faults errs.Collector
	orderID, err := id(model.PrefixOrder, input.OrderID, "orderId")
	faults.Merge(err)
	var parcel uuid.UUID
	if input.FulfillmentID != nil {
		parcel, err = id(model.PrefixFulfillment, *input.FulfillmentID, "fulfillmentId")
		faults.Merge(err)
	}
	var replayed bool
	order, wrong, err := changedOrder(faults.Err(), func() (*orders.Order, error) {
		return m.r.Orders.Deliver(ctx, orders.DeliverInput{
			IdempotencyKey: request.IdempotencyKey(ctx, input.IdempotencyKey), OrderID: orderID, FulfillmentID: parcel, Replayed: &replayed,
		})
	})
	if err != nil {
		return nil, err
	}
	return &model.OrderDeliverPayload{Order: order, Replayed: replayed, UserErrors: wrong}, nil
}

// OrderNoteAdd answers Mutation.orderNoteAdd.
func (m mutationResolver) OrderNoteAdd(ctx context.Context, input model.OrderNoteAddInput) (*model.OrderNoteAddPayload, error) {
	orderID, err := id(model.PrefixOrder, input.OrderID, "orderId")
	order, wrong, err := changedOrder(err, func() (*orders.Order, error) { return m.r.Orders.AddNote(ctx, orderID, input.Note) })
	if err != nil {
		return nil, err
	}
	return &model.OrderNoteAddPayload{Order: order, UserErrors: wrong}, nil
}

// changedOrder makes a change unless the ids of its input are wrong, and converts what came of it.
func changedOrder(faults error, change func() (*orders.Order, error)) (*model.Order, []model.UserError, error) {
	var order *orders.Order
	if faults == nil {
		order, faults = change()
	}
	wrong, err := userErrors(faults)
	if err != nil || order == nil {
		return nil, wrong, err
	}
	return newOrder(order), wrong, nil
}

// OrderUpdated answers Subscription.orderUpdated.
func (s subscriptionResolver) OrderUpdated(ctx context.Context, orderID *string) (<-chan *model.Order, error) {
	var only uuid.UUID
	if orderID != nil {
		var err error
		if only, err = id(model.PrefixOrder, *orderID); err != nil {
			return nil, err
		}
	}
	changes, err := s.r.Orders.Watch(ctx, only)
	if err != nil {
		return nil, err
	}
	out := make(chan *model.Order)
	go func() {
		defer close(out)
		for o := range changes {
			select {
			case out <- newOrder(o):
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}
