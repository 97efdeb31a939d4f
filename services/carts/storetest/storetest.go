// Package storetest is the suite that every carts.Store passes.
package storetest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/carts"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
)

// now is when the tests take place.
var now = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)

// Run runs the suite against the stores that open makes.
func Run(t *testing.T, open func(t *testing.T) carts.Store) {
	store := open(t)
	for name, test := range map[string]func(*testing.T, carts.Store){
		"an account's cart":       account,
		"an anonymous cart":       anonymous,
		"many look at once":       crowd,
		"lines keep their order":  order,
		"an edit that fails":      failing,
		"idempotency":             idempotency,
		"concurrent edits":        concurrent,
		"seen prices":             seen,
		"merge":                   merge,
		"merge that is too large": mergeTooLarge,
		"concurrent merges":       concurrentMerges,
		"complete":                complete,
		"complete keeps the rest": completeKeepsRest,
		"complete among edits":    completeAmongEdits,
		"purge":                   purge,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, store)
		})
	}
}

func newID(t *testing.T) uuid.UUID {
	t.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func euro(cents int64) money.Money { return money.New(cents, "EUR") }

func hash(t *testing.T) []byte {
	a, b := newID(t), uuid.New()
	return append(a[:], b[:]...)
}

// put adds lines with new variants, one for each quantity.
func put(t *testing.T, quantities ...int) func(*carts.Stored) error {
	return func(c *carts.Stored) error {
		for _, q := range quantities {
			c.Lines = append(c.Lines, carts.StoredLine{ID: newID(t), VariantID: newID(t), Quantity: q, Seen: euro(100)})
		}
		return nil
	}
}

// own edits the cart of a user and makes it when there is none.
func own(t *testing.T, s carts.Store, user uuid.UUID, apply func(*carts.Stored) error) *carts.Stored {
	t.Helper()
	c, err := s.Edit(t.Context(), carts.Edit{Cart: carts.Selector{UserID: user}, Make: &carts.NewCart{ID: newID(t), UserID: user}, Now: now, Apply: apply})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// guest makes an anonymous cart that expires a day after now.
func guest(t *testing.T, s carts.Store, token []byte, apply func(*carts.Stored) error) *carts.Stored {
	t.Helper()
	expires := now.Add(24 * time.Hour)
	c, err := s.Edit(t.Context(), carts.Edit{Cart: carts.Selector{TokenHash: token},
		Make: &carts.NewCart{ID: newID(t), TokenHash: token, ExpiresAt: &expires}, Now: now, Apply: apply})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func want(t *testing.T, err error, code errs.Code) {
	t.Helper()
	if errs.CodeOf(err) != code {
		t.Fatalf("got %v, want %s", err, code)
	}
}

// crowd has many look for carts at once: each finds the one of its account, to change as it likes.
func crowd(t *testing.T, s carts.Store) {
	users := []uuid.UUID{newID(t), newID(t), newID(t)}
	for i, user := range users {
		own(t, s, user, put(t, i+1))
	}
	stranger := newID(t)
	var all sync.WaitGroup
	for range 20 {
		for i, user := range users {
			all.Go(func() {
				c, err := s.Find(t.Context(), carts.Selector{UserID: user}, now)
				if err != nil || c.UserID != user || len(c.Lines) != 1 || c.Lines[0].Quantity != i+1 {
					t.Errorf("got %+v, %v", c, err)
					return
				}
				c.Lines[0].Quantity = 99
			})
		}
		all.Go(func() {
			if _, err := s.Find(t.Context(), carts.Selector{UserID: stranger}, now); errs.CodeOf(err) != errs.NotFound {
				t.Errorf("an account without a cart: %v", err)
			}
		})
	}
	all.Wait()
}

func account(t *testing.T, s carts.Store) {
	user := newID(t)
	_, err := s.Find(t.Context(), carts.Selector{UserID: user}, now)
	want(t, err, errs.NotFound)
	_, err = s.Edit(t.Context(), carts.Edit{Cart: carts.Selector{UserID: user}, Now: now, Apply: put(t, 1)})
	want(t, err, errs.NotFound)
	made := own(t, s, user, put(t, 2, 3))
	again := own(t, s, user, put(t, 4))
	if again.ID != made.ID || len(again.Lines) != 3 || again.UserID != user || again.ExpiresAt != nil {
		t.Fatalf("got %+v", again)
	}
	other := newID(t)
	all, err := s.FindByUsers(t.Context(), []uuid.UUID{user, other})
	if err != nil || len(all) != 1 || len(all[user].Lines) != 3 {
		t.Fatalf("got %v, %v", all, err)
	}
}

func anonymous(t *testing.T, s carts.Store) {
	token := hash(t)
	made := guest(t, s, token, put(t, 1))
	if made.UserID != uuid.Nil || made.ExpiresAt == nil || !made.ExpiresAt.After(now.Add(29*24*time.Hour)) {
		t.Fatalf("a change does not prolong the life: %+v", made)
	}
	got, err := s.Find(t.Context(), carts.Selector{TokenHash: token}, now)
	if err != nil || got.ID != made.ID || !got.ExpiresAt.Equal(*made.ExpiresAt) || !got.UpdatedAt.Equal(now) {
		t.Fatalf("got %+v, %v", got, err)
	}
	_, err = s.Find(t.Context(), carts.Selector{TokenHash: token}, now.Add(31*24*time.Hour))
	want(t, err, errs.NotFound)
	_, err = s.Find(t.Context(), carts.Selector{TokenHash: hash(t)}, now)
	want(t, err, errs.NotFound)
	_, err = s.Edit(t.Context(), carts.Edit{Cart: carts.Selector{TokenHash: token}, Now: now.Add(31 * 24 * time.Hour), Apply: put(t, 1)})
	want(t, err, errs.NotFound)
}

func order(t *testing.T, s carts.Store) {
	user := newID(t)
	c := own(t, s, user, put(t, 1, 2, 3))
	first := c.Lines[0].VariantID
	own(t, s, user, func(c *carts.Stored) error {
		c.Lines[0].Quantity = 9
		c.Lines = append(c.Lines[:1], c.Lines[2:]...)
		return put(t, 4)(c)
	})
	got, err := s.Find(t.Context(), carts.Selector{UserID: user}, now)
	if err != nil || len(got.Lines) != 3 || got.Lines[0].VariantID != first {
		t.Fatalf("got %+v, %v", got, err)
	}
	for i, q := range []int{9, 3, 4} {
		if got.Lines[i].Quantity != q {
			t.Errorf("line %d: got %d, want %d", i, got.Lines[i].Quantity, q)
		}
	}
}

func failing(t *testing.T, s carts.Store) {
	user := newID(t)
	own(t, s, user, put(t, 1))
	broken := errors.New("broken")
	_, err := s.Edit(t.Context(), carts.Edit{Cart: carts.Selector{UserID: user}, Now: now, Apply: func(c *carts.Stored) error {
		c.Lines = nil
		return broken
	}})
	if !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
	if got, err := s.Find(t.Context(), carts.Selector{UserID: user}, now); err != nil || len(got.Lines) != 1 {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func idempotency(t *testing.T, s carts.Store) {
	user := newID(t)
	edit := carts.Edit{Cart: carts.Selector{UserID: user}, Make: &carts.NewCart{ID: newID(t), UserID: user}, Now: now, Apply: put(t, 1),
		Key: &carts.Key{Owner: user.String(), Operation: "add", Key: "k", Hash: []byte("input")}}
	for range 3 {
		c, err := s.Edit(t.Context(), edit)
		if err != nil || len(c.Lines) != 1 {
			t.Fatalf("got %+v, %v", c, err)
		}
	}
	edit.Key.Hash = []byte("other")
	_, err := s.Edit(t.Context(), edit)
	want(t, err, errs.IdempotencyReused)
}

func concurrent(t *testing.T, s carts.Store) {
	user, variant := newID(t), newID(t)
	const n = 8
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			_, err := s.Edit(t.Context(), carts.Edit{Cart: carts.Selector{UserID: user}, Make: &carts.NewCart{ID: uuid.New(), UserID: user}, Now: now,
				Apply: func(c *carts.Stored) error {
					if len(c.Lines) == 0 {
						c.Lines = []carts.StoredLine{{ID: uuid.New(), VariantID: variant, Seen: euro(1)}}
					}
					c.Lines[0].Quantity++
					return nil
				}})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	got, err := s.Find(t.Context(), carts.Selector{UserID: user}, now)
	if err != nil || len(got.Lines) != 1 || got.Lines[0].Quantity != n {
		t.Fatalf("an edit was lost: %+v, %v", got, err)
	}
}

func seen(t *testing.T, s carts.Store) {
	user := newID(t)
	c := own(t, s, user, put(t, 1, 2))
	if err := s.Seen(t.Context(), c.ID, map[uuid.UUID]money.Money{c.Lines[1].ID: euro(250)}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Find(t.Context(), carts.Selector{UserID: user}, now)
	if err != nil || got.Lines[0].Seen != euro(100) || got.Lines[1].Seen != euro(250) {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func merge(t *testing.T, s carts.Store) {
	user, token := newID(t), hash(t)
	mine := own(t, s, user, put(t, 5, 600))
	guest(t, s, token, func(c *carts.Stored) error {
		c.Lines = append(c.Lines, carts.StoredLine{ID: newID(t), VariantID: mine.Lines[1].VariantID, Quantity: 600, Seen: euro(7)})
		return put(t, 8)(c)
	})
	for range 2 { // a repeat changes nothing
		got, err := s.Merge(t.Context(), token, carts.NewCart{ID: newID(t), UserID: user}, now)
		if err != nil || got.ID != mine.ID || len(got.Lines) != 3 {
			t.Fatalf("got %+v, %v", got, err)
		}
		for i, q := range []int{5, carts.MaxQuantity, 8} {
			if got.Lines[i].Quantity != q {
				t.Errorf("line %d: got %d, want %d", i, got.Lines[i].Quantity, q)
			}
		}
	}
	_, err := s.Merge(t.Context(), token, carts.NewCart{ID: newID(t), UserID: newID(t)}, now)
	want(t, err, errs.NotFound)
	_, err = s.Find(t.Context(), carts.Selector{TokenHash: token}, now)
	want(t, err, errs.NotFound)
	_, err = s.Merge(t.Context(), hash(t), carts.NewCart{ID: newID(t), UserID: user}, now)
	want(t, err, errs.NotFound)
}

func mergeTooLarge(t *testing.T, s carts.Store) {
	user, token := newID(t), hash(t)
	many := make([]int, 60)
	for i := range many {
		many[i] = 1
	}
	own(t, s, user, put(t, many...))
	guest(t, s, token, put(t, many...))
	_, err := s.Merge(t.Context(), token, carts.NewCart{ID: newID(t), UserID: user}, now)
	want(t, err, errs.LimitExceeded)
	for _, by := range []carts.Selector{{UserID: user}, {TokenHash: token}} {
		if c, err := s.Find(t.Context(), by, now); err != nil || len(c.Lines) != 60 {
			t.Fatalf("a line was lost: %v, %v", c, err)
		}
	}
}

func concurrentMerges(t *testing.T, s carts.Store) {
	user := newID(t)
	var tokens [][]byte
	for range 4 {
		tokens = append(tokens, hash(t))
		guest(t, s, tokens[len(tokens)-1], put(t, 1))
	}
	var all sync.WaitGroup
	for _, token := range append(tokens, tokens...) {
		all.Go(func() {
			if _, err := s.Merge(t.Context(), token, carts.NewCart{ID: uuid.New(), UserID: user}, now); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if c, err := s.Find(t.Context(), carts.Selector{UserID: user}, now); err != nil || len(c.Lines) != 4 {
		t.Fatalf("got %+v, %v", c, err)
	}
}

func complete(t *testing.T, s carts.Store) {
	user, ordered := newID(t), newID(t)
	c := own(t, s, user, put(t, 1))
	for range 2 {
		if err := s.Complete(t.Context(), completion(c, ordered)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.Find(t.Context(), carts.Selector{UserID: user}, now)
	want(t, err, errs.NotFound)
	if next := own(t, s, user, put(t, 1)); next.ID == c.ID {
		t.Fatal("an ordered cart was opened again")
	}
}

// completion is that of a cart that was ordered as it is.
func completion(c *carts.Stored, order uuid.UUID) carts.Completion {
	done := carts.Completion{CartID: c.ID, OrderID: order, Ordered: map[uuid.UUID]int{}, RestID: uuid.New(), Now: now}
	for _, l := range c.Lines {
		done.Ordered[l.VariantID] = l.Quantity
	}
	return done
}

// completeKeepsRest changes the cart between the order and its completion.
func completeKeepsRest(t *testing.T, s carts.Store) {
	user := newID(t)
	c := own(t, s, user, put(t, 1, 2, 3, 4))
	done := completion(c, newID(t))
	changed := own(t, s, user, func(c *carts.Stored) error {
		c.Lines[0].Quantity, c.Lines[1].Quantity = 6, 1 // five more, and one less than ordered
		c.Lines = append(c.Lines[:3], c.Lines[4:]...)   // ordered all the same
		return put(t, 7, 8)(c)
	})
	for range 2 {
		if err := s.Complete(t.Context(), done); err != nil {
			t.Fatal(err)
		}
		got, err := s.Find(t.Context(), carts.Selector{UserID: user}, now)
		if err != nil || got.ID != done.RestID || len(got.Lines) != 3 || !got.UpdatedAt.Equal(now) {
			t.Fatalf("got %+v, %v", got, err)
		}
		for i, want := range []carts.StoredLine{changed.Lines[0], changed.Lines[3], changed.Lines[4]} {
			want.Quantity = []int{5, 7, 8}[i]
			if got.Lines[i] != want {
				t.Errorf("line %d: got %+v, want %+v", i, got.Lines[i], want)
			}
		}
		done.RestID = newID(t) // a repeat has another id ready
		if err := s.Complete(t.Context(), done); err != nil {
			t.Fatal(err)
		}
		done.RestID = got.ID
	}
}

// completeAmongEdits puts lines in while the cart is ordered: each ends in the open cart.
func completeAmongEdits(t *testing.T, s carts.Store) {
	user := newID(t)
	done := completion(own(t, s, user, put(t, 1, 2)), newID(t))
	const n = 16
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if i == n/2 {
				if err := s.Complete(t.Context(), done); err != nil {
					t.Error(err)
				}
			}
			_, err := s.Edit(t.Context(), carts.Edit{Cart: carts.Selector{UserID: user}, Make: &carts.NewCart{ID: uuid.New(), UserID: user}, Now: now, Apply: put(t, 5)})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	got, err := s.Find(t.Context(), carts.Selector{UserID: user}, now)
	if err != nil || got.ID == done.CartID || len(got.Lines) != n {
		t.Fatalf("a line was lost: %+v, %v", got, err)
	}
}

func purge(t *testing.T, s carts.Store) {
	// Times long before those of the other tests, which run on the same tables.
	then := now.Add(-1000 * 24 * time.Hour)
	token, expires := hash(t), then
	_, err := s.Edit(t.Context(), carts.Edit{Cart: carts.Selector{TokenHash: token},
		Make: &carts.NewCart{ID: newID(t), TokenHash: token, ExpiresAt: &expires}, Now: then.Add(-60 * 24 * time.Hour), Apply: put(t, 1)})
	if err != nil {
		t.Fatal(err)
	}
	kept := hash(t)
	guest(t, s, kept, put(t, 1))
	n, err := s.Purge(t.Context(), then.Add(time.Hour), then, 10)
	if err != nil || n != 1 {
		t.Fatalf("got %d, %v", n, err)
	}
	if _, err := s.Find(t.Context(), carts.Selector{TokenHash: kept}, now); err != nil {
		t.Fatal(err)
	}
}
