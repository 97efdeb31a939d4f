package storetest

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/page"
)

// sent makes an order of two articles of which one is on its way.
func sent(t *testing.T, s orders.Store, customer uuid.UUID) (*orders.Order, *orders.Line) {
	t.Helper()
	d := New(customer, 0, 100)
	d.Lines[0].Quantity, d.Lines[0].UnitPrice = 2, euro(50)
	must(t, s.Insert(t.Context(), d))
	_, err := s.Update(t.Context(), d.Order.ID, nil, func(d *orders.Draft) error {
		d.Order.Version++
		d.Changed = true
		d.Lines[0].Fulfilled = 1
		d.Parcel = &orders.Fulfillment{ID: uuid.New(), OrderID: d.Order.ID, Status: orders.ParcelShipped, Capture: euro(50), CreatedAt: epoch,
			Lines: []orders.FulfillmentLine{{LineID: d.Lines[0].ID, Quantity: 1}}}
		return nil
	})
	must(t, err)
	return d.Order, d.Lines[0]
}

// put writes a return of n articles of a line that was asked for some minutes after the epoch.
func put(t *testing.T, s orders.Store, o *orders.Order, line *orders.Line, n, minutes int) (*orders.Return, error) {
	t.Helper()
	at := epoch.Add(time.Duration(minutes) * time.Minute)
	r := &orders.Return{ID: uuid.Must(uuid.NewV7()), OrderID: o.ID, CustomerID: o.CustomerID, Status: orders.ReturnRequested, Note: "Too loud.",
		Refund: euro(0), RequestedAt: at, UpdatedAt: at,
		Lines: []orders.ReturnLine{{LineID: line.ID, Quantity: n, Reason: orders.ReturnOther, Refund: euro(0)}}}
	_, err := s.UpdateReturns(t.Context(), o.ID, nil, func(d *orders.Draft) error {
		r.Position = len(d.Returns) + 1
		r.Number = d.Order.Number + "-R" + string(rune('0'+r.Position))
		d.Order.Version++
		d.Changed, d.Return = true, r
		return nil
	})
	return r, err
}

// edit changes a return that is there.
func edit(t *testing.T, s orders.Store, o *orders.Order, id uuid.UUID, fn func(r *orders.Return)) {
	t.Helper()
	_, err := s.UpdateReturns(t.Context(), o.ID, nil, func(d *orders.Draft) error {
		for _, r := range d.Returns {
			if r.ID == id {
				fn(r)
				d.Return = r
			}
		}
		d.Order.Version++
		d.Changed = true
		return nil
	})
	must(t, err)
}

func returns(t *testing.T, s orders.Store) {
	ctx := t.Context()
	ada := uuid.New()
	o, line := sent(t, s, ada)
	first, err := put(t, s, o, line, 1, 0)
	must(t, err)
	if _, err := put(t, s, o, line, 1, 1); err != orders.ErrOverReturned {
		t.Fatalf("more than was sent: %v", err)
	}
	edit(t, s, o, first.ID, func(r *orders.Return) { r.Status, r.Reason = orders.ReturnRejected, "It was worn." })
	second, err := put(t, s, o, line, 1, 2) // a rejected one holds nothing
	must(t, err)
	if _, err := s.UpdateReturns(ctx, uuid.New(), nil, func(*orders.Draft) error { return nil }); errs.CodeOf(err) != errs.NotFound {
		t.Fatalf("got %v", err)
	}
	here := epoch.Add(time.Hour)
	edit(t, s, o, second.ID, func(r *orders.Return) {
		r.Status, r.ReceivedAt, r.UpdatedAt, r.Refund, r.Instructions, r.Attempt = orders.ReturnReceived, &here, here, euro(50), "Berlin", 1
		r.Lines[0].Received, r.Lines[0].Restock, r.Lines[0].Location, r.Lines[0].Refund = 1, 1, uuid.New(), euro(50)
		*second = *r
	})
	found, err := s.ReturnsByIDs(ctx, []uuid.UUID{second.ID}, orders.Audience{Customer: ada})
	if err != nil || len(found) != 1 || !reflect.DeepEqual(found[0], second) {
		t.Fatalf("got %+v, %v\nwant %+v", found[0], err, second)
	}
	for name, who := range map[string]orders.Audience{"nobody": {}, "somebody else": {Customer: uuid.New()}} {
		found, err := s.ReturnsByIDs(ctx, []uuid.UUID{second.ID}, who)
		of, err2 := s.ReturnsByOrders(ctx, []uuid.UUID{o.ID}, who, page.Request{Limit: 5})
		counts, err3 := s.CountReturnsByOrders(ctx, []uuid.UUID{o.ID}, who)
		if err != nil || err2 != nil || err3 != nil || len(found)+len(of[o.ID].Items)+counts[o.ID] != 0 {
			t.Errorf("%s sees %v, %v, %v", name, found, of, counts)
		}
	}

	jobs, err := s.StuckReturns(ctx, here.Add(time.Second), 10)
	if err != nil || len(jobs) != 1 || jobs[0] != (orders.Job{Kind: orders.JobReturn, OrderID: o.ID, ReturnID: second.ID}) {
		t.Fatalf("got %+v, %v", jobs, err)
	}
	edit(t, s, o, second.ID, func(r *orders.Return) { r.Problem = "Refused." })
	if jobs, err = s.StuckReturns(ctx, here.Add(time.Second), 10); err != nil || len(jobs) != 0 {
		t.Fatalf("one for staff is stuck: %+v, %v", jobs, err)
	}
	returnLists(t, s, o, first, second)
}

