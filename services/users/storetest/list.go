package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/users"
)

func testList(t *testing.T, h Harness) {
	t.Parallel()
	ctx, prefix := t.Context(), unique()
	// Times of its own, as the list is of all accounts; the last three were created at one time.
	from := epoch.Add(5000 * time.Hour)
	var all []*users.User
	for i := range 7 {
		a := create(t, h, func(a *users.Account) {
			a.CreatedAt = from.Add(time.Duration(min(i, 4)) * time.Minute)
			a.Email = fmt.Sprintf("%s%d@example.com", prefix, 9-i)
			if i%2 == 1 {
				a.DisplayName = "Zoë " + prefix
			}
			if i >= 5 {
				a.Roles = []users.Role{users.Customer, users.Support}
			}
		})
		all = append(all, &a.User)
	}
	until := from.Add(time.Hour)
	mine := users.Filter{CreatedFrom: &from, CreatedBefore: &until}
	byAge := slices.SortedFunc(slices.Values(all), func(a, b *users.User) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		return slices.Compare(a.ID[:], b.ID[:])
	})
	byEmail := slices.SortedFunc(slices.Values(all), func(a, b *users.User) int { return slices.Compare([]byte(a.Email), []byte(b.Email)) })

	for _, order := range []users.Sort{{Field: users.SortCreatedAt}, {Field: users.SortCreatedAt, Descending: true},
		{Field: users.SortEmail}, {Field: users.SortEmail, Descending: true}} {
		want := slices.Clone(byAge)
		if order.Field == users.SortEmail {
			want = slices.Clone(byEmail)
		}
		if order.Descending {
			slices.Reverse(want)
		}
		for _, backward := range []bool{false, true} {
			if got := walk(t, h, mine, order, backward); !slices.Equal(got, ids(want)) {
				t.Errorf("order %+v, backward %v: %v, want %v", order, backward, got, ids(want))
			}
		}
	}

	minute := from.Add(4 * time.Minute)
	for _, c := range []struct {
		name   string
		filter users.Filter
		want   []*users.User
	}{
		{"all", mine, all},
		{"e-mail prefix of all", users.Filter{Search: prefix}, all},
		{"e-mail prefix of one", users.Filter{Search: prefix + "9"}, all[:1]},
		{"name prefix", users.Filter{Search: "zoë " + prefix}, []*users.User{all[1], all[3], all[5]}},
		{"name prefix and role", users.Filter{Search: "zoë " + prefix, Role: users.Support}, []*users.User{all[5]}},
		{"not an infix", users.Filter{Search: prefix[1:]}, nil},
		{"no pattern", users.Filter{Search: prefix + "%"}, nil},
		{"role", users.Filter{CreatedFrom: &from, CreatedBefore: &until, Role: users.Support}, all[5:]},
		{"from is inclusive", users.Filter{CreatedFrom: &minute, CreatedBefore: &until}, all[4:]},
		{"before is exclusive", users.Filter{CreatedFrom: &from, CreatedBefore: &minute}, all[:4]},
	} {
		want := ids(c.want)
		slices.SortFunc(want, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
		got := walk(t, h, c.filter, users.Sort{}, false)
		slices.SortFunc(got, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d accounts, want %d", c.name, len(got), len(want))
		}
		if n := must[int](t)(h.Store.AccountCount(ctx, c.filter)); n != len(want) {
			t.Errorf("%s: count %d, want %d", c.name, n, len(want))
		}
	}
}

func ids(list []*users.User) []uuid.UUID {
	out := make([]uuid.UUID, len(list))
	for i, u := range list {
		out[i] = u.ID
	}
	return out
}

// walk reads the whole list in pages of two, from its start or end, and gives it in its own order.
func walk(t testing.TB, h Harness, f users.Filter, order users.Sort, backward bool) []uuid.UUID {
	t.Helper()
	var out []uuid.UUID
	r := page.Request{Limit: 2, Backward: backward}
	for {
		p := page.Trim(must[[]*users.User](t)(h.Store.AccountList(t.Context(), f, order, r)), r)
		if len(p.Items) == 0 {
			return out
		}
		if backward {
			out = append(ids(p.Items), out...)
			r.From = order.Key(p.Items[0])
		} else {
			out = append(out, ids(p.Items)...)
			r.From = order.Key(p.Items[len(p.Items)-1])
		}
	}
}

