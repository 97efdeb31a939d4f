package orders_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/orders"
)

// told tells how often a kind of entry is on an order's timeline.
func (f *fixture) told(t *testing.T, id uuid.UUID, entry string) int {
	t.Helper()
	n := 0
	for kind := range strings.FieldsSeq(f.timeline(t, id)) {
		if kind == entry {
			n++
		}
	}
	return n
}

// An authorization that comes behind the cancelling of its order is given up, and its own line says so, also where the process
// is killed behind each call.
func TestLateAuthorization(t *testing.T) {
	t.Parallel()
	for _, killed := range []string{"", "void", "release"} {
		f, customer := setup(t, terms()), uuid.New()
		o := f.place(t, customer, "tok_visa")
		cut := true
		f.shop.hook(nil, func(call string) error {
			switch {
			case call == "authorize":
				_, err := f.Cancel(as(t, customer), orders.CancelInput{OrderID: o.ID})
				return err
			case call == killed && cut:
				cut = false
				return errOutage
			}
			return nil
		})
		_ = f.Settle(t.Context(), o.ID, false) // the killed one fails
		if err := f.Settle(t.Context(), o.ID, false); err != nil {
			t.Fatal(err)
		}
		f.wantStatus(t, o.ID, orders.Cancelled)
		if p := f.shop.payment(o.ID); !p.voided {
			t.Errorf("killed at %q: the payment is %+v", killed, p)
		}
		if n := f.told(t, o.ID, orders.EntryLateAuthorization); n != 1 {
			t.Errorf("killed at %q: it is told of %d times: %s", killed, n, f.timeline(t, o.ID))
		}
	}
}

// A payment that was authorized though its order was given up, as the answers were lost, is given up, and its own line says so.
func TestChargedUnavailable(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	o := f.place(t, uuid.New(), "tok_visa")
	f.shop.hook(nil, func(call string) error {
		if call == "authorize" {
			return errOutage
		}
		return nil
	})
	for _, last := range []bool{false, true, false} {
		_ = f.Settle(t.Context(), o.ID, last)
	}
	f.wantStatus(t, o.ID, orders.Failed)
	if got := f.read(t, o.ID); got.ReasonCode != orders.ReasonPaymentUnavailable {
		t.Errorf("the reason is %s", got.ReasonCode)
	}
	if p := f.shop.payment(o.ID); !p.voided || f.told(t, o.ID, orders.EntryChargedUnavailable) != 1 {
		t.Errorf("the payment is %+v, the timeline %s", p, f.timeline(t, o.ID))
	}
}

// What went as usual, or was never authorized, has no such line.
func TestNothingUnexpected(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	for name, run := range map[string]func(o *orders.Order){
		"cancelled when confirmed": func(o *orders.Order) {
			_ = f.Settle(t.Context(), o.ID, false)
			ok(f.Cancel(as(t, o.CustomerID), orders.CancelInput{OrderID: o.ID}))(t)
		},
		"cancelled before": func(o *orders.Order) {
			ok(f.Cancel(as(t, o.CustomerID), orders.CancelInput{OrderID: o.ID}))(t)
		},
	} {
		o := f.place(t, uuid.New(), "tok_visa")
		run(o)
		if err := f.Settle(t.Context(), o.ID, false); err != nil {
			t.Fatal(err)
		}
		if n := f.told(t, o.ID, orders.EntryLateAuthorization) + f.told(t, o.ID, orders.EntryChargedUnavailable); n != 0 {
			t.Errorf("%s: %s", name, f.timeline(t, o.ID))
		}
	}
}

// Answers that came late or twice are on the timeline, once for each news.
func TestPaymentAnswered(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	o := f.confirmed(t, uuid.New())
	for _, entry := range []string{orders.EntryCaptureRecovered, orders.EntryRefundRecovered, orders.EntryRefundAnsweredTwice} {
		news := orders.PaymentAnswer{EventID: uuid.New(), OrderID: o.ID, Entry: entry, Amount: euro(500)}
		for range 2 {
			if err := f.PaymentAnswered(t.Context(), news); err != nil {
				t.Fatal(err)
			}
		}
		if n := f.told(t, o.ID, entry); n != 1 {
			t.Errorf("%s is told %d times", entry, n)
		}
	}
	if err := f.PaymentAnswered(t.Context(), orders.PaymentAnswer{EventID: uuid.New(), OrderID: o.ID}); err != nil {
		t.Error(err)
	}
	err := f.PaymentAnswered(t.Context(), orders.PaymentAnswer{EventID: uuid.New(), OrderID: uuid.New(), Entry: orders.EntryRefundRecovered})
	if errs.CodeOf(err) != errs.NotFound {
		t.Errorf("an order that is not there: %v", err)
	}
}
