package e2e

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/techmart/techmart/services/users"
)

// prices is what a cart or an order shows of its sums.
type prices struct {
	Subtotal, DiscountTotal, ShippingTotal, TaxTotal, Total struct{ Amount string }
	Discounts                                               []struct {
		Code   *string
		Title  string
		Amount struct{ Amount string }
	}
	ShippingMethod *struct{ Code string }
	TaxLines       []struct {
		RatePercent string
		CountryCode *string
		Amount      struct{ Amount string }
	}
}

const priceFields = ` subtotal { amount } discountTotal { amount } shippingTotal { amount } taxTotal { amount } total { amount }
	discounts { code title amount { amount } } shippingMethod { code } taxLines { ratePercent countryCode amount { amount } } `

func (p prices) String() string {
	var b strings.Builder
	for _, m := range []struct{ Amount string }{p.Subtotal, p.DiscountTotal, p.ShippingTotal, p.TaxTotal, p.Total} {
		b.WriteString(m.Amount + " ")
	}
	for _, d := range p.Discounts {
		b.WriteString(d.Title + " " + d.Amount.Amount + " ")
	}
	if p.ShippingMethod != nil {
		b.WriteString(p.ShippingMethod.Code)
	}
	for _, t := range p.TaxLines {
		b.WriteString(" " + t.RatePercent + " % " + t.Amount.Amount)
	}
	return b.String()
}

// promotion makes one by a catalog manager, and gives its id.
func (s *shop) promotion(terms vars) string {
	s.t.Helper()
	var out struct {
		PromotionCreate struct {
			Promotion  struct{ ID string }
			UserErrors []userError
		}
	}
	s.as(users.CatalogManager).must(&out, `mutation($input: PromotionCreateInput!) { promotionCreate(input: $input) { promotion { id } userErrors { code message field } } }`,
		vars{"input": vars{"promotion": terms}})
	if len(out.PromotionCreate.UserErrors) > 0 {
		s.t.Fatalf("%+v", out.PromotionCreate.UserErrors)
	}
	return out.PromotionCreate.Promotion.ID
}

func (s *shop) uses(id string) int {
	s.t.Helper()
	var out struct{ Promotion struct{ Uses int } }
	s.as(users.CatalogManager).must(&out, `query($id: ID!) { promotion(id: $id) { uses } }`, vars{"id": id})
	return out.Promotion.Uses
}

func (c *client) prices() prices {
	c.s.t.Helper()
	var out struct{ Cart prices }
	c.must(&out, `{ cart {`+priceFields+`} }`, nil)
	return out.Cart
}

