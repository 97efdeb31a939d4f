package e2e

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/techmart/techmart/services/users"
)

// A stranger becomes a customer, shops, and sees the order confirmed.
func TestShopping(t *testing.T) {
	t.Parallel()
	s := setup(t)
	laptop := s.product("Nordlicht X14", "1299.00", 5)

	var registered struct {
		UserRegister struct {
			Accepted   bool
			UserErrors []userError
		}
	}
	const email = "ada@example.com"
	s.anonymous().must(&registered, `mutation($input: UserRegisterInput!) { userRegister(input: $input) { accepted userErrors { code message field } } }`,
		vars{"input": vars{"email": email, "password": password, "displayName": "Ada"}})
	if !registered.UserRegister.Accepted {
		t.Fatalf("not accepted: %+v", registered)
	}

	var added struct {
		CartLinesAdd struct {
			Cart       struct{ Token string }
			UserErrors []userError
		}
	}
	s.anonymous().must(&added, `mutation($input: CartLinesAddInput!) { cartLinesAdd(input: $input) { cart { token } userErrors { code message field } } }`,
		vars{"input": vars{"lines": []vars{{"variantId": laptop.variantID, "quantity": 2}}}})
	if added.CartLinesAdd.Cart.Token == "" {
		t.Fatalf("no cart: %+v", added)
	}

	token := s.verificationToken()
	var verified struct {
		UserVerifyEmail struct {
			User       *struct{ EmailVerified bool }
			UserErrors []userError
		}
	}
	s.anonymous().must(&verified, `mutation($input: UserVerifyEmailInput!) { userVerifyEmail(input: $input) { user { emailVerified } userErrors { code message } } }`,
		vars{"input": vars{"token": token}})
	if verified.UserVerifyEmail.User == nil || !verified.UserVerifyEmail.User.EmailVerified {
		t.Fatalf("not verified: %+v", verified)
	}

	customer := s.signIn(email, password)
	var merged struct {
		CartMerge struct {
			Cart       struct{ TotalQuantity int }
			UserErrors []userError
		}
	}
	customer.must(&merged, `mutation($input: CartMergeInput!) { cartMerge(input: $input) { cart { totalQuantity } userErrors { code message } } }`,
		vars{"input": vars{"cartToken": added.CartLinesAdd.Cart.Token}})
	if merged.CartMerge.Cart.TotalQuantity != 2 {
		t.Fatalf("the cart holds %+v", merged)
	}

	order := customer.placeOrder("tok_visa")
	eventually(t, "the order is confirmed", func() bool { return customer.orderStatus(order) == "CONFIRMED" })

	var stock struct {
		ProductVariant struct{ QuantityAvailable int }
	}
	s.anonymous().must(&stock, `query($id: ID!) { productVariant(id: $id) { quantityAvailable } }`, vars{"id": laptop.variantID})
	if stock.ProductVariant.QuantityAvailable != 3 {
		t.Errorf("available: %d", stock.ProductVariant.QuantityAvailable)
	}
	eventually(t, "an e-mail says so", func() bool { return strings.Contains(s.page("/dev/mailbox"), "confirmed") })

	if got := s.as(users.Customer).orderStatus(order); got != "" {
		t.Errorf("another customer sees the order: %s", got)
	}
	if got := s.as(users.Support).orderStatus(order); got != "CONFIRMED" {
		t.Errorf("support sees %q", got)
	}
}

// placeOrder orders what is in the client's cart.
func (c *client) placeOrder(paymentToken string) string {
	c.s.t.Helper()
	var out struct {
		OrderPlace struct {
			Order      *struct{ ID, Status string }
			UserErrors []userError
		}
	}
	c.must(&out, `mutation($input: OrderPlaceInput!) { orderPlace(input: $input) { order { id status } userErrors { code message field } } }`,
		vars{"input": vars{
			"paymentToken": paymentToken,
			"shippingAddress": vars{
				"recipient": "Ada Lovelace", "line1": "Ackerstr. 1", "postalCode": "10115", "city": "Berlin", "countryCode": "DE",
			},
		}})
	if out.OrderPlace.Order == nil {
		c.s.t.Fatalf("no order: %+v", out.OrderPlace.UserErrors)
	}
	return out.OrderPlace.Order.ID
}

// orderStatus is "" for an order that the client may not know of.
func (c *client) orderStatus(id string) string {
	c.s.t.Helper()
	var out struct{ Order *struct{ Status string } }
	c.must(&out, `query($id: ID!) { order(id: $id) { status } }`, vars{"id": id})
	if out.Order == nil {
		return ""
	}
	return out.Order.Status
}

var (
	mailLink  = regexp.MustCompile(`href="(/dev/mailbox/[0-9a-f-]{36})"`)
	mailToken = regexp.MustCompile(`token=([A-Za-z0-9_-]{20,})`)
)

// verificationToken takes the token out of the only mail in the mailbox.
func (s *shop) verificationToken() string {
	s.t.Helper()
	var token string
	eventually(s.t, "a mail with a token arrives", func() bool {
		link := mailLink.FindStringSubmatch(s.page("/dev/mailbox"))
		if link == nil {
			return false
		}
		found := mailToken.FindStringSubmatch(s.page(link[1] + "/text"))
		if found == nil {
			s.t.Fatalf("no token in %s", s.page(link[1]+"/text"))
		}
		token = found[1]
		return true
	})
	return token
}

// page gives the text of a page.
func (s *shop) page(path string) string {
	s.t.Helper()
	resp, err := http.Get(s.url + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close() // it is read to its end
	var b strings.Builder
	if err := resp.Write(&b); err != nil {
		s.t.Fatal(err)
	}
	return b.String()
}

func TestReady(t *testing.T) {
	t.Parallel()
	s := setup(t)
	page := s.page("/readyz")
	for _, part := range []string{"200 OK", `"postgres":{"status":"ok"`, `"mongodb":{"status":"ok"`, `"redis":{"status":"ok"`, `"rabbitmq":{"status":"ok"`} {
		if !strings.Contains(page, part) {
			t.Errorf("no %s in %s", part, page)
		}
	}
}
