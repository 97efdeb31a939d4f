package orders_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/orders/jobs"
	"github.com/techmart/techmart/services/page"
)

// delivered gives an order of two lamps and a desk that has arrived and is paid.
func (f *fixture) delivered(t *testing.T, user uuid.UUID) *orders.Order {
	t.Helper()
	o := f.confirmed(t, user)
	_, parcel, err := f.Fulfill(staff(t), orders.FulfillInput{OrderID: o.ID})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.SettleParcel(t.Context(), o.ID, parcel.ID); err != nil {
		t.Fatal(err)
	}
	return ok(f.Deliver(staff(t), orders.DeliverInput{OrderID: o.ID}))(t)
}

// line gives the order's line of a variant.
func (f *fixture) line(t *testing.T, order, variant uuid.UUID) *orders.Line {
	t.Helper()
	for _, l := range ok(f.Lines(staff(t), []uuid.UUID{order}))(t)[order] {
		if l.VariantID == variant {
			return l
		}
	}
	t.Fatal("the order has no such line")
	return nil
}

// lamps asks to return n lamps of an order.
func (f *fixture) lamps(t *testing.T, o *orders.Order, n int) orders.ReturnRequestInput {
	t.Helper()
	return orders.ReturnRequestInput{OrderID: o.ID, Lines: []orders.ReturnRequestLine{{LineID: f.line(t, o.ID, f.lamp).ID, Quantity: n, Reason: orders.ReturnDefective}}}
}

// back gives a return of n lamps that has come, all of which can be sold again.
func (f *fixture) back(t *testing.T, o *orders.Order, n int) *orders.Return {
	t.Helper()
	in := f.lamps(t, o, n)
	r := ok(f.ReturnRequest(as(t, o.CustomerID), in))(t)
	ok(f.ReturnApprove(staff(t), orders.ReturnApproveInput{ReturnID: r.ID}))(t)
	return ok(f.ReturnReceive(staff(t), orders.ReturnReceiveInput{ReturnID: r.ID, Lines: []orders.Arrival{{LineID: in.Lines[0].LineID, Quantity: n, Restock: n}}}))(t)
}

func (f *fixture) readReturn(t *testing.T, id uuid.UUID) *orders.Return {
	t.Helper()
	r := ok(f.ReturnsByIDs(staff(t), []uuid.UUID{id}))(t)[id]
	if r == nil {
		t.Fatal("there is no such return")
	}
	return r
}

