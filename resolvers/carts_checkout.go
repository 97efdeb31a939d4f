package resolvers

import (
	"context"

	"github.com/techmart/techmart/graph/generated"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/carts"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/pricing"
)

type cartResolver struct{ r *Resolver }

// Cart gives the resolver of carts.
func (r *Resolver) Cart() generated.CartResolver { return cartResolver{r} }

// ShippingMethods answers Cart.shippingMethods.
func (cartResolver) ShippingMethods(_ context.Context, cart *model.Cart, countryCode *string) ([]*model.ShippingMethod, error) {
	return cart.Methods(text(countryCode))
}

// CartDiscountCodesUpdate answers Mutation.cartDiscountCodesUpdate.
func (m mutationResolver) CartDiscountCodesUpdate(ctx context.Context, input model.CartDiscountCodesUpdateInput) (*model.CartDiscountCodesUpdatePayload, error) {
	in := carts.CodesInput{Token: text(input.CartToken), Codes: input.Codes}
	cart, wrong, err := m.changedCart(func() (*carts.Cart, error) { return m.r.Carts.SetCodes(ctx, in) })
	if err != nil {
		return nil, err
	}
	return &model.CartDiscountCodesUpdatePayload{Cart: cart, UserErrors: wrong}, nil
}

// CartShippingMethodSelect answers Mutation.cartShippingMethodSelect.
func (m mutationResolver) CartShippingMethodSelect(ctx context.Context, input model.CartShippingMethodSelectInput) (*model.CartShippingMethodSelectPayload, error) {
	in := carts.MethodInput{Token: text(input.CartToken), Method: text(input.Method), Country: text(input.CountryCode)}
	cart, wrong, err := m.changedCart(func() (*carts.Cart, error) { return m.r.Carts.SelectMethod(ctx, in) })
	if err != nil {
		return nil, err
	}
	return &model.CartShippingMethodSelectPayload{Cart: cart, UserErrors: wrong}, nil
}

// quoteCart writes what a cart costs into the graph's form of it.
func (r *Resolver) quoteCart(out *model.Cart, c *carts.Cart) {
	q := c.Quote
	out.DiscountTotal, out.ShippingTotal, out.TaxTotal, out.Total = newMoney(q.Discount), newMoney(q.Shipping), newMoney(q.Tax), newMoney(q.Total)
	out.DiscountCodes = make([]*model.CartDiscountCode, len(c.Codes))
	for i, code := range c.Codes {
		out.DiscountCodes[i] = &model.CartDiscountCode{Code: code.Code, Applicable: code.Reason == ""}
		if reason := model.DiscountCodeReason(code.Reason); code.Reason != "" {
			out.DiscountCodes[i].Reason = &reason
		}
	}
	out.Discounts = make([]*model.Discount, len(q.Applied))
	for i, a := range q.Applied {
		out.Discounts[i] = newDiscount(a.Promotion, a.Amount)
	}
	for i, l := range out.Lines {
		l.DiscountTotal, l.Discounts = newMoney(q.Lines[i].Discount), []*model.Discount{}
		for _, a := range q.Applied {
			if len(a.Lines) > 0 && !a.Lines[i].IsZero() {
				l.Discounts = append(l.Discounts, newDiscount(a.Promotion, a.Lines[i]))
			}
		}
	}
	out.ShippingCountry, out.ShippingMethod = optional(c.Country), newShippingMethod(q)
	out.TaxLines = make([]*model.TaxLine, len(q.Taxes))
	for i, t := range q.Taxes {
		out.TaxLines[i] = newTaxLine(t.Rate, t.Country, t.Base, t.Amount)
	}
	out.Methods = func(country string) ([]*model.ShippingMethod, error) {
		quotes, err := r.Carts.Methods(c, country)
		if err != nil {
			return nil, err
		}
		list := make([]*model.ShippingMethod, len(quotes))
		for i, q := range quotes {
			list[i] = newShippingMethod(q)
		}
		return list, nil
	}
}

func newDiscount(p pricing.Promotion, amount money.Money) *model.Discount {
	return &model.Discount{Code: optional(p.Code), Title: p.Title, Kind: model.DiscountKind(p.Kind), Amount: newMoney(amount)}
}

// newShippingMethod gives the way of sending of a quote, nil where there is none.
func newShippingMethod(q pricing.Quote) *model.ShippingMethod {
	if !q.Sendable() {
		return nil
	}
	return &model.ShippingMethod{Code: q.Method.Code, Title: q.Method.Title, Price: newMoney(q.Shipping)}
}

func newTaxLine(rate pricing.Rate, country string, base, amount money.Money) *model.TaxLine {
	return &model.TaxLine{RatePercent: rate.String(), CountryCode: optional(country), Base: newMoney(base), Amount: newMoney(amount)}
}

// priceOrder writes what an order's promotions, shipping and tax were into the graph's form of it.
func priceOrder(out *model.Order, o *orders.Order) {
	of := func(minor int64) money.Money { return money.New(minor, o.Total.Currency) }
	out.DiscountTotal, out.Discounts = newMoney(o.Discount), make([]*model.Discount, len(o.Discounts))
	for i, d := range o.Discounts {
		out.Discounts[i] = newDiscount(pricing.Promotion{Code: d.Code, Title: d.Title, Kind: d.Kind}, of(d.Amount))
	}
	if o.Method.Code != "" {
		out.ShippingMethod = &model.ShippingMethod{Code: o.Method.Code, Title: o.Method.Title, Price: newMoney(o.Shipping)}
	}
	out.TaxLines = make([]*model.TaxLine, len(o.Taxes))
	for i, t := range o.Taxes {
		out.TaxLines[i] = newTaxLine(t.Rate, t.Country, of(t.Base), of(t.Amount))
	}
}
