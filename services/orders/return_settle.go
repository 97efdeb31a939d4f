package orders

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
)

// returnMark stands between the number of an order and the place of a return among its returns.
const returnMark = "-R"

// returnReason begins the reason of the refund of a return.
const returnReason = "Return "

// causeAgain is the cause of a job that staff asked for.
const causeAgain = "again"

// returnOf gives the number of the return of the order that a refund is for, or "".
func returnOf(reason string, o *Order) string {
	if number, ok := strings.CutPrefix(reason, returnReason); ok && strings.HasPrefix(number, o.Number+returnMark) {
		return number
	}
	return ""
}

// enqueueReturn adds a job that settles a return.
func (d *Draft) enqueueReturn(r *Return, cause string) {
	d.Jobs = append(d.Jobs, Job{Kind: JobReturn, OrderID: r.OrderID, ReturnID: r.ID, Cause: cause})
}

// tellReturn writes a return with what happened to it, to the timeline and the outbox.
func (d *Draft) tellReturn(r *Return, entryType, message, eventType string) error {
	d.Return = r
	if err := d.log(entryType, message); err != nil {
		return err
	}
	return d.emit(eventType, func(e *EventData) {
		e.Return = &EventReturn{ID: r.ID, Number: r.Number, Status: r.Status, Reason: r.Reason, Instructions: r.Instructions}
		if r.ReceivedAt != nil {
			refund := amount(r.Refund)
			e.Return.Refund = &refund
		}
		var lines []FulfillmentLine
		for i, n := range r.Held() {
			if r.Status.Void() {
				n = r.Lines[i].Quantity
			}
			if n > 0 {
				lines = append(lines, FulfillmentLine{LineID: r.Lines[i].LineID, Quantity: n})
			}
		}
		e.Lines = d.eventLines(lines)
	})
}

// SettleReturn puts what has come back into stock, pays it back and marks the return as refunded. Each step is recorded
// before the next begins, and may be repeated under the return's id. It may be called any number of times, also at the
// same time: it fails with ErrBusy while another execution owns the order. A refund that is refused for good is
// noted on the return for staff.
func (s *Service) SettleReturn(ctx context.Context, orderID, returnID uuid.UUID) error {
	owner, err := uuid.NewV7()
	if err != nil {
		return err
	}
	// Its calls end long before the claim does: what staff do about a refusal meets no call that is still under way.
	if _, err := s.store.Claim(ctx, orderID, owner, s.config.ClaimTime); errors.Is(err, ErrClaimed) {
		return ErrBusy
	} else if err != nil {
		return err
	}
	return errors.Join(s.settleReturn(ctx, orderID, returnID), s.unclaim(ctx, orderID, owner))
}

func (s *Service) settleReturn(ctx context.Context, orderID, returnID uuid.UUID) error {
	found, err := s.store.ReturnsByIDs(ctx, []uuid.UUID{returnID}, Audience{Everybody: true})
	if err != nil {
		return err
	}
	if len(found) == 0 || found[0].OrderID != orderID {
		return noReturn()
	}
	r := found[0]
	if r.Status != ReturnReceived || r.Problem != "" {
		return nil
	}
	if err := s.parcelsSettled(ctx, r); err != nil {
		return err
	}
	call, cancel := context.WithTimeout(ctx, s.stepTime())
	defer cancel()
	if r.RestockedAt == nil && r.restocks() {
		if err := s.restock(call, r); err != nil {
			return err
		}
	}
	refused := error(nil)
	if !r.Refund.IsZero() {
		if err := s.payments.RefundPart(call, orderID, r.refundKey(), r.Refund, returnReason+r.Number); err != nil {
			if !refundRefused(err) {
				return fmt.Errorf("orders: pay return %s back: %w", r.Number, err)
			}
			refused = err
		}
	}
	_, err = s.store.UpdateReturns(ctx, orderID, nil, func(d *Draft) error {
		d.begin(s.now())
		r := d.returnByID(returnID)
		switch {
		case r == nil || r.Status != ReturnReceived || r.Problem != "":
			return nil // settled meanwhile
		case refused != nil:
			s.log.ErrorContext(ctx, "a return could not be paid back: staff has to look at it", "return", r.Number, "error", refused)
			return d.returnUnpaid(r, refused)
		}
		return d.returnRefunded(r, "")
	})
	return err
}

