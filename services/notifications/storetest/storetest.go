// Package storetest is the suite that every [notifications.Store] passes.
package storetest

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/notifications"
	"github.com/techmart/techmart/services/page"
)

var epoch = time.Date(2026, 3, 1, 9, 30, 0, 123456000, time.UTC)

// NewDelivery makes a PENDING delivery of its own event.
func NewDelivery(user uuid.UUID, at time.Time) *notifications.Delivery {
	return &notifications.Delivery{ID: uuid.Must(uuid.NewV7()), EventID: uuid.Must(uuid.NewV7()), UserID: user,
		Kind: notifications.OrderConfirmed, Channel: notifications.Email, Recipient: "ada@example.com",
		Status: notifications.Pending, Payload: []byte(`{"number": "T-1"}`), CreatedAt: at, UpdatedAt: at}
}

// NewNotification makes the inbox entry of a delivery's event.
func NewNotification(d *notifications.Delivery) *notifications.Notification {
	return &notifications.Notification{ID: uuid.Must(uuid.NewV7()), EventID: d.EventID, UserID: d.UserID, Kind: d.Kind,
		Title: "A title", Body: "A body", OrderID: uuid.Must(uuid.NewV7()), CreatedAt: d.CreatedAt}
}

// Run runs the suite; open gives an empty store.
func Run(t *testing.T, open func(t *testing.T) notifications.Store) {
	for name, test := range map[string]func(*testing.T, notifications.Store){
		"an event is accepted once":            acceptedOnce,
		"a delivery is updated under a lock":   updated,
		"deliveries are listed":                listed,
		"stale deliveries are requested again": stale,
		"inboxes are read in batches":          inboxes,
		"entries are marked as read":           markedRead,
		"gaps are noticed":                     gaps,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func accept(t *testing.T, s notifications.Store, d *notifications.Delivery, n *notifications.Notification) {
	t.Helper()
	if fresh, err := s.Accept(t.Context(), d, n); err != nil || !fresh {
		t.Fatalf("accept: %v, %v", fresh, err)
	}
}

func acceptedOnce(t *testing.T, s notifications.Store) {
	user := uuid.Must(uuid.NewV7())
	d := NewDelivery(user, epoch)
	var group sync.WaitGroup
	results := make(chan bool, 8)
	for range cap(results) {
		group.Go(func() {
			again := *d
			again.ID = uuid.Must(uuid.NewV7())
			fresh, err := s.Accept(t.Context(), &again, NewNotification(&again))
			if err != nil {
				t.Error(err)
			}
			results <- fresh
		})
	}
	group.Wait()
	close(results)
	n := 0
	for fresh := range results {
		if fresh {
			n++
		}
	}
	counts, err := s.UnreadCounts(t.Context(), []uuid.UUID{user})
	if n != 1 || err != nil || counts[user] != 1 {
		t.Errorf("accepted %d times with %d inbox entries, %v; want once", n, counts[user], err)
	}
	without := NewDelivery(user, epoch)
	accept(t, s, without, nil)
	if counts, err := s.UnreadCounts(t.Context(), []uuid.UUID{user}); err != nil || counts[user] != 1 {
		t.Errorf("%d inbox entries after an event without one, %v", counts[user], err)
	}
}

func updated(t *testing.T, s notifications.Store) {
	d := NewDelivery(uuid.Must(uuid.NewV7()), epoch)
	accept(t, s, d, nil)
	lease := epoch.Add(time.Minute)
	got, err := s.UpdateDelivery(t.Context(), d.ID, func(d *notifications.Delivery) error {
		d.Claim(epoch, lease)
		return d.HandOver(1, epoch)
	})
	if err != nil || got.Attempts != 1 || got.ClaimedUntil != lease || string(got.Payload) != `{"number": "T-1"}` {
		t.Fatalf("claimed: %+v, %v", got, err)
	}
	refusal := errors.New("no")
	if _, err := s.UpdateDelivery(t.Context(), d.ID, func(d *notifications.Delivery) error {
		d.Attempts = 99
		return refusal
	}); !errors.Is(err, refusal) {
		t.Errorf("an error of change became %v", err)
	}
	if _, err := s.UpdateDelivery(t.Context(), d.ID, func(d *notifications.Delivery) error { return d.Succeed(1, lease) }); err != nil {
		t.Fatal(err)
	}
	found, err := s.Deliveries(t.Context(), []uuid.UUID{d.ID, uuid.Must(uuid.NewV7())})
	if err != nil || len(found) != 1 {
		t.Fatalf("found %d, %v", len(found), err)
	}
	if f := found[d.ID]; f.Status != notifications.Sent || f.SentAt != lease || f.Attempts != 1 || !f.HandedOverAt.IsZero() || f.CreatedAt != epoch {
		t.Errorf("read back: %+v", f)
	}
	if _, err := s.UpdateDelivery(t.Context(), d.ID, func(d *notifications.Delivery) error {
		if d.Payload != nil {
			t.Errorf("the payload of a sent one is %s", d.Payload)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.UpdateDelivery(t.Context(), uuid.Must(uuid.NewV7()), nil); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("an unknown delivery: %v", err)
	}

	// Many claim one delivery at once: one gets it.
	contested := NewDelivery(d.UserID, epoch)
	accept(t, s, contested, nil)
	var group sync.WaitGroup
	verdicts := make(chan notifications.Verdict, 8)
	for range cap(verdicts) {
		group.Go(func() {
			var v notifications.Verdict
			if _, err := s.UpdateDelivery(t.Context(), contested.ID, func(d *notifications.Delivery) error {
				v = d.Claim(epoch, lease)
				return nil
			}); err != nil {
				t.Error(err)
			}
			verdicts <- v
		})
	}
	group.Wait()
	close(verdicts)
	claimed := 0
	for v := range verdicts {
		if v == notifications.Claimed {
			claimed++
		}
	}
	if claimed != 1 {
		t.Errorf("%d of 8 workers claimed the delivery, want 1", claimed)
	}
}

func listed(t *testing.T, s notifications.Store) {
	user := uuid.Must(uuid.NewV7())
	var all []uuid.UUID // newest first
	dead := map[uuid.UUID]bool{}
	for i := range 9 {
		d := NewDelivery(user, epoch.Add(time.Duration(i/3)*time.Second)) // three of each time
		accept(t, s, d, nil)
		all = append(all, d.ID)
		if i%2 == 0 {
			dead[d.ID] = true
			if _, err := s.UpdateDelivery(t.Context(), d.ID, func(d *notifications.Delivery) error {
				d.Claim(epoch, epoch.Add(time.Minute))
				return d.Die(1, "550", false, epoch)
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	slices.Reverse(all)
	var deadOnly []uuid.UUID
	for _, id := range all {
		if dead[id] {
			deadOnly = append(deadOnly, id)
		}
	}
	for name, c := range map[string]struct {
		statuses []notifications.Status
		want     []uuid.UUID
	}{
		"all":          {nil, all},
		"dead":         {[]notifications.Status{notifications.Dead}, deadOnly},
		"both":         {[]notifications.Status{notifications.Dead, notifications.Pending, notifications.Dead}, all},
		"none of them": {[]notifications.Status{notifications.Sent}, nil},
	} {
		if got := walk(t, s, c.statuses, false); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		backward := walk(t, s, c.statuses, true)
		if slices.Reverse(backward); !slices.Equal(backward, c.want) {
			t.Errorf("%s backward: %v, want %v", name, backward, c.want)
		}
	}
	if _, err := s.DeliveryList(t.Context(), nil, page.Request{Limit: 1, From: page.Key{"x"}}); errs.CodeOf(err) != errs.CursorMismatch {
		t.Errorf("a strange key: %v", err)
	}
}

// walk reads a list to its end, two at a time.
func walk(t *testing.T, s notifications.Store, statuses []notifications.Status, backward bool) []uuid.UUID {
	t.Helper()
	var got []uuid.UUID
	r := page.Request{Limit: 2, Backward: backward}
	for {
		rows, err := s.DeliveryList(t.Context(), statuses, r)
		if err != nil {
			t.Fatal(err)
		}
		more := len(rows) > r.Limit
		if more {
			rows = rows[:r.Limit]
		}
		for _, d := range rows {
			got = append(got, d.ID)
			r.From = d.Key()
			if d.Payload != nil {
				t.Errorf("a list gives the payload %s", d.Payload)
			}
		}
		if !more {
			return got
		}
	}
}

func stale(t *testing.T, s notifications.Store) {
	for i := range 3 {
		accept(t, s, NewDelivery(uuid.Must(uuid.NewV7()), epoch.Add(time.Duration(i)*time.Minute)), nil)
	}
	now := epoch.Add(time.Hour)
	for i, want := range []int{1, 1, 0} {
		if n, err := s.RequestStale(t.Context(), epoch.Add(2*time.Minute), now, 1); err != nil || n != want {
			t.Errorf("call %d: %d, %v; want %d", i+1, n, err, want)
		}
	}
}

func gaps(t *testing.T, s notifications.Store) {
	come := func(subject string, sequence int64) {
		t.Helper()
		d := NewDelivery(uuid.Must(uuid.NewV7()), epoch)
		d.Receipt = notifications.Receipt{Subject: subject, Sequence: sequence, First: 2}
		accept(t, s, d, nil)
	}
	report := func(at time.Duration) []notifications.Gap {
		t.Helper()
		list, err := s.Gaps(t.Context(), epoch.Add(at), epoch.Add(at), 10)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	for _, sequence := range []int64{2, 3, 5} {
		come("dropped", sequence)
	}
	for _, sequence := range []int64{3, 2, 4} {
		come("late", sequence)
	}
	if err := s.Receive(t.Context(), notifications.Receipt{Subject: "silent", Sequence: 2, At: epoch}); err != nil {
		t.Fatal(err)
	}
	come("silent", 3)
	come("", 0) // is not counted
	if list := report(0); len(list) != 0 {
		t.Errorf("reported too early: %+v", list)
	}
	if list := report(time.Second); len(list) != 1 || list[0] != (notifications.Gap{Subject: "dropped", Sequence: 5}) {
		t.Errorf("reported %+v", list)
	}
	if list := report(time.Minute); len(list) != 0 {
		t.Errorf("reported twice: %+v", list)
	}
	if n, err := s.PurgeReceipts(t.Context(), epoch.Add(time.Hour), 10); err != nil || n != 5 {
		t.Errorf("purged %d, %v; want the 4 that have a successor and the gap", n, err)
	}
	come("dropped", 6)
	if list := report(time.Hour); len(list) != 0 {
		t.Errorf("the newest of a subject was forgotten: %+v", list)
	}
}
