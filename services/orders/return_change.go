package orders

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/viewer"
)

// Bounds of a return's texts, in characters.
const (
	maxReturnNote   = 1000
	maxInstructions = 1000
	maxSettlement   = 500
)

// ReturnRequestInput asks to send articles of an order back.
type ReturnRequestInput struct {
	IdempotencyKey string // empty for none
	OrderID        uuid.UUID
	Lines          []ReturnRequestLine
	Note           string // may be empty
	Faults         error  `json:"-"` // what was wrong with the input before it came here, reported with the rest
	Replayed       *bool  `json:"-"` // set where this is the answer of an earlier call; nil where nobody asks
}

// ReturnRequestLine is a part of an order's line that is to be returned.
type ReturnRequestLine struct {
	LineID   uuid.UUID
	Quantity int
	Reason   ReturnReason
}

// ReturnRequest asks to send articles of one's own order back: of those that were sent, until the period after their
// arrival is over. It fails with NOT_FOUND, INVALID_STATE, OUT_OF_RANGE for more than can be returned,
// IDEMPOTENCY_REUSED and IN_FLIGHT.
func (s *Service) ReturnRequest(ctx context.Context, in ReturnRequestInput) (*Return, error) {
	v := viewer.FromContext(ctx)
	if err := v.RequireAccount(); err != nil {
		return nil, err
	}
	in.Note = strings.TrimSpace(in.Note)
	if err := in.check(); err != nil {
		return nil, err
	}
	change := returnChange{operation: "returnRequest", key: in.IdempotencyKey, input: in, replayed: in.Replayed, orderID: in.OrderID, field: "orderId"}
	return s.changeReturn(ctx, change, func(d *Draft, _ *Return) (*Return, error) {
		if !v.Is(d.Order.CustomerID) {
			return nil, NotFound("orderId")
		}
		return d.requestReturn(in, s.config.ReturnPeriod)
	})
}

func (in ReturnRequestInput) check() error {
	var c errs.Collector
	c.Merge(in.Faults)
	c.Merge(checkKey(in.IdempotencyKey))
	checkProse(&c, in.Note, "note", maxReturnNote)
	if len(in.Lines) == 0 {
		c.Add(errs.TooShort, "Give at least one line.", "lines")
	}
	seen := make(map[uuid.UUID]bool, len(in.Lines))
	for i, l := range in.Lines {
		at := strconv.Itoa(i)
		if l.Quantity < 1 {
			c.Add(errs.OutOfRange, "A quantity is at least 1.", "lines", at, "quantity")
		}
		if !slices.Contains(ReturnReasons, l.Reason) {
			c.Add(errs.Invalid, "There is no such reason.", "lines", at, "reason")
		}
		if seen[l.LineID] && !errs.Blames(in.Faults, "lines", at, "orderLineId") {
			c.Add(errs.Invalid, "Each line is given once.", "lines", at, "orderLineId")
		}
		seen[l.LineID] = true
	}
	return c.Err()
}

