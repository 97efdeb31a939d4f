package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/users"
)

// belongings are the ids of what a customer has, by kind.
type belongings map[string]string

// prefixes of the ids in belongings; the order's number and the cursors are none.
var prefixes = map[string]string{
	"user": model.PrefixUser, "address": model.PrefixAddress, "session": model.PrefixSession, "order": model.PrefixOrder,
	"fulfillment": model.PrefixFulfillment, "payment": model.PrefixPayment, "transaction": model.PrefixTransaction,
	"return": model.PrefixReturn, "cart": model.PrefixCart, "cartLine": model.PrefixCartLine, "notification": model.PrefixNotification, "review": model.PrefixReview,
}

// noLine is the id of a line that no order has.
var noLine = model.ID(model.PrefixOrderLine, uuid.Nil)

// unknown are ids that nothing has.
func unknown(other belongings) belongings {
	ids := belongings{"number": "T-99999999"}
	for kind, prefix := range prefixes {
		ids[kind] = model.ID(prefix, uuid.Must(uuid.NewV7()))
	}
	for kind := range other {
		if ids[kind] == "" {
			ids[kind] = "nonsense"
		}
	}
	return ids
}

// everything is what a customer sees of oneself.
const everything = `{ me { id email addresses { id city } sessions { id } cart { id lines { id quantity } } unreadNotificationCount
	notifications(first: 50) { nodes { id readAt } edges { cursor } }
	orders(first: 50) { totalCount edges { cursor } nodes { id number status version total { amount } fulfillments { id } lines { id } returns { nodes { id status } }
		payment { id status capturedAmount { amount } transactions { nodes { id } } } } } } }`

// own gives a customer something of every kind, and tells what.
func (s *shop) own(c, support *client) belongings {
	s.t.Helper()
	p := s.unique(20)
	id := c.buy(p.variantID, 2, "tok_visa")
	eventually(s.t, "the order is confirmed", func() bool { return c.orderStatus(id) == "CONFIRMED" })
	support.change("orderFulfill", "OrderFulfillInput", vars{"orderId": id, "lines": []vars{{"orderLineId": c.order(id).Lines[0].ID, "quantity": 1}}})
	eventually(s.t, "a part is captured", func() bool { return support.order(id).Payment.Status == "PARTIALLY_CAPTURED" })
	back := c.mustBack("returnRequest", asking(id, c.order(id).Lines[0].ID, 1))
	c.change("cartLinesAdd", "CartLinesAddInput", vars{"lines": []vars{{"variantId": p.variantID, "quantity": 1}}})
	c.change("addressCreate", "AddressCreateInput", vars{"address": ackerstr})
	c.change("reviewCreate", "ReviewCreateInput", vars{"productId": p.productID, "rating": 4, "body": "Good."})
	var out struct {
		Me struct {
			Addresses, Sessions []struct{ ID string }
			Cart                struct {
				ID    string
				Lines []struct{ ID string }
			}
			Notifications struct {
				Nodes []struct{ ID string }
				Edges []struct{ Cursor string }
			}
			Orders struct {
				Edges []struct{ Cursor string }
				Nodes []struct {
					Number       string
					Fulfillments []struct{ ID string }
					Payment      struct {
						ID           string
						Transactions struct{ Nodes []struct{ ID string } }
					}
				}
			}
		}
		Product struct {
			Reviews struct{ Nodes []struct{ ID string } }
		}
	}
	eventually(s.t, "the customer is notified three times", func() bool {
		c.must(&out, everything, nil)
		return len(out.Me.Notifications.Nodes) == 3
	})
	c.must(&out, `query($id: ID!) { product(id: $id) { reviews { nodes { id } } } }`, vars{"id": p.productID})
	order := out.Me.Orders.Nodes[0]
	return belongings{
		"user": c.userID, "address": out.Me.Addresses[0].ID, "session": out.Me.Sessions[0].ID,
		"order": id, "number": order.Number, "fulfillment": order.Fulfillments[0].ID, "return": back.ID,
		"payment": order.Payment.ID, "transaction": order.Payment.Transactions.Nodes[0].ID,
		"cart": out.Me.Cart.ID, "cartLine": out.Me.Cart.Lines[0].ID, "notification": out.Me.Notifications.Nodes[0].ID,
		"review": out.Product.Reviews.Nodes[0].ID, "ordersCursor": out.Me.Orders.Edges[0].Cursor, "notificationsCursor": out.Me.Notifications.Edges[0].Cursor,
	}
}

