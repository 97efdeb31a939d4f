package pricing_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/pricing"
)

func euro(cents int64) money.Money { return money.New(cents, "EUR") }

func terms() pricing.Terms {
	free := euro(5000)
	return pricing.Terms{
		Currency: "EUR", TaxRate: 1900, TaxRates: map[string]pricing.Rate{"FI": 2550, "CH": 0},
		Methods: []pricing.Method{
			{Code: "standard", Title: "Standard", Fee: euro(490), FreeFrom: &free},
			{Code: "express", Title: "Express", Fee: euro(1290), Countries: []string{"DE", "FI"}},
		},
	}
}

func percent(code string, rate pricing.Rate, combinable bool) pricing.Promotion {
	return pricing.Promotion{ID: uuid.New(), Code: code, Kind: pricing.Percentage, Rate: rate, Combinable: combinable}
}

func amount(code string, cents int64, combinable bool) pricing.Promotion {
	return pricing.Promotion{ID: uuid.New(), Code: code, Kind: pricing.Amount, Amount: euro(cents), Combinable: combinable}
}

func sending(code string, combinable bool) pricing.Promotion {
	return pricing.Promotion{ID: uuid.New(), Code: code, Kind: pricing.FreeShipping, Combinable: combinable}
}

func from(p pricing.Promotion, cents int64) pricing.Promotion {
	p.MinSubtotal = euro(cents)
	return p
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines      []int64
		promotions []pricing.Promotion
		country    string
		method     string
		want       string // subtotal discount shipping tax total, applied, rejected
	}{
		"nothing":                            {want: "0 0 0 0 0 [] []"},
		"as it was without promotions":       {lines: []int64{2000, 1000}, want: "3000 0 490 557 3490 [] []"},
		"free from 50":                       {lines: []int64{5000}, want: "5000 0 0 798 5000 [] []"},
		"another country's tax":              {lines: []int64{3000}, country: "FI", want: "3000 0 490 709 3490 [] []"},
		"no tax":                             {lines: []int64{3000}, country: "CH", want: "3000 0 490 0 3490 [] []"},
		"express":                            {lines: []int64{3000}, country: "DE", method: "express", want: "3000 0 1290 685 4290 [] []"},
		"a third of a cent is rounded":       {lines: []int64{333}, promotions: []pricing.Promotion{percent("TEN", 1000, false)}, want: "333 33 490 126 790 [TEN 33] []"},
		"half a cent is rounded up":          {lines: []int64{5}, promotions: []pricing.Promotion{percent("TEN", 1000, false)}, want: "5 1 490 79 494 [TEN 1] []"},
		"no more than there is":              {lines: []int64{300}, promotions: []pricing.Promotion{amount("FIVE", 500, false)}, want: "300 300 490 78 490 [FIVE 300] []"},
		"the better of two":                  {lines: []int64{4000}, promotions: []pricing.Promotion{amount("ONE", 100, false), percent("TEN", 1000, false)}, want: "4000 400 490 653 4090 [TEN 400] [ONE NOT_COMBINED]"},
		"the first of two alike":             {lines: []int64{1000}, promotions: []pricing.Promotion{amount("A", 100, false), amount("B", 100, false)}, want: "1000 100 490 222 1390 [A 100] [B NOT_COMBINED]"},
		"together, of what is left":          {lines: []int64{4000}, promotions: []pricing.Promotion{amount("TEN", 1000, true), percent("HALF", 5000, true)}, want: "4000 2500 490 318 1990 [TEN 1000 HALF 1500] []"},
		"together or alone":                  {lines: []int64{4000}, promotions: []pricing.Promotion{amount("A", 100, true), amount("B", 150, true), amount("C", 200, false)}, want: "4000 250 490 677 4240 [A 100 B 150] [C NOT_COMBINED]"},
		"free shipping":                      {lines: []int64{1000}, promotions: []pricing.Promotion{sending("SEND", false)}, want: "1000 0 0 160 1000 [SEND 490] []"},
		"free shipping that is free already": {lines: []int64{6000}, promotions: []pricing.Promotion{sending("SEND", false)}, want: "6000 0 0 958 6000 [] [SEND NOTHING_TO_CUT]"},
		"a discount costs no free shipping":  {lines: []int64{5000}, promotions: []pricing.Promotion{amount("ONE", 1, false)}, want: "5000 1 0 798 4999 [ONE 1] []"},
		"below the minimum":                  {lines: []int64{1999}, promotions: []pricing.Promotion{from(amount("ONE", 100, false), 2000)}, want: "1999 0 490 397 2489 [] [ONE BELOW_MINIMUM]"},
		"at the minimum":                     {lines: []int64{2000}, promotions: []pricing.Promotion{from(amount("ONE", 100, false), 2000)}, want: "2000 100 490 382 2390 [ONE 100] []"},
		"in another currency": {lines: []int64{2000}, promotions: []pricing.Promotion{{ID: uuid.New(), Code: "USD", Kind: pricing.Amount, Amount: money.New(100, "USD")}},
			want: "2000 0 490 398 2490 [] [USD NOTHING_TO_CUT]"},
	} {
		r := pricing.Request{Promotions: c.promotions, Country: c.country, Method: c.method}
		for _, l := range c.lines {
			r.Lines = append(r.Lines, euro(l))
		}
		q := terms().Quote(r)
		var applied, rejected []any
		for _, a := range q.Applied {
			applied = append(applied, a.Code, a.Amount.Amount)
		}
		for _, r := range q.Rejected {
			rejected = append(rejected, r.Code, r.Reason)
		}
		got := fmt.Sprint(q.Subtotal.Amount, q.Discount.Amount, q.Shipping.Amount, q.Tax.Amount, q.Total.Amount, " ", applied, " ", rejected)
		if got != c.want {
			t.Errorf("%s: %s; want %s", name, got, c.want)
		}
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	for country, want := range map[string]int{"": 2, "DE": 2, "US": 1} {
		if got := len(terms().MethodsTo(country)); got != want {
			t.Errorf("%d methods to %q; want %d", got, country, want)
		}
	}
	if q := terms().Quote(pricing.Request{Lines: []money.Money{euro(100)}, Country: "US", Method: "express"}); q.Sendable() {
		t.Errorf("express to the United States costs %v", q.Shipping)
	}
}

