package stripe_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stripe/stripe-mock/embedded"
	"github.com/stripe/stripe-mock/server"

	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/payments"
	"github.com/techmart/techmart/services/payments/stripe"
	"github.com/techmart/techmart/services/payments/stripe/stripetest"
)

// shape gives a provider that speaks to stripe-mock, which refuses whatever is not in Stripe's
// description of its API.
func shape(t *testing.T, key string) *stripe.Provider {
	t.Helper()
	spec, err := server.LoadSpec(embedded.OpenAPISpec, "")
	if err != nil {
		t.Fatal(err)
	}
	fixtures, err := server.LoadFixtures(embedded.OpenAPIFixtures, "")
	if err != nil {
		t.Fatal(err)
	}
	stub, err := server.NewStubServer(fixtures, spec, false, false)
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(http.HandlerFunc(stub.HandleRequest))
	t.Cleanup(api.Close)
	p, err := stripe.New(stripe.Config{Key: key, URL: api.URL})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRequestsHaveTheShapeOfStripesAPI(t *testing.T) {
	t.Parallel()
	p := shape(t, "sk_test_123")
	ctx := t.Context()
	eur := money.New(1999, "EUR")
	// stripe-mock answers every call with the same intent, which waits for a payment method: what is
	// tested is that no parameter is refused.
	if r, err := p.Authorize(ctx, payments.AuthorizeCall{Key: uuid.NewString(), Amount: eur, Token: "pm_card_visa"}); err != nil || r.Code == "parameter_unknown" || strings.Contains(r.Message, "refused") {
		t.Errorf("authorize: %+v, %v", r, err)
	}
	call := payments.Call{Key: uuid.NewString(), Authorization: "pi_123", Amount: eur}
	for name, do := range map[string]func() (payments.Result, error){
		"capture": func() (payments.Result, error) { return p.Capture(ctx, call) },
		"void":    func() (payments.Result, error) { return p.Void(ctx, call) },
		"refund":  func() (payments.Result, error) { return p.Refund(ctx, call) },
	} {
		if r, err := do(); err != nil || !r.Approved {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	for _, k := range []payments.Kind{payments.Authorize, payments.Capture, payments.Void, payments.Refund} {
		if _, err := p.Lookup(ctx, k, call); err != nil && !isNoSuchCall(err) {
			t.Errorf("look up %s: %v", k, err)
		}
	}
	for _, err := range p.Statement(ctx, stripetest.Begin, stripetest.Begin.AddDate(1, 0, 0)) {
		if err != nil {
			t.Errorf("statement: %v", err)
		}
	}
	if _, err := p.StatementLine(ctx, "pi_123"); err != nil && !isNoSuchCall(err) {
		t.Errorf("statement line: %v", err)
	}
}

func TestAWrongKeyIsNotARefusal(t *testing.T) {
	t.Parallel()
	p := shape(t, "nonsense")
	r, err := p.Authorize(t.Context(), payments.AuthorizeCall{Key: uuid.NewString(), Amount: money.New(1, "EUR"), Token: "pm_card_visa"})
	if err == nil {
		t.Errorf("the customer is told %+v, though it is the shop's key that is wrong", r)
	}
}
