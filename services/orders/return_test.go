package orders_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/orders"
)

var returnsStart = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestReturnTransitions(t *testing.T) {
	t.Parallel()
	want := map[orders.ReturnStatus][]orders.ReturnStatus{
		orders.ReturnRequested: {orders.ReturnApproved, orders.ReturnRejected, orders.ReturnCancelled},
		orders.ReturnApproved:  {orders.ReturnReceived, orders.ReturnCancelled},
		orders.ReturnReceived:  {orders.ReturnRefunded},
	}
	line := &orders.Line{ID: uuid.New(), Quantity: 1, UnitPrice: money.New(100, "EUR"), Discount: money.New(0, "EUR")}
	change := map[orders.ReturnStatus]func(*orders.Return) error{
		orders.ReturnApproved:  func(r *orders.Return) error { return r.Approve("", returnsStart) },
		orders.ReturnRejected:  func(r *orders.Return) error { return r.Reject("It was worn.", returnsStart) },
		orders.ReturnCancelled: func(r *orders.Return) error { return r.Cancel(returnsStart) },
		orders.ReturnRefunded:  func(r *orders.Return) error { return r.Refunded("", returnsStart) },
		orders.ReturnReceived: func(r *orders.Return) error {
			return r.Receive([]orders.Arrival{{LineID: line.ID, Quantity: 1}}, []*orders.Line{line}, nil, returnsStart)
		},
	}
	for _, from := range orders.ReturnStatuses {
		if got := from.Next(); !slices.Equal(got, want[from]) {
			t.Errorf("%s can become %v, want %v", from, got, want[from])
		}
		for to, act := range change {
			r := &orders.Return{Status: from, Lines: []orders.ReturnLine{{LineID: line.ID, Quantity: 1}}}
			err := act(r)
			switch allowed := slices.Contains(want[from], to); {
			case allowed && (err != nil || r.Status != to || r.UpdatedAt != returnsStart):
				t.Errorf("%s to %s: %v, now %s", from, to, err, r.Status)
			case !allowed && (errs.CodeOf(err) != errs.InvalidState || r.Status != from || r.Reason != ""):
				t.Errorf("%s to %s: %v, now %s", from, to, err, r.Status)
			}
		}
	}
}

func TestReturnRejectNeedsAReason(t *testing.T) {
	t.Parallel()
	r := &orders.Return{Status: orders.ReturnRequested}
	if err := r.Reject("  ", returnsStart); errs.CodeOf(err) != errs.Required {
		t.Errorf("no reason: %v", err)
	}
	if err := r.Reject(strings.Repeat("ü", 501), returnsStart); errs.CodeOf(err) != errs.TooLong {
		t.Errorf("a long reason: %v", err)
	}
	if err := r.Reject(" It was worn. ", returnsStart); err != nil || r.Reason != "It was worn." {
		t.Errorf("a reason: %v, %q", err, r.Reason)
	}
}

func TestReturnReceiveRefusesWhatWasNotAsked(t *testing.T) {
	t.Parallel()
	line := &orders.Line{ID: uuid.New(), Quantity: 3, UnitPrice: money.New(100, "EUR"), Discount: money.New(0, "EUR")}
	fresh := func() *orders.Return {
		return &orders.Return{ID: uuid.New(), Status: orders.ReturnApproved, Lines: []orders.ReturnLine{{LineID: line.ID, Quantity: 2}}}
	}
	for name, arrived := range map[string][]orders.Arrival{
		"nothing":        nil,
		"more":           {{LineID: line.ID, Quantity: 3}},
		"none of it":     {{LineID: line.ID, Quantity: 0}},
		"more restocked": {{LineID: line.ID, Quantity: 1, Restock: 2}},
		"another line":   {{LineID: uuid.New(), Quantity: 1}},
		"twice":          {{LineID: line.ID, Quantity: 1}, {LineID: line.ID, Quantity: 1}},
	} {
		r := fresh()
		if err := r.Receive(arrived, []*orders.Line{line}, nil, returnsStart); err == nil || r.Status != orders.ReturnApproved || r.Lines[0].Received != 0 {
			t.Errorf("%s: %v, now %+v", name, err, r)
		}
	}
	r := fresh()
	berlin := uuid.New()
	if err := r.Receive([]orders.Arrival{{LineID: line.ID, Quantity: 1, Restock: 1, Location: berlin}}, []*orders.Line{line}, nil, returnsStart); err != nil {
		t.Fatal(err)
	}
	if r.Refund != money.New(100, "EUR") || r.Holds(line.ID) != 1 || r.Lines[0].Location != berlin || r.Lines[0].Refund != r.Refund {
		t.Errorf("one of two has come: %+v", r)
	}
}

