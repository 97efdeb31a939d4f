package orders_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/page"
)

func TestAccess(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	o := f.confirmed(t, uuid.New())
	_, parcel, err := f.Fulfill(staff(t), orders.FulfillInput{OrderID: o.ID})
	if err != nil {
		t.Fatal(err)
	}
	owner, stranger := as(t, o.CustomerID), as(t, uuid.New())
	for _, ctx := range []context.Context{owner, staff(t)} {
		ok(f.ByID(ctx, o.ID))(t)
		if got := ok(f.ByNumber(ctx, " t-100001 "))(t); got.ID != o.ID {
			t.Errorf("got %+v", got)
		}
		if got := ok(f.FulfillmentsByIDs(ctx, []uuid.UUID{parcel.ID}))(t); len(got) != 1 {
			t.Errorf("got %v", got)
		}
	}
	for _, ctx := range []context.Context{stranger, t.Context()} {
		_, err := f.ByID(ctx, o.ID)
		wantFault(t, err, errs.NotFound, "")
		_, err = f.ByNumber(ctx, o.Number)
		wantFault(t, err, errs.NotFound, "")
		if got := ok(f.ByIDs(ctx, []uuid.UUID{o.ID}))(t); len(got) != 0 {
			t.Errorf("got %v", got)
		}
		if got := ok(f.Lines(ctx, []uuid.UUID{o.ID}))(t); len(got[o.ID]) != 0 {
			t.Errorf("got %v", got)
		}
		if got := ok(f.Fulfillments(ctx, []uuid.UUID{o.ID}))(t); len(got[o.ID]) != 0 {
			t.Errorf("got %v", got)
		}
		if got := ok(f.FulfillmentsByIDs(ctx, []uuid.UUID{parcel.ID}))(t); len(got) != 0 {
			t.Errorf("got %v", got)
		}
		if got := ok(f.Timeline(ctx, []uuid.UUID{o.ID}, page.Request{Limit: 10}))(t); len(got[o.ID].Items) != 0 {
			t.Errorf("got %v", got)
		}
		if got := ok(f.ListByCustomers(ctx, []uuid.UUID{o.CustomerID}, orders.Filter{}, page.Request{Limit: 10}))(t); len(got[o.CustomerID].Items) != 0 {
			t.Errorf("got %v", got)
		}
		if got := ok(f.CountByCustomers(ctx, []uuid.UUID{o.CustomerID}, orders.Filter{}))(t); got[o.CustomerID] != 0 {
			t.Errorf("got %v", got)
		}
		if _, err := f.List(ctx, orders.Filter{}, orders.Sort{Field: orders.ByPlacedAt}, page.Request{Limit: 1}); err == nil {
			t.Error("everybody sees all orders")
		}
		if _, err := f.Count(ctx, orders.Filter{}); err == nil {
			t.Error("everybody counts all orders")
		}
	}
	history := ok(f.ListByCustomers(owner, []uuid.UUID{o.CustomerID}, orders.Filter{}, page.Request{Limit: 10}))(t)
	count := ok(f.CountByCustomers(owner, []uuid.UUID{o.CustomerID}, orders.Filter{}))(t)
	if len(history[o.CustomerID].Items) != 1 || count[o.CustomerID] != 1 {
		t.Errorf("got %v, %v", history, count)
	}
	other := ok(f.ListByCustomers(owner, []uuid.UUID{o.CustomerID}, orders.Filter{CustomerID: uuid.New()}, page.Request{Limit: 10}))(t)
	if len(other[o.CustomerID].Items) != 0 {
		t.Errorf("got %v", other)
	}
	if has := ok(f.HasBought(owner, o.CustomerID, f.lamp))(t); !has {
		t.Error("the purchase is forgotten")
	}
	pending := f.place(t, uuid.New(), "tok_visa")
	if has := ok(f.HasBought(owner, pending.CustomerID, f.lamp))(t); has {
		t.Error("an order that is not confirmed is a purchase")
	}
}

