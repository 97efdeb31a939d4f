package e2e

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/e2e/audit"
	"github.com/techmart/techmart/services/users"
)

// returnState is what a return shows to staff.
type returnState struct {
	ID, Number, Status string
	Instructions       *string
	RejectionReason    *string
	RefundProblem      *string
	RefundTotal        *struct{ Amount string }
	RestockedAt        *string
	Lines              []struct{ Quantity, QuantityReceived, QuantityRestocked int }
	NextStatuses       []string
}

const returnFields = ` id number status nextStatuses instructions rejectionReason refundProblem refundTotal { amount } restockedAt
	lines { quantity quantityReceived quantityRestocked } `

// back runs a mutation of returns.
func (c *client) back(mutation string, input vars) (returnState, []userError) {
	c.s.t.Helper()
	var out map[string]struct {
		Return     returnState
		UserErrors []userError
	}
	kind := strings.ToUpper(mutation[:1]) + mutation[1:] + "Input"
	c.must(&out, `mutation($input: `+kind+`!) { `+mutation+`(input: $input) { return {`+returnFields+`} userErrors { code message field } } }`, vars{"input": input})
	return out[mutation].Return, out[mutation].UserErrors
}

// mustBack is back without user errors.
func (c *client) mustBack(mutation string, input vars) returnState {
	c.s.t.Helper()
	r, wrong := c.back(mutation, input)
	if len(wrong) > 0 {
		c.s.t.Fatalf("%s: %+v", mutation, wrong)
	}
	return r
}

// theReturn reads a return; its status is "" where the client may not know of it.
func (c *client) theReturn(id string) returnState {
	c.s.t.Helper()
	var out struct{ Node returnState }
	c.must(&out, `query($id: ID!) { node(id: $id) { ... on Return {`+returnFields+`} } }`, vars{"id": id})
	return out.Node
}

// delivered gives an order of the client that has arrived and is paid, and its line.
func (c *client) delivered(support *client, variantID string, quantity int) (order, line string) {
	c.s.t.Helper()
	order = c.buy(variantID, quantity, "tok_visa")
	eventually(c.s.t, "the order is confirmed", func() bool { return c.orderStatus(order) == "CONFIRMED" })
	support.change("orderFulfill", "OrderFulfillInput", vars{"orderId": order})
	support.change("orderDeliver", "OrderDeliverInput", vars{"orderId": order})
	eventually(c.s.t, "the order is paid", func() bool { return support.order(order).Payment.Status == "CAPTURED" })
	return order, support.order(order).Lines[0].ID
}

// asking is the input of a request for a return of n articles of a line.
func asking(order, line string, n int) vars {
	return vars{"orderId": order, "lines": []vars{{"orderLineId": line, "quantity": n, "reason": "DEFECTIVE"}}, "note": "It does not open."}
}

// coming is the input of the arrival of n articles of a line, some of which can be sold again.
func coming(id, line string, n, restock int) vars {
	return vars{"id": id, "lines": []vars{{"orderLineId": line, "quantity": n, "restock": restock}}}
}

