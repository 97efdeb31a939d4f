// Package storetest is the suite that every webhooks.Store passes.
package storetest

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/webhooks"
)

var now = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// Run runs the suite; open gives an empty store.
func Run(t *testing.T, open func(*testing.T) webhooks.Store) {
	for name, test := range map[string]func(*testing.T, webhooks.Store){
		"endpoints": endpoints, "keys": keys, "events": events, "order": order, "one at a time": oneAtATime, "probe": probe,
		"release and drop": releaseAndDrop, "lists": lists, "news": news, "idle": idle, "purge": purge,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// made creates an endpoint of an API client.
func made(t *testing.T, s webhooks.Store, client uuid.UUID, at time.Time, types ...string) *webhooks.Endpoint {
	t.Helper()
	e := &webhooks.Endpoint{
		ID: newID(), Owner: webhooks.Owner{ClientID: client}, URL: "https://hooks.example/", EventTypes: types, APIVersion: webhooks.CurrentVersion,
		Status: webhooks.Enabled, Version: 1, CreatedAt: at, UpdatedAt: at,
	}
	secret := webhooks.Secret{ID: newID(), EndpointID: e.ID, Sealed: []byte("sealed"), CreatedAt: at}
	if _, _, err := s.Create(t.Context(), e, secret, 5, nil); err != nil {
		t.Fatal(err)
	}
	return e
}

func event(subject uuid.UUID, sequence int64) webhooks.Event {
	return webhooks.Event{ID: newID(), Type: "orders.placed", Subject: subject, Sequence: sequence, Time: now}
}

func accept(t *testing.T, s webhooks.Store, e webhooks.Event) int {
	t.Helper()
	n, err := s.Accept(t.Context(), e, now)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func claim(t *testing.T, s webhooks.Store, e *webhooks.Endpoint, at time.Time, limit int) *webhooks.Delivery {
	t.Helper()
	c, err := s.Claim(t.Context(), e.ID, at, at.Add(time.Minute), limit)
	if err != nil {
		t.Fatal(err)
	}
	if c == nil {
		return nil
	}
	return c.Delivery
}

// update changes a delivery with its endpoint.
func update(t *testing.T, s webhooks.Store, e *webhooks.Endpoint, d *webhooks.Delivery, fn func(*webhooks.Unit)) {
	t.Helper()
	target := webhooks.Target{EndpointID: e.ID}
	if d != nil {
		target.DeliveryID = d.ID
	}
	if _, _, err := s.Update(t.Context(), target, nil, func(u *webhooks.Unit) error { fn(u); return nil }); err != nil {
		t.Fatal(err)
	}
}

func delivered(u *webhooks.Unit) {
	u.Delivery.Status, u.Delivery.FinishedAt = webhooks.Delivered, now
	u.Delivery.NextAttemptAt, u.Delivery.ClaimedUntil = time.Time{}, time.Time{}
}

func one(t *testing.T, s webhooks.Store, id uuid.UUID) *webhooks.Delivery {
	t.Helper()
	found, err := s.Deliveries(t.Context(), []uuid.UUID{id}, webhooks.Audience{All: true})
	if err != nil || found[id] == nil {
		t.Fatalf("no delivery: %v", err)
	}
	return found[id]
}

func endpoints(t *testing.T, s webhooks.Store) {
	client, all := newID(), webhooks.Audience{All: true}
	e := made(t, s, client, now, "orders.placed", "orders.shipped")
	found, err := s.ByIDs(t.Context(), []uuid.UUID{e.ID}, webhooks.Audience{ClientID: client})
	if err != nil || found[e.ID] == nil || !slices.Equal(found[e.ID].EventTypes, e.EventTypes) || found[e.ID].Owner != e.Owner || found[e.ID].Status != webhooks.Enabled {
		t.Fatalf("kept: %+v %v", found[e.ID], err)
	}
	for who, a := range map[string]webhooks.Audience{"another client": {ClientID: newID()}, "nobody": {}} {
		if found, err := s.ByIDs(t.Context(), []uuid.UUID{e.ID}, a); err != nil || len(found) != 0 {
			t.Errorf("%s sees it: %v", who, err)
		}
	}
	fresh := webhooks.Secret{ID: newID(), EndpointID: e.ID, Sealed: []byte("new"), CreatedAt: now.Add(time.Second)}
	update(t, s, e, nil, func(u *webhooks.Unit) {
		u.Secrets[0].ExpiresAt, u.NewSecret = now.Add(time.Hour), &fresh
		u.Endpoint.Status, u.Endpoint.Failures, u.Endpoint.FailingSince, u.Endpoint.PausedAt, u.Endpoint.ProbeAt = webhooks.Paused, 3, now, now, now.Add(time.Minute)
	})
	for at, want := range map[time.Time]int{now: 2, now.Add(2 * time.Hour): 1} {
		secrets, err := s.Secrets(t.Context(), []uuid.UUID{e.ID}, at)
		if err != nil || len(secrets[e.ID]) != want || secrets[e.ID][0].ID != fresh.ID {
			t.Errorf("secrets at %v: %+v %v", at, secrets, err)
		}
	}
	found, _ = s.ByIDs(t.Context(), []uuid.UUID{e.ID}, all)
	if got := found[e.ID]; got.Status != webhooks.Paused || got.Failures != 3 || !got.ProbeAt.Equal(now.Add(time.Minute)) {
		t.Errorf("changed: %+v", got)
	}
	for i := range 4 {
		made(t, s, client, now.Add(time.Duration(i)*time.Second), "orders.placed")
	}
	_, _, err = s.Create(t.Context(), &webhooks.Endpoint{ID: newID(), Owner: e.Owner}, webhooks.Secret{}, 5, nil)
	if errs.CodeOf(err) != errs.LimitExceeded {
		t.Errorf("one more: %v", err)
	}
	if err := s.Delete(t.Context(), e.ID); err != nil {
		t.Error(err)
	}
	if err := s.Delete(t.Context(), e.ID); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("again: %v", err)
	}
	if _, _, err := s.Update(t.Context(), webhooks.Target{EndpointID: e.ID}, nil, func(*webhooks.Unit) error { return nil }); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("change what is gone: %v", err)
	}
}

func keys(t *testing.T, s webhooks.Store) {
	e := made(t, s, newID(), now, "orders.placed")
	k := webhooks.Key{Owner: newID(), Operation: "test", Key: "k", Hash: []byte{1}, Result: newID()}
	calls := 0
	do := func(k webhooks.Key) (uuid.UUID, bool, error) {
		return s.Update(t.Context(), webhooks.Target{EndpointID: e.ID}, &k, func(*webhooks.Unit) error { calls++; return nil })
	}
	again := k
	again.Result = newID()
	for i, key := range []webhooks.Key{k, again} {
		result, replayed, err := do(key)
		if err != nil || result != k.Result || replayed != (i == 1) {
			t.Errorf("time %d: %v %t %v", i+1, result, replayed, err)
		}
	}
	if calls != 1 {
		t.Errorf("it was done %d times", calls)
	}
	again.Hash = []byte{2}
	if _, _, err := do(again); errs.CodeOf(err) != errs.IdempotencyReused {
		t.Errorf("another input: %v", err)
	}
	wrong := errors.New("wrong")
	k.Key = "other"
	if _, _, err := s.Update(t.Context(), webhooks.Target{EndpointID: e.ID}, &k, func(*webhooks.Unit) error { return wrong }); !errors.Is(err, wrong) {
		t.Errorf("a call that fails: %v", err)
	}
	if _, replayed, err := do(k); replayed || err != nil {
		t.Errorf("its key is kept: %t %v", replayed, err)
	}
}

func events(t *testing.T, s webhooks.Store) {
	e, other := made(t, s, newID(), now, "orders.placed"), made(t, s, newID(), now, "orders.shipped")
	off := made(t, s, newID(), now, "orders.placed")
	update(t, s, off, nil, func(u *webhooks.Unit) {
		u.Endpoint.Status, u.Endpoint.Reason, u.Endpoint.DisabledAt = webhooks.Disabled, webhooks.ByRequest, now
	})
	ev := event(newID(), 1)
	if n := accept(t, s, ev); n != 1 {
		t.Errorf("it is for %d endpoints", n)
	}
	if n := accept(t, s, ev); n != 0 {
		t.Errorf("once more: %d", n)
	}
	d := claim(t, s, e, now, 4)
	if d == nil || d.Event != ev || d.Attempts != 1 || d.EndpointID != e.ID {
		t.Errorf("it is %+v", d)
	}
	for _, none := range []*webhooks.Endpoint{e, other, off} {
		if d := claim(t, s, none, now, 4); d != nil {
			t.Errorf("there is another: %+v", d)
		}
	}
	if d := claim(t, s, e, now.Add(2*time.Minute), 4); d == nil || d.Attempts != 2 {
		t.Errorf("whose attempt was lost is not taken up: %+v", d)
	}
}

// Of a subject the events go out one by one, in their order, however they came; other subjects do not wait.
func order(t *testing.T, s webhooks.Store) {
	e, a, b := made(t, s, newID(), now, "orders.placed"), newID(), newID()
	for _, ev := range []webhooks.Event{event(a, 2), event(a, 1), event(b, 7), event(a, 3)} {
		accept(t, s, ev)
	}
	var got []int64
	first, second := claim(t, s, e, now, 4), claim(t, s, e, now, 4)
	if first.Event.Sequence != 1 || second.Event.Sequence != 7 {
		t.Fatalf("first %d and %d", first.Event.Sequence, second.Event.Sequence)
	}
	if d := claim(t, s, e, now, 4); d != nil {
		t.Fatalf("%d goes along with what it follows", d.Event.Sequence)
	}
	update(t, s, e, first, delivered)
	for d := claim(t, s, e, now, 4); d != nil; d = claim(t, s, e, now, 4) {
		got = append(got, d.Event.Sequence)
		update(t, s, e, d, delivered)
	}
	if !slices.Equal(got, []int64{2, 3}) {
		t.Errorf("then %v", got)
	}
}

// However many ask at once, an endpoint has no more under way than the limit, and no delivery is given twice.
func oneAtATime(t *testing.T, s webhooks.Store) {
	e := made(t, s, newID(), now, "orders.placed")
	for range 10 {
		accept(t, s, event(newID(), 1))
	}
	var (
		mu   sync.Mutex
		seen = make(map[uuid.UUID]bool)
		all  sync.WaitGroup
	)
	for range 8 {
		all.Go(func() {
			c, err := s.Claim(t.Context(), e.ID, now, now.Add(time.Minute), 3)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			} else if c != nil {
				if seen[c.Delivery.ID] {
					t.Error("a delivery is given twice")
				}
				seen[c.Delivery.ID] = true
			}
		})
	}
	all.Wait()
	if len(seen) != 3 {
		t.Errorf("%d are under way", len(seen))
	}
}