func TestReturn(t *testing.T) {
	t.Parallel()
	c := terms()
	c.ReturnAddress = "TechMart Returns, Berlin"
	f := setup(t, c)
	o := f.delivered(t, uuid.New())
	customer := as(t, o.CustomerID)
	in := f.lamps(t, o, 2)
	in.Note, in.IdempotencyKey = " It flickers. ", "k"
	first := ok(f.ReturnRequest(customer, in))(t)
	var replayed bool
	again := in
	again.Replayed = &replayed
	if r := ok(f.ReturnRequest(customer, again))(t); r.ID != first.ID || !replayed {
		t.Errorf("the same key gives return %s, replayed %t", r.Number, replayed)
	}
	again.Note = "Another."
	_, err := f.ReturnRequest(customer, again)
	wantFault(t, err, errs.IdempotencyReused, "idempotencyKey")
	if first.Number != o.Number+"-R1" || first.Note != "It flickers." || first.Status != orders.ReturnRequested {
		t.Errorf("got %+v", first)
	}
	_, err = f.ReturnRequest(customer, f.lamps(t, o, 1))
	wantFault(t, err, errs.OutOfRange, "lines.0.quantity")

	_, err = f.ReturnReceive(staff(t), orders.ReturnReceiveInput{ReturnID: first.ID})
	wantFault(t, err, errs.InvalidState, "id")
	approved := ok(f.ReturnApprove(staff(t), orders.ReturnApproveInput{ReturnID: first.ID, IdempotencyKey: "k"}))(t)
	if approved.Instructions != c.ReturnAddress {
		t.Errorf("it is to be sent to %q", approved.Instructions)
	}
	arrived := orders.ReturnReceiveInput{ReturnID: first.ID, Lines: []orders.Arrival{{LineID: in.Lines[0].LineID, Quantity: 2, Restock: 1}}, LocationID: uuid.New()}
	_, err = f.ReturnReceive(staff(t), arrived)
	wantFault(t, err, errs.NotFound, "locationId")
	arrived.LocationID = uuid.Nil
	received := ok(f.ReturnReceive(staff(t), arrived))(t)
	if received.Refund != euro(2000) || received.Lines[0].Location != depot {
		t.Errorf("got %+v", received)
	}
	before := f.shop.available(f.lamp)
	for range 3 { // double execution is harmless
		if err := f.SettleReturn(t.Context(), o.ID, first.ID); err != nil {
			t.Fatal(err)
		}
	}
	settled := f.readReturn(t, first.ID)
	if settled.Status != orders.ReturnRefunded || settled.RestockedAt == nil || settled.Problem != "" {
		t.Errorf("got %+v", settled)
	}
	if got := f.shop.available(f.lamp) - before; got != 1 {
		t.Errorf("%d lamps are back in stock, want 1", got)
	}
	if p := f.shop.payment(o.ID); p.refunded != 2000 {
		t.Errorf("%d are paid back", p.refunded)
	}
	if got, want := f.timeline(t, o.ID), "RETURN_REQUESTED RETURN_APPROVED RETURN_RECEIVED RETURN_RESTOCKED RETURN_REFUNDED"; !strings.HasSuffix(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := f.events(t, o.ID), "return_requested return_approved return_received return_refunded"; !strings.HasSuffix(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestReturnRights(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	o := f.delivered(t, uuid.New())
	stranger := as(t, uuid.New())
	_, err := f.ReturnRequest(stranger, f.lamps(t, o, 1))
	wantFault(t, err, errs.NotFound, "orderId")
	_, err = f.ReturnRequest(staff(t), f.lamps(t, o, 1))
	wantFault(t, err, errs.NotFound, "orderId")
	r := ok(f.ReturnRequest(as(t, o.CustomerID), f.lamps(t, o, 1)))(t)
	_, err = f.ReturnCancel(stranger, orders.ReturnCancelInput{ReturnID: r.ID})
	wantFault(t, err, errs.NotFound, "id")
	if found := ok(f.ReturnsByIDs(stranger, []uuid.UUID{r.ID}))(t); len(found) != 0 {
		t.Error("a stranger sees the return")
	}
	if found := ok(f.ReturnsByOrders(stranger, []uuid.UUID{o.ID}, page.Request{Limit: 10}))(t); len(found[o.ID].Items) != 0 {
		t.Error("a stranger sees the returns of the order")
	}
	customer := as(t, o.CustomerID)
	for name, call := range map[string]func() error{
		"approve": func() error {
			_, err := f.ReturnApprove(customer, orders.ReturnApproveInput{ReturnID: r.ID})
			return err
		},
		"reject": func() error {
			_, err := f.ReturnReject(customer, orders.ReturnRejectInput{ReturnID: r.ID, Reason: "x"})
			return err
		},
		"receive": func() error {
			_, err := f.ReturnReceive(customer, orders.ReturnReceiveInput{ReturnID: r.ID})
			return err
		},
		"refund": func() error {
			_, err := f.ReturnRefund(customer, orders.ReturnRefundInput{ReturnID: r.ID})
			return err
		},
		"list": func() error {
			_, err := f.ListReturns(customer, orders.ReturnFilter{}, orders.ReturnSort{Field: orders.ReturnsByRequestedAt}, page.Request{Limit: 1})
			return err
		},
		"count": func() error { _, err := f.CountReturns(customer, orders.ReturnFilter{}); return err },
	} {
		if err := call(); errs.CodeOf(err) != errs.Forbidden {
			t.Errorf("%s: %v", name, err)
		}
	}
	rejected := ok(f.ReturnReject(staff(t), orders.ReturnRejectInput{ReturnID: r.ID, Reason: "It was worn."}))(t)
	if rejected.Status != orders.ReturnRejected || rejected.Reason != "It was worn." {
		t.Errorf("got %+v", rejected)
	}
	next := ok(f.ReturnRequest(customer, f.lamps(t, o, 2)))(t) // a rejected one holds nothing
	if got := ok(f.ReturnCancel(customer, orders.ReturnCancelInput{ReturnID: next.ID}))(t); got.Status != orders.ReturnCancelled || got.Number != o.Number+"-R2" {
		t.Errorf("got %+v", got)
	}
}

func TestReturnRequestInput(t *testing.T) {
	t.Parallel()
	c := terms()
	c.ReturnPeriod = 24 * time.Hour
	f := setup(t, c)
	o := f.confirmed(t, uuid.New())
	customer := as(t, o.CustomerID)
	_, err := f.ReturnRequest(customer, f.lamps(t, o, 1))
	wantFault(t, err, errs.InvalidState, "orderId")
	o = f.delivered(t, o.CustomerID)
	in := f.lamps(t, o, 1)
	in.Lines = append(in.Lines, in.Lines[0], orders.ReturnRequestLine{LineID: uuid.New(), Quantity: 0, Reason: "BORED"})
	in.Note = strings.Repeat("x", 1001)
	_, err = f.ReturnRequest(customer, in)
	wantFault(t, err, errs.Invalid, "lines.1.orderLineId")
	wantFault(t, err, errs.OutOfRange, "lines.2.quantity")
	wantFault(t, err, errs.Invalid, "lines.2.reason")
	wantFault(t, err, errs.TooLong, "note")
	_, err = f.ReturnRequest(customer, orders.ReturnRequestInput{OrderID: o.ID, Lines: []orders.ReturnRequestLine{{LineID: uuid.New(), Quantity: 1, Reason: orders.ReturnOther}}})
	wantFault(t, err, errs.NotFound, "lines.0.orderLineId")
	_, err = f.pool.Exec(t.Context(), `UPDATE orders.fulfillments SET delivered_at = now() - interval '25 hours' WHERE order_id = $1`, o.ID)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.ReturnRequest(customer, f.lamps(t, o, 1))
	wantFault(t, err, errs.OutOfRange, "lines.0.quantity")
}

// TestReturnsAtOnce lets many requests race for two lamps: two are returned.
func TestReturnsAtOnce(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	o := f.delivered(t, uuid.New())
	in := f.lamps(t, o, 1)
	var (
		all      sync.WaitGroup
		failures [8]error
	)
	for i := range failures {
		all.Go(func() { _, failures[i] = f.ReturnRequest(as(t, o.CustomerID), in) })
	}
	all.Wait()
	made := 0
	for _, err := range failures {
		if err == nil {
			made++
		} else {
			wantFault(t, err, errs.OutOfRange, "lines.0.quantity")
		}
	}
	if made != 2 {
		t.Errorf("%d returns of one lamp each of two lamps", made)
	}
}

// TestReturnTakenOver ends the job of a return within each of its calls, before and after its effect: another execution
// goes on, and everything happened once.
func TestReturnTakenOver(t *testing.T) {
	t.Parallel()
	killed := errors.New("killed")
	for _, call := range []string{"restock", "refund part"} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprint(call, late), func(t *testing.T) {
				t.Parallel()
				f := setup(t, terms())
				o := f.delivered(t, uuid.New())
				r := f.back(t, o, 2)
				stock := f.shop.available(f.lamp)
				die := func(name string) error {
					if name == call {
						return killed
					}
					return nil
				}
				if late {
					f.shop.hook(nil, die)
				} else {
					f.shop.hook(die, nil)
				}
				if err := f.SettleReturn(t.Context(), o.ID, r.ID); !errors.Is(err, killed) {
					t.Fatalf("got %v", err)
				}
				f.shop.hook(nil, nil)
				if got := f.readReturn(t, r.ID); got.Status != orders.ReturnReceived {
					t.Errorf("half done it is %s", got.Status)
				}
				if n := ok(f.Sweep(t.Context(), -time.Minute))(t); n == 0 {
					t.Error("the sweep does not find it")
				}
				f.work(t, jobs.Config{})
				await(t, "REFUNDED", func() bool { return f.readReturn(t, r.ID).Status == orders.ReturnRefunded })
				if got := f.shop.available(f.lamp) - stock; got != 2 {
					t.Errorf("%d lamps are back in stock", got)
				}
				if p := f.shop.payment(o.ID); p.refunded != 2000 {
					t.Errorf("%d are paid back", p.refunded)
				}
				if n := strings.Count(f.timeline(t, o.ID), "RETURN_RESTOCKED") + strings.Count(f.timeline(t, o.ID), "RETURN_REFUNDED"); n != 2 {
					t.Errorf("the timeline is %s", f.timeline(t, o.ID))
				}
			})
		}
	}
}