// A customer sends three cameras back in two returns: each is approved, received, put back into stock, paid back and
// written about; together they pay back to the cent what was paid for the cameras.
func TestReturnsWholeWay(t *testing.T) {
	t.Parallel()
	s := setup(t)
	customer, support, other := s.as(users.Customer), s.as(users.Support), s.as(users.Customer)
	s.promotion(vars{"title": "A third of a seventh", "kind": "AMOUNT", "amount": euros("10.01")})
	camera := s.product("Fjord Camera", "33.33", 10)
	order, line := customer.delivered(support, camera.variantID, 3)

	if _, wrong := other.back("returnRequest", asking(order, line, 1)); len(wrong) != 1 || wrong[0].Code != "NOT_FOUND" {
		t.Errorf("somebody else's request answers %+v", wrong)
	}
	if _, wrong := customer.back("returnRequest", asking(order, line, 4)); len(wrong) != 1 || wrong[0].Code != "OUT_OF_RANGE" {
		t.Errorf("a request for more than was bought answers %+v", wrong)
	}
	first := customer.mustBack("returnRequest", asking(order, line, 1))
	s.mailed("Your return " + first.Number + " was requested")
	if r := other.theReturn(first.ID); r.Status != "" {
		t.Errorf("somebody else sees %+v", r)
	}
	support.mustBack("returnApprove", vars{"id": first.ID, "instructions": "TechMart Returns, Werftstr. 1, 10557 Berlin"})
	s.mailed("Your return " + first.Number + " is approved")
	if r := customer.theReturn(first.ID); r.Status != "APPROVED" || r.Instructions == nil {
		t.Errorf("the customer sees %+v", r)
	}

	// Two of the staff press at once: it comes once.
	var (
		both  sync.WaitGroup
		codes [2]string
	)
	for i, c := range []*client{support, s.as(users.Admin)} {
		both.Go(func() {
			if _, wrong := c.back("returnReceive", coming(first.ID, line, 1, 1)); len(wrong) > 0 {
				codes[i] = wrong[0].Code
			}
		})
	}
	both.Wait()
	if codes != [2]string{"", "INVALID_STATE"} && codes != [2]string{"INVALID_STATE", ""} {
		t.Errorf("two who receive it at once get %q", codes)
	}
	eventually(t, "the first is paid back", func() bool { return support.theReturn(first.ID).Status == "REFUNDED" })
	s.mailed("Your return " + first.Number + " has arrived")
	s.mailed("A refund for your return " + first.Number)
	if n := s.available(camera.variantID); n != 8 {
		t.Errorf("of 10 cameras, after 3 were sent and 1 came back, %d are available", n)
	}

	second := customer.mustBack("returnRequest", asking(order, line, 2))
	if _, wrong := customer.back("returnRequest", asking(order, line, 1)); len(wrong) != 1 || wrong[0].Code != "OUT_OF_RANGE" {
		t.Errorf("a request for what is being returned answers %+v", wrong)
	}
	support.mustBack("returnApprove", vars{"id": second.ID})
	support.mustBack("returnReceive", coming(second.ID, line, 2, 0))
	eventually(t, "the second is paid back", func() bool { return support.theReturn(second.ID).Status == "REFUNDED" })
	if n := s.available(camera.variantID); n != 8 {
		t.Errorf("broken cameras went back into stock: %d are available", n)
	}
	var out struct {
		Order struct {
			Payment struct{ RefundedAmount struct{ Amount string } }
			Returns struct {
				TotalCount int
				Nodes      []returnState
			}
		}
		ProductVariant struct {
			InventoryHistory struct {
				Nodes []struct {
					Delta        int
					Reason, Note string
				}
			}
		}
		Returns struct{ TotalCount int }
	}
	s.as(users.Admin).must(&out, `query($id: ID!, $variant: ID!) { order(id: $id) { payment { refundedAmount { amount } } returns { totalCount nodes {`+returnFields+`} } }
		productVariant(id: $variant) { inventoryHistory { nodes { delta reason note } } } returns(where: {status: REFUNDED}) { totalCount } }`,
		vars{"id": order, "variant": camera.variantID})
	if got := out.Order.Payment.RefundedAmount.Amount; got != "89.98" { // 99.99 less 10.01
		t.Errorf("%s are paid back", got)
	}
	if r := out.Order.Returns; r.TotalCount != 2 || len(r.Nodes) != 2 || r.Nodes[0].ID != first.ID || r.Nodes[0].RestockedAt == nil || r.Nodes[1].RestockedAt != nil {
		t.Errorf("the order has %+v", r)
	}
	if h := out.ProductVariant.InventoryHistory.Nodes; len(h) != 3 || h[0].Delta != 1 || h[0].Reason != "RETURNED" || h[0].Note != "Return "+first.Number {
		t.Errorf("the history of the stock is %+v", h)
	}
	if out.Returns.TotalCount != 2 {
		t.Errorf("staff see %d returns", out.Returns.TotalCount)
	}
	eventually(t, "both refunds are on the timeline", func() bool {
		n := 0
		for _, e := range support.order(order).Timeline.Nodes {
			if e.Type == "PAYMENT_REFUNDED" {
				n++
			}
		}
		return n == 2
	})
	if strings.Contains(s.page("/dev/mailbox"), "A refund for your order") {
		t.Error("the refund of a return is told of twice")
	}
	s.ledgerBalances(support)
	s.audited()
}

