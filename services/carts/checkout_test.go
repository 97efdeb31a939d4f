package carts_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/carts"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/pricing"
	"github.com/techmart/techmart/services/viewer"
)

func terms() pricing.Terms {
	free := money.New(5000, "EUR")
	return pricing.Terms{
		Currency: "EUR", TaxRate: 1900, TaxRates: map[string]pricing.Rate{"FI": 2550},
		Methods: []pricing.Method{
			{Code: "standard", Title: "Standard", Fee: money.New(490, "EUR"), FreeFrom: &free},
			{Code: "express", Title: "Express", Fee: money.New(1290, "EUR"), Countries: []string{"DE", "FI"}},
		},
	}
}

// offers is a carts.Promotions in memory.
type offers struct {
	codes   map[string]pricing.Promotion
	refused map[string]pricing.Reason
	asked   []uuid.UUID // customers
}

// Offers implements carts.Promotions.
func (o *offers) Offers(_ context.Context, customer uuid.UUID, codes []string) (list []pricing.Promotion, refused map[string]pricing.Reason, err error) {
	o.asked = append(o.asked, customer)
	refused = map[string]pricing.Reason{}
	for _, code := range codes {
		switch p, ok := o.codes[code]; {
		case o.refused[code] != "":
			refused[code] = o.refused[code]
		case ok:
			list = append(list, p)
		default:
			refused[code] = pricing.Unknown
		}
	}
	return list, refused, nil
}

func (o *offers) ten(code string, from int64) {
	if o.codes == nil {
		o.codes = map[string]pricing.Promotion{}
	}
	o.codes[code] = pricing.Promotion{ID: uuid.New(), Code: code, Title: "Ten", Kind: pricing.Percentage, Rate: 1000, MinSubtotal: money.New(from, "EUR")}
}

// costs tells what a cart costs: subtotal discount shipping tax total, and its codes.
func costs(c *carts.Cart) string {
	q := c.Quote
	text := fmt.Sprint(q.Subtotal.Amount, q.Discount.Amount, q.Shipping.Amount, q.Tax.Amount, q.Total.Amount)
	for _, code := range c.Codes {
		text += fmt.Sprintf(" %s:%s", code.Code, code.Reason)
	}
	return text
}

func TestCodes(t *testing.T) {
	t.Parallel()
	f, ada := setup(t), uuid.New()
	f.promotions.ten("TEN", 0)
	f.promotions.ten("BIG", 3000)
	f.promotions.refused = map[string]pricing.Reason{"GONE": pricing.UsedUp}
	ctx := as(t, ada)
	if _, err := f.SetCodes(ctx, carts.CodesInput{Codes: []string{"TEN"}}); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("without a cart: %v", err)
	}
	if _, err := f.Add(ctx, carts.AddInput{Lines: []carts.LineInput{{VariantID: f.lamp, Quantity: 2}}}); err != nil {
		t.Fatal(err)
	}
	_, err := f.SetCodes(ctx, carts.CodesInput{Codes: []string{"nope", "gone", "?"}})
	for i, code := range []errs.Code{errs.NotFound, carts.CodePromotionUnavailable, errs.NotFound} {
		if !errs.Blames(err, "codes", fmt.Sprint(i)) || !errs.Is(err, code) {
			t.Errorf("code %d: %v", i, err)
		}
	}
	if _, err := f.SetCodes(ctx, carts.CodesInput{Codes: make([]string, 6)}); errs.CodeOf(err) != errs.TooLong {
		t.Errorf("too many: %v", err)
	}
	c, err := f.SetCodes(ctx, carts.CodesInput{Codes: []string{" ten", "BIG", "TEN"}})
	if err != nil || costs(c) != "2000 200 490 366 2290 TEN: BIG:BELOW_MINIMUM" {
		t.Fatalf("%s, %v", costs(c), err)
	}
	f.promotions.refused["TEN"] = pricing.Ended
	if c, err = f.Get(ctx, ""); err != nil || costs(c) != "2000 0 490 398 2490 TEN:ENDED BIG:BELOW_MINIMUM" {
		t.Errorf("%s, %v", costs(c), err)
	}
	if c.Codes[1].Unusable() || !c.Codes[0].Unusable() {
		t.Error("an ended code is unusable, one that wants more in the cart is not")
	}
	if last := f.promotions.asked[len(f.promotions.asked)-1]; last != ada {
		t.Errorf("offers were asked for %s", last)
	}
	if c, err = f.SetCodes(ctx, carts.CodesInput{}); err != nil || costs(c) != "2000 0 490 398 2490" {
		t.Errorf("%s, %v", costs(c), err)
	}
}

func TestSending(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := as(t, uuid.New())
	if _, err := f.Add(ctx, carts.AddInput{Lines: []carts.LineInput{{VariantID: f.lamp, Quantity: 2}}}); err != nil {
		t.Fatal(err)
	}
	c, err := f.SelectMethod(ctx, carts.MethodInput{Method: "express", Country: "fi"})
	if err != nil || costs(c) != "2000 0 1290 668 3290" || c.Country != "FI" || c.Quote.Method.Code != "express" {
		t.Fatalf("%s, %v", costs(c), err)
	}
	for country, want := range map[string]string{"": "standard 490 express 1290 ", "US": "standard 490 "} {
		var got string
		methods, err := f.Methods(c, country)
		for _, q := range methods {
			got += fmt.Sprintf("%s %d ", q.Method.Code, q.Shipping.Amount)
		}
		if err != nil || got != want {
			t.Errorf("to %q: %s, %v", country, got, err)
		}
	}
	if _, err := f.Methods(c, "XX"); errs.CodeOf(err) != errs.BadInput {
		t.Errorf("no country: %v", err)
	}
	for field, in := range map[string]carts.MethodInput{"countryCode": {Country: "XX"}, "method": {Method: "express", Country: "US"}} {
		if _, err := f.SelectMethod(ctx, in); !errs.Blames(err, field) {
			t.Errorf("%+v: %v", in, err)
		}
	}
	if c, err = f.SelectMethod(ctx, carts.MethodInput{}); err != nil || costs(c) != "2000 0 490 398 2490" || c.Method != "" {
		t.Errorf("%s, %v", costs(c), err)
	}
}

// Codes and the way of sending come along when a cart becomes an account's.
func TestMergeTakesCodesAlong(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, code := range []string{"AAA", "BBB", "CCC"} {
		f.promotions.ten(code, 0)
	}
	anonymous := viewer.NewContext(t.Context(), viewer.Viewer{})
	c, err := f.Add(anonymous, carts.AddInput{Lines: []carts.LineInput{{VariantID: f.lamp, Quantity: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.SetCodes(anonymous, carts.CodesInput{Token: c.Token, Codes: []string{"BBB", "CCC"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.SelectMethod(anonymous, carts.MethodInput{Token: c.Token, Method: "express", Country: "DE"}); err != nil {
		t.Fatal(err)
	}
	ctx := as(t, uuid.New())
	if _, err := f.Add(ctx, carts.AddInput{Lines: []carts.LineInput{{VariantID: f.desk, Quantity: 1}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.SetCodes(ctx, carts.CodesInput{Codes: []string{"AAA", "BBB"}}); err != nil {
		t.Fatal(err)
	}
	merged, err := f.Merge(ctx, c.Token)
	if err != nil || costs(merged) != "3000 300 1290 637 3990 AAA: BBB:NOT_COMBINED CCC:NOT_COMBINED" || merged.Country != "DE" {
		t.Errorf("%s, %v", costs(merged), err)
	}
}