// A refund that is refused is shown to staff, who have it asked for again, or close the return.
func TestReturnRefundRefused(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	o := f.delivered(t, uuid.New())
	r := f.back(t, o, 1)
	if err := f.shop.RefundAll(t.Context(), o.ID, "by hand"); err != nil {
		t.Fatal(err)
	}
	settle := func() *orders.Return {
		t.Helper()
		if err := f.SettleReturn(t.Context(), o.ID, r.ID); err != nil {
			t.Fatal(err)
		}
		return f.readReturn(t, r.ID)
	}
	if got := settle(); got.Status != orders.ReturnReceived || !strings.Contains(got.Problem, "returnRefund") {
		t.Fatalf("got %+v", got)
	}
	list := ok(f.ListReturns(staff(t), orders.ReturnFilter{Refused: true}, orders.ReturnSort{Field: orders.ReturnsByRequestedAt}, page.Request{Limit: 10}))(t)
	if len(list.Items) != 1 || list.Items[0].ID != r.ID {
		t.Errorf("staff see %+v", list.Items)
	}
	ok(f.ReturnRefund(staff(t), orders.ReturnRefundInput{ReturnID: r.ID}))(t)
	if got := settle(); got.Problem == "" {
		t.Errorf("asked again: %+v", got)
	}
	closed := ok(f.ReturnRefund(staff(t), orders.ReturnRefundInput{ReturnID: r.ID, PaidOtherwise: "Refunded by hand."}))(t)
	if closed.Status != orders.ReturnRefunded || closed.Settlement != "Refunded by hand." || closed.Problem != "" {
		t.Errorf("closed: %+v", closed)
	}
	_, err := f.ReturnRefund(staff(t), orders.ReturnRefundInput{ReturnID: r.ID})
	wantFault(t, err, errs.InvalidState, "id")
	if n := strings.Count(f.timeline(t, o.ID), "RETURN_REFUND_REFUSED"); n != 2 {
		t.Errorf("the timeline is %s", f.timeline(t, o.ID))
	}
}

// While an order is another execution's, its return waits.
func TestReturnWaitsForItsOrder(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	o := f.delivered(t, uuid.New())
	r := f.back(t, o, 1)
	owner := uuid.New()
	ok(f.store.Claim(t.Context(), o.ID, owner, time.Minute))(t)
	if err := f.SettleReturn(t.Context(), o.ID, r.ID); !errors.Is(err, orders.ErrBusy) {
		t.Errorf("got %v", err)
	}
	if err := f.store.Unclaim(t.Context(), o.ID, owner); err != nil {
		t.Fatal(err)
	}
	if err := f.SettleReturn(t.Context(), o.ID, r.ID); err != nil {
		t.Error(err)
	}
}