// What may not be returned is refused, and what is refused or called off may be asked for again.
func TestReturnsThatComeToNothing(t *testing.T) {
	t.Parallel()
	s := setup(t, func(c *app.Config) { c.ReturnPeriod = 14 * 24 * time.Hour })
	customer, support := s.as(users.Customer), s.as(users.Support)
	order, line := customer.delivered(support, s.unique(5).variantID, 1)
	rejected := customer.mustBack("returnRequest", asking(order, line, 1))
	if _, wrong := support.back("returnReject", vars{"id": rejected.ID, "reason": " "}); len(wrong) != 1 || wrong[0].Code != "REQUIRED" {
		t.Errorf("a rejection without a reason answers %+v", wrong)
	}
	support.mustBack("returnReject", vars{"id": rejected.ID, "reason": "It was worn."})
	s.mailed("Your return " + rejected.Number + " was not accepted")
	if _, wrong := support.back("returnApprove", vars{"id": rejected.ID}); len(wrong) != 1 || wrong[0].Code != "INVALID_STATE" {
		t.Errorf("the approval of a rejected one answers %+v", wrong)
	}
	cancelled := customer.mustBack("returnRequest", asking(order, line, 1))
	support.mustBack("returnApprove", vars{"id": cancelled.ID})
	if r := customer.mustBack("returnCancel", vars{"id": cancelled.ID}); r.Status != "CANCELLED" || len(r.NextStatuses) != 0 {
		t.Errorf("called off it is %+v", r)
	}
	if _, wrong := support.back("returnReceive", coming(cancelled.ID, line, 1, 1)); len(wrong) != 1 || wrong[0].Code != "INVALID_STATE" {
		t.Errorf("the arrival of a cancelled one answers %+v", wrong)
	}

	db, err := pgx.Connect(t.Context(), s.config.PostgresURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close(t.Context()) }()
	if _, err := db.Exec(t.Context(), `UPDATE orders.fulfillments SET delivered_at = delivered_at - interval '14 days 1 minute'`); err != nil {
		t.Fatal(err)
	}
	if _, wrong := customer.back("returnRequest", asking(order, line, 1)); len(wrong) != 1 || wrong[0].Code != "OUT_OF_RANGE" || !strings.Contains(wrong[0].Message, "14 days") {
		t.Errorf("a late request answers %+v", wrong)
	}
	s.audited()
}

// A refund that the books refuse is shown to staff with what to do, and not to the customer.
func TestReturnsWhoseRefundIsRefused(t *testing.T) {
	t.Parallel()
	s := setup(t)
	customer, support := s.as(users.Customer), s.as(users.Support)
	_, line, id := s.refused(customer, support)
	eventually(t, "the refusal is noted", func() bool { return support.theReturn(id).RefundProblem != nil })
	if r := customer.theReturn(id); r.Status != "RECEIVED" || r.RefundProblem != nil {
		t.Errorf("the customer sees %+v", r)
	}
	var list struct{ Returns struct{ Nodes []returnState } }
	support.must(&list, `{ returns(where: {refundRefused: true}, sortBy: {field: UPDATED_AT, direction: ASC}) { nodes {`+returnFields+`} } }`, nil)
	if len(list.Returns.Nodes) != 1 || list.Returns.Nodes[0].ID != id {
		t.Errorf("staff see %+v", list.Returns.Nodes)
	}
	support.mustBack("returnRefund", vars{"id": id, "paidOtherwise": "With the refund of the whole order."})
	if r := customer.theReturn(id); r.Status != "REFUNDED" {
		t.Errorf("closed it is %+v", r)
	}
	if _, wrong := support.back("returnReceive", coming(id, line, 1, 1)); len(wrong) != 1 {
		t.Error("what is closed has come once more")
	}
	s.audited()
}

