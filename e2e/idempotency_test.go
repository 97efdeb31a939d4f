package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/users"
)

// ackerstr is an address of an order.
var ackerstr = vars{"recipient": "Ada Lovelace", "line1": "Ackerstr. 1", "postalCode": "10115", "city": "Berlin", "countryCode": "DE"}

// A repeatable is a mutation that an idempotency key makes safe to repeat.
type repeatable struct {
	mutation string        // orderPlace
	shows    string        // what to select of the payload
	by       *client       // who calls it
	input    vars          // without a key
	other    vars          // what differs in the other input
	effect   func() string // what it changed, to be the same after a repeat
}

// kind is the type of the mutation's input.
func (r repeatable) kind() string { return strings.ToUpper(r.mutation[:1]) + r.mutation[1:] + "Input" }

// call gives the payload's selected part as text, and the codes of the user errors.
func (r repeatable) call(input vars, headers ...string) (string, string, error) {
	shown, codes, _, err := r.ask(input, headers...)
	return shown, codes, err
}

// ask is call, which also tells whether the answer is that of an earlier call.
func (r repeatable) ask(input vars, headers ...string) (shown, codes string, replayed bool, err error) {
	a, err := r.by.post(`mutation($input: `+r.kind()+`!) { answer: `+r.mutation+`(input: $input) { `+r.shows+` replayed userErrors { code message field } } }`, vars{"input": input}, headers...)
	if err != nil || len(a.Errors) > 0 {
		return "", "", false, fmt.Errorf("%+v: %w", a.Errors, err)
	}
	var out struct {
		Answer map[string]json.RawMessage
	}
	if err := json.Unmarshal(a.Data, &out); err != nil {
		return "", "", false, err
	}
	var wrong []userError
	if err := errors.Join(json.Unmarshal(out.Answer["userErrors"], &wrong), json.Unmarshal(out.Answer["replayed"], &replayed)); err != nil {
		return "", "", false, err
	}
	all := make([]string, len(wrong))
	for i, w := range wrong {
		all[i] = w.Code
	}
	delete(out.Answer, "userErrors")
	delete(out.Answer, "replayed")
	text, err := json.Marshal(out.Answer)
	return string(text), strings.Join(all, ","), replayed, err
}

func with(input, more vars) vars {
	all := maps.Clone(input)
	maps.Copy(all, more)
	return all
}

// Repeating a mutation with its key answers the same and does nothing again; the key of another input is refused.
func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, way := range []string{"argument", "header"} {
		for name, prepare := range repeatables {
			t.Run(name+" by "+way, func(t *testing.T) {
				r := prepare(s.within(t))
				key := uuid.NewString()
				call := func(input vars, wantReplay bool) (string, string) {
					t.Helper()
					var headers []string
					if way == "header" {
						headers = []string{"Idempotency-Key", key}
					} else {
						input = with(input, vars{"idempotencyKey": key})
					}
					shown, codes, replayed, err := r.ask(input, headers...)
					if err != nil {
						t.Fatal(err)
					}
					if replayed != wantReplay {
						t.Errorf("replayed is %t for %s %s", replayed, shown, codes)
					}
					return shown, codes
				}
				first, codes := call(r.input, false)
				if codes != "" {
					t.Fatalf("it answers %s", codes)
				}
				effect := r.effect()
				for range 2 {
					if again, codes := call(r.input, true); again != first || codes != "" {
						t.Errorf("at first it answers %s, and then %s %s", first, again, codes)
					}
				}
				if shown, codes := call(with(r.input, r.other), false); codes != "IDEMPOTENCY_REUSED" {
					t.Errorf("another input answers %s %s", codes, shown)
				}
				if now := r.effect(); now != effect {
					t.Errorf("at first it did %s, and then %s", effect, now)
				}
				key = strings.Repeat("k", 256)
				if _, codes := call(r.input, false); !strings.Contains(codes, "TOO_LONG") {
					t.Errorf("a key of 256 characters answers %q", codes)
				}
				key = strings.Repeat("é", 255)
				if _, codes := call(with(r.input, r.other), false); strings.Contains(codes, "TOO_LONG") {
					t.Error("a key of 255 characters is too long")
				}
			})
		}
	}
}

