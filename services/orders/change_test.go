package orders_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/viewer"
)

func TestStatuses(t *testing.T) {
	t.Parallel()
	for _, s := range orders.Statuses {
		if s.CanBecome(s) || s.CanBecome(orders.Pending) {
			t.Errorf("%s can go back", s)
		}
		for _, next := range s.Next() {
			if !s.CanBecome(next) {
				t.Errorf("%s cannot become %s", s, next)
			}
		}
	}
	set := orders.NewStatusSet(orders.Failed, orders.Pending, "NONSENSE")
	if list := set.List(); len(list) != 2 || list[0] != orders.Pending || list[1] != orders.Failed {
		t.Errorf("got %v", list)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	o := f.confirmed(t, uuid.New())
	stale := o.Version - 1
	_, err := f.Cancel(as(t, o.CustomerID), orders.CancelInput{OrderID: o.ID, ExpectedVersion: &stale})
	wantFault(t, err, errs.Conflict, "expectedVersion")
	if e := errs.All(err)[0]; e.Data["currentVersion"] != o.Version {
		t.Errorf("got %v", e.Data)
	}
	_, err = f.Cancel(as(t, uuid.New()), orders.CancelInput{OrderID: o.ID})
	wantFault(t, err, errs.NotFound, "id")
	_, err = f.Cancel(as(t, uuid.New(), viewer.OrdersRead), orders.CancelInput{OrderID: o.ID})
	wantFault(t, err, errs.Forbidden, "")
	_, err = f.Cancel(t.Context(), orders.CancelInput{OrderID: o.ID})
	wantFault(t, err, errs.Unauthenticated, "")
	_, err = f.Cancel(staff(t), orders.CancelInput{OrderID: uuid.New()})
	wantFault(t, err, errs.NotFound, "id")
	_, err = f.Cancel(staff(t), orders.CancelInput{OrderID: o.ID, Reason: strings.Repeat("x", 501)})
	wantFault(t, err, errs.TooLong, "reason")
	got := ok(f.Cancel(staff(t), orders.CancelInput{OrderID: o.ID, ExpectedVersion: &o.Version}))(t)
	if got.Status != orders.Cancelled || got.ReasonCode != orders.ReasonByShop || got.StatusReason() == "" || got.Version != o.Version+1 {
		t.Errorf("got %+v", got)
	}
	_, err = f.Cancel(staff(t), orders.CancelInput{OrderID: o.ID})
	wantFault(t, err, errs.InvalidState, "id")
	for range 2 {
		if err := f.Settle(t.Context(), o.ID, false); err != nil {
			t.Fatal(err)
		}
	}
	if history, want := f.shop.history(), "[complete reserve authorize void release]"; history != want {
		t.Errorf("got %s, want %s", history, want)
	}
	if events, want := f.events(t, o.ID), "placed confirmed cancelled"; events != want {
		t.Errorf("got %s, want %s", events, want)
	}
	_, _, err = f.Fulfill(staff(t), orders.FulfillInput{OrderID: o.ID})
	wantFault(t, err, errs.InvalidState, "orderId")
}

// TestCancelAfterCaptureByHand cannot void: it pays back.
func TestCancelAfterCaptureByHand(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	o := f.confirmed(t, uuid.New())
	if err := f.shop.Capture(t.Context(), o.ID, "by hand", euro(100)); err != nil {
		t.Fatal(err)
	}
	ok(f.Cancel(as(t, o.CustomerID), orders.CancelInput{OrderID: o.ID}))(t)
	if err := f.Settle(t.Context(), o.ID, false); err != nil {
		t.Fatal(err)
	}
	if p := f.shop.payment(o.ID); p.refunded != 100 {
		t.Errorf("got %+v", p)
	}
}

func TestFulfillAndDeliver(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	o := f.confirmed(t, uuid.New())
	ctx := staff(t)
	lines := ok(f.Lines(ctx, []uuid.UUID{o.ID}))(t)[o.ID]
	in := orders.FulfillInput{IdempotencyKey: "p1", OrderID: o.ID, Carrier: "DHL", TrackingNumber: "JD1", TrackingURL: "https://dhl.example/JD1",
		Lines: []orders.FulfillmentLine{{LineID: lines[0].ID, Quantity: 1}}}
	partly, first, err := f.Fulfill(ctx, in)
	if err != nil || partly.Status != orders.PartiallyFulfilled || first.Capture != euro(1490) {
		t.Fatalf("got %+v, %+v, %v", partly, first, err)
	}
	_, again, err := f.Fulfill(ctx, in)
	if err != nil || again.ID != first.ID {
		t.Fatalf("got %+v, %v", again, err)
	}
	in.Carrier = "UPS"
	_, _, err = f.Fulfill(ctx, in)
	wantFault(t, err, errs.IdempotencyReused, "idempotencyKey")
	_, err = f.Cancel(ctx, orders.CancelInput{OrderID: o.ID})
	wantFault(t, err, errs.InvalidState, "id")
	_, _, err = f.Fulfill(ctx, orders.FulfillInput{OrderID: o.ID, Lines: []orders.FulfillmentLine{{LineID: lines[0].ID, Quantity: 2}, {LineID: uuid.New(), Quantity: 1}}})
	wantFault(t, err, errs.OutOfRange, "lines.0.quantity")
	wantFault(t, err, errs.NotFound, "lines.1.orderLineId")
	all, second, err := f.Fulfill(ctx, orders.FulfillInput{OrderID: o.ID})
	if err != nil || all.Status != orders.Fulfilled || second.Capture != euro(2500) || len(second.Lines) != 2 {
		t.Fatalf("got %+v, %+v, %v", all, second, err)
	}
	_, _, err = f.Fulfill(ctx, orders.FulfillInput{OrderID: o.ID})
	wantFault(t, err, errs.InvalidState, "orderId")
	for _, p := range []*orders.Fulfillment{second, first, first} { // in any order, repeated
		if err := f.SettleParcel(t.Context(), o.ID, p.ID); err != nil {
			t.Fatal(err)
		}
	}
	if p := f.shop.payment(o.ID); p.captured != o.Total.Amount || len(p.keys) != 2 {
		t.Errorf("got %+v", p)
	}
	_, err = f.Deliver(ctx, orders.DeliverInput{OrderID: o.ID, FulfillmentID: uuid.New()})
	wantFault(t, err, errs.NotFound, "fulfillmentId")
	if got := ok(f.Deliver(ctx, orders.DeliverInput{OrderID: o.ID, FulfillmentID: first.ID}))(t); got.Status != orders.Fulfilled {
		t.Errorf("got %s", got.Status)
	}
	_, err = f.Deliver(ctx, orders.DeliverInput{OrderID: o.ID, FulfillmentID: first.ID})
	wantFault(t, err, errs.InvalidState, "orderId")
	if got := ok(f.Deliver(ctx, orders.DeliverInput{OrderID: o.ID}))(t); got.Status != orders.Delivered {
		t.Errorf("got %s", got.Status)
	}
	parcels := ok(f.Fulfillments(as(t, o.CustomerID), []uuid.UUID{o.ID}))(t)[o.ID]
	if len(parcels) != 2 || parcels[0].ID != first.ID || parcels[0].DeliveredAt == nil || parcels[1].SettledAt == nil || parcels[0].TrackingNumber != "JD1" {
		t.Errorf("got %+v", parcels)
	}
	if events, want := f.events(t, o.ID), "placed confirmed shipped shipped delivered delivered"; events != want {
		t.Errorf("got %s, want %s", events, want)
	}
	want := "ORDER_PLACED STOCK_RESERVED PAYMENT_AUTHORIZED ORDER_CONFIRMED PARCEL_SHIPPED PARCEL_SHIPPED PAYMENT_CAPTURED PAYMENT_CAPTURED PARCEL_DELIVERED PARCEL_DELIVERED ORDER_DELIVERED"
	if timeline := f.timeline(t, o.ID); timeline != want {
		t.Errorf("got %s, want %s", timeline, want)
	}
}

func TestFulfillInput(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	line := uuid.New()
	_, _, err := f.Fulfill(staff(t), orders.FulfillInput{OrderID: uuid.New(), IdempotencyKey: strings.Repeat("k", 256), Carrier: strings.Repeat("c", 101),
		TrackingNumber: "a\x00b", TrackingURL: "http://dhl.example", Lines: []orders.FulfillmentLine{{LineID: line}, {LineID: line, Quantity: 1}}})
	for field, code := range map[string]errs.Code{"idempotencyKey": errs.TooLong, "carrier": errs.TooLong, "trackingNumber": errs.Invalid,
		"trackingUrl": errs.Invalid, "lines.0.quantity": errs.OutOfRange, "lines.1.orderLineId": errs.Invalid} {
		wantFault(t, err, code, field)
	}
	_, _, err = f.Fulfill(staff(t), orders.FulfillInput{OrderID: uuid.New(), Lines: []orders.FulfillmentLine{}})
	wantFault(t, err, errs.TooShort, "lines")
	_, _, err = f.Fulfill(staff(t), orders.FulfillInput{OrderID: uuid.New()})
	wantFault(t, err, errs.NotFound, "orderId")
	_, _, err = f.Fulfill(as(t, uuid.New()), orders.FulfillInput{OrderID: uuid.New()})
	wantFault(t, err, errs.Forbidden, "")
	_, err = f.Deliver(as(t, uuid.New()), orders.DeliverInput{OrderID: uuid.New()})
	wantFault(t, err, errs.Forbidden, "")
	_, err = f.AddNote(as(t, uuid.New()), uuid.New(), "x")
	wantFault(t, err, errs.Forbidden, "")
}

// TestFulfillConcurrently sends the same article from many hands: no more goes out than was ordered.
func TestFulfillConcurrently(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	user := uuid.New()
	f.fill(user, 5, 0)
	o := ok(f.Place(as(t, user), orders.PlaceInput{PaymentToken: "tok_visa", ShippingAddressID: bookAddress}))(t)
	if err := f.Settle(t.Context(), o.ID, false); err != nil {
		t.Fatal(err)
	}
	line := ok(f.Lines(staff(t), []uuid.UUID{o.ID}))(t)[o.ID][0].ID
	var (
		all  sync.WaitGroup
		sent atomic.Int32
	)
	for range 8 {
		all.Go(func() {
			_, _, err := f.Fulfill(staff(t), orders.FulfillInput{OrderID: o.ID, Lines: []orders.FulfillmentLine{{LineID: line, Quantity: 1}}})
			switch {
			case err == nil:
				sent.Add(1)
			case errs.CodeOf(err) != errs.InvalidState:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if sent.Load() != 5 {
		t.Errorf("%d were sent", sent.Load())
	}
	f.wantStatus(t, o.ID, orders.Fulfilled)
}

// TestParcelSettlesLater fails the steps of a parcel; the sweeper takes it up.
func TestParcelSettlesLater(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	o := f.confirmed(t, uuid.New())
	_, parcel, err := f.Fulfill(staff(t), orders.FulfillInput{OrderID: o.ID})
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range []string{"fulfill", "capture"} {
		f.shop.hook(nil, func(c string) error {
			if c == call {
				return errOutage
			}
			return nil
		})
		if err := f.SettleParcel(t.Context(), o.ID, parcel.ID); err == nil {
			t.Fatal("the outage is not reported")
		}
	}
	if n := ok(f.Sweep(t.Context(), 0))(t); n != 1 || f.jobs(t, "orders.ship") != 2 {
		t.Errorf("the sweeper took %d parcels up", n)
	}
	f.shop.hook(nil, nil)
	if err := f.SettleParcel(t.Context(), o.ID, parcel.ID); err != nil {
		t.Fatal(err)
	}
	if got, want := f.shop.history(), "[complete reserve authorize fulfill capture]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNote(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	o := f.place(t, uuid.New(), "tok_visa")
	ok(f.AddNote(staff(t), o.ID, " Rang twice.\nNobody there. "))(t)
	if got, want := f.timeline(t, o.ID), "ORDER_PLACED NOTE"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for note, code := range map[string]errs.Code{" ": errs.Required, strings.Repeat("x", 1001): errs.TooLong, "a\x00b": errs.Invalid} {
		_, err := f.AddNote(staff(t), o.ID, note)
		wantFault(t, err, code, "note")
	}
	_, err := f.AddNote(staff(t), uuid.New(), "x")
	wantFault(t, err, errs.NotFound, "orderId")
}

func TestPaymentRefunded(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	o := f.confirmed(t, uuid.New())
	part := orders.PaymentRefund{EventID: uuid.New(), OrderID: o.ID, Amount: euro(990), Total: euro(990)}
	rest := orders.PaymentRefund{EventID: uuid.New(), OrderID: o.ID, Amount: euro(3000), Total: euro(3990)}
	for range 2 {
		if err := f.PaymentRefunded(t.Context(), part); err != nil {
			t.Fatal(err)
		}
	}
	f.wantStatus(t, o.ID, orders.Confirmed)
	for range 2 {
		if err := f.PaymentRefunded(t.Context(), rest); err != nil {
			t.Fatal(err)
		}
	}
	f.wantStatus(t, o.ID, orders.Refunded)
	if events, want := f.events(t, o.ID), "placed confirmed refunded refunded"; events != want {
		t.Errorf("got %s, want %s", events, want)
	}
	if err := f.Settle(t.Context(), o.ID, false); err != nil { // what was not sent goes back to the shelf
		t.Fatal(err)
	}
	if f.shop.available(f.lamp) != 100 {
		t.Error("stock is missing")
	}
	part.OrderID = uuid.New()
	if err := f.PaymentRefunded(t.Context(), part); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("got %v", err)
	}
}