// refused makes a return that has come after all of its order was paid back by hand.
func (s *shop) refused(customer, support *client) (order, line, id string) {
	s.t.Helper()
	order, line = customer.delivered(support, s.unique(5).variantID, 1)
	id = customer.mustBack("returnRequest", asking(order, line, 1)).ID
	support.mustBack("returnApprove", vars{"id": id})
	support.change("paymentRefund", "PaymentRefundInput", vars{"paymentId": support.order(order).Payment.ID})
	support.mustBack("returnReceive", coming(id, line, 1, 1))
	return order, line, id
}

// audited reads all stores once the shop has come to rest.
func (s *shop) audited() {
	s.t.Helper()
	address := s.config.MongoURL
	database := address[strings.LastIndexByte(address, '/')+1:]
	database, _, _ = strings.Cut(database, "?")
	if database == "" {
		database = s.config.MongoDatabase
	}
	var last *audit.Report
	eventually(s.t, "the audit finds nothing wrong", func() bool {
		report, err := audit.Check(s.t.Context(), audit.Shop{PostgresURL: s.config.PostgresURL, MongoURL: address, Mongo: database})
		if err != nil {
			s.t.Fatal(err)
		}
		last = report
		if len(report.Wrong) > 0 {
			s.t.Log(report.Wrong)
		}
		return len(report.Wrong) == 0
	})
	s.t.Logf("audit: %s", last)
}

// repeatReturn makes each mutation of returns, with all that it needs.
func (s *shop) repeatReturn(mutation string) repeatable {
	s.t.Helper()
	customer, support := s.as(users.Customer), s.as(users.Support)
	r := repeatable{mutation: mutation, shows: "return { id number }", by: support}
	var order string
	r.effect = func() string {
		return support.shows(`query($id: ID!) { order(id: $id) { returns { nodes { id status instructions } } } }`, vars{"id": order})
	}
	if mutation == "returnRefund" {
		var id string
		order, _, id = s.refused(customer, support)
		eventually(s.t, "the refusal is noted", func() bool { return support.theReturn(id).RefundProblem != nil })
		r.input, r.other = vars{"id": id, "paidOtherwise": "In cash."}, vars{"paidOtherwise": "By voucher."}
		return r
	}
	var line string
	order, line = customer.delivered(support, s.unique(5).variantID, 2)
	if mutation == "returnRequest" {
		r.by, r.input, r.other = customer, asking(order, line, 1), vars{"note": "Another."}
		return r
	}
	id := customer.mustBack("returnRequest", asking(order, line, 1)).ID
	switch mutation {
	case "returnApprove":
		r.input, r.other = vars{"id": id, "instructions": "Berlin"}, vars{"instructions": "Rotterdam"}
	case "returnReject":
		r.input, r.other = vars{"id": id, "reason": "It was worn."}, vars{"reason": "It was used."}
	case "returnCancel":
		another := customer.mustBack("returnRequest", asking(order, line, 1)).ID
		r.by, r.input, r.other = customer, vars{"id": id}, vars{"id": another}
	case "returnReceive":
		support.mustBack("returnApprove", vars{"id": id})
		r.input, r.other = coming(id, line, 1, 0), vars{"lines": coming(id, line, 1, 1)["lines"]}
		r.effect = func() string {
			return support.shows(`query($id: ID!) { order(id: $id) { returns { nodes { id receivedAt } } } }`, vars{"id": order})
		}
	}
	return r
}
