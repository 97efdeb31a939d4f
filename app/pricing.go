package app

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/pricing"
)

// terms are the shop's terms of sale.
func (c Config) terms() (orders.Config, error) {
	currency := money.Currency(c.Currency)
	fee, err := money.Parse(c.ShippingFee, currency)
	if err != nil {
		return orders.Config{}, fmt.Errorf("shipping fee: %w", err)
	}
	free, err := money.Parse(c.FreeShippingFrom, currency)
	if err != nil {
		return orders.Config{}, fmt.Errorf("free shipping: %w", err)
	}
	methods, err := c.shippingMethods()
	if err != nil {
		return orders.Config{}, err
	}
	rates, err := c.taxRates()
	if err != nil {
		return orders.Config{}, err
	}
	return orders.Config{
		Currency: currency, ShippingFee: fee, FreeShippingFrom: free, Methods: methods,
		TaxRatePercent: c.TaxRatePercent, TaxRates: rates, CaptureNow: c.CaptureNow, KeyLease: c.IdempotencyLease, Patience: c.OrderPatience,
		ReturnPeriod: c.ReturnPeriod, ReturnAddress: c.ReturnAddress,
	}, nil
}

var methodCode = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// shippingMethods reads ways of sending, each code:title:fee:free from:countries, of which the last two may be left out.
func (c Config) shippingMethods() ([]pricing.Method, error) {
	var (
		list  []pricing.Method
		taken = map[string]bool{"standard": true}
	)
	for _, text := range c.ShippingMethods {
		parts := strings.Split(text, ":")
		if len(parts) < 3 || len(parts) > 5 {
			return nil, fmt.Errorf("shipping method %q is not code:title:fee:free from:countries", text)
		}
		m := pricing.Method{Code: parts[0], Title: parts[1]}
		if !methodCode.MatchString(m.Code) || taken[m.Code] || m.Title == "" {
			return nil, fmt.Errorf("shipping method %q has a code of its own, of small letters, digits and -, and a title", text)
		}
		taken[m.Code] = true
		var err error
		if m.Fee, err = money.Parse(parts[2], money.Currency(c.Currency)); err != nil || m.Fee.Amount < 0 {
			return nil, fmt.Errorf("the fee of shipping method %q is no amount in the shop's currency", text)
		}
		if len(parts) > 3 && parts[3] != "" {
			free, err := money.Parse(parts[3], money.Currency(c.Currency))
			if err != nil || free.Amount < 0 {
				return nil, fmt.Errorf("shipping method %q is free from no amount in the shop's currency", text)
			}
			m.FreeFrom = &free
		}
		if len(parts) > 4 && parts[4] != "" {
			m.Countries = strings.Split(parts[4], "|")
			for _, country := range m.Countries {
				if !pricing.KnownCountry(country) {
					return nil, fmt.Errorf("shipping method %q names a country that is no ISO 3166-1 code", text)
				}
			}
		}
		list = append(list, m)
	}
	return list, nil
}

// taxRates reads rates by country, each country=percent.
func (c Config) taxRates() (map[string]pricing.Rate, error) {
	rates := make(map[string]pricing.Rate, len(c.TaxRates))
	for _, text := range c.TaxRates {
		country, percent, _ := strings.Cut(text, "=")
		rate, err := pricing.ParseRate(percent)
		if _, twice := rates[country]; err != nil || twice || rate >= pricing.Whole || !pricing.KnownCountry(country) {
			return nil, fmt.Errorf("tax rate %q is not country=percent, such as FR=20, each country once", text)
		}
		rates[country] = rate
	}
	return rates, nil
}
