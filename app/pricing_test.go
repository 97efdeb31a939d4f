package app

import "testing"

func TestTermsOfSale(t *testing.T) {
	t.Parallel()
	c, err := Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.ShippingMethods = []string{"express:Express:12.90:100.00:DE|AT", "freight:Freight:49.00"}
	terms, err := c.terms()
	if err != nil || len(terms.Methods) != 2 || terms.Methods[0].FreeFrom.Amount != 10_000 || len(terms.Methods[0].Countries) != 2 ||
		terms.Methods[1].FreeFrom != nil || terms.Terms().Rate("FI") != 2550 || terms.Terms().Rate("DE") != 1900 {
		t.Errorf("%+v, %v", terms, err)
	}
	for _, wrong := range []string{"", "a", "a:A", "a:A:x", "a:A:-1", "A:A:1", "a::1", "standard:A:1", "freight:B:1:x", "a:A:1::XX", "a:A:1::DE:x"} {
		c.ShippingMethods = []string{"freight:Freight:49.00", wrong}
		if _, err := c.shippingMethods(); err == nil {
			t.Errorf("%q is a way of sending", wrong)
		}
	}
	for _, wrong := range []string{"", "FR", "FR=", "FR=x", "FR=100", "XX=1", "FR=1.005"} {
		c.TaxRates = []string{"DE=19", wrong}
		if _, err := c.taxRates(); err == nil {
			t.Errorf("%q is a rate", wrong)
		}
	}
}