// returnLists reads the two returns of an order by all lists.
func returnLists(t *testing.T, s orders.Store, o *orders.Order, first, second *orders.Return) {
	t.Helper()
	ctx := t.Context()
	counts, err := s.CountReturnsByOrders(ctx, []uuid.UUID{o.ID}, everybody)
	if err != nil || counts[o.ID] != 2 {
		t.Fatalf("got %v, %v", counts, err)
	}
	ids := func(p page.Page[*orders.Return], err error) []uuid.UUID {
		t.Helper()
		must(t, err)
		var list []uuid.UUID
		for _, r := range p.Items {
			list = append(list, r.ID)
		}
		return list
	}
	of := func(r page.Request) []uuid.UUID {
		pages, err := s.ReturnsByOrders(ctx, []uuid.UUID{o.ID}, everybody, r)
		return ids(pages[o.ID], err)
	}
	for _, sort := range []orders.ReturnSort{{Field: orders.ReturnsByRequestedAt}, {Field: orders.ReturnsByUpdatedAt}} {
		all := orders.ReturnFilter{}
		list := func(f orders.ReturnFilter, s2 orders.ReturnSort, r page.Request) []uuid.UUID {
			p, err := s.Returns(ctx, f, s2, r)
			return ids(p, err)
		}
		for name, c := range map[string]struct{ got, want []uuid.UUID }{
			"newest first":    {list(all, sort, page.Request{Limit: 5}), []uuid.UUID{second.ID, first.ID}},
			"the second page": {list(all, sort, page.Request{Limit: 5, From: sort.Key(second)}), []uuid.UUID{first.ID}},
			"backward":        {list(all, sort, page.Request{Limit: 5, From: sort.Key(first), Backward: true}), []uuid.UUID{second.ID}},
			"oldest first":    {list(all, orders.ReturnSort{Field: sort.Field, Ascending: true}, page.Request{Limit: 1}), []uuid.UUID{first.ID}},
			"a status":        {list(orders.ReturnFilter{Status: orders.ReturnRejected}, sort, page.Request{Limit: 5}), []uuid.UUID{first.ID}},
			"refused":         {list(orders.ReturnFilter{Refused: true}, sort, page.Request{Limit: 5}), []uuid.UUID{second.ID}},
			"of the order":    {of(page.Request{Limit: 5}), []uuid.UUID{first.ID, second.ID}},
			"after the first": {of(page.Request{Limit: 5, From: first.Key()}), []uuid.UUID{second.ID}},
			"its last":        {of(page.Request{Limit: 1, Backward: true}), []uuid.UUID{second.ID}},
		} {
			if !reflect.DeepEqual(c.got, c.want) {
				t.Errorf("%s by %s: %v, want %v", name, sort.Field, c.got, c.want)
			}
		}
	}
	for f, want := range map[orders.ReturnFilter]int{{}: 2, {Status: orders.ReturnReceived}: 1, {Refused: true}: 1, {Status: orders.ReturnRejected, Refused: true}: 0} {
		if n, err := s.CountReturns(ctx, f); err != nil || n != want {
			t.Errorf("%+v: %d, %v; want %d", f, n, err, want)
		}
	}
	if _, err := s.Returns(ctx, orders.ReturnFilter{}, orders.ReturnSort{Field: orders.ReturnsByRequestedAt}, page.Request{Limit: 1, From: page.Key{"x"}}); errs.CodeOf(err) != errs.CursorMismatch {
		t.Errorf("got %v", err)
	}
}