// repeatables makes each mutation that takes a key, with all that it needs.
var repeatables = map[string]func(*shop) repeatable{
	"cartLinesAdd": func(s *shop) repeatable {
		p, c := s.unique(9), s.as(users.Customer)
		return repeatable{
			mutation: "cartLinesAdd", shows: `cart { id totalQuantity lines { id quantity } }`, by: c,
			input: vars{"lines": []vars{{"variantId": p.variantID, "quantity": 2}}}, other: vars{"lines": []vars{{"variantId": p.variantID, "quantity": 3}}},
			effect: func() string { return c.shows(`{ cart { totalQuantity } }`, nil) },
		}
	},
	"cartLinesUpdate": func(s *shop) repeatable {
		c, line := s.lineInCart()
		return repeatable{
			mutation: "cartLinesUpdate", shows: `cart { id totalQuantity lines { id quantity } }`, by: c,
			input: vars{"lines": []vars{{"lineId": line, "quantity": 3}}}, other: vars{"lines": []vars{{"lineId": line, "quantity": 4}}},
			effect: func() string { return c.shows(`{ cart { totalQuantity } }`, nil) },
		}
	},
	"cartLinesRemove": func(s *shop) repeatable {
		c, line := s.lineInCart()
		_, another := s.lineInCart()
		return repeatable{
			mutation: "cartLinesRemove", shows: `cart { id totalQuantity lines { id quantity } }`, by: c,
			input: vars{"lineIds": []string{line}}, other: vars{"lineIds": []string{another}},
			effect: func() string { return c.shows(`{ cart { totalQuantity } }`, nil) },
		}
	},
	"orderCancel": func(s *shop) repeatable {
		support := s.as(users.Support)
		id := s.confirmed(support, 1)
		return repeatable{
			mutation: "orderCancel", shows: `order { id }`, by: support, input: vars{"id": id}, other: vars{"reason": "Changed my mind."},
			effect: func() string {
				return support.shows(`query($id: ID!) { order(id: $id) { status statusReason } }`, vars{"id": id})
			},
		}
	},
	"orderPlace": func(s *shop) repeatable {
		p, c := s.unique(9), s.as(users.Customer)
		c.change("cartLinesAdd", "CartLinesAddInput", vars{"lines": []vars{{"variantId": p.variantID, "quantity": 2}}})
		return repeatable{
			mutation: "orderPlace", shows: `order { id number }`, by: c,
			input: vars{"paymentToken": "tok_visa", "shippingAddress": ackerstr}, other: vars{"paymentToken": "tok_mastercard"},
			effect: func() string { return c.shows(`{ me { orders { totalCount nodes { id number } } } }`, nil) },
		}
	},
	"orderFulfill": func(s *shop) repeatable {
		support := s.as(users.Support)
		id := s.confirmed(support, 3)
		line := support.order(id).Lines[0].ID
		return repeatable{
			mutation: "orderFulfill", shows: `fulfillment { id lines { quantity } }`, by: support,
			input: vars{"orderId": id, "lines": []vars{{"orderLineId": line, "quantity": 1}}}, other: vars{"carrier": "DHL"},
			effect: func() string {
				return support.shows(`query($id: ID!) { order(id: $id) { fulfillments { id } lines { quantityFulfilled } } }`, vars{"id": id})
			},
		}
	},
	"paymentCapture": func(s *shop) repeatable {
		support := s.as(users.Support)
		payment := support.order(s.confirmed(support, 1)).Payment.ID
		return repeatable{
			mutation: "paymentCapture", shows: `payment { id capturedAmount { amount } }`, by: support,
			input: vars{"paymentId": payment, "amount": euros("10.00")}, other: vars{"amount": euros("11.00")}, effect: support.payments(payment),
		}
	},
	"paymentRefund": func(s *shop) repeatable {
		support := s.as(users.Support)
		payment := support.order(s.confirmed(support, 1)).Payment.ID
		support.change("paymentCapture", "PaymentCaptureInput", vars{"paymentId": payment})
		return repeatable{
			mutation: "paymentRefund", shows: `payment { id refundedAmount { amount } }`, by: support,
			input: vars{"paymentId": payment, "amount": euros("10.00")}, other: vars{"reason": "Late."}, effect: support.payments(payment),
		}
	},
	"paymentVoid": func(s *shop) repeatable {
		support := s.as(users.Support)
		payment := support.order(s.confirmed(support, 1)).Payment.ID
		another := support.order(s.confirmed(support, 1)).Payment.ID
		return repeatable{
			mutation: "paymentVoid", shows: `payment { id status }`, by: support,
			input: vars{"paymentId": payment}, other: vars{"paymentId": another}, effect: support.payments(payment),
		}
	},
	"orderDeliver": func(s *shop) repeatable {
		support := s.as(users.Support)
		id := s.confirmed(support, 2)
		parcel := support.parcel(id, 1)
		return repeatable{
			mutation: "orderDeliver", shows: `order { id status }`, by: support,
			input: vars{"orderId": id, "fulfillmentId": parcel}, other: vars{"fulfillmentId": support.parcel(id, 1)},
			effect: func() string {
				return support.shows(`query($id: ID!) { order(id: $id) { status fulfillments { id status deliveredAt } } }`, vars{"id": id})
			},
		}
	},
	"returnRequest": func(s *shop) repeatable { return s.repeatReturn("returnRequest") },
	"returnApprove": func(s *shop) repeatable { return s.repeatReturn("returnApprove") },
	"returnReject":  func(s *shop) repeatable { return s.repeatReturn("returnReject") },
	"returnCancel":  func(s *shop) repeatable { return s.repeatReturn("returnCancel") },
	"returnReceive": func(s *shop) repeatable { return s.repeatReturn("returnReceive") },
	"returnRefund":  func(s *shop) repeatable { return s.repeatReturn("returnRefund") },
	"promotionCreate": func(s *shop) repeatable {
		staff, title := s.as(users.CatalogManager), "Ten percent "+uuid.NewString()
		terms := vars{"title": title, "kind": "PERCENTAGE", "percent": "10"}
		return repeatable{
			mutation: "promotionCreate", shows: `promotion { id title }`, by: staff,
			input: vars{"promotion": terms}, other: vars{"promotion": with(terms, vars{"percent": "11"})},
			effect: func() string { return staff.shows(`{ promotions(first: 100) { totalCount } }`, nil) },
		}
	},
	"webhookEndpointCreate": func(s *shop) repeatable {
		admin := s.as(users.Admin)
		return repeatable{
			mutation: "webhookEndpointCreate", shows: `endpoint { id url }`, by: admin,
			input: vars{"url": "https://hooks.example/", "eventTypes": allOfOrders}, other: vars{"url": "https://other.example/"},
			effect: func() string { return admin.shows(`{ webhookEndpoints(first: 100) { totalCount } }`, nil) },
		}
	},
	"webhookEndpointRotateSecret": func(s *shop) repeatable {
		admin := s.as(users.Admin)
		id, _ := admin.hook(vars{"url": "https://hooks.example/", "eventTypes": allOfOrders})
		return repeatable{
			mutation: "webhookEndpointRotateSecret", shows: `endpoint { id version }`, by: admin, input: vars{"id": id}, other: vars{"overlapHours": 1},
			effect: func() string {
				return admin.shows(`query($id: ID!) { webhookEndpoint(id: $id) { secrets { createdAt expiresAt } } }`, vars{"id": id})
			},
		}
	},
	"webhookEndpointTest": func(s *shop) repeatable {
		admin := s.as(users.Admin)
		id, _ := admin.hook(vars{"url": "https://hooks.invalid/", "eventTypes": allOfOrders})
		another, _ := admin.hook(vars{"url": "https://hooks.invalid/", "eventTypes": allOfOrders})
		return repeatable{
			mutation: "webhookEndpointTest", shows: `delivery { id }`, by: admin, input: vars{"id": id}, other: vars{"id": another},
			effect: func() string {
				return admin.shows(`query($id: ID!) { webhookEndpoint(id: $id) { deliveries { totalCount nodes { id } } } }`, vars{"id": id})
			},
		}
	},
	"webhookDeliveryRedeliver": func(s *shop) repeatable {
		admin := s.as(users.Admin)
		id, _ := admin.hook(vars{"url": "https://hooks.invalid/", "eventTypes": allOfOrders})
		ended := func() string {
			delivery := admin.testWebhook(id)
			admin.change("webhookEndpointUpdate", "WebhookEndpointUpdateInput", vars{"id": id, "enabled": false})
			eventually(s.t, "it is given up", func() bool {
				return strings.Contains(admin.shows(`query($id: ID!) { webhookDelivery(id: $id) { status } }`, vars{"id": delivery}), "FAILED")
			})
			admin.change("webhookEndpointUpdate", "WebhookEndpointUpdateInput", vars{"id": id, "enabled": true})
			return delivery
		}
		first := ended()
		return repeatable{
			mutation: "webhookDeliveryRedeliver", shows: `delivery { id }`, by: admin, input: vars{"id": first}, other: vars{"id": ended()},
			effect: func() string {
				return admin.shows(`query($id: ID!) { webhookDelivery(id: $id) { endpoint { deliveries { totalCount } } } }`, vars{"id": first})
			},
		}
	},
	"inventoryAdjust": func(s *shop) repeatable {
		p, staff := s.unique(4), s.as(users.CatalogManager)
		return repeatable{
			mutation: "inventoryAdjust", shows: `adjustment { id delta onHandAfter }`, by: staff,
			input: vars{"variantId": p.variantID, "locationId": model.ID(model.PrefixLocation, products.Locations[0].ID), "expectedOnHand": 4, "onHand": 7, "reason": "COUNTED"},
			other: vars{"onHand": 8},
			effect: func() string {
				return staff.shows(`query($id: ID!) { productVariant(id: $id) { quantityAvailable inventoryHistory { nodes { id } } } }`, vars{"id": p.variantID})
			},
		}
	},
	"productCreate": func(s *shop) repeatable {
		staff, sku := s.as(users.CatalogManager), strings.ToUpper(uuid.NewString()[:13])
		return repeatable{
			mutation: "productCreate", shows: `product { id slug }`, by: staff,
			input: vars{"title": "Fjord Bag " + sku, "vendor": "Nordlicht", "variants": []vars{{"sku": sku, "price": euros("30.00")}}}, other: vars{"vendor": "Fjord"},
			effect: func() string {
				return staff.shows(`query($sku: String!) { product(sku: $sku) { id version } }`, vars{"sku": sku})
			},
		}
	},
}

