package resolvers

import (
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
)

// newMoney shows an amount.
func newMoney(m money.Money) *model.Money {
	return &model.Money{Amount: m.Decimal(), CurrencyCode: string(m.Currency)}
}

// moneyInput reads an amount of an input, or nil where there is none. It fails with INVALID at its field.
func moneyInput(in *model.MoneyInput, field ...string) (*money.Money, error) {
	if in == nil {
		return nil, nil
	}
	currency := money.Currency(in.CurrencyCode)
	if !currency.Known() {
		return nil, errs.At(errs.Invalid, "The shop does not trade in this currency.", append(field, "currencyCode")...)
	}
	m, err := money.Parse(in.Amount, currency)
	if err != nil {
		return nil, errs.At(errs.Invalid, "This is no amount of "+in.CurrencyCode+".", append(field, "amount")...)
	}
	return &m, nil
}