// Any division of an order's lines into returns, received in any order and with some that come to nothing, pays back
// what the lines cost after discounts: never more, and exactly that in the end.
func TestRefundsOfReturnsAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var lines []*orders.Line
		paid := money.New(0, "EUR")
		left := make(map[uuid.UUID]int)
		for range rapid.IntRange(1, 4).Draw(t, "lines") {
			n := rapid.IntRange(1, 9).Draw(t, "quantity")
			unit := money.New(rapid.Int64Range(0, 10_000).Draw(t, "unit"), "EUR")
			l := &orders.Line{ID: uuid.New(), Quantity: n, Fulfilled: n, UnitPrice: unit, Total: unit.Times(n)}
			l.Discount = money.New(rapid.Int64Range(0, l.Total.Amount).Draw(t, "discount"), "EUR")
			lines, paid, left[l.ID] = append(lines, l), paid.Add(l.Total).Sub(l.Discount), n
		}
		var returns []*orders.Return
		back := money.New(0, "EUR")
		for round := 0; len(left) > 0; round++ {
			r := &orders.Return{ID: uuid.New(), Status: orders.ReturnApproved}
			var arrived []orders.Arrival
			for _, l := range lines {
				if left[l.ID] == 0 {
					continue
				}
				n := rapid.IntRange(1, left[l.ID]).Draw(t, "asked")
				r.Lines = append(r.Lines, orders.ReturnLine{LineID: l.ID, Quantity: n})
				arrived = append(arrived, orders.Arrival{LineID: l.ID, Quantity: rapid.IntRange(1, n).Draw(t, "came")})
			}
			returns = append(returns, r)
			if round < 5 && rapid.Bool().Draw(t, "cancelled") {
				if err := r.Cancel(returnsStart); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if err := r.Receive(arrived, lines, returns, returnsStart); err != nil {
				t.Fatal(err)
			}
			parts := money.New(0, "EUR")
			for _, l := range r.Lines {
				parts = parts.Add(l.Refund)
			}
			if r.Refund.Amount < 0 || parts != r.Refund {
				t.Fatalf("a refund of %s in parts of %s", r.Refund, parts)
			}
			back = back.Add(r.Refund)
			for _, a := range arrived {
				if left[a.LineID] -= a.Quantity; left[a.LineID] == 0 {
					delete(left, a.LineID)
				}
			}
			if back.Amount > paid.Amount {
				t.Fatalf("%s of %s are paid back", back, paid)
			}
		}
		if back != paid {
			t.Fatalf("%s of %s are paid back", back, paid)
		}
	})
}

