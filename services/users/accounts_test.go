package users_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/users"
	"github.com/techmart/techmart/services/viewer"
)

func ptr[T any](v T) *T { return &v }

func TestUpdateProfile(t *testing.T) {
	t.Parallel()
	e := setup(t)
	u := e.account("ada@example.com")
	ctx := e.as(e.signIn(u.Email))
	_, err := e.UpdateProfile(t.Context(), users.ProfileChange{})
	wantCode(t, "an anonymous viewer", err, errs.Unauthenticated)

	changed, err := e.UpdateProfile(ctx, users.ProfileChange{DisplayName: ptr(" Ada  King "), ExpectedVersion: ptr(1)})
	if err != nil || changed.DisplayName != "Ada  King" || changed.Version != 2 {
		t.Fatalf("UpdateProfile gives %+v, %v", changed, err)
	}
	_, err = e.UpdateProfile(ctx, users.ProfileChange{DisplayName: ptr("Ada"), ExpectedVersion: ptr(1)})
	wantFaults(t, err, "CONFLICT expectedVersion")
	if all := errs.All(err); len(all) != 1 || all[0].Data["currentVersion"] != 2 {
		t.Errorf("the conflict tells %+v", all)
	}
	for _, in := range []users.ProfileChange{{}, {DisplayName: ptr("Ada  King")}} {
		if same, err := e.UpdateProfile(ctx, in); err != nil || same.Version != 2 {
			t.Errorf("a change of nothing gives %+v, %v", same, err)
		}
	}
	for name, want := range map[string]string{"": "REQUIRED displayName", strings.Repeat("ä", 101): "TOO_LONG displayName",
		"a\nb": "INVALID displayName", "a\u202eb": "INVALID displayName", "\xff": "INVALID displayName"} {
		_, err := e.UpdateProfile(ctx, users.ProfileChange{DisplayName: &name})
		wantFaults(t, err, want)
	}
}

func TestSetRoles(t *testing.T) {
	t.Parallel()
	e := setup(t)
	ada, admin := e.account("ada@example.com"), e.account("admin@example.com", users.Admin)
	support := e.account("support@example.com", users.Support)
	signed, staff := e.signIn(ada.Email), e.signIn(admin.Email)
	ctx := e.as(staff)

	_, err := e.SetRoles(t.Context(), ada.ID, nil)
	wantCode(t, "an anonymous viewer", err, errs.Unauthenticated)
	for _, s := range []*users.SignedIn{signed, e.signIn(support.Email)} {
		_, err = e.SetRoles(e.as(s), ada.ID, []users.Role{users.Admin})
		wantCode(t, "without users:write", err, errs.Forbidden)
	}
	_, err = e.SetRoles(ctx, uuid.New(), nil)
	wantFaults(t, err, "NOT_FOUND userId")
	_, err = e.SetRoles(ctx, ada.ID, []users.Role{"KING"})
	wantFaults(t, err, "INVALID roles")
	_, err = e.SetRoles(ctx, admin.ID, []users.Role{users.Support})
	wantFaults(t, err, "INVALID_STATE roles")

	u, err := e.SetRoles(ctx, ada.ID, []users.Role{users.CatalogManager, users.Support, users.Support})
	if want := []users.Role{users.Customer, users.Support, users.CatalogManager}; err != nil || !slices.Equal(u.Roles, want) {
		t.Fatalf("SetRoles gives %+v, %v", u, err)
	}
	e.good("a session with the old scopes", signed, false)
	v := viewer.FromContext(e.as(e.signIn(ada.Email)))
	if !v.Can(viewer.CatalogWrite) || !v.Can(viewer.OrdersWrite) || v.Can(viewer.UsersWrite) {
		t.Errorf("scopes %v", v.Scopes)
	}
	again := e.signIn(ada.Email)
	if same, err := e.SetRoles(ctx, ada.ID, u.Roles); err != nil || same.Version != u.Version {
		t.Errorf("the same roles give %+v, %v", same, err)
	}
	e.good("a session after the same roles", again, true)
	if got := e.events(ada.Email); !slices.Equal(got, []string{users.EventRolesChanged}) {
		t.Errorf("events %v", got)
	}
}