func newAddress(userID uuid.UUID, isDefault bool) *users.Address {
	return &users.Address{
		ID: uuid.Must(uuid.NewV7()), UserID: userID, IsDefault: isDefault, CreatedAt: epoch, UpdatedAt: epoch,
		PostalAddress: users.PostalAddress{Recipient: "Ada Lovelace", Line1: "St James's Square 12", Line2: "Flat 3",
			PostalCode: "SW1Y 4JH", City: "London", Region: "England", CountryCode: "GB", Phone: "+442079460000"},
	}
}

func sameAddress(a, b *users.Address) bool {
	x, y := *a, *b
	x.CreatedAt, x.UpdatedAt, y.CreatedAt, y.UpdatedAt = x.CreatedAt.UTC(), x.UpdatedAt.UTC(), y.CreatedAt.UTC(), y.UpdatedAt.UTC()
	return x == y
}

func testAddressBook(t *testing.T, h Harness) {
	t.Parallel()
	ctx := t.Context()
	a, b := create(t, h, nil), create(t, h, nil)
	one, two, three := newAddress(a.ID, true), newAddress(a.ID, false), newAddress(a.ID, false)
	book := func(what string, fn func(b *users.AddressBook)) []*users.Address {
		t.Helper()
		if err := h.Store.AddressBookUpdate(ctx, a.ID, func(b *users.AddressBook) error { fn(b); return nil }); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return must[[]*users.Address](t)(h.Store.AddressListByUsers(ctx, []uuid.UUID{a.ID}))
	}
	check := func(what string, got []*users.Address, want ...*users.Address) {
		t.Helper()
		if !slices.EqualFunc(got, want, sameAddress) {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	check("added", book("add", func(b *users.AddressBook) { b.Addresses = append(b.Addresses, one, two, three) }), one, two, three)

	one.IsDefault, three.IsDefault, three.City, three.UpdatedAt = false, true, "Oxford", epoch.Add(time.Hour)
	check("other default", book("change", func(b *users.AddressBook) {
		*b.Addresses[0], *b.Addresses[2] = *one, *three
	}), three, one, two)

	one.IsDefault = true
	check("default removed", book("remove", func(b *users.AddressBook) {
		b.Addresses = b.Addresses[1:]
		b.Addresses[0].IsDefault = true
	}), one, two)

	refusal := errors.New("no")
	if err := h.Store.AddressBookUpdate(ctx, a.ID, func(b *users.AddressBook) error { b.Addresses = nil; return refusal }); err != refusal {
		t.Errorf("AddressBookUpdate gives %v, want the function's error", err)
	}
	wantCode(t, "AddressBookUpdate of a missing account",
		h.Store.AddressBookUpdate(ctx, uuid.New(), func(*users.AddressBook) error { return nil }), errs.NotFound)

	other := newAddress(b.ID, true)
	if err := h.Store.AddressBookUpdate(ctx, b.ID, func(b *users.AddressBook) error { b.Addresses = append(b.Addresses, other); return nil }); err != nil {
		t.Fatal(err)
	}
	if got := must[[]*users.Address](t)(h.Store.AddressListByUsers(ctx, []uuid.UUID{a.ID, b.ID})); len(got) != 3 {
		t.Errorf("%d addresses of two accounts, want 3", len(got))
	}
	if got := must[[]*users.Address](t)(h.Store.AddressListByIDs(ctx, []uuid.UUID{two.ID, three.ID, uuid.New()})); len(got) != 1 || !sameAddress(got[0], two) {
		t.Errorf("AddressListByIDs gives %+v", got)
	}
}

func testAddressBookParallel(t *testing.T, h Harness) {
	t.Parallel()
	a := create(t, h, nil)
	const room = 4
	won := parallel(t, func(ctx context.Context) error {
		return h.Store.AddressBookUpdate(ctx, a.ID, func(b *users.AddressBook) error {
			if len(b.Addresses) == room {
				return errs.New(errs.NotFound, "full")
			}
			b.Addresses = append(b.Addresses, newAddress(a.ID, len(b.Addresses) == 0))
			return nil
		})
	})
	list := must[[]*users.Address](t)(h.Store.AddressListByUsers(t.Context(), []uuid.UUID{a.ID}))
	if won != room || len(list) != room || !list[0].IsDefault || list[1].IsDefault {
		t.Errorf("%d of several at once went in, the book is %+v", won, list)
	}
}
