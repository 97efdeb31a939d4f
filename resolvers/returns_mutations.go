package resolvers

import (
	"context"
	"strconv"

	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/graph/request"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/orders"
)

// ReturnRequest answers Mutation.returnRequest.
func (m mutationResolver) ReturnRequest(ctx context.Context, input model.ReturnRequestInput) (*model.ReturnRequestPayload, error) {
	var (
		faults   errs.Collector
		replayed bool
	)
	orderID, err := id(model.PrefixOrder, input.OrderID, "orderId")
	faults.Merge(err)
	in := orders.ReturnRequestInput{
		IdempotencyKey: request.IdempotencyKey(ctx, input.IdempotencyKey), OrderID: orderID, Note: text(input.Note),
		Lines: make([]orders.ReturnRequestLine, len(input.Lines)), Replayed: &replayed,
	}
	for i, l := range input.Lines {
		line, err := id(model.PrefixOrderLine, l.OrderLineID, "lines", strconv.Itoa(i), "orderLineId")
		faults.Merge(err)
		in.Lines[i] = orders.ReturnRequestLine{LineID: line, Quantity: l.Quantity, Reason: orders.ReturnReason(l.Reason)}
	}
	in.Faults = faults.Err()
	out, wrong, err := changedReturn(nil, func() (*orders.Return, error) { return m.r.Orders.ReturnRequest(ctx, in) })
	if err != nil {
		return nil, err
	}
	return &model.ReturnRequestPayload{Return: out, Replayed: replayed, UserErrors: wrong}, nil
}

// ReturnApprove answers Mutation.returnApprove.
func (m mutationResolver) ReturnApprove(ctx context.Context, input model.ReturnApproveInput) (*model.ReturnApprovePayload, error) {
	returnID, err := id(model.PrefixReturn, input.ID, "id")
	var replayed bool
	out, wrong, err := changedReturn(err, func() (*orders.Return, error) {
		return m.r.Orders.ReturnApprove(ctx, orders.ReturnApproveInput{
			IdempotencyKey: request.IdempotencyKey(ctx, input.IdempotencyKey), ReturnID: returnID, Instructions: text(input.Instructions), Replayed: &replayed,
		})
	})
	if err != nil {
		return nil, err
	}
	return &model.ReturnApprovePayload{Return: out, Replayed: replayed, UserErrors: wrong}, nil
}

// ReturnReject answers Mutation.returnReject.
func (m mutationResolver) ReturnReject(ctx context.Context, input model.ReturnRejectInput) (*model.ReturnRejectPayload, error) {
	returnID, err := id(model.PrefixReturn, input.ID, "id")
	var replayed bool
	out, wrong, err := changedReturn(err, func() (*orders.Return, error) {
		return m.r.Orders.ReturnReject(ctx, orders.ReturnRejectInput{
			IdempotencyKey: request.IdempotencyKey(ctx, input.IdempotencyKey), ReturnID: returnID, Reason: input.Reason, Replayed: &replayed,
		})
	})
	if err != nil {
		return nil, err
	}
	return &model.ReturnRejectPayload{Return: out, Replayed: replayed, UserErrors: wrong}, nil
}

// ReturnCancel answers Mutation.returnCancel.
func (m mutationResolver) ReturnCancel(ctx context.Context, input model.ReturnCancelInput) (*model.ReturnCancelPayload, error) {
	returnID, err := id(model.PrefixReturn, input.ID, "id")
	var replayed bool
	out, wrong, err := changedReturn(err, func() (*orders.Return, error) {
		return m.r.Orders.ReturnCancel(ctx, orders.ReturnCancelInput{
			IdempotencyKey: request.IdempotencyKey(ctx, input.IdempotencyKey), ReturnID: returnID, Replayed: &replayed,
		})
	})
	if err != nil {
		return nil, err
	}
	return &model.ReturnCancelPayload{Return: out, Replayed: replayed, UserErrors: wrong}, nil
}

// ReturnReceive answers Mutation.returnReceive.
func (m mutationResolver) ReturnReceive(ctx context.Context, input model.ReturnReceiveInput) (*model.ReturnReceivePayload, error) {
	var (
		faults   errs.Collector
		replayed bool
	)
	returnID, err := id(model.PrefixReturn, input.ID, "id")
	faults.Merge(err)
	in := orders.ReturnReceiveInput{
		IdempotencyKey: request.IdempotencyKey(ctx, input.IdempotencyKey), ReturnID: returnID,
		Lines: make([]orders.Arrival, len(input.Lines)), Replayed: &replayed,
	}
	for i, l := range input.Lines {
		line, err := id(model.PrefixOrderLine, l.OrderLineID, "lines", strconv.Itoa(i), "orderLineId")
		faults.Merge(err)
		in.Lines[i] = orders.Arrival{LineID: line, Quantity: l.Quantity, Restock: l.Restock}
	}
	if input.LocationID != nil {
		in.LocationID, err = id(model.PrefixLocation, *input.LocationID, "locationId")
		faults.Merge(err)
	}
	in.Faults = faults.Err()
	out, wrong, err := changedReturn(nil, func() (*orders.Return, error) { return m.r.Orders.ReturnReceive(ctx, in) })
	if err != nil {
		return nil, err
	}
	return &model.ReturnReceivePayload{Return: out, Replayed: replayed, UserErrors: wrong}, nil
}

// ReturnRefund answers Mutation.returnRefund.
func (m mutationResolver) ReturnRefund(ctx context.Context, input model.ReturnRefundInput) (*model.ReturnRefundPayload, error) {
	returnID, err := id(model.PrefixReturn, input.ID, "id")
	var replayed bool
	out, wrong, err := changedReturn(err, func() (*orders.Return, error) {
		return m.r.Orders.ReturnRefund(ctx, orders.ReturnRefundInput{
			IdempotencyKey: request.IdempotencyKey(ctx, input.IdempotencyKey), ReturnID: returnID, PaidOtherwise: text(input.PaidOtherwise), Replayed: &replayed,
		})
	})
	if err != nil {
		return nil, err
	}
	return &model.ReturnRefundPayload{Return: out, Replayed: replayed, UserErrors: wrong}, nil
}

// changedReturn makes a change unless the ids of its input are wrong, and converts what came of it.
func changedReturn(faults error, change func() (*orders.Return, error)) (*model.Return, []model.UserError, error) {
	var r *orders.Return
	if faults == nil {
		r, faults = change()
	}
	wrong, err := userErrors(faults)
	if err != nil || r == nil {
		return nil, wrong, err
	}
	return newReturn(r), wrong, nil
}