// parcel sends some pieces of an order of one line.
func (c *client) parcel(order string, quantity int) string {
	c.s.t.Helper()
	r := repeatable{mutation: "orderFulfill", shows: `fulfillment { id }`, by: c}
	shown, codes, err := r.call(vars{"orderId": order, "lines": []vars{{"orderLineId": c.order(order).Lines[0].ID, "quantity": quantity}}})
	var out struct{ Fulfillment struct{ ID string } }
	if err := errors.Join(err, json.Unmarshal([]byte(shown), &out)); err != nil || codes != "" {
		c.s.t.Fatal(codes, err)
	}
	return out.Fulfillment.ID
}

// patiently is call, which asks again while another call with the key is being worked on.
func (r repeatable) patiently(input vars) (shown, codes string, err error) {
	for deadline := time.Now().Add(15 * time.Second); ; {
		shown, codes, err = r.call(input)
		if codes != "IN_FLIGHT" || time.Now().After(deadline) {
			return shown, codes, err
		}
		<-time.After(20 * time.Millisecond)
	}
}

// lineInCart is a customer with a line of two pieces in the cart.
func (s *shop) lineInCart() (*client, string) {
	s.t.Helper()
	p, c := s.unique(9), s.as(users.Customer)
	c.change("cartLinesAdd", "CartLinesAddInput", vars{"lines": []vars{{"variantId": p.variantID, "quantity": 2}}})
	var out struct {
		Cart struct{ Lines []struct{ ID string } }
	}
	c.must(&out, `{ cart { lines { id } } }`, nil)
	return c, out.Cart.Lines[0].ID
}

