// Package storetest is the suite that every promotions.Store passes.
package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/pricing"
	"github.com/techmart/techmart/services/promotions"
)

var now = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// Run runs the suite; open gives an empty store.
func Run(t *testing.T, open func(*testing.T) promotions.Store) {
	for name, test := range map[string]func(*testing.T, promotions.Store){
		"change": change, "list": list, "uses": uses, "race": race, "limit of a customer": ofCustomer, "release": release, "all or none": allOrNone, "keys": keys,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// Make gives a promotion of 10 % with the code.
func Make(code string, at time.Time) *promotions.Promotion {
	id, _ := uuid.NewV7() // fails only where the machine has no random numbers
	return &promotions.Promotion{
		Promotion: pricing.Promotion{ID: id, Code: code, Title: "Ten percent", Kind: pricing.Percentage, Rate: 1000,
			Amount: money.New(0, "EUR"), MinSubtotal: money.New(0, "EUR")},
		Enabled: true, StartsAt: at, Version: 1, CreatedAt: at, UpdatedAt: at,
	}
}

func create(t *testing.T, s promotions.Store, p *promotions.Promotion) *promotions.Promotion {
	t.Helper()
	made, replayed, err := s.Create(t.Context(), p, nil)
	if err != nil || replayed {
		t.Fatal(replayed, err)
	}
	return made
}

func one(t *testing.T, s promotions.Store, id uuid.UUID) *promotions.Promotion {
	t.Helper()
	list, err := s.ByIDs(t.Context(), []uuid.UUID{id})
	if err != nil || len(list) != 1 {
		t.Fatalf("%d promotions, %v", len(list), err)
	}
	return list[0]
}

func redeem(t *testing.T, s promotions.Store, order, customer uuid.UUID, ids ...uuid.UUID) error {
	return s.Redeem(t.Context(), promotions.Redemption{OrderID: order, CustomerID: customer, Promotions: ids, At: now})
}

func want(t *testing.T, what string, err error, code errs.Code) {
	t.Helper()
	if errs.CodeOf(err) != code {
		t.Errorf("%s: %v; want %s", what, err, code)
	}
}

func change(t *testing.T, s promotions.Store) {
	ends := now.Add(time.Hour)
	p := Make("SPRING", now)
	p.EndsAt, p.MaxUses, p.CustomerUses, p.Combinable, p.MinSubtotal = &ends, 5, 2, true, money.New(2000, "EUR")
	create(t, s, p)
	got := one(t, s, p.ID)
	if got.Promotion != p.Promotion || !got.EndsAt.Equal(ends) || got.MaxUses != 5 || got.CustomerUses != 2 || got.Uses != 0 || !got.StartsAt.Equal(now) {
		t.Errorf("kept: %+v", got)
	}
	_, _, err := s.Create(t.Context(), Make("SPRING", now), nil)
	want(t, "a code twice", err, errs.Taken)
	create(t, s, Make("", now))
	other := create(t, s, Make("", now)) // no code is no code twice
	_, err = s.Update(t.Context(), other.ID, func(p *promotions.Promotion) error { p.Code = "SPRING"; return nil })
	want(t, "another's code", err, errs.Taken)
	_, err = s.Update(t.Context(), uuid.New(), func(*promotions.Promotion) error { return nil })
	want(t, "none", err, errs.NotFound)
	if _, err := s.Update(t.Context(), p.ID, func(p *promotions.Promotion) error { p.EndsAt, p.MaxUses, p.Enabled = nil, 0, false; return nil }); err != nil {
		t.Fatal(err)
	}
	if got := one(t, s, p.ID); got.EndsAt != nil || got.MaxUses != 0 || got.Enabled {
		t.Errorf("changed: %+v", got)
	}
	if err := redeem(t, s, uuid.New(), uuid.New(), other.ID); err != nil {
		t.Fatal(err)
	}
	want(t, "delete a used one", s.Delete(t.Context(), other.ID), errs.InvalidState)
	if err := s.Delete(t.Context(), p.ID); err != nil {
		t.Error(err)
	}
	want(t, "delete it again", s.Delete(t.Context(), p.ID), errs.NotFound)
}

func list(t *testing.T, s promotions.Store) {
	var all []*promotions.Promotion
	for i := range 7 {
		all = append(all, create(t, s, Make("", now.Add(time.Duration(i/2)*time.Second))))
	}
	if n, err := s.Count(t.Context()); n != 7 || err != nil {
		t.Errorf("%d are counted, %v", n, err)
	}
	var seen []uuid.UUID
	r := page.Request{Limit: 3}
	for {
		p, err := s.List(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range p.Items {
			seen = append(seen, item.ID)
		}
		if !p.HasNext {
			break
		}
		r.From = promotions.KeyOf(p.Items[len(p.Items)-1])
	}
	for i, p := range all {
		if len(seen) != 7 || seen[6-i] != p.ID {
			t.Fatalf("listed %v, made %v", seen, all)
		}
	}
	back, err := s.List(t.Context(), page.Request{Limit: 2, Backward: true, From: promotions.KeyOf(all[0])})
	if err != nil || len(back.Items) != 2 || back.Items[1].ID != all[1].ID || back.Items[0].ID != all[2].ID {
		t.Errorf("backward: %+v, %v", back, err)
	}
	automatic, err := s.Automatic(t.Context(), 4)
	if err != nil || len(automatic) != 4 || automatic[0].ID != all[0].ID {
		t.Errorf("automatic: %+v, %v", automatic, err)
	}
}

func uses(t *testing.T, s promotions.Store) {
	a, b, ada := create(t, s, Make("AAA", now)), create(t, s, Make("", now)), uuid.New()
	for range 2 {
		if err := redeem(t, s, uuid.New(), ada, a.ID); err != nil {
			t.Fatal(err)
		}
	}
	found, err := s.Uses(t.Context(), []uuid.UUID{b.ID}, []string{"AAA", "NONE"}, ada)
	if err != nil || len(found) != 2 {
		t.Fatalf("%+v, %v", found, err)
	}
	for _, u := range found {
		if n := map[uuid.UUID]int{a.ID: 2}[u.ID]; u.Used != n || u.Uses != n {
			t.Errorf("%s: used %d times, by her %d", u.Code, u.Uses, u.Used)
		}
	}
}

// Twenty orders want the last three uses: three get them.
func race(t *testing.T, s promotions.Store) {
	p := Make("LAST", now)
	p.MaxUses = 3
	create(t, s, p)
	var (
		all sync.WaitGroup
		mu  sync.Mutex
		won []uuid.UUID
	)
	for range 20 {
		all.Go(func() {
			order := uuid.New()
			switch err := redeem(t, s, order, uuid.New(), p.ID); {
			case err == nil:
				mu.Lock()
				won = append(won, order)
				mu.Unlock()
			case errs.CodeOf(err) != promotions.CodeUnavailable:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(won) != 3 || one(t, s, p.ID).Uses != 3 {
		t.Errorf("%d won, %d uses", len(won), one(t, s, p.ID).Uses)
	}
	for _, order := range won {
		if err := redeem(t, s, order, uuid.New(), p.ID); err != nil {
			t.Errorf("repeated: %v", err)
		}
	}
}

func ofCustomer(t *testing.T, s promotions.Store) {
	p := Make("ONCE", now)
	p.CustomerUses = 1
	create(t, s, p)
	ada, first := uuid.New(), uuid.New()
	if err := redeem(t, s, first, ada, p.ID); err != nil {
		t.Fatal(err)
	}
	want(t, "a second time", redeem(t, s, uuid.New(), ada, p.ID), promotions.CodeUnavailable)
	if err := redeem(t, s, uuid.New(), uuid.New(), p.ID); err != nil {
		t.Errorf("another customer: %v", err)
	}
	if err := s.Release(t.Context(), first, now); err != nil {
		t.Fatal(err)
	}
	if err := redeem(t, s, uuid.New(), ada, p.ID); err != nil {
		t.Errorf("after it was given back: %v", err)
	}
}

func release(t *testing.T, s promotions.Store) {
	p, order := create(t, s, Make("BACK", now)), uuid.New()
	if err := s.Release(t.Context(), order, now); err != nil {
		t.Errorf("nothing: %v", err)
	}
	if err := redeem(t, s, order, uuid.New(), p.ID); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Release(t.Context(), order, now); err != nil {
			t.Fatal(err)
		}
	}
	if n := one(t, s, p.ID).Uses; n != 0 {
		t.Errorf("%d uses are left", n)
	}
	want(t, "an order that gave its use back", redeem(t, s, order, uuid.New(), p.ID), promotions.CodeUnavailable)
}

func allOrNone(t *testing.T, s promotions.Store) {
	a, b := create(t, s, Make("MANY", now)), Make("NONE", now)
	b.MaxUses = 1
	create(t, s, b)
	if err := redeem(t, s, uuid.New(), uuid.New(), b.ID); err != nil {
		t.Fatal(err)
	}
	want(t, "one of two is used up", redeem(t, s, uuid.New(), uuid.New(), a.ID, b.ID), promotions.CodeUnavailable)
	want(t, "one of two is gone", redeem(t, s, uuid.New(), uuid.New(), a.ID, uuid.New()), promotions.CodeUnavailable)
	if n := one(t, s, a.ID).Uses; n != 0 {
		t.Errorf("the other one has %d uses", n)
	}
}

func keys(t *testing.T, s promotions.Store) {
	ctx, p := t.Context(), Make("KEYED", now)
	key := &promotions.Key{Owner: uuid.New(), Operation: "promotionCreate", Key: "k", Hash: []byte{1}}
	if made, replayed, err := s.Create(ctx, p, key); err != nil || replayed || made.ID != p.ID {
		t.Fatalf("%+v %t %v", made, replayed, err)
	}
	if made, replayed, err := s.Create(ctx, Make("KEYED", now), key); err != nil || !replayed || made.ID != p.ID {
		t.Errorf("again: %+v %t %v", made, replayed, err)
	}
	other := *key
	other.Hash = []byte{2}
	_, _, err := s.Create(ctx, Make("OTHER", now), &other)
	want(t, "another input", err, errs.IdempotencyReused)
	other.Key = "refused"
	_, _, err = s.Create(ctx, Make("KEYED", now), &other)
	want(t, "a code twice", err, errs.Taken)
	if _, replayed, err := s.Create(ctx, Make("OTHER", now), &other); err != nil || replayed {
		t.Errorf("a refused call keeps its key: %t %v", replayed, err)
	}
	if n, err := s.Purge(ctx, now.Add(time.Second), 10); err != nil || n != 2 {
		t.Errorf("purged %d, %v", n, err)
	}
}
