package orders

import (
	"github.com/google/uuid"

	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/pricing"
)

// The usual way of sending.
const (
	standardCode  = "standard"
	standardTitle = "Standard shipping"
)

// Terms gives what carts and orders are added up by.
func (c Config) Terms() pricing.Terms {
	free := c.FreeShippingFrom
	usual := pricing.Method{Code: standardCode, Title: standardTitle, Fee: c.ShippingFee, FreeFrom: &free}
	return pricing.Terms{
		Currency: c.Currency, Methods: append([]pricing.Method{usual}, c.Methods...),
		TaxRate: pricing.Rate(c.TaxRatePercent * 100), TaxRates: c.TaxRates,
	}
}

// Totals adds lines up without promotions, sent in the usual way.
func (c Config) Totals(lines []*Line) pricing.Quote {
	return c.Terms().Quote(pricing.Request{Lines: totals(lines)})
}

func totals(lines []*Line) []money.Money {
	list := make([]money.Money, len(lines))
	for i, l := range lines {
		list[i] = l.Total
	}
	return list
}

// price writes what a quote says into a new order and its lines.
func price(o *Order, lines []*Line, q pricing.Quote) {
	o.Subtotal, o.Discount, o.Shipping, o.Tax, o.Total = q.Subtotal, q.Discount, q.Shipping, q.Tax, q.Total
	o.Method = ShippingMethod{Code: q.Method.Code, Title: q.Method.Title}
	for _, a := range q.Applied {
		o.Discounts = append(o.Discounts, Discount{PromotionID: a.ID, Code: a.Code, Title: a.Title, Kind: a.Kind, Amount: a.Amount.Amount})
	}
	for _, t := range q.Taxes {
		o.Taxes = append(o.Taxes, Tax{Rate: t.Rate, Country: t.Country, Base: t.Base.Amount, Amount: t.Amount.Amount})
	}
	for i, l := range lines {
		l.Discount, l.Tax = q.Lines[i].Discount, q.Lines[i].Tax
	}
}

// promotionsOf gives the promotions that an order uses.
func promotionsOf(o *Order) []uuid.UUID {
	ids := make([]uuid.UUID, len(o.Discounts))
	for i, d := range o.Discounts {
		ids[i] = d.PromotionID
	}
	return ids
}
