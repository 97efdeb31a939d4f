// Package storetest is the suite that every orders.Store passes.
package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/page"
)

// epoch is when the first order of a test is placed.
var epoch = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)

// everybody is the audience of staff.
var everybody = orders.Audience{Everybody: true}

// Run runs the suite; open makes an empty store for each test.
func Run(t *testing.T, open func(t *testing.T) orders.Store) {
	for name, test := range map[string]func(*testing.T, orders.Store){
		"insert":  insert,
		"claim":   claim,
		"save":    save,
		"update":  update,
		"lists":   lists,
		"history": history,
		"access":  access,
		"crowd":   crowd,
		"purge":   purge,
		"returns": returns,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func euro(cents int64) money.Money { return money.New(cents, "EUR") }

// New makes the draft of an order that costs total and was placed n minutes after the epoch, with one line of one article.
func New(customer uuid.UUID, n int, total int64) *orders.Draft {
	at := epoch.Add(time.Duration(n) * time.Minute)
	o := &orders.Order{
		ID: uuid.Must(uuid.NewV7()), CustomerID: customer, CartID: uuid.New(), Email: customer.String()[:8] + "@Example.com", DisplayName: "Ada",
		Number: "T-" + strings.ToUpper(rand.Text()), Status: orders.Pending, Stage: orders.StageReserve,
		Subtotal: euro(total), Discount: euro(0), Shipping: euro(0), Tax: euro(0), Total: euro(total),
		Address: orders.Address{Recipient: "Ada", CountryCode: "DE"}, PlacedAt: at, UpdatedAt: at, Version: 1,
	}
	line := &orders.Line{ID: uuid.Must(uuid.NewV7()), OrderID: o.ID, VariantID: uuid.New(), ProductID: uuid.New(), SKU: "S", Title: "Lamp",
		Quantity: 1, UnitPrice: euro(total), Total: euro(total)}
	d := orders.NewDraft(o, []*orders.Line{line}, nil, "tok")
	d.Entries = []orders.Entry{{ID: uuid.New(), OrderID: o.ID, Position: 1, Type: "ORDER_PLACED", Message: "Placed.", CreatedAt: at}}
	return d
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("got %v, want %v", err, target)
	}
}

func insert(t *testing.T, s orders.Store) {
	ctx := t.Context()
	key := orders.Key{Owner: uuid.New(), Operation: "orderPlace", Key: "k", Hash: []byte("h"), Holder: uuid.New()}
	start, err := s.Start(ctx, &key, time.Minute)
	must(t, err)
	next, err := s.Start(ctx, nil, time.Minute)
	must(t, err)
	if !start.Taken || next.Taken {
		t.Fatalf("got %+v, %+v", start, next)
	}
	if start.Used != nil || start.Number == "" || start.Number == next.Number {
		t.Fatalf("got %+v, %+v", start, next)
	}
	if _, err := s.Used(ctx, key); errs.CodeOf(err) != errs.NotFound {
		t.Fatalf("got %v", err)
	}
	d := New(uuid.New(), 0, 100)
	d.Order.Number, d.Key, d.Result = start.Number, &key, d.Order.ID
	must(t, s.Insert(ctx, d))
	used, err := s.Used(ctx, key)
	if err != nil || used.Result != d.Order.ID || string(used.Hash) != "h" {
		t.Fatalf("got %+v, %v", used, err)
	}
	if start, err = s.Start(ctx, &key, time.Minute); err != nil || start.Used == nil || start.Used.Result != d.Order.ID {
		t.Fatalf("got %+v, %v", start, err)
	}
	same := New(uuid.New(), 1, 100)
	same.Order.CartID = d.Order.CartID
	want(t, s.Insert(ctx, same), orders.ErrOrdered)
	again := New(uuid.New(), 2, 100)
	again.Key, again.Result = &key, again.Order.ID
	want(t, s.Insert(ctx, again), orders.ErrKeyUsed)
	for _, find := range []func() (*orders.Order, error){
		func() (*orders.Order, error) { return s.ByCart(ctx, d.Order.CartID) },
		func() (*orders.Order, error) { return s.ByNumber(ctx, d.Order.Number) },
	} {
		if got, err := find(); err != nil || !reflect.DeepEqual(got, d.Order) {
			t.Fatalf("got %+v, %v", got, err)
		}
	}
	if _, err := s.ByNumber(ctx, again.Order.Number); errs.CodeOf(err) != errs.NotFound {
		t.Fatalf("an order that was refused is there: %v", err)
	}
}

func claim(t *testing.T, s orders.Store) {
	ctx := t.Context()
	d := New(uuid.New(), 0, 100)
	must(t, s.Insert(ctx, d))
	ada, eve := uuid.New(), uuid.New()
	for range 2 {
		got, err := s.Claim(ctx, d.Order.ID, ada, time.Minute)
		if err != nil || !reflect.DeepEqual(got.Order, d.Order) || len(got.Lines) != 1 || got.Token != "tok" || got.Base != 1 {
			t.Fatalf("got %+v, %v", got, err)
		}
	}
	_, err := s.Claim(ctx, d.Order.ID, eve, time.Minute)
	want(t, err, orders.ErrClaimed)
	must(t, s.Unclaim(ctx, d.Order.ID, eve)) // not eve's to end
	_, err = s.Claim(ctx, d.Order.ID, eve, time.Minute)
	want(t, err, orders.ErrClaimed)
	must(t, s.Unclaim(ctx, d.Order.ID, ada))
	_, err = s.Claim(ctx, d.Order.ID, eve, -time.Second) // over at once
	must(t, err)
	_, err = s.Claim(ctx, d.Order.ID, ada, time.Minute)
	must(t, err)
	if _, err = s.Claim(ctx, uuid.New(), ada, time.Minute); errs.CodeOf(err) != errs.NotFound {
		t.Fatalf("got %v", err)
	}
}

// change gives a draft of the stored order that has another status.
func change(t *testing.T, s orders.Store, id uuid.UUID, to orders.Status) *orders.Draft {
	t.Helper()
	found, err := s.ByIDs(t.Context(), []uuid.UUID{id}, everybody)
	if err != nil || len(found) != 1 {
		t.Fatalf("got %v, %v", found, err)
	}
	d := orders.NewDraft(found[0], nil, nil, "")
	d.Order.Status, d.Order.Stage = to, orders.StageDone
	d.Order.Version++
	d.Order.UpdatedAt = d.Order.UpdatedAt.Add(time.Hour)
	d.Changed = true
	return d
}

func save(t *testing.T, s orders.Store) {
	ctx := t.Context()
	d := New(uuid.New(), 0, 100)
	must(t, s.Insert(ctx, d))
	first, second := change(t, s, d.Order.ID, orders.Confirmed), change(t, s, d.Order.ID, orders.Failed)
	first.Entries = []orders.Entry{{ID: uuid.New(), OrderID: d.Order.ID, Position: 2, Type: "FIRST"}}
	second.Entries = []orders.Entry{{ID: uuid.New(), OrderID: d.Order.ID, Position: 3, Type: "SECOND"}}
	must(t, s.Save(ctx, first))
	want(t, s.Save(ctx, second), orders.ErrStale)
	got, err := s.ByIDs(ctx, []uuid.UUID{d.Order.ID}, everybody)
	if err != nil || got[0].Status != orders.Confirmed || got[0].Version != 2 {
		t.Fatalf("got %+v, %v", got, err)
	}
	timeline, err := s.Timeline(ctx, []uuid.UUID{d.Order.ID}, everybody, page.Request{Limit: 10})
	if err != nil || len(timeline[d.Order.ID].Items) != 2 {
		t.Fatalf("a stale change left something behind: %+v, %v", timeline, err)
	}
	owner := uuid.New()
	_, err = s.Claim(ctx, d.Order.ID, owner, time.Minute)
	must(t, err)
	last := change(t, s, d.Order.ID, orders.Confirmed)
	last.Unclaim = true
	must(t, s.Save(ctx, last))
	_, err = s.Claim(ctx, d.Order.ID, uuid.New(), time.Minute)
	must(t, err)
}

func update(t *testing.T, s orders.Store) {
	ctx := t.Context()
	d := New(uuid.New(), 0, 100)
	must(t, s.Insert(ctx, d))
	id, event := d.Order.ID, uuid.New()
	bump := func(d *orders.Draft) error {
		d.Order.Version++
		d.Changed, d.Consumes = true, event
		return nil
	}
	_, err := s.Update(ctx, id, nil, bump)
	must(t, err)
	_, err = s.Update(ctx, id, nil, bump)
	want(t, err, orders.ErrConsumed)
	broken := errors.New("broken")
	_, err = s.Update(ctx, id, nil, func(d *orders.Draft) error {
		d.Changed = true
		return broken
	})
	want(t, err, broken)
	if _, err := s.Update(ctx, uuid.New(), nil, bump); errs.CodeOf(err) != errs.NotFound {
		t.Fatalf("got %v", err)
	}
	key := &orders.Key{Owner: uuid.New(), Operation: "o", Key: "k", Hash: []byte("h")}
	at := epoch
	parcel := &orders.Fulfillment{ID: uuid.New(), OrderID: id, Status: orders.ParcelShipped, Carrier: "DHL", Capture: euro(5), CreatedAt: at}
	_, err = s.Update(ctx, id, key, func(d *orders.Draft) error {
		if d.Used != nil {
			t.Error("the key is used before it was")
		}
		d.Order.Version++
		d.Lines[0].Fulfilled = 1
		parcel.Lines = []orders.FulfillmentLine{{LineID: d.Lines[0].ID, Quantity: 1}}
		d.Parcel, d.Changed, d.Key, d.Result = parcel, true, key, parcel.ID
		return nil
	})
	must(t, err)
	after, err := s.Update(ctx, id, key, func(d *orders.Draft) error {
		if d.Used == nil || d.Used.Result != parcel.ID {
			t.Errorf("got %+v", d.Used)
		}
		d.Order.Version++
		d.Changed, d.Arrived, d.Settled = true, []uuid.UUID{parcel.ID}, []uuid.UUID{parcel.ID}
		return nil
	})
	must(t, err)
	if len(after.Fulfillments) != 1 || after.Lines[0].Fulfilled != 1 {
		t.Fatalf("got %+v", after)
	}
	parcels, err := s.FulfillmentsByIDs(ctx, []uuid.UUID{parcel.ID}, everybody)
	must(t, err)
	if p := parcels[0]; p.Status != orders.ParcelDelivered || p.DeliveredAt == nil || p.SettledAt == nil || len(p.Lines) != 1 || p.Capture != euro(5) {
		t.Fatalf("got %+v", p)
	}
}

// read reads a whole list page by page, one way or the other.
func read(t *testing.T, s orders.Store, f orders.Filter, by orders.Sort, backward bool) []uuid.UUID {
	t.Helper()
	r := page.Request{Limit: 3, Backward: backward}
	var ids []uuid.UUID
	for {
		p, err := s.List(t.Context(), f, by, r)
		must(t, err)
		var part []uuid.UUID
		for _, o := range p.Items {
			part = append(part, o.ID)
		}
		if backward {
			ids = append(part, ids...)
			if !p.HasPrevious {
				return ids
			}
			r.From = by.Key(p.Items[0])
			continue
		}
		ids = append(ids, part...)
		if !p.HasNext {
			return ids
		}
		r.From = by.Key(p.Items[len(p.Items)-1])
	}
}

func lists(t *testing.T, s orders.Store) {
	ctx := t.Context()
	ada, eve := uuid.New(), uuid.New()
	var all []*orders.Order
	for i := range 10 {
		customer := ada
		if i%3 == 0 {
			customer = eve
		}
		d := New(customer, i/2, int64(100*(i%4))) // times and totals that are equal
		must(t, s.Insert(ctx, d))
		if i%2 == 0 {
			c := change(t, s, d.Order.ID, orders.Confirmed)
			must(t, s.Save(ctx, c))
			d.Order = c.Order
		}
		all = append(all, d.Order)
	}
	for name, of := range map[string]struct {
		f    orders.Filter
		keep func(*orders.Order) bool
	}{
		"all":      {orders.Filter{}, func(*orders.Order) bool { return true }},
		"status":   {orders.Filter{Statuses: orders.NewStatusSet(orders.Confirmed)}, func(o *orders.Order) bool { return o.Status == orders.Confirmed }},
		"statuses": {orders.Filter{Statuses: orders.NewStatusSet(orders.Confirmed, orders.Pending)}, func(*orders.Order) bool { return true }},
		"customer": {orders.Filter{CustomerID: ada}, func(o *orders.Order) bool { return o.CustomerID == ada }},
		"placed": {orders.Filter{PlacedFrom: epoch.Add(time.Minute), PlacedBefore: epoch.Add(3 * time.Minute)}, func(o *orders.Order) bool {
			return o.PlacedAt.After(epoch) && o.PlacedAt.Before(epoch.Add(3*time.Minute))
		}},
		"total":     {orders.Filter{MinTotal: orders.Optional{Set: true, Value: 100}, MaxTotal: orders.Optional{Set: true, Value: 200}}, func(o *orders.Order) bool { return o.Total.Amount >= 100 && o.Total.Amount <= 200 }},
		"by e-mail": {orders.Filter{Search: " " + ada.String()[:8] + "@EXAMPLE"}, func(o *orders.Order) bool { return o.CustomerID == ada }},
		"by number": {orders.Filter{Search: all[0].Number}, func(o *orders.Order) bool { return o.ID == all[0].ID }},
		"no match":  {orders.Filter{Search: "%"}, func(*orders.Order) bool { return false }},
	} {
		for _, field := range []orders.SortField{orders.ByPlacedAt, orders.ByUpdatedAt, orders.ByTotal} {
			for _, ascending := range []bool{false, true} {
				by := orders.Sort{Field: field, Ascending: ascending}
				var expected []*orders.Order
				for _, o := range all {
					if of.keep(o) {
						expected = append(expected, o)
					}
				}
				slices.SortFunc(expected, func(a, b *orders.Order) int { return compare(by, a, b) })
				for _, backward := range []bool{false, true} {
					got := read(t, s, of.f, by, backward)
					if !slices.EqualFunc(got, expected, func(id uuid.UUID, o *orders.Order) bool { return id == o.ID }) {
						t.Errorf("%s by %+v, backward %v: got %v", name, by, backward, got)
					}
				}
				if n, err := s.Count(ctx, of.f); err != nil || n != len(expected) {
					t.Errorf("%s: counted %d (%v), want %d", name, n, err, len(expected))
				}
			}
		}
	}
	for _, bad := range []page.Key{{"x", uuid.NewString()}, {"2026-03-01T00:00:00Z", "x"}, {"x"}} {
		if _, err := s.List(ctx, orders.Filter{}, orders.Sort{Field: orders.ByPlacedAt}, page.Request{Limit: 1, From: bad}); errs.CodeOf(err) != errs.CursorMismatch {
			t.Errorf("got %v", err)
		}
	}
}

func compare(by orders.Sort, a, b *orders.Order) int {
	c := 0
	switch by.Field {
	case orders.ByPlacedAt:
		c = a.PlacedAt.Compare(b.PlacedAt)
	case orders.ByUpdatedAt:
		c = a.UpdatedAt.Compare(b.UpdatedAt)
	default:
		c = int(a.Total.Amount - b.Total.Amount)
	}
	if c == 0 {
		c = slices.Compare(a.ID[:], b.ID[:])
	}
	if !by.Ascending {
		c = -c
	}
	return c
}

func history(t *testing.T, s orders.Store) {
	ctx := t.Context()
	ada, eve, none := uuid.New(), uuid.New(), uuid.New()
	for i := range 5 {
		must(t, s.Insert(ctx, New(ada, i, 100)))
		must(t, s.Insert(ctx, New(eve, i, 200)))
	}
	customers := []uuid.UUID{ada, eve, none}
	pages, err := s.ListByCustomers(ctx, customers, orders.Filter{}, page.Request{Limit: 2})
	must(t, err)
	for _, c := range customers[:2] {
		p := pages[c]
		if len(p.Items) != 2 || !p.HasNext || p.HasPrevious || !p.Items[0].PlacedAt.After(p.Items[1].PlacedAt) || p.Items[0].CustomerID != c {
			t.Errorf("got %+v", p)
		}
		last := orders.Sort{Field: orders.ByPlacedAt}.Key(p.Items[1])
		rest, err := s.ListByCustomers(ctx, []uuid.UUID{c}, orders.Filter{}, page.Request{Limit: 5, From: last})
		if must(t, err); len(rest[c].Items) != 3 || rest[c].HasNext || !rest[c].HasPrevious {
			t.Errorf("got %+v", rest[c])
		}
	}
	counts, err := s.CountByCustomers(ctx, customers, orders.Filter{PlacedFrom: epoch.Add(3 * time.Minute)})
	if must(t, err); counts[ada] != 2 || counts[eve] != 2 || counts[none] != 0 {
		t.Errorf("got %v", counts)
	}
}

func access(t *testing.T, s orders.Store) {
	ctx := t.Context()
	ada := uuid.New()
	d := New(ada, 0, 100)
	must(t, s.Insert(ctx, d))
	ids := []uuid.UUID{d.Order.ID, uuid.New()}
	for who, n := range map[orders.Audience]int{everybody: 1, {Customer: ada}: 1, {Customer: uuid.New()}: 0, {}: 0} {
		found, err := s.ByIDs(ctx, ids, who)
		if must(t, err); len(found) != n {
			t.Errorf("%+v: got %v", who, found)
		}
		lines, err := s.Lines(ctx, ids, who)
		if must(t, err); len(lines) != n {
			t.Errorf("%+v: got %v", who, lines)
		}
		timeline, err := s.Timeline(ctx, ids, who, page.Request{Limit: 1})
		if must(t, err); len(timeline) != n {
			t.Errorf("%+v: got %v", who, timeline)
		}
	}
	product := d.Lines[0].ProductID
	for _, c := range []struct {
		customer, product uuid.UUID
		status            orders.Status
		want              bool
	}{{ada, product, orders.Pending, true}, {ada, product, orders.Confirmed, false}, {ada, uuid.New(), orders.Pending, false}, {uuid.New(), product, orders.Pending, false}} {
		if has, err := s.HasBought(ctx, c.customer, c.product, []orders.Status{c.status}); err != nil || has != c.want {
			t.Errorf("%+v: got %v, %v", c, has, err)
		}
	}
}

// crowd has many read single orders at once: each gets what it may see, and a copy of its own.
func crowd(t *testing.T, s orders.Store) {
	var made []*orders.Order
	for n := range 3 {
		d := New(uuid.New(), n, 100)
		must(t, s.Insert(t.Context(), d))
		made = append(made, d.Order)
	}
	var all sync.WaitGroup
	for range 20 {
		for i, o := range made {
			for who, visible := range map[orders.Audience]bool{everybody: true, {Customer: o.CustomerID}: true, {Customer: made[(i+1)%3].CustomerID}: false, {}: false} {
				all.Go(func() {
					found, err := s.ByIDs(t.Context(), []uuid.UUID{o.ID}, who)
					switch {
					case err != nil || len(found) > 1 || (len(found) == 1) != visible:
						t.Errorf("%+v: got %v, %v", who, found, err)
					case visible && (found[0].ID != o.ID || found[0].Status != orders.Pending):
						t.Errorf("%+v: got %+v, want %s", who, found[0], o.ID)
					case visible:
						found[0].Status = orders.Failed // nobody else sees it
					}
				})
			}
		}
		all.Go(func() {
			if found, err := s.ByIDs(t.Context(), []uuid.UUID{uuid.New()}, everybody); err != nil || len(found) != 0 {
				t.Errorf("of no order: %v, %v", found, err)
			}
		})
	}
	all.Wait()
}

func purge(t *testing.T, s orders.Store) {
	ctx := t.Context()
	d := New(uuid.New(), 0, 100)
	d.Key, d.Result = &orders.Key{Owner: uuid.New(), Operation: "o", Key: "k", Hash: []byte("h")}, d.Order.ID
	must(t, s.Insert(ctx, d))
	purged := func(before time.Time) int {
		n, err := s.Purge(context.WithoutCancel(ctx), before, 10)
		must(t, err)
		return n
	}
	if purged(epoch) != 0 || purged(epoch.Add(time.Second)) != 1 {
		t.Error("the purge takes too much or too little")
	}
	stuck, err := s.Stuck(ctx, epoch.Add(time.Second), 10)
	if must(t, err); len(stuck.Orders) != 1 || len(stuck.Parcels) != 0 {
		t.Errorf("got %+v", stuck)
	}
	_, err = s.Claim(ctx, d.Order.ID, uuid.New(), time.Minute)
	must(t, err)
	if stuck, err = s.Stuck(ctx, epoch.Add(time.Second), 10); err != nil || len(stuck.Orders) != 0 {
		t.Errorf("an order that is worked on is stuck: %+v, %v", stuck, err)
	}
}