// Whatever is bought with whatever promotions: the parts of every total add up to it, nothing is below zero, and
// promotions save no less than any of them that goes alone.
func TestPartsAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := terms()
		s.TaxRate = pricing.Rate(rapid.Int64Range(0, 3000).Draw(t, "tax"))
		var r pricing.Request
		for _, l := range rapid.SliceOfN(rapid.Int64Range(0, 1_000_000), 0, 100).Draw(t, "lines") {
			r.Lines = append(r.Lines, euro(l))
		}
		for range rapid.IntRange(0, 8).Draw(t, "promotions") {
			var p pricing.Promotion
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				p = percent("P", pricing.Rate(rapid.Int64Range(1, 10_000).Draw(t, "rate")), rapid.Bool().Draw(t, "combinable"))
			case 1:
				p = amount("A", rapid.Int64Range(1, 2_000_000).Draw(t, "amount"), rapid.Bool().Draw(t, "combinable"))
			default:
				p = sending("S", rapid.Bool().Draw(t, "combinable"))
			}
			r.Promotions = append(r.Promotions, from(p, rapid.Int64Range(0, 100_000).Draw(t, "from")))
		}
		r.Country = rapid.SampledFrom([]string{"", "DE", "FI", "CH", "US"}).Draw(t, "country")
		r.Method = rapid.SampledFrom([]string{"", "standard", "express"}).Draw(t, "method")
		q := s.Quote(r)

		var subtotal, discounts, tax, lineTax, offLines, offShipping int64
		for i, l := range q.Lines {
			subtotal, discounts, lineTax = subtotal+l.Total.Amount, discounts+l.Discount.Amount, lineTax+l.Tax.Amount
			if l.Discount.Amount < 0 || l.Discount.Amount > l.Total.Amount || l.Tax.Amount < 0 || l.Tax.Amount > l.Total.Amount-l.Discount.Amount {
				t.Fatalf("line %d: %+v", i, l)
			}
		}
		for _, a := range q.Applied {
			var parts int64
			for _, p := range a.Lines {
				parts += p.Amount
			}
			switch {
			case a.Amount.Amount <= 0:
				t.Fatalf("%s takes %v off", a.Code, a.Amount)
			case a.Kind == pricing.FreeShipping:
				offShipping += a.Amount.Amount
			case parts != a.Amount.Amount:
				t.Fatalf("%s takes %v off, of the lines %d", a.Code, a.Amount, parts)
			default:
				offLines += parts
			}
		}
		for _, x := range q.Taxes {
			tax += x.Amount.Amount
		}
		for what, c := range map[string][2]int64{
			"subtotal":                 {q.Subtotal.Amount, subtotal},
			"discount of lines":        {q.Discount.Amount, discounts},
			"discount of promotions":   {q.Discount.Amount, offLines},
			"discount of shipping":     {q.ShippingDiscount.Amount, offShipping},
			"shipping":                 {q.Shipping.Amount, q.ShippingFee.Amount - q.ShippingDiscount.Amount},
			"tax by rate":              {q.Tax.Amount, tax},
			"tax of lines and sending": {q.Tax.Amount, lineTax + q.ShippingTax.Amount},
			"total":                    {q.Total.Amount, q.Subtotal.Amount - q.Discount.Amount + q.Shipping.Amount},
			"promotions":               {int64(len(q.Applied) + len(q.Rejected)), int64(len(r.Promotions))},
		} {
			if c[0] != c[1] {
				t.Fatalf("%s: %d is not %d", what, c[0], c[1])
			}
		}
		if q.Shipping.Amount < 0 || q.Total.Amount < 0 || q.Tax.Amount < 0 || q.Tax.Amount > q.Total.Amount {
			t.Fatalf("%+v", q)
		}
		for _, p := range r.Promotions {
			alone := r
			alone.Promotions = []pricing.Promotion{p}
			one := s.Quote(alone)
			if saved(q) < saved(one) && !p.Combinable {
				t.Fatalf("%s alone saves %d, all saves %d", p.Kind, saved(one), saved(q))
			}
		}
	})
}