func probe(t *testing.T, s webhooks.Store) {
	e, subject := made(t, s, newID(), now, "orders.placed"), newID()
	accept(t, s, event(subject, 1))
	accept(t, s, event(subject, 2))
	update(t, s, e, claim(t, s, e, now, 4), func(u *webhooks.Unit) {
		u.Delivery.NextAttemptAt, u.Delivery.ClaimedUntil = now.Add(time.Hour), time.Time{}
		u.Endpoint.Status, u.Endpoint.Failures, u.Endpoint.FailingSince, u.Endpoint.PausedAt, u.Endpoint.ProbeAt = webhooks.Paused, 1, now, now, now.Add(time.Minute)
	})
	if d := claim(t, s, e, now.Add(30*time.Second), 4); d != nil {
		t.Error("a paused endpoint is called before its time")
	}
	d := claim(t, s, e, now.Add(time.Minute), 4)
	if d == nil || d.Event.Sequence != 1 {
		t.Fatalf("the probe is %+v", d)
	}
	if d := claim(t, s, e, now.Add(time.Minute), 4); d != nil {
		t.Error("there are two probes")
	}
}

func releaseAndDrop(t *testing.T, s webhooks.Store) {
	e := made(t, s, newID(), now, "orders.placed")
	for range 2 {
		accept(t, s, event(newID(), 1))
	}
	d := claim(t, s, e, now, 4)
	later := now.Add(time.Hour)
	update(t, s, e, d, func(u *webhooks.Unit) { u.Delivery.NextAttemptAt, u.Delivery.ClaimedUntil = later, time.Time{} })
	update(t, s, e, nil, func(u *webhooks.Unit) { u.Release = &now })
	if got := one(t, s, d.ID); !got.NextAttemptAt.Equal(now) {
		t.Errorf("released: %+v", got)
	}
	busy := claim(t, s, e, now, 4)
	update(t, s, e, nil, func(u *webhooks.Unit) {
		at := now.Add(time.Second)
		u.Drop = &at
		u.Endpoint.Status, u.Endpoint.Reason, u.Endpoint.DisabledAt = webhooks.Disabled, webhooks.Gone, now
	})
	counts, err := s.DeliveryCounts(t.Context(), []uuid.UUID{e.ID}, webhooks.Audience{All: true})
	if err != nil || counts[e.ID][webhooks.Failed] != 1 || counts[e.ID][webhooks.Pending] != 1 || one(t, s, busy.ID).Status != webhooks.Pending {
		t.Errorf("dropped: %v %v", counts, err)
	}
}

