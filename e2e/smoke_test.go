package e2e

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	techmart "github.com/techmart/techmart/clients/go"
	"github.com/techmart/techmart/services/users"
)

// A stranger becomes a customer, shops, and sees the order confirmed.
func TestShopping(t *testing.T) {
	t.Parallel()
	s := setup(t)
	laptop := s.product("Nordlicht X14", "1299.00", 5)

	const email = "ada@example.com"
	stranger := s.anonymous().typed()
	registered, err := techmart.UserRegister(t.Context(), stranger, techmart.UserRegisterInput{Email: email, Password: password, DisplayName: "Ada"})
	if err := techmart.Check(err, registered.UserRegister.UserErrors); err != nil || !registered.UserRegister.Accepted {
		t.Fatalf("accepted %v: %v", registered.UserRegister.Accepted, err)
	}
	added, err := techmart.CartLinesAdd(t.Context(), stranger, techmart.CartLinesAddInput{Lines: []techmart.CartLineInput{{VariantId: laptop.variantID, Quantity: 2}}})
	if err := techmart.Check(err, added.CartLinesAdd.UserErrors); err != nil {
		t.Fatal(err)
	}
	cart := added.CartLinesAdd.Cart
	if cart.Token == nil || cart.Total.Amount == "" {
		t.Fatalf("the cart is %+v", cart)
	}

	verified, err := techmart.UserVerifyEmail(t.Context(), stranger, techmart.UserVerifyEmailInput{Token: s.verificationToken()})
	if err := techmart.Check(err, verified.UserVerifyEmail.UserErrors); err != nil || !verified.UserVerifyEmail.User.EmailVerified {
		t.Fatalf("verified %+v: %v", verified.UserVerifyEmail.User, err)
	}

	customer := s.signIn(email, password)
	ada := customer.typed()
	merged, err := techmart.CartMerge(t.Context(), ada, techmart.CartMergeInput{CartToken: *cart.Token})
	if err := techmart.Check(err, merged.CartMerge.UserErrors); err != nil || merged.CartMerge.Cart.TotalQuantity != 2 {
		t.Fatalf("the cart is %+v: %v", merged.CartMerge.Cart, err)
	}

	order := customer.placeOrder("tok_visa")
	eventually(t, "the order is confirmed", func() bool { return customer.orderStatus(order) == "CONFIRMED" })

	stock, err := techmart.Stock(t.Context(), stranger, laptop.variantID)
	if err != nil {
		t.Fatal(err)
	}
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

// typed is the same client as a program in Go has it.
func (c *client) typed() *techmart.Client {
	return techmart.New(c.s.url+"/graphql", techmart.Options{Token: techmart.StaticToken(c.token)})
}

// placeOrder orders what is in the client's cart.
func (c *client) placeOrder(paymentToken string) string {
	c.s.t.Helper()
	placed, err := techmart.OrderPlace(c.s.t.Context(), c.typed(), techmart.OrderPlaceInput{
		PaymentToken: paymentToken,
		ShippingAddress: &techmart.AddressInput{
			Recipient: "Ada Lovelace", Line1: "Ackerstr. 1", PostalCode: "10115", City: "Berlin", CountryCode: "DE",
		},
	})
	if err := techmart.Check(err, placed.OrderPlace.UserErrors); err != nil {
		c.s.t.Fatalf("no order: %v", err)
	}
	return placed.OrderPlace.Order.Id
}

// orderStatus is "" for an order that the client may not know of.
func (c *client) orderStatus(id string) string {
	c.s.t.Helper()
	out, err := techmart.OrderState(c.s.t.Context(), c.typed(), id)
	if err != nil {
		c.s.t.Fatal(err)
	}
	if out.Order == nil {
		return ""
	}
	return string(out.Order.Status)
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