func euros(amount string) vars { return vars{"amount": amount, "currencyCode": "EUR"} }

// unique is a product that no other test has.
func (s *shop) unique(onHand int) stocked {
	s.t.Helper()
	return s.product("Fjord Camera "+uuid.NewString(), "100.00", onHand)
}

// confirmed is a new order of a new customer, whose payment is authorized.
func (s *shop) confirmed(support *client, quantity int) string {
	s.t.Helper()
	id := s.as(users.Customer).buy(s.unique(quantity).variantID, quantity, "tok_visa")
	eventually(s.t, "the order is confirmed", func() bool { return support.orderStatus(id) == "CONFIRMED" })
	return id
}

// shows gives the data of a query as text.
func (c *client) shows(query string, variables vars) string {
	c.s.t.Helper()
	var data json.RawMessage
	c.must(&data, query, variables)
	return string(data)
}

// payments gives a function that tells all about a payment.
func (c *client) payments(id string) func() string {
	return func() string {
		return c.shows(`query($id: ID!) { payment(id: $id) { status authorizedAmount { amount } capturedAmount { amount } refundedAmount { amount } transactions { nodes { id } } } }`, vars{"id": id})
	}
}

// Of calls with one key at the same moment one orders. The others answer with its order, or are told to ask again; asked
// again they answer with it.
func TestOneKeyAtTheSameMoment(t *testing.T) {
	t.Parallel()
	s := setup(t)
	p, c := s.product("Fjord Camera", "100.00", 100), s.as(users.Customer)
	for round := range 5 {
		c.change("cartLinesAdd", "CartLinesAddInput", vars{"lines": []vars{{"variantId": p.variantID, "quantity": 1}}})
		r := repeatable{mutation: "orderPlace", shows: `order { id }`, by: c,
			input: vars{"paymentToken": "tok_visa", "shippingAddress": ackerstr, "idempotencyKey": fmt.Sprint("checkout-", round)}}
		var (
			all   sync.WaitGroup
			mu    sync.Mutex
			shown = map[string]int{}
		)
		for range 8 {
			all.Go(func() {
				order, codes, err := r.patiently(r.input)
				mu.Lock()
				defer mu.Unlock()
				shown[fmt.Sprint(order, " ", codes, " ", err)]++
			})
		}
		all.Wait()
		if len(shown) != 1 {
			t.Errorf("8 calls with one key answer %v", shown)
		}
		var out struct {
			Me struct{ Orders struct{ TotalCount int } }
		}
		if c.must(&out, `{ me { orders { totalCount } } }`, nil); out.Me.Orders.TotalCount != round+1 {
			t.Errorf("after %d checkouts there are %d orders", round+1, out.Me.Orders.TotalCount)
		}
	}
	eventually(t, "five pieces are gone", func() bool { return s.available(p.variantID) == 95 })
}