func lists(t *testing.T, s webhooks.Store) {
	client, all := newID(), webhooks.Audience{All: true}
	var made5 []*webhooks.Endpoint
	for i := range 5 {
		made5 = append(made5, made(t, s, client, now.Add(time.Duration(i/2)*time.Second), "orders.placed"))
	}
	made(t, s, newID(), now, "orders.cancelled")
	if n, err := s.Count(t.Context(), all); n != 6 || err != nil {
		t.Errorf("%d in all, %v", n, err)
	}
	if n, err := s.Count(t.Context(), webhooks.Audience{ClientID: client}); n != 5 || err != nil {
		t.Errorf("%d of the client, %v", n, err)
	}
	for _, backward := range []bool{false, true} {
		var seen []uuid.UUID
		r := page.Request{Limit: 2, Backward: backward}
		for {
			rows, err := s.List(t.Context(), webhooks.Audience{ClientID: client}, r)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range rows[:min(len(rows), 2)] {
				seen = append(seen, e.ID)
				r.From = webhooks.KeyOf(e)
			}
			if len(rows) <= 2 {
				break
			}
		}
		if len(seen) != 5 || len(slices.Compact(slices.SortedFunc(slices.Values(seen), func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) }))) != 5 {
			t.Errorf("backward %t: %d are listed", backward, len(seen))
		}
	}
	e := made5[0]
	for range 3 {
		accept(t, s, event(newID(), 1))
	}
	d := claim(t, s, e, now, 4)
	update(t, s, e, d, func(u *webhooks.Unit) {
		u.Attempt = &webhooks.Attempt{DeliveryID: d.ID, Number: 1, StartedAt: now, Duration: 1500 * time.Millisecond, Outcome: webhooks.Refused, Status: 500, Error: "broken", Excerpt: "oh"}
		u.Delivery.NextAttemptAt, u.Delivery.ClaimedUntil = now, time.Time{}
	})
	again := claim(t, s, e, now, 4)
	update(t, s, e, again, func(u *webhooks.Unit) {
		u.Attempt = &webhooks.Attempt{DeliveryID: again.ID, Number: again.Attempts, StartedAt: now, Outcome: webhooks.Succeeded, Status: 204}
		delivered(u)
	})
	any2 := webhooks.DeliveryList{EndpointID: e.ID, Limit: 2}
	done := webhooks.DeliveryList{EndpointID: e.ID, Status: webhooks.Delivered, Limit: 2}
	none := webhooks.DeliveryList{EndpointID: newID(), Limit: 2}
	found, err := s.DeliveryLists(t.Context(), []webhooks.DeliveryList{any2, done, none}, all)
	if err != nil || len(found[any2]) != 3 || len(found[done]) != 1 || len(found[none]) != 0 {
		t.Fatalf("lists: %v %v", found, err)
	}
	last := found[any2][1]
	rest := webhooks.DeliveryList{EndpointID: e.ID, Limit: 2, After: webhooks.Position{CreatedAt: last.CreatedAt, ID: last.ID}}
	if found, err := s.DeliveryLists(t.Context(), []webhooks.DeliveryList{rest}, all); err != nil || len(found[rest]) != 1 {
		t.Errorf("the rest: %v %v", found, err)
	}
	tries := webhooks.AttemptList{DeliveryID: d.ID, Limit: 5}
	attempts, err := s.AttemptLists(t.Context(), []webhooks.AttemptList{tries}, all)
	if got := attempts[tries]; err != nil || len(got) != 2 || got[0].Number != 2 || got[1].Duration != 1500*time.Millisecond || got[1].Excerpt != "oh" {
		t.Errorf("attempts: %+v %v", got, err)
	}
	nobody := webhooks.Audience{ClientID: newID()}
	hidden, err := s.DeliveryLists(t.Context(), []webhooks.DeliveryList{any2}, nobody)
	tried, err2 := s.AttemptLists(t.Context(), []webhooks.AttemptList{tries}, nobody)
	if err != nil || err2 != nil || len(hidden[any2]) != 0 || len(tried[tries]) != 0 {
		t.Error("another client sees the log")
	}
}

