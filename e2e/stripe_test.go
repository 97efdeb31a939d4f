package e2e

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v85/webhook"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/services/payments/stripe/stripetest"
	"github.com/techmart/techmart/services/users"
)

const stripeWebhookSecret = "whsec_of_the_test"

// notify sends a webhook as Stripe does, and gives the status of the answer.
func (s *shop) notify(body, secret string) int {
	s.t.Helper()
	signed := webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: []byte(body), Secret: secret, Timestamp: time.Now()})
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/webhooks/stripe", bytes.NewReader(signed.Payload))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Stripe-Signature", signed.Header)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// An order is paid through Stripe: held when it is placed, taken with its parcels, paid back, and the
// books of both sides are the same.
func TestAnOrderIsPaidThroughStripe(t *testing.T) {
	t.Parallel()
	account := stripetest.Open(t, stripetest.Rules{SeveralCaptures: true})
	s := setup(t, func(c *app.Config) {
		c.PaymentProvider, c.StripeKey, c.StripeURL, c.StripeWebhookSecret = "stripe", "sk_test_1", account.URL, stripeWebhookSecret
	})
	camera := s.product("Fjord Camera", "100.00", 10)
	customer, support := s.as(users.Customer), s.as(users.Support)

	refused := customer.buy(camera.variantID, 1, "pm_card_chargeDeclined")
	eventually(t, "the order fails", func() bool { return customer.orderStatus(refused) == "FAILED" })

	// The answer of the authorization is lost: it was carried out all the same, once.
	account.FailOnce(func(w http.ResponseWriter, do func()) {
		do()
		stripetest.Reply(w, http.StatusInternalServerError, stripetest.Failed("api_error", "", ""))
	})
	id := customer.buy(camera.variantID, 2, "pm_card_visa")
	eventually(t, "the order is confirmed", func() bool { return customer.orderStatus(id) == "CONFIRMED" })
	held := account.Intents()
	if len(held) != 1 || held[0].Status != "requires_capture" || held[0].Amount != 20000 {
		t.Fatalf("Stripe holds %+v", held)
	}

	support.change("orderFulfill", "OrderFulfillInput", vars{"orderId": id})
	eventually(t, "it is captured", func() bool { return support.order(id).Payment.Status == "CAPTURED" })
	support.change("paymentRefund", "PaymentRefundInput", vars{"paymentId": support.order(id).Payment.ID, "amount": vars{"amount": "50.00", "currencyCode": "EUR"}})
	if now := account.Intents()[0]; now.Received != 20000 || now.Refunded != 5000 {
		t.Errorf("Stripe has %+v", now)
	}

	event := `{"id":"evt_1","object":"event","type":"charge.refunded","data":{"object":{"id":"ch_1","object":"charge","payment_intent":"` + held[0].ID + `"}}}`
	for want, secret := range map[int]string{http.StatusOK: stripeWebhookSecret, http.StatusBadRequest: "whsec_of_somebody_else"} {
		if got := s.notify(event, secret); got != want {
			t.Errorf("a webhook is answered %d, not %d", got, want)
		}
	}

	var out struct {
		PaymentReconciliation struct {
			Compared, DifferenceCount int
			Differences               []struct{ Kind, Reference string }
		}
	}
	// The account's clock is its own: payments are found by the shop's.
	support.must(&out, `query($from: DateTime!, $to: DateTime!) { paymentReconciliation(from: $from, to: $to) { compared differenceCount differences { kind reference } } }`,
		vars{"from": time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), "to": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)})
	if r := out.PaymentReconciliation; r.Compared != 1 || r.DifferenceCount != 0 {
		t.Errorf("compared with Stripe's books: %+v", r)
	}
}
