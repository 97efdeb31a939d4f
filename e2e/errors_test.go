package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/users"
)

// An input with several faults answers all of them at once, each with its path, and changes nothing.
func TestEveryFaultAtOnce(t *testing.T) {
	t.Parallel()
	s := setup(t)
	p := s.unique(9)
	ada, keeper, support, stranger := s.as(users.Customer), s.as(users.CatalogManager), s.as(users.Support), s.anonymous()
	order := s.confirmed(support, 2)
	confirmed := support.order(order)
	long := strings.Repeat("x", 6000)
	nowhere := func(prefix string) string { return model.ID(prefix, uuid.New()) }
	var tags []string
	for i := range 51 {
		tags = append(tags, fmt.Sprint("tag-", i))
	}
	address := vars{"recipient": "", "line1": long, "postalCode": " ", "city": "", "countryCode": "XX", "phone": "call me"}
	for _, tt := range []struct {
		name  string // of the mutation
		by    *client
		input vars
		want  []string // code and path, sorted
	}{
		{"userRegister", stranger, vars{"email": "ada", "password": "short", "displayName": ""},
			[]string{"INVALID input.email", "REQUIRED input.displayName", "TOO_SHORT input.password"}},
		{"userChangePassword", ada, vars{"currentPassword": password, "newPassword": "short"}, []string{"TOO_SHORT input.newPassword"}},
		{"addressCreate", ada, vars{"address": address}, []string{
			"INVALID input.address.countryCode", "INVALID input.address.phone", "REQUIRED input.address.city", "REQUIRED input.address.postalCode",
			"REQUIRED input.address.recipient", "TOO_LONG input.address.line1"}},
		{"orderPlace", ada, vars{"paymentToken": "4111111111111111", "shippingAddress": address, "idempotencyKey": long, "expectedTotal": euros("1.005")}, []string{
			"CART_EMPTY ", "INVALID input.expectedTotal.amount", "INVALID input.paymentToken", "INVALID input.shippingAddress.countryCode", "INVALID input.shippingAddress.phone", "REQUIRED input.shippingAddress.city",
			"REQUIRED input.shippingAddress.postalCode", "REQUIRED input.shippingAddress.recipient", "TOO_LONG input.idempotencyKey", "TOO_LONG input.shippingAddress.line1"}},
		{"cartLinesAdd", ada, vars{"idempotencyKey": long, "lines": []vars{{"variantId": p.variantID, "quantity": 0}, {"variantId": nowhere(model.PrefixVariant), "quantity": 1}, {"variantId": "nonsense", "quantity": 1000}}}, []string{
			"NOT_FOUND input.lines.1.variantId", "NOT_FOUND input.lines.2.variantId", "OUT_OF_RANGE input.lines.0.quantity", "OUT_OF_RANGE input.lines.2.quantity", "TOO_LONG input.idempotencyKey"}},
		{"productCreate", keeper, vars{"title": "", "vendor": "", "slug": "No Slug!", "categoryId": "nonsense", "tags": tags, "variants": []vars{
			{"sku": "", "price": euros("-1.00")}, {"sku": "A", "price": euros("1.001"), "weightGrams": -1}}}, []string{
			"INVALID input.slug", "INVALID input.variants.1.price.amount", "NOT_FOUND input.categoryId", "OUT_OF_RANGE input.variants.0.price.amount", "OUT_OF_RANGE input.variants.1.weightGrams",
			"REQUIRED input.title", "REQUIRED input.variants.0.sku", "REQUIRED input.vendor", "TAKEN input.variants.1.selectedOptions", "TOO_LONG input.tags"}},
		{"inventoryAdjust", keeper, vars{"variantId": nowhere(model.PrefixVariant), "locationId": nowhere(model.PrefixLocation), "expectedOnHand": -1, "onHand": -2, "reason": "FULFILLED", "note": long}, []string{
			"INVALID input.reason", "NOT_FOUND input.locationId", "NOT_FOUND input.variantId", "OUT_OF_RANGE input.expectedOnHand", "OUT_OF_RANGE input.onHand", "TOO_LONG input.note"}},
		{"inventoryAdjust", keeper, vars{"variantId": p.variantID, "locationId": model.ID(model.PrefixLocation, products.Locations[0].ID), "expectedOnHand": 1, "onHand": 2, "reason": "COUNTED"}, []string{"CONFLICT input.expectedOnHand"}},
		{"categoryCreate", keeper, vars{"name": "", "slug": "No Slug!", "position": 1 << 30}, []string{"INVALID input.slug", "OUT_OF_RANGE input.position", "REQUIRED input.name"}},
		{"reviewCreate", ada, vars{"productId": nowhere(model.PrefixProduct), "rating": 6, "title": long, "body": long}, []string{
			"NOT_FOUND input.productId", "OUT_OF_RANGE input.rating", "TOO_LONG input.body", "TOO_LONG input.title"}},
		{"orderFulfill", support, vars{"orderId": order, "carrier": long, "trackingNumber": long, "trackingUrl": "http://evil.example", "lines": []vars{
			{"orderLineId": confirmed.Lines[0].ID, "quantity": 9}, {"orderLineId": nowhere(model.PrefixOrderLine), "quantity": 0}, {"orderLineId": "nonsense", "quantity": 1}}}, []string{
			"INVALID input.trackingUrl", "NOT_FOUND input.lines.2.orderLineId", "OUT_OF_RANGE input.lines.1.quantity", "TOO_LONG input.carrier", "TOO_LONG input.trackingNumber"}},
		{"orderFulfill", support, vars{"orderId": order, "lines": []vars{{"orderLineId": confirmed.Lines[0].ID, "quantity": 9}, {"orderLineId": nowhere(model.PrefixOrderLine), "quantity": 1}}}, []string{
			"NOT_FOUND input.lines.1.orderLineId", "OUT_OF_RANGE input.lines.0.quantity"}},
		{"orderCancel", ada, vars{"id": nowhere(model.PrefixOrder), "reason": long}, []string{"TOO_LONG input.reason"}},
		{"paymentRefund", support, vars{"paymentId": "nonsense", "amount": euros("-1.00"), "reason": long, "idempotencyKey": long}, []string{
			"NOT_FOUND input.paymentId", "OUT_OF_RANGE input.amount.amount", "TOO_LONG input.idempotencyKey", "TOO_LONG input.reason"}},
		{"paymentCapture", support, vars{"paymentId": nowhere(model.PrefixPayment)}, []string{"NOT_FOUND input.paymentId"}},
		{"cartLinesUpdate", ada, vars{"lines": []vars{{"lineId": "nonsense", "quantity": -1}, {"lineId": "nonsense", "quantity": 1000}}}, []string{
			"NOT_FOUND input.lines.0.lineId", "NOT_FOUND input.lines.1.lineId", "OUT_OF_RANGE input.lines.0.quantity", "OUT_OF_RANGE input.lines.1.quantity"}},
		{"notificationsMarkRead", ada, vars{"ids": []string{nowhere(model.PrefixNotification), "nonsense"}}, []string{"NOT_FOUND input.ids.0", "NOT_FOUND input.ids.1"}},
		{"userUpdate", ada, vars{"displayName": long, "expectedVersion": 99}, []string{"TOO_LONG input.displayName"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.by.at(s.within(t))
			var got []string
			for _, e := range c.try(tt.name, strings.ToUpper(tt.name[:1])+tt.name[1:]+"Input", tt.input) {
				got = append(got, e.Code+" "+strings.Join(e.Field, "."))
				if e.Message == "" || strings.Contains(e.Message, long) || !strings.HasSuffix(e.Message, ".") {
					t.Errorf("the message of %s is %q", e.Code, e.Message)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}