func TestReturnableWithinThePeriod(t *testing.T) {
	t.Parallel()
	const period, day = 30 * 24 * time.Hour, 24 * time.Hour
	line := uuid.New()
	parcel := func(sent time.Time, arrived ...time.Time) *orders.Fulfillment {
		f := &orders.Fulfillment{CreatedAt: sent, Lines: []orders.FulfillmentLine{{LineID: line, Quantity: 1}}}
		if len(arrived) > 0 {
			f.DeliveredAt = &arrived[0]
		}
		return f
	}
	asked := func(at time.Time, s orders.ReturnStatus) *orders.Return {
		return &orders.Return{Status: s, RequestedAt: at, Lines: []orders.ReturnLine{{LineID: line, Quantity: 1, Received: 1}}}
	}
	old := parcel(returnsStart, returnsStart)
	young := parcel(returnsStart.Add(20*day), returnsStart.Add(21*day))
	both := []*orders.Fulfillment{young, old}
	for name, c := range map[string]struct {
		parcels []*orders.Fulfillment
		returns []*orders.Return
		at      time.Time
		want    int
	}{
		"nothing was sent":                    {nil, nil, returnsStart, 0},
		"on its way":                          {[]*orders.Fulfillment{parcel(returnsStart)}, nil, returnsStart.Add(90 * day), 1},
		"the last moment":                     {[]*orders.Fulfillment{old}, nil, returnsStart.Add(period), 1},
		"too late":                            {[]*orders.Fulfillment{old}, nil, returnsStart.Add(period + 1), 0},
		"one of two is too late":              {both, nil, returnsStart.Add(40 * day), 1},
		"held by a return":                    {[]*orders.Fulfillment{old}, []*orders.Return{asked(returnsStart, orders.ReturnRequested)}, returnsStart, 0},
		"held by none that was rejected":      {[]*orders.Fulfillment{old}, []*orders.Return{asked(returnsStart, orders.ReturnRejected)}, returnsStart, 1},
		"held by none that was cancelled":     {[]*orders.Fulfillment{old}, []*orders.Return{asked(returnsStart, orders.ReturnCancelled)}, returnsStart, 1},
		"the old one was returned":            {both, []*orders.Return{asked(returnsStart.Add(day), orders.ReturnRefunded)}, returnsStart.Add(40 * day), 1},
		"the young one was returned":          {both, []*orders.Return{asked(returnsStart.Add(35*day), orders.ReturnRefunded)}, returnsStart.Add(40 * day), 0},
		"returned while both could be":        {both, []*orders.Return{asked(returnsStart.Add(25*day), orders.ReturnApproved)}, returnsStart.Add(40 * day), 1},
		"what was returned cannot be another": {both, []*orders.Return{asked(returnsStart, orders.ReturnApproved), asked(returnsStart.Add(22*day), orders.ReturnApproved)}, returnsStart.Add(22 * day), 0},
	} {
		if got := orders.Returnable(line, c.parcels, c.returns, period, c.at); got != c.want {
			t.Errorf("%s: %d can be returned, want %d", name, got, c.want)
		}
	}
}

// Whoever asks for as much as can be returned, at any times, never returns more than was sent to them.
func TestReturnsNeverExceedWhatWasSent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const period = 30
		hour := func(n int) time.Time { return returnsStart.Add(time.Duration(n) * time.Hour) }
		line, sent := uuid.New(), 0
		var parcels []*orders.Fulfillment
		for range rapid.IntRange(1, 4).Draw(t, "parcels") {
			at, n := rapid.IntRange(0, 60).Draw(t, "sent"), rapid.IntRange(1, 3).Draw(t, "quantity")
			arrived := hour(at + rapid.IntRange(0, 20).Draw(t, "under way"))
			parcels = append(parcels, &orders.Fulfillment{CreatedAt: hour(at), DeliveredAt: &arrived, Lines: []orders.FulfillmentLine{{LineID: line, Quantity: n}}})
			sent += n
		}
		var returns []*orders.Return
		now, held := 0, 0
		for range rapid.IntRange(1, 8).Draw(t, "returns") {
			now += rapid.IntRange(0, 20).Draw(t, "later")
			can := orders.Returnable(line, parcels, returns, period*time.Hour, hour(now))
			if can < 0 || held+can > sent {
				t.Fatalf("%d of %d are held, %d more can be returned", held, sent, can)
			}
			if can == 0 {
				continue
			}
			n := rapid.IntRange(1, can).Draw(t, "asked")
			returns = append(returns, &orders.Return{Status: orders.ReturnRequested, RequestedAt: hour(now), Lines: []orders.ReturnLine{{LineID: line, Quantity: n}}})
			held += n
			if got := orders.Returnable(line, parcels, returns, period*time.Hour, hour(now)); got != can-n {
				t.Fatalf("%d could be returned, %d are, %d can be", can, n, got)
			}
		}
	})
}
