package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/services/payments/stripe/stripetest"
	"github.com/techmart/techmart/services/users"
)

// paidByStripe is a shop over an account at Stripe, and the cable between them.
func paidByStripe(t *testing.T, change ...func(*app.Config)) (*shop, *stripetest.Account, *cable) {
	t.Helper()
	account := stripetest.Open(t, stripetest.Rules{SeveralCaptures: true})
	line, address := lay(t, account.URL)
	s := setup(t, append(change, func(c *app.Config) {
		c.PaymentProvider, c.StripeKey, c.StripeURL, c.StripeWebhookSecret = "stripe", "sk_test_1", strings.TrimSuffix(address, "/"), stripeWebhookSecret
		c.LogLevel = "error"
	})...)
	return s, account, line
}

// tells tells whether an order's timeline has a kind of entry, as its customer reads it.
func (c *client) tells(order, entry string) bool {
	return strings.Contains(c.shows(`query($id: ID!) { order(id: $id) { timeline(first: 100) { nodes { type } } } }`, vars{"id": order}), `"`+entry+`"`)
}

// Without the payment provider orders are accepted and wait; when it is back they settle, each held once.
func TestOrdersWithoutThePaymentProvider(t *testing.T) {
	t.Parallel()
	s, account, line := paidByStripe(t)
	camera := s.product("Fjord Camera", "100.00", 20)
	line.cut()
	customers, orders := make([]*client, 4), make([]string, 4)
	for i := range orders {
		customers[i] = s.as(users.Customer)
		orders[i] = customers[i].buy(camera.variantID, 1, "pm_card_visa")
	}
	eventually(t, "calls are refused", func() bool { return s.breakerOpen("stripe") })
	for i, id := range orders {
		if status := customers[i].orderStatus(id); status != "PENDING" {
			t.Errorf("without the provider an order is %s", status)
		}
	}
	line.mend()
	for i, id := range orders {
		eventually(t, "an order is confirmed", func() bool { return customers[i].orderStatus(id) == "CONFIRMED" })
	}
	if held := account.Intents(); len(held) != len(orders) {
		t.Errorf("Stripe holds %+v", held)
	}
	eventually(t, "calls are made again", func() bool { return strings.Contains(s.page("/metrics"), `breaker_state{server="stripe"} 0`) })
}

// What the provider answers late or not at all is put right, and the customer's timeline says so.
func TestTheTimelineTellsOfLateAnswers(t *testing.T) {
	t.Parallel()
	s, account, _ := paidByStripe(t)
	camera := s.product("Fjord Camera", "100.00", 20)
	customer, support := s.as(users.Customer), s.as(users.Support)
	lose := func(w http.ResponseWriter, do func()) {
		do()
		stripetest.Reply(w, http.StatusInternalServerError, stripetest.Failed("api_error", "", ""))
	}
	id := customer.buy(camera.variantID, 1, "pm_card_visa")
	eventually(t, "the order is confirmed", func() bool { return customer.orderStatus(id) == "CONFIRMED" })
	payment := support.order(id).Payment.ID
	for _, tt := range []struct{ mutation, entry string }{
		{"paymentCapture", "PAYMENT_CAPTURE_RECOVERED"}, {"paymentRefund", "PAYMENT_REFUND_RECOVERED"},
	} {
		account.FailOnce(lose)
		r := repeatable{mutation: tt.mutation, shows: `payment { id }`, by: support}
		input := vars{"paymentId": payment, "amount": euros("40.00"), "idempotencyKey": tt.mutation}
		if _, _, err := r.call(input); err == nil {
			t.Errorf("%s: the lost answer is there", tt.mutation)
		}
		eventually(t, tt.mutation+" is answered", func() bool {
			_, codes, err := r.call(input)
			return err == nil && codes == ""
		})
		eventually(t, "the timeline tells of "+tt.entry, func() bool { return customer.tells(id, tt.entry) })
	}
	if now := account.Intents()[0]; now.Received != 4000 || now.Refunded != 4000 {
		t.Errorf("Stripe has %+v", now)
	}

	// The order is cancelled while the bank thinks about it.
	placed, thinking := make(chan string, 1), make(chan struct{})
	account.FailOnce(func(_ http.ResponseWriter, do func()) {
		close(thinking)
		customer.change("orderCancel", "OrderCancelInput", vars{"id": <-placed})
		do()
	})
	late := customer.buy(camera.variantID, 1, "pm_card_visa")
	<-thinking
	placed <- late
	eventually(t, "the timeline tells of the late authorization", func() bool { return customer.tells(late, "PAYMENT_LATE_AUTHORIZATION") })
	eventually(t, "nothing is held for it", func() bool {
		for _, in := range account.Intents() {
			if in.Status == "requires_capture" && in.Received == 0 {
				return false
			}
		}
		return customer.orderStatus(late) == "CANCELLED"
	})
}

// A process that answers requests starts while a server is away, says that it is not ready, and goes on when it is back.
func TestServingStartsWithoutAServer(t *testing.T) {
	t.Parallel()
	c := config(t)
	first := open(t, c)
	if err := first.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	first.run(false)
	ada := first.as(users.Customer)
	for server, url := range map[string]func(*app.Config) *string{
		"postgres": func(c *app.Config) *string { return &c.PostgresURL }, "mongodb": func(c *app.Config) *string { return &c.MongoURL },
		"redis": func(c *app.Config) *string { return &c.RedisURL }, "rabbitmq": func(c *app.Config) *string { return &c.RabbitURL },
	} {
		late := c
		line, address := lay(t, *url(&c))
		*url(&late), late.LogLevel = address, "error"
		line.cut()
		began := time.Now()
		a, err := app.New(t.Context(), late, app.Options{Log: testLog{t}, Degraded: true})
		if err != nil {
			t.Fatalf("without %s it does not start: %v", server, err)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("without %s it starts in %s", server, took)
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- a.Run(ctx, app.Parts{API: l}) }()
		s := &shop{App: a, t: t, config: late, url: "http://" + l.Addr().String()}
		eventually(t, "it says that "+server+" is away", func() bool {
			return strings.Contains(s.page("/readyz"), fmt.Sprintf(`%q:{"status":"unavailable"`, server))
		})
		line.mend()
		eventually(t, "it is ready with "+server, func() bool { return strings.Contains(s.page("/readyz"), "200 OK") })
		again := &client{s: s, token: ada.token, userID: ada.userID}
		eventually(t, "it answers with "+server, func() bool {
			return len(again.do(`{ me { id orders { nodes { id } } } products(first: 1) { nodes { id } } }`, nil).Errors) == 0
		})
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		closing, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		if err := a.Close(closing); err != nil {
			t.Errorf("close: %v", err)
		}
		cancel()
	}
}