func news(t *testing.T, s webhooks.Store) {
	e := made(t, s, newID(), now, "orders.placed")
	update(t, s, e, nil, func(u *webhooks.Unit) { u.Endpoint.News, u.Endpoint.NewsCount = webhooks.NewsResumed, 2 })
	untold, err := s.Untold(t.Context(), 5)
	if err != nil || len(untold) != 1 || untold[0].News != webhooks.NewsResumed {
		t.Fatalf("%v %v", untold, err)
	}
	notice := webhooks.Notice{ID: newID(), Type: webhooks.EventResumed, EndpointID: e.ID, Time: now}
	for _, count := range []int64{1, 2, 2} { // of an older one, and twice
		if err := s.Tell(t.Context(), e.ID, count, []webhooks.Notice{notice}); err != nil {
			t.Fatal(err)
		}
	}
	if untold, err := s.Untold(t.Context(), 5); err != nil || len(untold) != 0 {
		t.Errorf("still %v %v", untold, err)
	}
}

func idle(t *testing.T, s webhooks.Store) {
	e := made(t, s, newID(), now, "orders.placed")
	accept(t, s, event(newID(), 1))
	at := func(when time.Time, want int) {
		t.Helper()
		ids, err := s.Idle(t.Context(), when, 5)
		if err != nil || len(ids) != want {
			t.Errorf("at %v: %v %v", when, ids, err)
		}
	}
	at(now, 0)
	at(now.Add(time.Second), 1)
	claim(t, s, e, now, 4)
	at(now.Add(time.Second), 0)
	at(now.Add(2*time.Minute), 1)
	if err := s.Wake(t.Context(), []uuid.UUID{e.ID}); err != nil {
		t.Error(err)
	}
}

func purge(t *testing.T, s webhooks.Store) {
	e := made(t, s, newID(), now, "orders.placed")
	ev := event(newID(), 1)
	accept(t, s, ev)
	d := claim(t, s, e, now, 4)
	update(t, s, e, d, delivered)
	if n, err := s.Purge(t.Context(), now, now, 10); n != 0 || err != nil {
		t.Errorf("too early: %d %v", n, err)
	}
	if n, err := s.Purge(t.Context(), now.Add(time.Hour), now, 10); n != 2 || err != nil { // the delivery and the event
		t.Errorf("%d are removed, %v", n, err)
	}
	if found, err := s.Deliveries(t.Context(), []uuid.UUID{d.ID}, webhooks.Audience{All: true}); len(found) != 0 || err != nil {
		t.Errorf("it is there: %v", err)
	}
}