// A probe tries to get at something by its id.
type probe struct {
	name      string
	operation string
	variables func(belongings) vars
	hidden    bool // not even the owner gets at it this way
}

// mutation is a probe by a mutation.
func mutation(name string, hidden bool, input func(belongings) vars) probe {
	kind := strings.ToUpper(name[:1]) + name[1:] + "Input"
	return probe{name, `mutation($input: ` + kind + `!) { ` + name + `(input: $input) { userErrors { code message field } } }`,
		func(b belongings) vars { return vars{"input": input(b)} }, hidden}
}

// probes are all paths to what belongs to a customer. Those that take something away from its owner come last.
func probes() []probe {
	var list []probe
	of := func(kind string) func(belongings) vars { return func(b belongings) vars { return vars{"id": b[kind]} } }
	for _, kind := range slices.Sorted(maps.Keys(prefixes)) {
		if kind != "review" && kind != "cartLine" { // everybody may read the former; the latter is no node
			list = append(list, probe{"node of " + kind, `query($id: ID!) { node(id: $id) { __typename id } }`, of(kind), false})
		}
	}
	return append(list,
		probe{"nodes", `query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }`, func(b belongings) vars {
			return vars{"ids": []string{b["user"], b["address"], b["session"], b["order"], b["fulfillment"], b["payment"], b["transaction"], b["return"], b["cart"], b["notification"]}}
		}, false},
		probe{"order by id", `query($id: ID!) { order(id: $id) { number email shippingAddress { line1 } payment { id } } }`, of("order"), false},
		probe{"order by number", `query($id: String!) { order(number: $id) { id email customer { email } } }`, of("number"), false},
		probe{"payment", `query($id: ID!) { payment(id: $id) { status order { email } transactions { nodes { id } } } }`, of("payment"), false},
		probe{"user", `query($id: ID!) { user(id: $id) { email displayName } }`, of("user"), false},
		probe{"things of a user", `query($id: ID!) { user(id: $id) { addresses { id } sessions { id } cart { id } notifications { nodes { id } } orders { nodes { id } } } }`, of("user"), false},
		probe{"cart by its id", `query($id: String!) { cart(token: $id) { id } }`, of("cart"), true},
		probe{"orders of a customer", `query($id: ID!) { orders(where: {customerId: $id}) { nodes { id } } }`, of("user"), true},
		probe{"orders of a customer among one's own", `query($id: ID!) { me { orders(where: {customerId: $id}) { totalCount nodes { id } } } }`, of("user"), false},
		probe{"a number among one's own", `query($id: String!) { me { orders(where: {search: $id}) { totalCount nodes { id } } } }`, of("number"), false},
		probe{"a cursor of orders", `query($id: String!) { me { orders(after: $id) { nodes { id } } } }`, of("ordersCursor"), false},
		probe{"a cursor of notifications", `query($id: String!) { me { notifications(after: $id) { nodes { id } } } }`, of("notificationsCursor"), false},
		mutation("orderFulfill", true, func(b belongings) vars { return vars{"orderId": b["order"]} }),
		mutation("returnApprove", true, func(b belongings) vars { return vars{"id": b["return"]} }),
		mutation("returnReject", true, func(b belongings) vars { return vars{"id": b["return"], "reason": "x"} }),
		mutation("returnReceive", true, func(b belongings) vars { return vars{"id": b["return"], "lines": []vars{}} }),
		mutation("returnRefund", true, func(b belongings) vars { return vars{"id": b["return"]} }),
		mutation("orderNoteAdd", true, func(b belongings) vars { return vars{"orderId": b["order"], "note": "Hello."} }),
		mutation("paymentRefund", true, func(b belongings) vars { return vars{"paymentId": b["payment"]} }),
		mutation("userSetRoles", true, func(b belongings) vars { return vars{"userId": b["user"], "roles": []string{"ADMIN"}} }),
		mutation("cartMerge", true, func(b belongings) vars { return vars{"cartToken": b["cart"]} }),
		mutation("cartLinesUpdate", false, func(b belongings) vars { return vars{"lines": []vars{{"lineId": b["cartLine"], "quantity": 7}}} }),
		mutation("cartLinesRemove", false, func(b belongings) vars { return vars{"lineIds": []string{b["cartLine"]}} }),
		mutation("notificationsMarkRead", false, func(b belongings) vars { return vars{"ids": []string{b["notification"]}} }),
		mutation("addressUpdate", false, func(b belongings) vars { return vars{"id": b["address"], "address": ackerstr} }),
		mutation("orderPlace", false, func(b belongings) vars { return vars{"shippingAddressId": b["address"], "paymentToken": "tok_visa"} }),
		mutation("returnCancel", false, func(b belongings) vars { return vars{"id": b["return"]} }),
		mutation("returnRequest", false, func(b belongings) vars { return asking(b["order"], noLine, 1) }),
		mutation("orderCancel", false, func(b belongings) vars { return vars{"id": b["order"]} }),
		mutation("reviewDelete", false, func(b belongings) vars { return vars{"id": b["review"]} }),
		mutation("addressDelete", false, func(b belongings) vars { return vars{"id": b["address"]} }),
		mutation("sessionRevoke", false, func(b belongings) vars { return vars{"sessionId": b["session"]} }),
	)
}