// parcelsSettled fails while the share of a parcel with articles of the return is not captured yet: there is nothing to
// pay back before.
func (s *Service) parcelsSettled(ctx context.Context, r *Return) error {
	parcels, err := s.store.Fulfillments(ctx, []uuid.UUID{r.OrderID}, Audience{Everybody: true})
	if err != nil {
		return err
	}
	for _, f := range parcels[r.OrderID] {
		if f.SettledAt == nil && slices.ContainsFunc(f.Lines, func(l FulfillmentLine) bool { return r.Holds(l.LineID) > 0 }) {
			return fmt.Errorf("orders: parcel %s of return %s is not settled yet", f.ID, r.Number)
		}
	}
	return nil
}

// restock puts what can be sold again back into stock, and records it.
func (s *Service) restock(ctx context.Context, r *Return) error {
	lines, err := s.store.Lines(ctx, []uuid.UUID{r.OrderID}, Audience{Everybody: true})
	if err != nil {
		return err
	}
	back := Restock{ReturnID: r.ID, OrderID: r.OrderID, Number: r.Number, At: *r.ReceivedAt}
	for _, part := range r.Lines {
		for _, l := range lines[r.OrderID] {
			if l.ID == part.LineID && part.Restock > 0 {
				back.LocationID = part.Location
				back.Lines = append(back.Lines, RestockLine{VariantID: l.VariantID, ProductID: l.ProductID, Quantity: part.Restock})
			}
		}
	}
	if err := s.inventory.Restock(ctx, back); err != nil {
		return fmt.Errorf("orders: put return %s back into stock: %w", r.Number, err)
	}
	_, err = s.store.UpdateReturns(ctx, r.OrderID, nil, func(d *Draft) error {
		d.begin(s.now())
		r := d.returnByID(r.ID)
		if r == nil || r.RestockedAt != nil {
			return nil
		}
		r.RestockedAt, r.UpdatedAt = &d.now, d.now
		d.Return = r
		return d.log(EntryReturnRestocked, "What the return "+r.Number+" brought back can be sold again.")
	})
	return err
}

// refundRefused reports whether a refund was refused for good.
func refundRefused(err error) bool {
	for _, code := range []errs.Code{CodeAmountExceeded, errs.InvalidState, errs.NotFound, CodePaymentDeclined} {
		if errs.Is(err, code) {
			return true
		}
	}
	return false
}

// refundKey gives the key of the refund. The provider's refusal is the answer to its key for good: the next one is
// asked under another.
func (r *Return) refundKey() string {
	if r.Attempt == 0 {
		return r.ID.String()
	}
	return r.ID.String() + "/" + strconv.Itoa(r.Attempt)
}

// returnUnpaid notes that a return could not be paid back.
func (d *Draft) returnUnpaid(r *Return, cause error) error {
	r.Problem, r.UpdatedAt = unpaidBecause(cause), d.now
	if errs.Is(cause, CodePaymentDeclined) {
		r.Attempt++
	}
	d.Return = r
	return d.log(EntryReturnUnpaid, "The refund of the return "+r.Number+" could not be made by itself; our staff looks at it.")
}

// unpaidBecause says for staff why a refund was refused, and what to do.
func unpaidBecause(cause error) string {
	const or = " Or pay it back in another way, and close the return with paidOtherwise of returnRefund."
	switch {
	case errs.Is(cause, CodeAmountExceeded), errs.Is(cause, errs.InvalidState):
		return "The payment has less left than the return is worth: something was paid back by hand before. Look at the payment's " +
			"transactions; once enough is left, ask again with returnRefund." + or
	case errs.Is(cause, errs.NotFound):
		return "The order has no payment to pay back from." + or
	}
	return "The payment provider refused the refund. Look at the payment's transactions, and ask again with returnRefund." + or
}

// returnRefunded marks a return as paid back, by its payment or otherwise.
func (d *Draft) returnRefunded(r *Return, settlement string) error {
	if err := r.Refunded(settlement, d.now); err != nil {
		return err
	}
	return d.tellReturn(r, EntryReturnRefunded, "The return "+r.Number+" is settled: "+r.Refund.String()+" are paid back.", EventReturnRefunded)
}