// requestReturn makes a return of what can still be returned.
func (d *Draft) requestReturn(in ReturnRequestInput, period time.Duration) (*Return, error) {
	o := d.Order
	if o.Status != PartiallyFulfilled && o.Status != Fulfilled && o.Status != Delivered {
		return nil, invalidState("Only what was sent and is not paid back can be returned.", "orderId")
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	r := &Return{
		ID: id, OrderID: o.ID, CustomerID: o.CustomerID, Position: len(d.Returns) + 1, Status: ReturnRequested, Note: in.Note,
		Number: o.Number + returnMark + strconv.Itoa(len(d.Returns)+1), Refund: money.New(0, o.Total.Currency), RequestedAt: d.now, UpdatedAt: d.now,
	}
	var faults errs.Collector
	for i, l := range in.Lines {
		at := strconv.Itoa(i)
		known := slices.ContainsFunc(d.Lines, func(line *Line) bool { return line.ID == l.LineID })
		switch n := Returnable(l.LineID, d.Fulfillments, d.Returns, period, d.now); {
		case !known:
			faults.Add(errs.NotFound, "The order has no such line.", "lines", at, "orderLineId")
		case n == 0:
			faults.Addf([]string{"lines", at, "quantity"}, errs.OutOfRange, "Nothing of this line can be returned: it was not sent, it is being returned, or its %d days are over.", int(period.Hours()/24))
		case l.Quantity > n:
			faults.Addf([]string{"lines", at, "quantity"}, errs.OutOfRange, "Only %d can be returned.", n)
		}
		r.Lines = append(r.Lines, ReturnLine{LineID: l.LineID, Quantity: l.Quantity, Reason: l.Reason, Refund: money.New(0, o.Total.Currency)})
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return r, d.tellReturn(r, EntryReturnRequested, "The return "+r.Number+" was requested.", EventReturnRequested)
}

// ReturnApproveInput lets a customer send a return.
type ReturnApproveInput struct {
	IdempotencyKey string // empty for none
	ReturnID       uuid.UUID
	Instructions   string // where and how to send it; empty for the shop's address
	Replayed       *bool  `json:"-"` // set where this is the answer of an earlier call; nil where nobody asks
}

// ReturnApprove lets the customer send a return; needs orders:write. It fails with NOT_FOUND, INVALID_STATE,
// IDEMPOTENCY_REUSED and IN_FLIGHT.
func (s *Service) ReturnApprove(ctx context.Context, in ReturnApproveInput) (*Return, error) {
	if err := viewer.FromContext(ctx).Require(viewer.OrdersWrite); err != nil {
		return nil, err
	}
	in.Instructions = strings.TrimSpace(in.Instructions)
	var faults errs.Collector
	checkProse(&faults, in.Instructions, "instructions", maxInstructions)
	faults.Merge(checkKey(in.IdempotencyKey))
	if err := faults.Err(); err != nil {
		return nil, err
	}
	change := returnChange{operation: "returnApprove", key: in.IdempotencyKey, input: in, replayed: in.Replayed, returnID: in.ReturnID}
	return s.changeReturn(ctx, change, func(d *Draft, r *Return) (*Return, error) {
		where := in.Instructions
		if where == "" {
			where = s.config.ReturnAddress
		}
		if err := r.Approve(where, d.now); err != nil {
			return nil, err
		}
		return r, d.tellReturn(r, EntryReturnApproved, "The return "+r.Number+" was approved.", EventReturnApproved)
	})
}

// ReturnRejectInput declines a return.
type ReturnRejectInput struct {
	IdempotencyKey string // empty for none
	ReturnID       uuid.UUID
	Reason         string // the customer reads it
	Replayed       *bool  `json:"-"` // set where this is the answer of an earlier call; nil where nobody asks
}

// ReturnReject declines a return; needs orders:write. It fails with NOT_FOUND, INVALID_STATE, REQUIRED, TOO_LONG,
// IDEMPOTENCY_REUSED and IN_FLIGHT.
func (s *Service) ReturnReject(ctx context.Context, in ReturnRejectInput) (*Return, error) {
	if err := viewer.FromContext(ctx).Require(viewer.OrdersWrite); err != nil {
		return nil, err
	}
	in.Reason = strings.TrimSpace(in.Reason)
	var faults errs.Collector
	checkProse(&faults, in.Reason, "reason", maxReturnNote) // its bound is Reject's
	faults.Merge(checkKey(in.IdempotencyKey))
	if err := faults.Err(); err != nil {
		return nil, err
	}
	change := returnChange{operation: "returnReject", key: in.IdempotencyKey, input: in, replayed: in.Replayed, returnID: in.ReturnID}
	return s.changeReturn(ctx, change, func(d *Draft, r *Return) (*Return, error) {
		if err := r.Reject(in.Reason, d.now); err != nil {
			return nil, err
		}
		return r, d.tellReturn(r, EntryReturnRejected, "The return "+r.Number+" was rejected: "+r.Reason, EventReturnRejected)
	})
}

// ReturnCancelInput calls a return off.
type ReturnCancelInput struct {
	IdempotencyKey string // empty for none
	ReturnID       uuid.UUID
	Replayed       *bool `json:"-"` // set where this is the answer of an earlier call; nil where nobody asks
}

// ReturnCancel calls a return off that has not come yet: one's own, or any with orders:write. It fails with NOT_FOUND,
// INVALID_STATE, IDEMPOTENCY_REUSED and IN_FLIGHT.
func (s *Service) ReturnCancel(ctx context.Context, in ReturnCancelInput) (*Return, error) {
	v := viewer.FromContext(ctx)
	if err := v.RequireAccount(); err != nil {
		return nil, err
	}
	if err := checkKey(in.IdempotencyKey); err != nil {
		return nil, err
	}
	change := returnChange{operation: "returnCancel", key: in.IdempotencyKey, input: in, replayed: in.Replayed, returnID: in.ReturnID}
	return s.changeReturn(ctx, change, func(d *Draft, r *Return) (*Return, error) {
		if !v.Is(d.Order.CustomerID) {
			if err := v.Require(viewer.OrdersWrite); err != nil {
				return nil, err
			}
		}
		if err := r.Cancel(d.now); err != nil {
			return nil, err
		}
		return r, d.tellReturn(r, EntryReturnCancelled, "The return "+r.Number+" was cancelled.", EventReturnCancelled)
	})
}

// ReturnReceiveInput notes what has come of a return.
type ReturnReceiveInput struct {
	IdempotencyKey string // empty for none
	ReturnID       uuid.UUID
	Lines          []Arrival // lines that are not named have not come
	LocationID     uuid.UUID // where what can be sold goes back into stock; zero for the shop's first location
	Faults         error     `json:"-"` // what was wrong with the input before it came here, reported with the rest
	Replayed       *bool     `json:"-"` // set where this is the answer of an earlier call; nil where nobody asks
}

// ReturnReceive notes what has come of a return; needs orders:write. A job puts it back into stock and pays it back. It
// fails with NOT_FOUND, INVALID_STATE, OUT_OF_RANGE for more than was asked for, IDEMPOTENCY_REUSED and IN_FLIGHT.
func (s *Service) ReturnReceive(ctx context.Context, in ReturnReceiveInput) (*Return, error) {
	if err := viewer.FromContext(ctx).Require(viewer.OrdersWrite); err != nil {
		return nil, err
	}
	var faults errs.Collector
	faults.Merge(in.Faults)
	faults.Merge(checkKey(in.IdempotencyKey))
	if err := faults.Err(); err != nil {
		return nil, err
	}
	change := returnChange{operation: "returnReceive", key: in.IdempotencyKey, input: in, replayed: in.Replayed, returnID: in.ReturnID}
	location := in.LocationID
	if slices.ContainsFunc(in.Lines, func(a Arrival) bool { return a.Restock > 0 }) {
		var err error
		location, err = s.inventory.Location(ctx, in.LocationID)
		if errs.CodeOf(err) == errs.NotFound {
			return nil, errs.At(errs.NotFound, "There is no such location.", "locationId")
		}
		if err != nil {
			return nil, err
		}
	}
	return s.changeReturn(ctx, change, func(d *Draft, r *Return) (*Return, error) {
		arrived := slices.Clone(in.Lines)
		for i := range arrived {
			arrived[i].Location = location
		}
		if err := r.Receive(arrived, d.Lines, d.Returns, d.now); err != nil {
			return nil, err
		}
		d.enqueueReturn(r, causePlaced)
		return r, d.tellReturn(r, EntryReturnReceived, "The return "+r.Number+" has arrived.", EventReturnReceived)
	})
}

// ReturnRefundInput takes a return up whose refund was refused.
type ReturnRefundInput struct {
	IdempotencyKey string // empty for none
	ReturnID       uuid.UUID
	PaidOtherwise  string // how it was paid back without the payment; empty for asking the payment again
	Replayed       *bool  `json:"-"` // set where this is the answer of an earlier call; nil where nobody asks
}

// ReturnRefund takes a return up whose refund was refused; needs orders:write. It is asked for again, or the return is
// closed as it was paid back otherwise. It fails with NOT_FOUND, INVALID_STATE, IDEMPOTENCY_REUSED and IN_FLIGHT.
func (s *Service) ReturnRefund(ctx context.Context, in ReturnRefundInput) (*Return, error) {
	if err := viewer.FromContext(ctx).Require(viewer.OrdersWrite); err != nil {
		return nil, err
	}
	in.PaidOtherwise = strings.TrimSpace(in.PaidOtherwise)
	var faults errs.Collector
	checkText(&faults, in.PaidOtherwise, "paidOtherwise", maxSettlement)
	faults.Merge(checkKey(in.IdempotencyKey))
	if err := faults.Err(); err != nil {
		return nil, err
	}
	change := returnChange{operation: "returnRefund", key: in.IdempotencyKey, input: in, replayed: in.Replayed, returnID: in.ReturnID}
	return s.changeReturn(ctx, change, func(d *Draft, r *Return) (*Return, error) {
		switch {
		case r.Status != ReturnReceived || r.Problem == "":
			return nil, invalidState("Only a return whose refund was refused is taken up again.", "id")
		case in.PaidOtherwise != "":
			return r, d.returnRefunded(r, in.PaidOtherwise)
		}
		r.Problem, r.UpdatedAt = "", d.now
		d.Return = r
		d.touch()
		d.enqueueReturn(r, causeAgain)
		return r, nil
	})
}

// returnChange is what the changes of returns have in common.
type returnChange struct {
	operation string
	key       string
	input     any
	replayed  *bool
	orderID   uuid.UUID // of a new return
	returnID  uuid.UUID // of one that is there
	field     string    // the input's that names it; empty for "id"
}

// changeReturn changes a return that the viewer may know of under the lock of its order.
func (s *Service) changeReturn(ctx context.Context, c returnChange, fn func(d *Draft, r *Return) (*Return, error)) (*Return, error) {
	if c.field == "" {
		c.field = "id"
	}
	key, err := newKey(viewer.FromContext(ctx).Actor(), c.operation, c.key, c.input)
	if err != nil {
		return nil, err
	}
	if c.returnID != uuid.Nil {
		found, err := s.store.ReturnsByIDs(ctx, []uuid.UUID{c.returnID}, audience(ctx))
		switch {
		case err != nil:
			return nil, err
		case len(found) == 0:
			return nil, noReturn("id")
		}
		c.orderID = found[0].OrderID
	}
	var out *Return
	_, err = s.store.UpdateReturns(ctx, c.orderID, key, func(d *Draft) error {
		out = nil
		d.begin(s.now())
		if d.Used != nil {
			if err := key.same(d.Used); err != nil {
				return err
			}
			note(c.replayed, true)
			out = d.returnByID(d.Used.Result)
			return nil
		}
		r := d.returnByID(c.returnID)
		if r == nil && c.returnID != uuid.Nil {
			return noReturn("id")
		}
		var err error
		if out, err = fn(d, r); err != nil {
			return err
		}
		d.Key, d.Result = key, out.ID
		return nil
	})
	if errors.Is(err, ErrOverReturned) {
		err = errs.At(errs.OutOfRange, "More would be returned than was sent.", "lines")
	}
	if err = keyed(err); err != nil {
		note(c.replayed, false)
		return nil, at(err, c.field)
	}
	return out.shown(ctx), nil
}

func (d *Draft) returnByID(id uuid.UUID) *Return {
	for _, r := range d.Returns {
		if r.ID == id {
			return r
		}
	}
	return nil
}

func noReturn(field ...string) error {
	return errs.At(errs.NotFound, "There is no such return.", field...)
}

// checkProse bounds a text of many lines.
func checkProse(c *errs.Collector, value, field string, most int) {
	switch {
	case utf8.RuneCountInString(value) > most:
		c.Addf([]string{field}, errs.TooLong, "This has at most %d characters.", most)
	case !printable(strings.NewReplacer("\n", "", "\r", "", "\t", "").Replace(value)):
		c.Add(errs.Invalid, "This holds characters that cannot be printed.", field)
	}
}
