package orders

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/viewer"
)

// CancelInput calls an order off.
type CancelInput struct {
	OrderID         uuid.UUID
	Reason          string // may be empty
	ExpectedVersion *int   // nil for not to check
	IdempotencyKey  string // empty for none
	Replayed        *bool  `json:"-"` // set where this is the answer of an earlier call; nil where nobody asks
}

// Cancel calls an order off that is not on its way yet: one's own, or any with orders:write. The status changes at
// once; a job gives payment and stock back. It fails with NOT_FOUND, INVALID_STATE, CONFLICT,
// IDEMPOTENCY_REUSED and IN_FLIGHT.
func (s *Service) Cancel(ctx context.Context, in CancelInput) (*Order, error) {
	v := viewer.FromContext(ctx)
	if err := v.RequireAccount(); err != nil {
		return nil, err
	}
	reason := strings.TrimSpace(in.Reason)
	var faults errs.Collector
	checkText(&faults, reason, "reason", 500)
	faults.Merge(checkKey(in.IdempotencyKey))
	if err := faults.Err(); err != nil {
		return nil, err
	}
	key, err := newKey(v.Actor(), "orderCancel", in.IdempotencyKey, in)
	if err != nil {
		return nil, err
	}
	d, err := s.store.Update(ctx, in.OrderID, key, func(d *Draft) error {
		o := d.Order
		switch {
		case !v.Is(o.CustomerID) && !v.Can(viewer.OrdersWrite):
			if v.Can(viewer.OrdersRead) {
				return v.Require(viewer.OrdersWrite)
			}
			return NotFound("id")
		case d.Used != nil:
			note(in.Replayed, true)
			return key.same(d.Used)
		case in.ExpectedVersion != nil && *in.ExpectedVersion != o.Version:
			return conflict(o.Version)
		case !o.Status.CanBecome(Cancelled):
			return invalidState("An order can be cancelled until something of it is on its way.", "id")
		}
		d.begin(s.now())
		code, text := ReasonByShop, "The shop cancelled the order."
		if v.Is(o.CustomerID) {
			code, text = ReasonByCustomer, "You cancelled the order."
		}
		if reason != "" {
			text = reason
		}
		o.ReasonCode, o.Reason = code, text
		o.Stage = o.Stage.undo(o.CaptureNow)
		d.Key, d.Result = key, o.ID
		d.enqueue(causeCancelled)
		return d.become(Cancelled, EntryCancelled, "The order was cancelled: "+text, EventCancelled)
	})
	if err = keyed(err); err != nil {
		note(in.Replayed, false)
		return nil, at(err, "id")
	}
	return d.Order, nil
}

// FulfillInput sends lines of an order.
type FulfillInput struct {
	IdempotencyKey string // empty for none
	OrderID        uuid.UUID
	Lines          []FulfillmentLine // nil for all that is left
	Carrier        string
	TrackingNumber string
	TrackingURL    string
	Faults         error `json:"-"` // what was wrong with the input before it came here, reported with the rest
	Replayed       *bool `json:"-"` // set where this is the answer of an earlier call; nil where nobody asks
}

// Fulfill sends all or some of an order's lines in a parcel; needs orders:write. A job lowers the stock and captures the
// parcel's share. It fails with NOT_FOUND, INVALID_STATE, OUT_OF_RANGE for more than is left,
// IDEMPOTENCY_REUSED and IN_FLIGHT.
func (s *Service) Fulfill(ctx context.Context, in FulfillInput) (*Order, *Fulfillment, error) {
	v := viewer.FromContext(ctx)
	if err := v.Require(viewer.OrdersWrite); err != nil {
		return nil, nil, err
	}
	if err := in.check(); err != nil {
		return nil, nil, err
	}
	key, err := newKey(v.Actor(), "orderFulfill", in.IdempotencyKey, in)
	if err != nil {
		return nil, nil, err
	}
	var parcel *Fulfillment
	d, err := s.store.Update(ctx, in.OrderID, key, func(d *Draft) error {
		if d.Used != nil {
			if err := key.same(d.Used); err != nil {
				return err
			}
			note(in.Replayed, true)
			for _, f := range d.Fulfillments {
				if f.ID == d.Used.Result {
					parcel = f
				}
			}
			return nil
		}
		d.begin(s.now())
		var err error
		if parcel, err = d.fulfill(in); err != nil {
			return err
		}
		d.Key, d.Result = key, parcel.ID
		return nil
	})
	if err = keyed(err); err != nil {
		return nil, nil, at(err, "orderId")
	}
	return d.Order, parcel, nil
}

func (in FulfillInput) check() error {
	var c errs.Collector
	c.Merge(in.Faults)
	c.Merge(checkKey(in.IdempotencyKey))
	checkText(&c, in.Carrier, "carrier", 100)
	checkText(&c, in.TrackingNumber, "trackingNumber", 100)
	checkTrackingURL(&c, in.TrackingURL)
	if in.Lines != nil && len(in.Lines) == 0 {
		c.Add(errs.TooShort, "Give at least one line, or leave lines out for all that is left.", "lines")
	}
	seen := make(map[uuid.UUID]bool, len(in.Lines))
	for i, l := range in.Lines {
		at := strconv.Itoa(i)
		if l.Quantity < 1 {
			c.Add(errs.OutOfRange, "A quantity is at least 1.", "lines", at, "quantity")
		}
		if seen[l.LineID] && !errs.Blames(in.Faults, "lines", at, "orderLineId") {
			c.Add(errs.Invalid, "Each line is given once.", "lines", at, "orderLineId")
		}
		seen[l.LineID] = true
	}
	return c.Err()
}