func saved(q pricing.Quote) int64 { return q.Discount.Amount + q.ShippingDiscount.Amount }

func TestAllocate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.Int64Range(0, 1<<40), 0, 50).Draw(t, "weights")
		var all int64
		for _, w := range weights {
			all += w
		}
		total := rapid.Int64Range(0, 1<<50).Draw(t, "total")
		var got int64
		for i, p := range pricing.Allocate(total, weights) {
			exact := float64(total) * float64(weights[i]) / float64(max(all, 1))
			if p < 0 || float64(p) < exact-1.01 || float64(p) > exact+1.01 || weights[i] == 0 && p != 0 || total <= all && p > weights[i] {
				t.Fatalf("weight %d of %d gets %d of %d", weights[i], all, p, total)
			}
			got += p
		}
		if all > 0 && got != total {
			t.Fatalf("%d of %d is divided", got, total)
		}
	})
}

func TestPart(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		price, quantity := rapid.Int64Range(0, 1_000_000).Draw(t, "price"), rapid.IntRange(1, 999).Draw(t, "quantity")
		amount := rapid.Int64Range(0, price*int64(quantity)).Draw(t, "amount")
		var before int64
		for n := 1; n <= quantity; n++ {
			part := pricing.Part(amount, n, quantity)
			if part < before || part > before+price {
				t.Fatalf("%d of %d articles of %d: %d after %d", n, quantity, price, part, before)
			}
			before = part
		}
		if before != amount {
			t.Fatalf("all parts of %d are %d", amount, before)
		}
	})
}

func TestRates(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]pricing.Rate{"0": 0, "19": 1900, "25.5": 2550, "100": 10_000, "0.01": 1} {
		r, err := pricing.ParseRate(text)
		if err != nil || r != want || r.String() != text {
			t.Errorf("%s is %d, %s, %v", text, r, r, err)
		}
	}
	for _, text := range []string{"", "x", "-1", "100.01", "1.001", "1e9"} {
		if r, err := pricing.ParseRate(text); err == nil {
			t.Errorf("%q is %d", text, r)
		}
	}
}
