package orders

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/pricing"
)

// Types of the entries of a timeline.
const (
	EntryPlaced          = "ORDER_PLACED"
	EntryReserved        = "STOCK_RESERVED"
	EntryShort           = "STOCK_INSUFFICIENT"
	EntryUsedUp          = "PROMOTION_USED_UP"
	EntryReleased        = "STOCK_RELEASED"
	EntryAuthorized      = "PAYMENT_AUTHORIZED"
	EntryDeclined        = "PAYMENT_DECLINED"
	EntryCaptured        = "PAYMENT_CAPTURED"
	EntryCaptureShort    = "PAYMENT_CAPTURE_SKIPPED"
	EntryVoided          = "PAYMENT_VOIDED"
	EntryReturned        = "PAYMENT_RETURNED"
	EntryRefunded        = "PAYMENT_REFUNDED"
	EntryGaveUp          = "STEP_ABANDONED"
	EntryConfirmed       = "ORDER_CONFIRMED"
	EntryFailed          = "ORDER_FAILED"
	EntryCancelled       = "ORDER_CANCELLED"
	EntryShipped         = "PARCEL_SHIPPED"
	EntryArrived         = "PARCEL_DELIVERED"
	EntryDelivered       = "ORDER_DELIVERED"
	EntryOrderRefunded   = "ORDER_REFUNDED"
	EntryReturnRequested = "RETURN_REQUESTED"
	EntryReturnApproved  = "RETURN_APPROVED"
	EntryReturnRejected  = "RETURN_REJECTED"
	EntryReturnCancelled = "RETURN_CANCELLED"
	EntryReturnReceived  = "RETURN_RECEIVED"
	EntryReturnRestocked = "RETURN_RESTOCKED"
	EntryReturnUnpaid    = "RETURN_REFUND_REFUSED"
	EntryReturnRefunded  = "RETURN_REFUNDED"
	// What went wrong between the shop and the payment provider, and was put right.
	EntryChargedUnavailable  = "PAYMENT_CHARGED_UNAVAILABLE"   // authorized, but the order had been given up
	EntryLateAuthorization   = "PAYMENT_LATE_AUTHORIZATION"    // authorized, but the order had been cancelled
	EntryCaptureRecovered    = "PAYMENT_CAPTURE_RECOVERED"     // it had gone through, though its answer was lost
	EntryRefundRecovered     = "PAYMENT_REFUND_RECOVERED"      // it had gone through, though its answer was lost
	EntryRefundAnsweredTwice = "PAYMENT_REFUND_ANSWERED_TWICE" // it was carried out once

	EntryNote              = "NOTE"
	entriesOfOneChange int = 1000 // positions that each version of an order has
)

// NewDraft makes the draft of an order as a store has read it.
func NewDraft(o *Order, lines []*Line, parcels []*Fulfillment, token string) *Draft {
	return &Draft{Order: o, Lines: lines, Fulfillments: parcels, Token: token, Base: o.Version}
}

// begin starts a change at a time. A draft that was begun is not written until something changes.
func (d *Draft) begin(now time.Time) { d.now = now }

// touch notes that the order changes: it gets the next version.
func (d *Draft) touch() {
	if d.Order.Version == d.Base {
		d.Order.Version++
		d.Order.UpdatedAt = d.now
	}
	d.Changed = true
}

// log adds an entry to the timeline.
func (d *Draft) log(entryType, message string) error {
	d.touch()
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	d.Entries = append(d.Entries, Entry{
		ID: id, OrderID: d.Order.ID, Type: entryType, Message: message, CreatedAt: d.now,
		Position: int64(d.Order.Version)*int64(entriesOfOneChange) + int64(len(d.Entries)),
	})
	return nil
}

// become changes the status and writes the fact to the timeline and the outbox.
func (d *Draft) become(next Status, entryType, message, eventType string) error {
	if !d.Order.Status.CanBecome(next) {
		return fmt.Errorf("orders: %s cannot become %s", d.Order.Status, next)
	}
	d.Order.Status = next
	if err := d.log(entryType, message); err != nil {
		return err
	}
	return d.emit(eventType, nil)
}

// enqueue adds a job that drives the saga.
func (d *Draft) enqueue(cause string) {
	d.Jobs = append(d.Jobs, Job{Kind: JobSettle, OrderID: d.Order.ID, Cause: cause})
}

// left gives how many of the order's articles are not on their way.
func (d *Draft) left() int {
	n := 0
	for _, l := range d.Lines {
		n += l.Quantity - l.Fulfilled
	}
	return n
}

// share gives what a parcel captures: the totals of what is in it. The first parcel carries the shipping, and the
// last one whatever is left, so that the shares of all parcels add up to the total exactly.
// Lines hold the quantities after the parcel, earlier the parcels before it.
func share(o *Order, lines []*Line, earlier []*Fulfillment, parcel []FulfillmentLine) money.Money {
	taken, left := money.New(0, o.Total.Currency), 0
	for _, f := range earlier {
		taken = taken.Add(f.Capture)
	}
	byID := make(map[uuid.UUID]*Line, len(lines))
	for _, l := range lines {
		byID[l.ID] = l
		left += l.Quantity - l.Fulfilled
	}
	if left == 0 {
		return o.Total.Sub(taken)
	}
	sum := money.New(0, o.Total.Currency)
	if len(earlier) == 0 {
		sum = sum.Add(o.Shipping)
	}
	for _, p := range parcel {
		sum = sum.Add(byID[p.LineID].part(p.Quantity))
	}
	return sum
}

// part gives what the last n articles that are on their way cost after discounts. The parts of a line add up to it.
func (l *Line) part(n int) money.Money {
	off := pricing.Part(l.Discount.Amount, l.Fulfilled, l.Quantity) - pricing.Part(l.Discount.Amount, l.Fulfilled-n, l.Quantity)
	return l.UnitPrice.Times(n).Sub(money.New(off, l.UnitPrice.Currency))
}
