// Package pricing adds up what a cart or an order costs: lines, promotions, shipping and tax.
//
// It is arithmetic in whole minor units and nothing else. There is one rule of rounding: an amount
// that is a share of another one is rounded half away from zero, once, and when it is divided among
// lines, each gets its share rounded down and what is left over goes, unit by unit, to the largest
// remainders, the first line first. So the parts of every total add up to it exactly.
package pricing

import (
	"slices"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/money"
)

// Rate is a share in hundredths of a percent: 1900 is 19 %.
type Rate int64

// Whole is the rate of 100 %.
const Whole Rate = 10_000

// Method is a way of sending an order.
type Method struct {
	Code      string // such as "standard"
	Title     string // for people
	Fee       money.Money
	FreeFrom  *money.Money // what the lines cost, before discounts, from which sending is free; nil for never
	Countries []string     // ISO 3166-1 codes; empty for every country
}

// Serves reports whether the method sends to a country; to one that is not known yet every method does.
func (m Method) Serves(country string) bool {
	return country == "" || len(m.Countries) == 0 || slices.Contains(m.Countries, country)
}

// Terms are the shop's terms of sale.
type Terms struct {
	Currency money.Currency
	Methods  []Method        // the first that serves a country is the one for who chooses none
	TaxRate  Rate            // contained in prices, where TaxRates says nothing
	TaxRates map[string]Rate // by country
}

// Rate gives the rate of tax that prices contain in a country.
func (t Terms) Rate(country string) Rate {
	if r, ok := t.TaxRates[country]; ok {
		return r
	}
	return t.TaxRate
}

// MethodsTo gives the ways of sending to a country.
func (t Terms) MethodsTo(country string) []Method {
	var list []Method
	for _, m := range t.Methods {
		if m.Serves(country) {
			list = append(list, m)
		}
	}
	return list
}

// Method gives a way of sending to a country by its code; the first one for no code.
func (t Terms) Method(code, country string) (Method, bool) {
	for _, m := range t.MethodsTo(country) {
		if code == "" || m.Code == code {
			return m, true
		}
	}
	return Method{}, false
}

// Kind says what a promotion takes off.
type Kind string

// The kinds of promotions.
const (
	Percentage   Kind = "PERCENTAGE"    // a share of the lines
	Amount       Kind = "AMOUNT"        // an amount of the lines, at most all
	FreeShipping Kind = "FREE_SHIPPING" // what sending costs
)

// Promotion is what makes an order cheaper.
type Promotion struct {
	ID          uuid.UUID
	Code        string // empty for one that needs none
	Title       string // for people
	Kind        Kind
	Rate        Rate        // of Percentage
	Amount      money.Money // of Amount
	MinSubtotal money.Money // of the lines before discounts; zero for none
	Combinable  bool        // applies along with others that are
}

// Reason says why a promotion, or a code, takes nothing off.
type Reason string

// The reasons.
const (
	BelowMinimum Reason = "BELOW_MINIMUM"  // the lines cost too little
	NotCombined  Reason = "NOT_COMBINED"   // it does not go with others, which take off as much or more
	NoEffect     Reason = "NOTHING_TO_CUT" // there is nothing to take it off
	Unknown      Reason = "UNKNOWN"        // there is no such code
	NotStarted   Reason = "NOT_STARTED"    // its time has not come
	Ended        Reason = "ENDED"          // its time is over
	UsedUp       Reason = "USED_UP"        // it was used as often as it can be
	AlreadyUsed  Reason = "ALREADY_USED"   // the customer has used it as often as they can
)

// Applied is a promotion and what it takes off.
type Applied struct {
	Promotion
	Amount money.Money   // taken off in all
	Lines  []money.Money // taken off each line; empty for FreeShipping
}

// Rejected is a promotion that takes nothing off.
type Rejected struct {
	Promotion
	Reason Reason
}

// Line is what one line's part of the sums is.
type Line struct {
	Total    money.Money // before discounts
	Discount money.Money
	Tax      money.Money // contained in Total - Discount
}

// Tax is the tax of one rate.
type Tax struct {
	Rate    Rate
	Country string      // empty where it is not known yet
	Base    money.Money // what the tax is contained in
	Amount  money.Money
}

// Request is what is to be added up.
type Request struct {
	Lines      []money.Money // what each line costs
	Promotions []Promotion   // in the order in which they apply
	Country    string        // that it goes to; empty while it is not known
	Method     string        // code of the way of sending; empty for the usual one
}

// Quote is what it costs. Total is Subtotal - Discount + Shipping; Shipping is ShippingFee - ShippingDiscount.
type Quote struct {
	Lines            []Line
	Subtotal         money.Money
	Discount         money.Money // taken off the lines
	Method           Method      // the zero Method where nothing is sent to the country that way
	ShippingFee      money.Money
	ShippingDiscount money.Money
	Shipping         money.Money
	Tax              money.Money // contained in Total
	ShippingTax      money.Money // contained in Shipping
	Taxes            []Tax
	Total            money.Money
	Applied          []Applied
	Rejected         []Rejected
}

// Sendable reports whether there is a way of sending it.
func (q Quote) Sendable() bool { return q.Method.Code != "" }

// Quote adds up. All amounts are in the currency of the terms.
func (t Terms) Quote(r Request) Quote {
	nothing := money.New(0, t.Currency)
	q := Quote{Subtotal: nothing, Lines: make([]Line, len(r.Lines))}
	for i, total := range r.Lines {
		q.Lines[i] = Line{Total: total, Discount: nothing, Tax: nothing}
		q.Subtotal = q.Subtotal.Add(total)
	}
	q.Method, _ = t.Method(r.Method, r.Country)
	q.ShippingFee = nothing
	if m := q.Method; m.Code != "" && len(r.Lines) > 0 && (m.FreeFrom == nil || q.Subtotal.Amount < m.FreeFrom.Amount) {
		q.ShippingFee = m.Fee
	}
	best := t.best(&q, r.Promotions)
	q.Applied, q.ShippingDiscount = best.applied, best.shipping
	for _, p := range best.applied {
		for i, off := range p.Lines {
			q.Lines[i].Discount = q.Lines[i].Discount.Add(off)
		}
	}
	q.Discount = q.Subtotal.Sub(best.rest(t.Currency))
	q.Shipping = q.ShippingFee.Sub(q.ShippingDiscount)
	q.Total = q.Subtotal.Sub(q.Discount).Add(q.Shipping)
	t.tax(&q, r.Country)
	return q
}

// tax finds the tax in the total, and in each of its parts.
func (t Terms) tax(q *Quote, country string) {
	rate := t.Rate(country)
	q.Tax = q.Total.Share(int64(rate), int64(Whole+rate))
	weights := make([]int64, 0, len(q.Lines)+1)
	for _, l := range q.Lines {
		weights = append(weights, l.Total.Amount-l.Discount.Amount)
	}
	parts := Allocate(q.Tax.Amount, append(weights, q.Shipping.Amount))
	for i := range q.Lines {
		q.Lines[i].Tax = money.New(parts[i], t.Currency)
	}
	q.ShippingTax = money.New(parts[len(q.Lines)], t.Currency)
	q.Taxes = []Tax{{Rate: rate, Country: country, Base: q.Total, Amount: q.Tax}}
}