func TestUsersAreSeenByThemselvesAndStaff(t *testing.T) {
	t.Parallel()
	e := setup(t)
	ada, eve := e.account("ada@example.com"), e.account("eve@example.com")
	support, catalog := e.account("support@example.com", users.Support), e.account("catalog@example.com", users.CatalogManager)
	ids := []uuid.UUID{ada.ID, eve.ID, uuid.New()}
	for name, c := range map[string]struct {
		ctx  context.Context
		want []uuid.UUID
		list errs.Code
	}{
		"anonymous":       {t.Context(), nil, errs.Unauthenticated},
		"oneself":         {e.as(e.signIn(ada.Email)), []uuid.UUID{ada.ID}, errs.Forbidden},
		"catalog manager": {e.as(e.signIn(catalog.Email)), nil, errs.Forbidden},
		"support":         {e.as(e.signIn(support.Email)), []uuid.UUID{ada.ID, eve.ID}, ""},
		"the program":     {viewer.NewContext(t.Context(), viewer.System), []uuid.UUID{ada.ID, eve.ID}, ""},
	} {
		found, err := e.UsersByID(c.ctx, ids)
		if err != nil || len(found) != len(c.want) {
			t.Errorf("%s sees %v, %v", name, found, err)
		}
		for _, id := range c.want {
			if found[id] == nil || found[id].ID != id {
				t.Errorf("%s does not see %v", name, id)
			}
		}
		_, err = e.Users(c.ctx, users.Filter{}, users.Sort{}, page.Request{Limit: 10})
		wantCode(t, "list for "+name, err, c.list)
		_, err = e.CountUsers(c.ctx, users.Filter{})
		wantCode(t, "count for "+name, err, c.list)
	}
}

func TestUsersList(t *testing.T) {
	t.Parallel()
	e := setup(t)
	ctx := viewer.NewContext(t.Context(), viewer.System)
	var accounts []users.NewAccount
	hash, err := e.HashPassword(ctx, password)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		accounts = append(accounts, users.NewAccount{Email: fmt.Sprintf("p%d@example.com", i), DisplayName: "Élise", PasswordHash: hash,
			CreatedAt: e.clock.Now().Add(time.Duration(i) * time.Hour)})
	}
	if n, err := e.ImportAccounts(ctx, accounts); err != nil || n != 5 {
		t.Fatalf("ImportAccounts gives %d, %v", n, err)
	}
	for name, c := range map[string]struct {
		filter users.Filter
		want   int
	}{
		"role everyone has": {users.Filter{Role: users.Customer}, 5},
		"role nobody has":   {users.Filter{Role: users.Admin}, 0},
		"search":            {users.Filter{Search: " P3@EXAMPLE"}, 1},
		"search composed":   {users.Filter{Search: "E\u0301LISE"}, 5},
		"blank search":      {users.Filter{Search: " "}, 5},
	} {
		p, err := e.Users(ctx, c.filter, users.Sort{}, page.Request{Limit: 10})
		if err != nil || len(p.Items) != c.want || p.HasNext {
			t.Errorf("%s: %d accounts, %v, want %d", name, len(p.Items), err, c.want)
		}
		if n, err := e.CountUsers(ctx, c.filter); err != nil || n != c.want {
			t.Errorf("%s: count %d, %v, want %d", name, n, err, c.want)
		}
	}
	_, err = e.Users(ctx, users.Filter{Search: strings.Repeat("x", 255)}, users.Sort{}, page.Request{Limit: 10})
	wantCode(t, "a huge search", err, errs.BadInput)
}

func TestCreateAccount(t *testing.T) {
	t.Parallel()
	e := setup(t)
	ctx := t.Context()
	id, addressID := uuid.New(), uuid.New()
	in := users.NewAccount{ID: id, Email: "ada@example.com", DisplayName: "Ada", Password: password, Verified: true,
		Roles: []users.Role{users.Support}, Addresses: []users.NewAddress{{ID: addressID, PostalAddress: home()}, {PostalAddress: home()}}}
	u, err := e.CreateAccount(ctx, in)
	if err != nil || u.ID != id || !u.EmailVerified() || len(u.Roles) != 2 {
		t.Fatalf("CreateAccount gives %+v, %v", u, err)
	}
	_, err = e.CreateAccount(ctx, in)
	wantFaults(t, err, "TAKEN email")
	if a, err := e.Address(ctx, id, addressID); err != nil || !a.IsDefault || a.City != "London" {
		t.Errorf("Address gives %+v, %v", a, err)
	}
	_, err = e.Address(ctx, uuid.New(), addressID)
	wantCode(t, "another account's address", err, errs.NotFound)
	_, err = e.Address(ctx, id, uuid.New())
	wantCode(t, "a missing address", err, errs.NotFound)
	if c, err := e.Customer(ctx, id); err != nil || c != (users.Contact{Email: "ada@example.com", EmailVerified: true, DisplayName: "Ada"}) {
		t.Errorf("Customer gives %+v, %v", c, err)
	}
	if name, err := e.DisplayName(ctx, id); err != nil || name != "Ada" {
		t.Errorf("DisplayName gives %q, %v", name, err)
	}
	_, err = e.DisplayName(ctx, uuid.New())
	wantCode(t, "DisplayName of nobody", err, errs.NotFound)
	if got := e.events("ada@example.com"); len(got) != 0 {
		t.Errorf("events %v, want none", got)
	}
	_, err = e.ImportAccounts(ctx, []users.NewAccount{{Email: "x", DisplayName: "X", PasswordHash: "h"}, in})
	wantFaults(t, err, "INVALID email")
	_, err = users.New(users.Deps{})
	if err == nil {
		t.Error("a service of nothing was made")
	}
}
