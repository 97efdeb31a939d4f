package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/payments"
)

func testList(t *testing.T, s payments.Store) {
	var newest []*payments.Payment
	for i := range 9 {
		p, _ := add(t, s, i/2) // pairs of the same time
		if i%3 == 0 {
			update(t, s, p, func(u *payments.Unit) { u.Payment.Status = payments.Declined })
			p.Status = payments.Declined
		}
		newest = append(newest, p)
	}
	slices.SortFunc(newest, func(a, b *payments.Payment) int {
		if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
			return c
		}
		return slices.Compare(b.ID[:], a.ID[:])
	})
	for name, f := range map[string]payments.Filter{
		"all":                {},
		"one status":         {Statuses: []payments.Status{payments.Declined}},
		"a status twice":     {Statuses: []payments.Status{payments.Declined, payments.Declined}},
		"several statuses":   {Statuses: []payments.Status{payments.Declined, payments.Pending, payments.Captured}},
		"range":              {CreatedFrom: start.Add(time.Minute), CreatedTo: start.Add(3 * time.Minute)},
		"range and status":   {Statuses: []payments.Status{payments.Pending}, CreatedFrom: start.Add(2 * time.Minute)},
		"nothing in a range": {CreatedFrom: start.Add(time.Hour)},
	} {
		var want []uuid.UUID
		for _, p := range newest {
			if matches(f, p) {
				want = append(want, p.ID)
			}
		}
		if got := walk(t, s, f, false); !slices.Equal(got, want) {
			t.Errorf("%s: forward %v, want %v", name, got, want)
		}
		back := walk(t, s, f, true)
		slices.Reverse(back)
		if !slices.Equal(back, want) {
			t.Errorf("%s: backward %v, want %v", name, back, want)
		}
		if n, err := s.PaymentCount(t.Context(), f); err != nil || n != len(want) {
			t.Errorf("%s: count %d, %v, want %d", name, n, err, len(want))
		}
	}
}

func matches(f payments.Filter, p *payments.Payment) bool {
	return (len(f.Statuses) == 0 || slices.Contains(f.Statuses, p.Status)) &&
		(f.CreatedFrom.IsZero() || !p.CreatedAt.Before(f.CreatedFrom)) &&
		(f.CreatedTo.IsZero() || p.CreatedAt.Before(f.CreatedTo))
}

// walk reads a list page by page, from one end to the other, in reading order.
func walk(t *testing.T, s payments.Store, f payments.Filter, backward bool) []uuid.UUID {
	t.Helper()
	var ids []uuid.UUID
	r := page.Request{Limit: 2, Backward: backward}
	for {
		rows, err := s.PaymentList(t.Context(), f, r)
		if err != nil {
			t.Fatal(err)
		}
		more := len(rows) > r.Limit
		rows = rows[:min(len(rows), r.Limit)]
		for _, p := range rows {
			ids = append(ids, p.ID)
			r.From = payments.KeyOf(p)
		}
		if !more {
			return ids
		}
	}
}