// answers is what a viewer gets for a probe, with every id replaced by its kind.
func (p probe) answers(c *client, ids belongings) string {
	c.s.t.Helper()
	a := c.do(p.operation, p.variables(ids))
	errs, err := json.Marshal(a.Errors)
	if err != nil {
		c.s.t.Fatal(err)
	}
	return anonymized(fmt.Sprintf("%d %s %s", a.Status, a.Data, errs), ids)
}

func anonymized(text string, ids belongings) string {
	for kind, id := range ids {
		text = strings.ReplaceAll(text, id, "<"+kind+">")
	}
	return text
}

// Nothing of a customer can be seen or changed by another customer or by a stranger, by any path; they cannot even tell it
// from what does not exist.
func TestWhatBelongsToACustomer(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ada, bob, support := s.as(users.Customer), s.as(users.Customer), s.as(users.Support)
	adas := s.own(ada, support)
	s.own(bob, support)
	nothing := unknown(adas)
	before, bobBefore := ada.shows(everything, nil), bob.shows(everything, nil)

	strangers := map[string]*client{"another customer": bob, "nobody": s.anonymous()}
	for who, c := range strangers {
		for _, p := range probes() {
			got, want := p.answers(c, adas), p.answers(c, nothing)
			if got != want {
				t.Errorf("%s, %s: it answers\n  %s\nand for what is not there\n  %s", p.name, who, got, want)
			}
			for _, secret := range []string{"Ackerstr", "Ada Lovelace", "@example.com", "AUTHORIZED", adas["number"]} {
				if who == "nobody" && strings.Contains(got, secret) {
					t.Errorf("%s shows %s to %s: %s", p.name, secret, who, got)
				}
			}
		}
		for name, subscribe := range transports {
			told := func(ids belongings) string {
				stream := subscribe(c, followOrder, vars{"id": ids["order"]})
				f := stream.next()
				stream.complete()
				return anonymized(fmt.Sprintf("%s %+v", f.Data, f.Errors), ids)
			}
			if got, want := told(adas), told(nothing); got != want || !strings.Contains(got, "NOT_FOUND") && !strings.Contains(got, "UNAUTHENTICATED") {
				t.Errorf("orderUpdated over %s, %s: %s, and for what is not there %s", name, who, got, want)
			}
		}
	}
	if after := ada.shows(everything, nil); after != before {
		t.Errorf("what is the customer's has changed from\n%s\nto\n%s", before, after)
	}
	if after := bob.shows(everything, nil); after != bobBefore {
		t.Errorf("what is the other customer's has changed from\n%s\nto\n%s", bobBefore, after)
	}

	// The probes are no duds: the owner gets at it by each.
	ada = s.signInAgain(ada)
	for _, p := range probes() {
		got, want := p.answers(ada, adas), p.answers(ada, nothing)
		if (got != want) == p.hidden {
			t.Errorf("%s, its owner: it answers\n  %s\nand for what is not there\n  %s", p.name, got, want)
		}
	}
}