// What the cart shows is what the order costs, is paid, and is given back with its uses.
func TestDiscountedOrder(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ten := s.promotion(vars{"code": "spring", "title": "Spring", "kind": "PERCENTAGE", "percent": "10", "combinable": true, "maxUsesPerCustomer": 1, "minSubtotal": euros("30.00")})
	s.promotion(vars{"title": "Five off", "kind": "AMOUNT", "amount": euros("5.00"), "combinable": true})
	p, ada := s.product("Lamp", "19.99", 10), s.as(users.Customer)
	ada.change("cartLinesAdd", "CartLinesAddInput", vars{"lines": []vars{{"variantId": p.variantID, "quantity": 1}}})
	if errs := ada.try("cartDiscountCodesUpdate", "CartDiscountCodesUpdateInput", vars{"codes": []string{"Summer"}}); len(errs) != 1 || errs[0].Code != "NOT_FOUND" {
		t.Errorf("a code that nobody knows: %+v", errs)
	}
	ada.change("cartDiscountCodesUpdate", "CartDiscountCodesUpdateInput", vars{"codes": []string{"Spring"}})
	var codes struct {
		Cart struct {
			DiscountCodes []struct {
				Code, Reason string
				Applicable   bool
			}
		}
	}
	ada.must(&codes, `{ cart { discountCodes { code applicable reason } } }`, nil)
	if list := codes.Cart.DiscountCodes; len(list) != 1 || list[0].Code != "SPRING" || list[0].Applicable || list[0].Reason != "BELOW_MINIMUM" {
		t.Errorf("%+v", list)
	}
	ada.change("cartLinesAdd", "CartLinesAddInput", vars{"lines": []vars{{"variantId": p.variantID, "quantity": 1}}})
	ada.change("cartShippingMethodSelect", "CartShippingMethodSelectInput", vars{"method": "express", "countryCode": "DE"})
	want := "39.98 8.50 12.90 7.09 44.38 Five off 5.00 Spring 3.50 express 19 % 7.09"
	if got := ada.prices(); got.String() != want {
		t.Errorf("the cart costs %s; want %s", got, want)
	}
	id := ada.placeOrder("tok_visa")
	eventually(t, "the order is confirmed", func() bool { return ada.orderStatus(id) == "CONFIRMED" })
	var out struct {
		Order struct {
			prices
			Payment struct{ AuthorizedAmount struct{ Amount string } }
			Lines   []struct{ DiscountTotal, TaxTotal struct{ Amount string } }
		}
	}
	ada.must(&out, `query($id: ID!) { order(id: $id) {`+priceFields+` payment { authorizedAmount { amount } } lines { discountTotal { amount } taxTotal { amount } } } }`, vars{"id": id})
	if got := out.Order.prices.String(); got != want || out.Order.Payment.AuthorizedAmount.Amount != "44.38" || out.Order.Lines[0].DiscountTotal.Amount != "8.50" {
		t.Errorf("the order costs %s, of which %+v is authorized; lines %+v", got, out.Order.Payment, out.Order.Lines)
	}
	if n := s.uses(ten); n != 1 {
		t.Errorf("%d uses", n)
	}
	ada.change("cartLinesAdd", "CartLinesAddInput", vars{"lines": []vars{{"variantId": p.variantID, "quantity": 3}}})
	if errs := ada.try("cartDiscountCodesUpdate", "CartDiscountCodesUpdateInput", vars{"codes": []string{"Spring"}}); len(errs) != 1 || errs[0].Code != "PROMOTION_UNAVAILABLE" {
		t.Errorf("a second time: %+v", errs)
	}
	ada.change("orderCancel", "OrderCancelInput", vars{"id": id})
	eventually(t, "the use is given back", func() bool { return s.uses(ten) == 0 })
	ada.change("cartDiscountCodesUpdate", "CartDiscountCodesUpdateInput", vars{"codes": []string{"Spring"}})
}

// Many customers want the last use of a code at once: one order is confirmed with it; the others come to nothing, and
// nobody else is charged.
func TestLastUse(t *testing.T) {
	t.Parallel()
	s := setup(t)
	last := s.promotion(vars{"code": "LAST", "title": "Last", "kind": "AMOUNT", "amount": euros("5.00"), "maxUses": 1})
	p := s.product("Lamp", "19.99", 100)
	const racers = 8
	var (
		all    sync.WaitGroup
		orders [racers]string
		who    [racers]*client
	)
	for i := range racers {
		who[i] = s.as(users.Customer)
		who[i].change("cartLinesAdd", "CartLinesAddInput", vars{"lines": []vars{{"variantId": p.variantID, "quantity": 1}}})
		who[i].change("cartDiscountCodesUpdate", "CartDiscountCodesUpdateInput", vars{"codes": []string{"LAST"}})
	}
	for i, c := range who {
		all.Go(func() {
			a, err := c.post(`mutation($input: OrderPlaceInput!) { orderPlace(input: $input) { order { id } userErrors { code } } }`,
				vars{"input": vars{"paymentToken": "tok_visa", "shippingAddress": ackerstr}})
			if err != nil {
				t.Error(err)
				return
			}
			var out struct {
				OrderPlace struct {
					Order      *struct{ ID string }
					UserErrors []userError
				}
			}
			if err := json.Unmarshal(a.Data, &out); err != nil {
				t.Error(err)
			}
			switch made := out.OrderPlace; {
			case made.Order != nil:
				orders[i] = made.Order.ID
			case len(made.UserErrors) != 1 || made.UserErrors[0].Code != "PROMOTION_UNAVAILABLE":
				t.Errorf("%+v", made.UserErrors)
			}
		})
	}
	all.Wait()
	confirmed := 0
	for i, id := range orders {
		if id == "" {
			continue
		}
		var status string
		eventually(t, "the order is settled", func() bool {
			status = who[i].orderStatus(id)
			return status == "CONFIRMED" || status == "FAILED"
		})
		if status == "CONFIRMED" {
			confirmed++
		}
	}
	if confirmed != 1 || s.uses(last) != 1 {
		t.Errorf("%d orders are confirmed, %d uses", confirmed, s.uses(last))
	}
	eventually(t, "the stock of the others is given back", func() bool { return s.available(p.variantID) == 99 })
}