func TestListInput(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	ctx := staff(t)
	if got := ok(f.List(ctx, orders.Filter{}, orders.Sort{Field: orders.ByTotal}, page.Request{Limit: 1}))(t); len(got.Items) != 0 {
		t.Errorf("got %v", got)
	}
	_, err := f.List(ctx, orders.Filter{Search: "a\x00"}, orders.Sort{Field: orders.ByTotal}, page.Request{Limit: 1})
	wantFault(t, err, errs.BadInput, "where.search")
	_, err = f.List(ctx, orders.Filter{}, orders.Sort{Field: "NAME"}, page.Request{Limit: 1})
	wantFault(t, err, errs.BadInput, "sortBy.field")
	_, err = f.Count(ctx, orders.Filter{Search: "a\x00"})
	wantFault(t, err, errs.BadInput, "where.search")
	for _, key := range []page.Key{{"1", "2"}, {"x"}} {
		_, err = f.Timeline(ctx, []uuid.UUID{uuid.New()}, page.Request{Limit: 1, From: key})
		wantFault(t, err, errs.CursorMismatch, "")
	}
	if n := ok(f.Purge(ctx))(t); n != 0 {
		t.Errorf("purged %d", n)
	}
}

// next takes an order from a channel of changes.
func next(t *testing.T, changes <-chan *orders.Order) *orders.Order {
	t.Helper()
	select {
	case o, open := <-changes:
		if !open {
			t.Fatal("the changes have ended")
		}
		return o
	case <-soon(t).Done():
		t.Fatal("no change in time")
		return nil
	}
}

// announce tells of an order as the relay of its events does.
func (f *fixture) announce(t *testing.T, o *orders.Order) {
	t.Helper()
	data := ok(json.Marshal(orders.EventData{OrderID: o.ID, CustomerID: o.CustomerID}))(t)
	for range 2 { // at least once
		if err := f.Announce(t.Context(), data, data); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	o := f.place(t, uuid.New(), "tok_visa")
	foreign := f.place(t, uuid.New(), "tok_visa")
	ctx, cancel := context.WithCancel(as(t, o.CustomerID))
	one := ok(f.Watch(ctx, o.ID))(t)
	if got := next(t, one); got.Status != orders.Pending {
		t.Errorf("got %s", got.Status)
	}
	own, every := ok(f.Watch(ctx, uuid.Nil))(t), ok(f.Watch(staff(t), uuid.Nil))(t)
	for _, id := range []uuid.UUID{foreign.ID, o.ID} {
		if err := f.Settle(t.Context(), id, false); err != nil {
			t.Fatal(err)
		}
	}
	f.announce(t, foreign)
	f.announce(t, o)
	for _, changes := range []<-chan *orders.Order{one, own} {
		if got := next(t, changes); got.ID != o.ID || got.Status != orders.Confirmed {
			t.Errorf("got %+v", got)
		}
	}
	if next(t, every).ID != foreign.ID || next(t, every).ID != o.ID {
		t.Error("staff miss changes")
	}
	cancel()
	for _, changes := range []<-chan *orders.Order{one, own} {
		select {
		case _, open := <-changes:
			if open {
				t.Error("a change was sent twice")
			}
		case <-soon(t).Done():
			t.Error("the changes do not end with the context")
		}
	}
	_, err := f.Watch(as(t, uuid.New()), o.ID)
	wantFault(t, err, errs.NotFound, "")
	_, err = f.Watch(t.Context(), uuid.Nil)
	wantFault(t, err, errs.Unauthenticated, "")
	good := ok(json.Marshal(orders.EventData{OrderID: o.ID, CustomerID: o.CustomerID}))(t)
	last := ok(f.Watch(as(t, o.CustomerID), o.ID))(t)
	next(t, last)
	if _, err := f.Cancel(as(t, o.CustomerID), orders.CancelInput{OrderID: o.ID}); err != nil {
		t.Fatal(err)
	}
	if err := f.Announce(t.Context(), []byte("{"), good); err == nil {
		t.Error("nonsense is announced")
	}
	next(t, last) // nonsense keeps nobody from hearing of the rest
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*orders.Config){
		"currency":          func(c *orders.Config) { c.Currency = "XXX" },
		"shipping currency": func(c *orders.Config) { c.ShippingFee.Currency = "USD" },
		"negative":          func(c *orders.Config) { c.TaxRatePercent = -1 },
	} {
		c := terms()
		spoil(&c)
		if _, err := orders.New(orders.Deps{Config: c}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