// Of 50 customers who want one of 10 pieces at the same moment, 10 get one, and the others are told and not charged.
func TestTheLastPieces(t *testing.T) {
	t.Parallel()
	const buyers, pieces = 50, 10
	s := setup(t)
	p, support := s.product("Fjord Camera", "100.00", pieces), s.as(users.Support)
	customers := make([]*client, buyers)
	for i := range customers {
		customers[i] = s.as(users.Customer)
		customers[i].change("cartLinesAdd", "CartLinesAddInput", vars{"lines": []vars{{"variantId": p.variantID, "quantity": 1}}})
	}
	placed, refused, faults := make([]string, buyers), make([]string, buyers), make([]error, buyers)
	var all sync.WaitGroup
	for i, c := range customers {
		all.Go(func() {
			r := repeatable{mutation: "orderPlace", shows: `order { id }`, by: c}
			placed[i], refused[i], faults[i] = r.call(vars{"paymentToken": "tok_visa", "shippingAddress": ackerstr})
		})
	}
	all.Wait()
	confirmed, failed := 0, 0
	for i, c := range customers {
		if faults[i] != nil {
			t.Fatal(faults[i])
		}
		if refused[i] != "" {
			if failed++; refused[i] != "INSUFFICIENT_STOCK" {
				t.Errorf("a customer is told %s", refused[i])
			}
			continue
		}
		var answer struct{ Order struct{ ID string } }
		if err := json.Unmarshal([]byte(placed[i]), &answer); err != nil {
			t.Fatal(err)
		}
		id := answer.Order.ID
		eventually(t, "an order is settled", func() bool { return c.orderStatus(id) != "PENDING" })
		switch o := c.order(id); {
		case o.Status == "CONFIRMED" && o.Payment.AuthorizedAmount.Amount == o.Total.Amount:
			confirmed++
		case o.Status == "FAILED" && o.StatusReason != nil && (o.Payment == nil || o.Payment.AuthorizedAmount.Amount == "0.00"):
			failed++
		default:
			t.Errorf("an order is %+v, its payment %+v", o, o.Payment)
		}
	}
	if confirmed != pieces || failed != buyers-pieces {
		t.Errorf("%d are confirmed and %d failed", confirmed, failed)
	}
	if n := s.available(p.variantID); n != 0 {
		t.Errorf("%d are left", n)
	}
	var out struct {
		Payments struct{ Nodes []struct{ Status string } }
	}
	support.must(&out, `{ payments(first: 100, where: {statuses: [AUTHORIZED, PARTIALLY_CAPTURED, CAPTURED]}) { nodes { status } } }`, nil)
	if len(out.Payments.Nodes) != pieces {
		t.Errorf("%d payments are held", len(out.Payments.Nodes))
	}
}