// fulfill takes the lines of a parcel out of what is left.
func (d *Draft) fulfill(in FulfillInput) (*Fulfillment, error) {
	o := d.Order
	if o.Status != Confirmed && o.Status != PartiallyFulfilled {
		return nil, invalidState("Only a confirmed order that is not wholly on its way can be sent.", "orderId")
	}
	lines, err := d.take(in.Lines)
	if err != nil {
		return nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	f := &Fulfillment{
		ID: id, OrderID: o.ID, Position: len(d.Fulfillments), Status: ParcelShipped, Lines: lines, CreatedAt: d.now,
		Carrier: in.Carrier, TrackingNumber: in.TrackingNumber, TrackingURL: in.TrackingURL,
		Capture: money.New(0, o.Total.Currency),
	}
	if !o.CaptureNow {
		f.Capture = share(o, d.Lines, d.Fulfillments, lines)
	}
	next := Fulfilled
	if d.left() > 0 {
		next = PartiallyFulfilled
	}
	if o.Status != next {
		if !o.Status.CanBecome(next) {
			return nil, errors.New("orders: impossible change of status")
		}
		o.Status = next
	}
	d.Parcel = f
	d.Jobs = append(d.Jobs, Job{Kind: JobShip, OrderID: o.ID, FulfillmentID: id, Cause: causePlaced})
	if err := d.log(EntryShipped, "A parcel is on its way."); err != nil {
		return nil, err
	}
	return f, d.emit(EventShipped, func(e *EventData) {
		e.Fulfillment = eventFulfillment(f)
		e.Lines = d.eventLines(f.Lines)
	})
}

// take lowers what is left of the lines; nil takes all of it.
func (d *Draft) take(wanted []FulfillmentLine) ([]FulfillmentLine, error) {
	if wanted == nil {
		for _, l := range d.Lines {
			if n := l.Quantity - l.Fulfilled; n > 0 {
				wanted = append(wanted, FulfillmentLine{LineID: l.ID, Quantity: n})
			}
		}
	}
	byID := make(map[uuid.UUID]*Line, len(d.Lines))
	for _, l := range d.Lines {
		byID[l.ID] = l
	}
	var faults errs.Collector
	for i, w := range wanted {
		l, ok := byID[w.LineID]
		switch {
		case !ok:
			faults.Add(errs.NotFound, "The order has no such line.", "lines", strconv.Itoa(i), "orderLineId")
		case w.Quantity > l.Quantity-l.Fulfilled:
			faults.Addf([]string{"lines", strconv.Itoa(i), "quantity"}, errs.OutOfRange, "Only %d are left to send.", l.Quantity-l.Fulfilled)
		default:
			l.Fulfilled += w.Quantity
		}
	}
	return wanted, faults.Err()
}

func (d *Draft) eventLines(parcel []FulfillmentLine) []EventLine {
	byID := make(map[uuid.UUID]*Line, len(d.Lines))
	for _, l := range d.Lines {
		byID[l.ID] = l
	}
	lines := make([]EventLine, len(parcel))
	for i, p := range parcel {
		l := byID[p.LineID]
		lines[i] = EventLine{Title: l.Title, VariantTitle: l.VariantTitle, SKU: l.SKU, Quantity: p.Quantity,
			UnitPrice: amount(l.UnitPrice), Total: amount(l.UnitPrice.Times(p.Quantity))}
	}
	return lines
}

func eventFulfillment(f *Fulfillment) *EventFulfillment {
	return &EventFulfillment{ID: f.ID, Carrier: f.Carrier, TrackingNumber: f.TrackingNumber, TrackingURL: f.TrackingURL}
}

// DeliverInput notes that parcels have arrived.
type DeliverInput struct {
	IdempotencyKey string // empty for none
	OrderID        uuid.UUID
	FulfillmentID  uuid.UUID // zero for all of them
	Replayed       *bool     `json:"-"` // set where this is the answer of an earlier call; nil where nobody asks
}

// Deliver notes that a parcel has arrived, or all of them; needs orders:write. The order becomes DELIVERED when all of it
// was sent and has arrived. It fails with NOT_FOUND, INVALID_STATE, IDEMPOTENCY_REUSED and IN_FLIGHT.
func (s *Service) Deliver(ctx context.Context, in DeliverInput) (*Order, error) {
	v := viewer.FromContext(ctx)
	if err := v.Require(viewer.OrdersWrite); err != nil {
		return nil, err
	}
	if err := checkKey(in.IdempotencyKey); err != nil {
		return nil, err
	}
	key, err := newKey(v.Actor(), "orderDeliver", in.IdempotencyKey, in)
	if err != nil {
		return nil, err
	}
	d, err := s.store.Update(ctx, in.OrderID, key, func(d *Draft) error {
		if d.Used != nil {
			note(in.Replayed, true)
			return key.same(d.Used)
		}
		d.begin(s.now())
		d.Key, d.Result = key, in.OrderID
		return d.deliver(in.FulfillmentID)
	})
	if err = keyed(err); err != nil {
		note(in.Replayed, false)
		return nil, at(err, "orderId")
	}
	return d.Order, nil
}

// deliver marks parcels as arrived.
func (d *Draft) deliver(only uuid.UUID) error {
	var arrived *Fulfillment
	known, all := false, true
	for _, f := range d.Fulfillments {
		wanted := only == uuid.Nil || f.ID == only
		known = known || wanted
		if wanted && f.Status == ParcelShipped {
			f.Status, f.DeliveredAt = ParcelDelivered, &d.now
			d.Arrived = append(d.Arrived, f.ID)
			arrived = f
		}
		all = all && f.Status == ParcelDelivered
	}
	switch {
	case !known && only != uuid.Nil:
		return errs.At(errs.NotFound, "The order has no such parcel.", "fulfillmentId")
	case len(d.Arrived) == 0:
		return invalidState("No parcel of the order is on its way.", "orderId")
	}
	message := "A parcel has arrived."
	if len(d.Arrived) > 1 {
		message = strconv.Itoa(len(d.Arrived)) + " parcels have arrived."
	}
	if err := d.log(EntryArrived, message); err != nil {
		return err
	}
	if all && d.Order.Status.CanBecome(Delivered) {
		d.Order.Status = Delivered
		if err := d.log(EntryDelivered, "All of the order has arrived."); err != nil {
			return err
		}
	}
	return d.emit(EventDelivered, func(e *EventData) {
		if len(d.Arrived) == 1 {
			e.Fulfillment = eventFulfillment(arrived)
			e.Lines = d.eventLines(arrived.Lines)
		}
	})
}

// AddNote adds a note to an order's timeline; needs orders:write.
func (s *Service) AddNote(ctx context.Context, orderID uuid.UUID, note string) (*Order, error) {
	if err := viewer.FromContext(ctx).Require(viewer.OrdersWrite); err != nil {
		return nil, err
	}
	note = strings.TrimSpace(note)
	switch {
	case note == "":
		return nil, errs.At(errs.Required, "Write something.", "note")
	case utf8.RuneCountInString(note) > 1000:
		return nil, errs.At(errs.TooLong, "A note has at most 1000 characters.", "note")
	case !printable(strings.NewReplacer("\n", "", "\r", "", "\t", "").Replace(note)):
		return nil, errs.At(errs.Invalid, "This holds characters that cannot be printed.", "note")
	}
	d, err := s.store.Update(ctx, orderID, nil, func(d *Draft) error {
		d.begin(s.now())
		return d.log(EntryNote, note)
	})
	if err != nil {
		return nil, at(err, "orderId")
	}
	return d.Order, nil
}

// PaymentRefund is the news that a part of an order was paid back.
type PaymentRefund struct {
	EventID uuid.UUID // the same news has the same id
	OrderID uuid.UUID
	Amount  money.Money // of this refund
	Reason  string      // of this refund
	Total   money.Money // of all refunds of the order up to this one
}

// PaymentRefunded notes a refund on the order, once for each event, and marks the order REFUNDED when all of it is paid
// back. It fails with NOT_FOUND.
func (s *Service) PaymentRefunded(ctx context.Context, r PaymentRefund) error {
	_, err := s.store.Update(ctx, r.OrderID, nil, func(d *Draft) error {
		d.begin(s.now())
		d.Consumes = r.EventID
		return d.refunded(r)
	})
	if errors.Is(err, ErrConsumed) {
		return nil
	}
	return err
}

// refunded notes a refund.
func (d *Draft) refunded(r PaymentRefund) error {
	o := d.Order
	if err := d.log(EntryRefunded, r.Amount.String()+" were paid back."); err != nil {
		return err
	}
	if r.Total.Currency == o.Total.Currency && r.Total.Amount >= o.Total.Amount && o.Status.CanBecome(Refunded) {
		o.Status = Refunded
		if err := d.log(EntryOrderRefunded, "All of the order is paid back."); err != nil {
			return err
		}
		if d.left() > 0 {
			o.Stage = StageRelease
			d.enqueue(causeRefunded)
		}
	}
	return d.emit(EventRefunded, func(e *EventData) {
		e.Refund = &EventRefund{Amount: amount(r.Amount), Return: returnOf(r.Reason, o)}
	})
}

// keyed says what is wrong with the key of a change.
func keyed(err error) error {
	switch {
	case errors.Is(err, ErrKeyUsed):
		return KeyReused() // for another order, a moment ago
	case errors.Is(err, ErrKeyBusy):
		return inFlight()
	}
	return err
}

// at blames the input field for an order that is not there.
func at(err error, field string) error {
	if e, ok := err.(*errs.Error); ok && e.Code == errs.NotFound && len(e.Field) == 0 {
		return NotFound(field)
	}
	return err
}
