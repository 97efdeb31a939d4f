package promotions_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/migrations"
	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/pricing"
	"github.com/techmart/techmart/services/promotions"
	promotionspostgres "github.com/techmart/techmart/services/promotions/postgres"
	"github.com/techmart/techmart/services/viewer"
)

type fixture struct {
	*promotions.Service
	now time.Time
}

func setup(t *testing.T) *fixture {
	t.Helper()
	pool, err := postgres.Open(t.Context(), postgres.Config{URL: stacktest.Postgres(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if err := postgres.Migrate(t.Context(), pool, migrations.FS("promotions"), "promotions"); err != nil {
		t.Fatal(err)
	}
	f := &fixture{now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	f.Service = promotions.New(promotions.Deps{Store: promotionspostgres.New(pool), Currency: "EUR", Clock: func() time.Time { return f.now }})
	return f
}

func staff(t *testing.T) context.Context {
	return viewer.NewContext(t.Context(), viewer.Viewer{UserID: uuid.New(), Scopes: []viewer.Scope{viewer.PromotionsWrite}})
}

func of[T any](v T) *T { return &v }

// ten gives 10 % off.
func ten(code string) promotions.Terms {
	return promotions.Terms{Code: code, Title: "Ten", Kind: pricing.Percentage, Rate: of(pricing.Rate(1000)), Enabled: true}
}

func (f *fixture) create(t *testing.T, terms promotions.Terms) *promotions.Promotion {
	t.Helper()
	p, err := f.Create(staff(t), promotions.CreateInput{Terms: terms})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// offers gives the titles or codes that are offered, and why others are not.
func (f *fixture) offers(t *testing.T, customer uuid.UUID, codes ...string) string {
	t.Helper()
	list, refused, err := f.Offers(t.Context(), customer, codes)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range list {
		names = append(names, p.Title+p.Code)
	}
	return fmt.Sprint(names, refused)
}

func TestOffers(t *testing.T) {
	t.Parallel()
	f, ada := setup(t), uuid.New()
	if got := f.offers(t, ada, "NOPE"); got != "[] map[NOPE:UNKNOWN]" {
		t.Error(got)
	}
	always, once := ten(""), ten("")
	always.Title, once.Title, once.CustomerUses = "Always", "Once", of(1)
	f.create(t, always)
	limited := f.create(t, once)
	soon, over, off, last := ten("soon"), ten(" Over "), ten("OFF"), ten("LAST")
	soon.StartsAt, over.EndsAt, off.Enabled, last.MaxUses = of(f.now.Add(time.Hour)), of(f.now.Add(time.Minute)), false, of(1)
	for _, terms := range []promotions.Terms{soon, over, off, ten("TEN")} {
		f.create(t, terms)
	}
	used := f.create(t, last)
	if got := f.offers(t, ada, "TEN", "OVER", "SOON", "OFF", "LAST"); got != "[Always Once TenTEN TenOVER TenLAST] map[OFF:UNKNOWN SOON:NOT_STARTED]" {
		t.Error(got)
	}
	f.now = f.now.Add(time.Minute)
	order := uuid.New()
	if err := f.Redeem(t.Context(), order, ada, []uuid.UUID{used.ID, limited.ID}); err != nil {
		t.Fatal(err)
	}
	if got := f.offers(t, ada, "OVER", "LAST"); got != "[Always] map[LAST:USED_UP OVER:ENDED]" {
		t.Error(got)
	}
	if got := f.offers(t, uuid.New()); got != "[Always Once] map[]" {
		t.Error(got)
	}
	if err := f.Release(t.Context(), order); err != nil {
		t.Fatal(err)
	}
	if got := f.offers(t, ada, "LAST"); got != "[Always Once TenLAST] map[]" {
		t.Error(got)
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	f := setup(t)
	p := f.create(t, ten("TEN"))
	_, err := f.Update(staff(t), p.ID, of(7), ten("TEN"))
	if errs.CodeOf(err) != errs.Conflict {
		t.Errorf("another version: %v", err)
	}
	_, err = f.Update(staff(t), uuid.New(), nil, ten("TEN"))
	if errs.CodeOf(err) != errs.NotFound {
		t.Errorf("none: %v", err)
	}
	five := promotions.Terms{Title: "Five", Kind: pricing.Amount, Amount: of(money.New(500, "EUR")), Enabled: true}
	p, err = f.Update(staff(t), p.ID, of(1), five)
	if err != nil || p.Code != "" || p.Rate != 0 || p.Amount.Amount != 500 || p.Version != 2 {
		t.Errorf("%+v, %v", p, err)
	}
	if got := f.offers(t, uuid.Nil, "TEN"); got != "[Five] map[TEN:UNKNOWN]" {
		t.Error(got)
	}
	if err := f.Delete(staff(t), p.ID); err != nil || f.offers(t, uuid.Nil) != "[] map[]" {
		t.Errorf("deleted: %v, %s", err, f.offers(t, uuid.Nil))
	}
}

// What is wrong with an input is told all at once, and only staff see and change promotions.
func TestRefusals(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, err := f.Create(staff(t), promotions.CreateInput{Terms: promotions.Terms{
		Code: "a b", Title: "\x00", Kind: pricing.Percentage, Amount: of(money.New(1, "USD")), MinSubtotal: of(money.New(-1, "EUR")),
		StartsAt: of(f.now), EndsAt: of(f.now), MaxUses: of(0), CustomerUses: of(-1),
	}})
	for _, field := range []string{"code", "title", "percent", "amount", "minSubtotal", "endsAt", "maxUses", "maxUsesPerCustomer"} {
		if !errs.Blames(err, "promotion", field) {
			t.Errorf("%s is not blamed: %v", field, err)
		}
	}
	for name, terms := range map[string]promotions.Terms{
		"0 %":              {Title: "A", Kind: pricing.Percentage, Rate: of(pricing.Rate(0))},
		"more than all":    {Title: "A", Kind: pricing.Percentage, Rate: of(pricing.Whole + 1)},
		"no amount":        {Title: "A", Kind: pricing.Amount},
		"nothing":          {Title: "A", Kind: pricing.Amount, Amount: of(money.New(0, "EUR"))},
		"dollars":          {Title: "A", Kind: pricing.Amount, Amount: of(money.New(100, "USD"))},
		"a long title":     {Title: strings.Repeat("A", 101), Kind: pricing.FreeShipping},
		"minimum":          {Title: "A", Kind: pricing.FreeShipping, MinSubtotal: of(money.New(1, "USD"))},
		"percent for free": {Title: "A", Kind: pricing.FreeShipping, Rate: of(pricing.Rate(1))},
	} {
		if _, err := f.Create(staff(t), promotions.CreateInput{Terms: terms}); len(errs.All(err)) != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := f.create(t, ten("TEN"))
	ctx := viewer.NewContext(t.Context(), viewer.Viewer{UserID: uuid.New(), Scopes: []viewer.Scope{viewer.CatalogWrite}})
	_, create := f.Create(ctx, promotions.CreateInput{Terms: ten("OTHER")})
	_, update := f.Update(ctx, p.ID, nil, ten("OTHER"))
	_, list := f.List(ctx, page.Request{Limit: 1})
	_, count := f.Count(ctx)
	for what, err := range map[string]error{"create": create, "update": update, "delete": f.Delete(ctx, p.ID), "list": list, "count": count} {
		if errs.CodeOf(err) != errs.Forbidden {
			t.Errorf("%s: %v", what, err)
		}
	}
	if found, err := f.ByIDs(ctx, []uuid.UUID{p.ID}); len(found) > 0 || err != nil {
		t.Errorf("%v, %v", found, err)
	}
}

type broken struct{ promotions.Store }

// Automatic implements promotions.Store.
func (broken) Automatic(context.Context, int) ([]*promotions.Promotion, error) {
	return nil, errors.New("connection reset by peer")
}

func TestAnOutageIsNoEmptyOffer(t *testing.T) {
	t.Parallel()
	if _, _, err := promotions.New(promotions.Deps{Store: broken{}}).Offers(t.Context(), uuid.Nil, nil); err == nil {
		t.Error("nothing is offered")
	}
}
