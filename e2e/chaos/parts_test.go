package chaos

import (
	"errors"
	"strings"

	"github.com/google/uuid"

	"github.com/techmart/techmart/graph/model"
)

// pathsParts are those on which an order is sent, paid back or returned in parts, or uses a promotion up.
var pathsParts = []path{
	{name: "sent in two parcels", token: "tok_visa", act: sendInTwo, ends: []string{"FULFILLED"}, pieces: 3},
	{name: "paid back in part", token: "tok_visa", before: []deed{send}, act: payBackSome, ends: []string{"FULFILLED"}, pieces: 2},
	{name: "paid back in two parts", token: "tok_visa", before: []deed{sendInTwo}, act: payBackInTwo, ends: []string{"REFUNDED"}, pieces: 2},
	{name: "returned in part", token: "tok_visa", before: []deed{send}, act: returns(1, 1), ends: []string{"FULFILLED"}, pieces: 2},
	{name: "returned whole, one of it broken", token: "tok_visa", before: []deed{send}, act: returns(3, 2), ends: []string{"REFUNDED"}, pieces: 3},
	{name: "with a promotion", token: "tok_visa", ends: []string{"CONFIRMED"}, coupon: true},
	{name: "with a promotion, declined", token: "tok_declined", ends: []string{"FAILED"}, coupon: true},
	{name: "with a promotion, cancelled at any step", token: "tok_visa", after: cancel, ends: []string{"CANCELLED"}, coupon: true},
}

// sendInTwo sends one piece, and then what is left.
func sendInTwo(k *killing, id uuid.UUID) error {
	line, err := k.staff.line(id)
	if err != nil {
		return err
	}
	if err := k.staff.run(new(any), `mutation($i: OrderFulfillInput!) { orderFulfill(input: $i) { userErrors { code message } } }`, vars{"i": vars{
		"orderId": model.ID("ord", id), "lines": []vars{{"orderLineId": line, "quantity": 1}}, "idempotencyKey": uuid.NewString(),
	}}); err != nil {
		return err
	}
	return k.staff.fulfill(id)
}

func payBackSome(k *killing, id uuid.UUID) error { return k.staff.refundAmount(id, "5.00") }

// payBackInTwo pays some back, and then what is left.
func payBackInTwo(k *killing, id uuid.UUID) error {
	return errors.Join(k.staff.refundAmount(id, "5.00"), k.staff.refund(id))
}

// returns gives the deed of a return of n pieces, from the request to their arrival; some of them can be sold again.
func returns(n, restock int) deed {
	return func(k *killing, id uuid.UUID) error {
		line, err := k.staff.line(id)
		if err != nil {
			return err
		}
		var asked struct {
			ReturnRequest struct{ Return struct{ ID string } }
		}
		if err := k.customer.run(&asked, `mutation($i: ReturnRequestInput!) { returnRequest(input: $i) { return { id } userErrors { code message } } }`, vars{"i": vars{
			"orderId": model.ID("ord", id), "lines": []vars{{"orderLineId": line, "quantity": n, "reason": "CHANGED_MIND"}}, "idempotencyKey": uuid.NewString(),
		}}); err != nil {
			return err
		}
		back := asked.ReturnRequest.Return.ID
		if err := k.staff.run(new(any), `mutation($i: ReturnApproveInput!) { returnApprove(input: $i) { userErrors { code message } } }`, vars{"i": vars{
			"id": back, "instructions": "TechMart Returns, Werftstr. 1, 10557 Berlin", "idempotencyKey": uuid.NewString(),
		}}); err != nil {
			return err
		}
		return k.staff.run(new(any), `mutation($i: ReturnReceiveInput!) { returnReceive(input: $i) { userErrors { code message } } }`, vars{"i": vars{
			"id": back, "lines": []vars{{"orderLineId": line, "quantity": n, "restock": restock}}, "idempotencyKey": uuid.NewString(),
		}})
	}
}

// line gives the first line of an order.
func (c *client) line(id uuid.UUID) (string, error) {
	var out struct {
		Order struct{ Lines []struct{ ID string } }
	}
	if err := c.run(&out, `query($id: ID!) { order(id: $id) { lines { id } } }`, vars{"id": model.ID("ord", id)}); err != nil {
		return "", err
	}
	if len(out.Order.Lines) == 0 {
		return "", errors.New("the order has no lines")
	}
	return out.Order.Lines[0].ID, nil
}

// placeWithCode orders with the code of a promotion that one order may use.
func (k *killing) placeWithCode(variant string, pieces int, token string) uuid.UUID {
	k.t.Helper()
	code, key := "ONCE-"+strings.ToUpper(uuid.NewString()[:13]), uuid.NewString()
	err := k.staff.run(new(any), `mutation($i: PromotionCreateInput!) { promotionCreate(input: $i) { userErrors { code message } } }`, vars{"i": vars{
		"promotion": vars{"code": code, "title": "Once", "kind": "PERCENTAGE", "percent": "10", "maxUses": 1},
	}})
	if err != nil {
		k.t.Fatal(err)
	}
	if err := k.customer.add(variant, pieces, key); err != nil {
		k.t.Fatal(err)
	}
	if err := k.customer.run(new(any), `mutation($i: CartDiscountCodesUpdateInput!) { cartDiscountCodesUpdate(input: $i) { userErrors { code message } } }`,
		vars{"i": vars{"codes": []string{code}}}); err != nil {
		k.t.Fatal(err)
	}
	id, err := k.customer.place(token, key)
	if err != nil {
		k.t.Fatal(err)
	}
	k.accepted = append(k.accepted, id)
	k.coupons[id] = code
	return id
}

// used checks that a promotion is used once by an order that stands, and that one which came to nothing has given it back.
func (k *killing) used(id uuid.UUID, code, status string) {
	k.t.Helper()
	var uses, live, discounts, want int
	if err := k.pool.QueryRow(k.t.Context(), `SELECT p.uses, (SELECT count(*) FROM promotions.redemptions WHERE promotion_id = p.id AND order_id = o.id AND released_at IS NULL),
		jsonb_array_length(o.discounts) FROM promotions.promotions p, orders.orders o WHERE p.code = $1 AND o.id = $2`, code, id).Scan(&uses, &live, &discounts); err != nil {
		k.t.Errorf("promotion %s: %v", code, err)
		return
	}
	if status == "CONFIRMED" {
		want = 1
	}
	if uses != want || live != want || discounts != 1 {
		k.t.Errorf("order %s (%s) is %s with %d discounts: its promotion counts %d uses, %d of them its own", id, k.what[id], status, discounts, uses, live)
	}
}