// signInAgain is a client with another session of the same account.
func (s *shop) signInAgain(c *client) *client {
	s.t.Helper()
	var out struct{ Me struct{ Email string } }
	c.must(&out, `{ me { email } }`, nil)
	return s.signIn(out.Me.Email, password)
}

// An anonymous cart is opened by its token alone; one of an account by nobody else, whatever they send as a token.
func TestCartTokens(t *testing.T) {
	t.Parallel()
	s := setup(t)
	p := s.unique(9)
	ada, bob := s.as(users.Customer), s.as(users.Customer)
	var out struct {
		CartLinesAdd struct {
			Cart struct {
				ID    string
				Token *string
			}
		}
	}
	line := []vars{{"variantId": p.variantID, "quantity": 2}}
	s.anonymous().must(&out, `mutation($input: CartLinesAddInput!) { cartLinesAdd(input: $input) { cart { id token } } }`, vars{"input": vars{"lines": line}})
	open := out.CartLinesAdd.Cart
	ada.must(&out, `mutation($input: CartLinesAddInput!) { cartLinesAdd(input: $input) { cart { id token } } }`, vars{"input": vars{"lines": line}})
	closed := out.CartLinesAdd.Cart
	if open.Token == nil || len(*open.Token) < 32 || closed.Token != nil {
		t.Fatalf("the tokens are %v and %v", open.Token, closed.Token)
	}
	most, last := (*open.Token)[:len(*open.Token)-1], "A"
	if strings.HasSuffix(*open.Token, last) {
		last = "B"
	}
	for name, token := range map[string]string{
		"the cart's id": open.ID, "the id of an account's cart": closed.ID, "its UUID": bare(t, model.PrefixCart, closed.ID), "an account's id": ada.userID,
		"a token cut short": most, "a token with more": *open.Token + "A", "another token": most + last, "nothing": "",
	} {
		for who, c := range map[string]*client{"a customer": bob, "nobody": s.anonymous()} {
			var seen struct{ Cart *struct{ ID string } }
			if c.must(&seen, `query($token: String) { cart(token: $token) { id } }`, vars{"token": token}); seen.Cart != nil {
				t.Errorf("%s opens %s by %s", who, seen.Cart.ID, name)
			}
			if token == "" {
				continue
			}
			if errs := c.try("cartLinesAdd", "CartLinesAddInput", vars{"cartToken": token, "lines": line}); len(errs) != 1 || errs[0].Code != "NOT_FOUND" {
				t.Errorf("%s adds by %s: %+v", who, name, errs)
			}
		}
	}
	// An id shows an open cart to nobody: it is no secret.
	if got := s.anonymous().shows(`query($id: ID!) { node(id: $id) { id } }`, vars{"id": open.ID}); got != `{"node":null}` {
		t.Errorf("by its id an anonymous cart is %s", got)
	}
	var seen struct{ Cart *struct{ TotalQuantity int } }
	if bob.must(&seen, `query($token: String) { cart(token: $token) { totalQuantity } }`, vars{"token": *open.Token}); seen.Cart == nil || seen.Cart.TotalQuantity != 2 {
		t.Errorf("by its token the cart is %+v", seen.Cart)
	}
}
