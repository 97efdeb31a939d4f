package users_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/users"
)

func home() users.PostalAddress {
	return users.PostalAddress{Recipient: "Ada Lovelace", Line1: "St James's Square 12", PostalCode: "SW1Y 4JH", City: "London", CountryCode: "GB"}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	e := setup(t)
	u := e.account("ada@example.com")
	ctx := e.as(e.signIn(u.Email))
	add := func(isDefault bool) *users.Address {
		t.Helper()
		e.clock.add(time.Millisecond)
		a, err := e.CreateAddress(ctx, home(), isDefault)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	check := func(what string, want ...uuid.UUID) {
		t.Helper()
		books, err := e.AddressesByUser(ctx, []uuid.UUID{u.ID})
		if err != nil || len(books[u.ID]) != len(want) {
			t.Fatalf("%s: %+v, %v, want %d addresses", what, books[u.ID], err, len(want))
		}
		for i, a := range books[u.ID] {
			if a.ID != want[i] || a.IsDefault != (i == 0) {
				t.Errorf("%s: address %d is %+v, want %v", what, i, a, want[i])
			}
		}
	}
	one, two, three := add(false), add(false), add(true)
	check("the first becomes the default, then another", three.ID, one.ID, two.ID)

	changed, err := e.UpdateAddress(ctx, two.ID, users.PostalAddress{Recipient: " A ", Line1: "B", PostalCode: "C", City: "D",
		CountryCode: " de ", Phone: "+49 (30) 1234-567"}, ptr(true))
	if err != nil || changed.Recipient != "A" || changed.CountryCode != "DE" || changed.Phone != "+49301234567" || !changed.IsDefault {
		t.Errorf("UpdateAddress gives %+v, %v", changed, err)
	}
	check("made the default", two.ID, one.ID, three.ID)
	_, err = e.UpdateAddress(ctx, two.ID, home(), ptr(false))
	wantFaults(t, err, "INVALID isDefault")
	for _, isDefault := range []*bool{nil, ptr(true)} {
		if _, err := e.UpdateAddress(ctx, two.ID, home(), isDefault); err != nil {
			t.Error(err)
		}
	}
	if _, err := e.UpdateAddress(ctx, one.ID, home(), ptr(false)); err != nil {
		t.Error(err)
	}
	if err := e.DeleteAddress(ctx, two.ID); err != nil {
		t.Error(err)
	}
	check("the oldest takes the place of a removed default", one.ID, three.ID)
	wantFaults(t, e.DeleteAddress(ctx, two.ID), "NOT_FOUND id")
	_, err = e.UpdateAddress(ctx, two.ID, home(), nil)
	wantFaults(t, err, "NOT_FOUND id")
}

func TestAddressesAreOnesOwn(t *testing.T) {
	t.Parallel()
	e := setup(t)
	u := e.account("ada@example.com")
	e.account("eve@example.com")
	e.account("support@example.com", users.Support)
	a, err := e.CreateAddress(e.as(e.signIn(u.Email)), home(), true)
	if err != nil {
		t.Fatal(err)
	}
	eve, support := e.as(e.signIn("eve@example.com")), e.as(e.signIn("support@example.com"))
	wantFaults(t, e.DeleteAddress(eve, a.ID), "NOT_FOUND id")
	_, err = e.UpdateAddress(eve, a.ID, home(), nil)
	wantFaults(t, err, "NOT_FOUND id")
	wantFaults(t, e.DeleteAddress(support, a.ID), "NOT_FOUND id")
	wantCode(t, "an anonymous viewer", e.DeleteAddress(t.Context(), a.ID), errs.Unauthenticated)
	_, err = e.CreateAddress(t.Context(), home(), true)
	wantCode(t, "an anonymous viewer", err, errs.Unauthenticated)

	for name, c := range map[string]struct {
		see  int
		byID func() (map[uuid.UUID]*users.Address, error)
		book func() (map[uuid.UUID][]*users.Address, error)
	}{
		"anonymous": {0, func() (map[uuid.UUID]*users.Address, error) { return e.AddressesByID(t.Context(), []uuid.UUID{a.ID}) },
			func() (map[uuid.UUID][]*users.Address, error) {
				return e.AddressesByUser(t.Context(), []uuid.UUID{u.ID})
			}},
		"another": {0, func() (map[uuid.UUID]*users.Address, error) { return e.AddressesByID(eve, []uuid.UUID{a.ID}) },
			func() (map[uuid.UUID][]*users.Address, error) { return e.AddressesByUser(eve, []uuid.UUID{u.ID}) }},
		"support": {1, func() (map[uuid.UUID]*users.Address, error) { return e.AddressesByID(support, []uuid.UUID{a.ID}) },
			func() (map[uuid.UUID][]*users.Address, error) { return e.AddressesByUser(support, []uuid.UUID{u.ID}) }},
	} {
		if byID, err := c.byID(); err != nil || len(byID) != c.see {
			t.Errorf("%s sees %v, %v", name, byID, err)
		}
		if book, err := c.book(); err != nil || len(book) != c.see {
			t.Errorf("%s sees books %v, %v", name, book, err)
		}
	}
}

func TestAddressBookIsBounded(t *testing.T) {
	t.Parallel()
	e := setup(t)
	u := e.account("ada@example.com")
	ctx := e.as(e.signIn(u.Email))
	for range 50 {
		if _, err := e.CreateAddress(ctx, home(), false); err != nil {
			t.Fatal(err)
		}
	}
	_, err := e.CreateAddress(ctx, home(), false)
	wantCode(t, "the 51st", err, errs.LimitExceeded)
}

func TestAddressFaults(t *testing.T) {
	t.Parallel()
	e := setup(t)
	u := e.account("ada@example.com")
	ctx := e.as(e.signIn(u.Email))
	_, err := e.CreateAddress(ctx, users.PostalAddress{
		Line1: strings.Repeat("x", 201), Line2: strings.Repeat("x", 201), PostalCode: strings.Repeat("1", 21), City: "a\x00b",
		Region: strings.Repeat("x", 101), CountryCode: "XX", Phone: "030 1234",
	}, false)
	wantFaults(t, err, "REQUIRED address.recipient", "TOO_LONG address.line1", "TOO_LONG address.line2", "TOO_LONG address.postalCode",
		"INVALID address.city", "TOO_LONG address.region", "INVALID address.countryCode", "INVALID address.phone")
}
