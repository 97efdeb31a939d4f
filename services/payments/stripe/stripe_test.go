package stripe_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stripe/stripe-go/v85/webhook"

	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/payments"
	"github.com/techmart/techmart/services/payments/stripe"
	"github.com/techmart/techmart/services/payments/stripe/stripetest"
)

const webhookSecret = "whsec_test"

func eur(minor int64) money.Money { return money.New(minor, "EUR") }

// open opens an account and gives a provider that speaks to it.
func open(t *testing.T, r stripetest.Rules) (*stripe.Provider, *stripetest.Account) {
	t.Helper()
	a := stripetest.Open(t, r)
	// A connection for each call: over a kept one net/http itself repeats calls with an idempotency key.
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	p, err := stripe.New(stripe.Config{Key: "sk_test_1", URL: a.URL, Client: client, Webhook: webhookSecret})
	if err != nil {
		t.Fatal(err)
	}
	return p, a
}

func isNoSuchCall(err error) bool { return errors.Is(err, payments.ErrNoSuchCall) }

func authorize(t *testing.T, p *stripe.Provider, minor int64) string {
	t.Helper()
	r, err := p.Authorize(t.Context(), payments.AuthorizeCall{Key: uuid.NewString(), Amount: eur(minor), Token: "pm_card_visa"})
	if err != nil || !r.Approved {
		t.Fatalf("%+v, %v", r, err)
	}
	return r.Reference
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	p, _ := open(t, stripetest.Rules{})
	for token, want := range map[string]string{
		"pm_card_chargeDeclined": "insufficient_funds", "pm_card_authenticationRequired": "authentication_required", "pm_unknown": "invalid_token",
	} {
		r, err := p.Authorize(t.Context(), payments.AuthorizeCall{Key: uuid.NewString(), Amount: eur(100), Token: token})
		if err != nil || r.Approved || r.Code != want || r.Message == "" || strings.Contains(r.Message, "pm_") {
			t.Errorf("%s: %+v, %v", token, r, err)
		}
	}
}

func TestCapturesAndRefundsInParts(t *testing.T) {
	t.Parallel()
	p, a := open(t, stripetest.Rules{SeveralCaptures: true})
	ctx := t.Context()
	pi := authorize(t, p, 1000)
	do := func(f func() (payments.Result, error), approved bool) {
		t.Helper()
		if r, err := f(); err != nil || r.Approved != approved {
			t.Errorf("%+v, %v", r, err)
		}
	}
	call := func(minor int64) payments.Call {
		return payments.Call{Key: uuid.NewString(), Authorization: pi, Amount: eur(minor)}
	}
	do(func() (payments.Result, error) { return p.Capture(ctx, call(300)) }, true)
	do(func() (payments.Result, error) { return p.Void(ctx, call(1000)) }, false)
	do(func() (payments.Result, error) { return p.Capture(ctx, call(800)) }, false)
	do(func() (payments.Result, error) { return p.Capture(ctx, call(700)) }, true)
	do(func() (payments.Result, error) { return p.Refund(ctx, call(400)) }, true)
	do(func() (payments.Result, error) { return p.Refund(ctx, call(700)) }, false)
	line, err := p.StatementLine(ctx, pi)
	want := payments.StatementLine{Reference: pi, Key: line.Key, At: stripetest.Begin, Authorized: eur(1000), Captured: eur(1000), Refunded: eur(400)}
	if err != nil || line != want {
		t.Errorf("%+v, %v", line, err)
	}
	if in := a.Intents()[0]; in.Received != 1000 || in.Refunded != 400 {
		t.Errorf("at Stripe: %+v", in)
	}
}

func TestACardThatAllowsOneCaptureIsCapturedOnce(t *testing.T) {
	t.Parallel()
	p, _ := open(t, stripetest.Rules{})
	pi := authorize(t, p, 1000)
	first := payments.Call{Key: uuid.NewString(), Authorization: pi, Amount: eur(300)}
	if r, err := p.Capture(t.Context(), first); err != nil || !r.Approved {
		t.Fatalf("%+v, %v", r, err)
	}
	second := payments.Call{Key: uuid.NewString(), Authorization: pi, Amount: eur(300)}
	if r, err := p.Capture(t.Context(), second); err != nil || r.Approved {
		t.Errorf("%+v, %v", r, err)
	}
}

// Whatever becomes of the line, a call is carried out once, and what became of it is found out.
func TestLostCalls(t *testing.T) {
	t.Parallel()
	hangUp := func(w http.ResponseWriter) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}
	faults := map[string]struct {
		fault   func(w http.ResponseWriter, do func())
		done    bool // whether the call was carried out
		certain bool // whether the failure says that it was not
	}{
		"cut before": {func(w http.ResponseWriter, _ func()) { hangUp(w) }, false, false},
		"cut after":  {func(w http.ResponseWriter, do func()) { do(); hangUp(w) }, true, false},
		"500 before": {func(w http.ResponseWriter, _ func()) {
			stripetest.Reply(w, 500, stripetest.Failed("api_error", "", ""))
		}, false, false},
		"500 after": {func(w http.ResponseWriter, do func()) {
			do()
			stripetest.Reply(w, 500, stripetest.Failed("api_error", "", ""))
		}, true, false},
		"nonsense after": {func(w http.ResponseWriter, do func()) { do(); w.WriteHeader(200); _, _ = w.Write([]byte("<html>")) }, true, false},
		"too many requests": {func(w http.ResponseWriter, _ func()) {
			stripetest.Reply(w, 429, stripetest.Failed("invalid_request_error", "rate_limit", ""))
		}, false, true},
		"the same call running": {func(w http.ResponseWriter, _ func()) {
			stripetest.Reply(w, 409, stripetest.Failed("idempotency_error", "idempotency_key_in_use", ""))
		}, false, true},
	}
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, a := open(t, stripetest.Rules{SeveralCaptures: true})
			ctx := t.Context()
			pi := authorize(t, p, 1000)
			captured := payments.Call{Key: uuid.NewString(), Authorization: pi, Amount: eur(500)}
			refunded := payments.Call{Key: uuid.NewString(), Authorization: pi, Amount: eur(200)}
			authorized := payments.AuthorizeCall{Key: uuid.NewString(), Amount: eur(700), Token: "pm_card_visa"}
			for _, c := range []struct {
				kind payments.Kind
				call payments.Call
				do   func() (payments.Result, error)
			}{
				{payments.Capture, captured, func() (payments.Result, error) { return p.Capture(ctx, captured) }},
				{payments.Refund, refunded, func() (payments.Result, error) { return p.Refund(ctx, refunded) }},
				{payments.Authorize, payments.Call{Key: authorized.Key, Amount: authorized.Amount}, func() (payments.Result, error) { return p.Authorize(ctx, authorized) }},
			} {
				before := a.Calls()
				a.FailOnce(f.fault)
				r, err := c.do()
				if err == nil || errors.Is(err, payments.ErrTransient) != f.certain {
					t.Fatalf("%s: %+v, %v", c.kind, r, err)
				}
				found, err := p.Lookup(ctx, c.kind, c.call)
				if f.done && (err != nil || !found.Approved) || !f.done && !isNoSuchCall(err) {
					t.Errorf("look up %s: %+v, %v", c.kind, found, err)
				}
				if r, err := c.do(); err != nil || !r.Approved {
					t.Errorf("%s once more: %+v, %v", c.kind, r, err)
				}
				if n := a.Calls() - before; n != 1 {
					t.Errorf("%s was carried out %d times", c.kind, n)
				}
			}
		})
	}
}

// Stripe's search runs behind. The idempotency key holds where it finds nothing.
func TestAnAuthorizationThatTheSearchDoesNotKnowYetIsNotMadeTwice(t *testing.T) {
	t.Parallel()
	p, a := open(t, stripetest.Rules{StaleSearch: true})
	call := payments.AuthorizeCall{Key: uuid.NewString(), Amount: eur(700), Token: "pm_card_visa"}
	a.FailOnce(func(w http.ResponseWriter, do func()) {
		do()
		stripetest.Reply(w, 500, stripetest.Failed("api_error", "", ""))
	})
	if _, err := p.Authorize(t.Context(), call); err == nil {
		t.Fatal("the answer was not lost")
	}
	if _, err := p.Lookup(t.Context(), payments.Authorize, payments.Call{Key: call.Key}); !isNoSuchCall(err) {
		t.Fatal(err)
	}
	r, err := p.Authorize(t.Context(), call)
	if err != nil || !r.Approved || len(a.Intents()) != 1 {
		t.Errorf("%+v, %v; %d intents", r, err, len(a.Intents()))
	}
}

func TestWebhooks(t *testing.T) {
	t.Parallel()
	p, _ := open(t, stripetest.Rules{})
	body := []byte(`{"id":"evt_1","object":"event","api_version":"2020-01-01","type":"payment_intent.canceled","data":{"object":{"id":"pi_1","object":"payment_intent","metadata":{"techmart_authorization":"t1"}}}}`)
	about := []byte(`{"id":"evt_2","object":"event","type":"refund.failed","data":{"object":{"id":"re_1","object":"refund","payment_intent":"pi_2"}}}`)
	sign := func(payload []byte, secret string, at time.Time) string {
		return webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: payload, Secret: secret, Timestamp: at}).Header
	}
	now := time.Now()
	for name, c := range map[string]struct {
		body   []byte
		header string
		want   payments.Notice
		fails  bool
	}{
		"an intent":       {body, sign(body, webhookSecret, now), payments.Notice{ID: "evt_1", Type: "payment_intent.canceled", Authorization: "pi_1", Transaction: "t1"}, false},
		"a refund":        {about, sign(about, webhookSecret, now), payments.Notice{ID: "evt_2", Type: "refund.failed", Authorization: "pi_2"}, false},
		"another secret":  {body, sign(body, "whsec_other", now), payments.Notice{}, true},
		"another body":    {bytes.Replace(body, []byte("pi_1"), []byte("pi_9"), 1), sign(body, webhookSecret, now), payments.Notice{}, true},
		"an old one":      {body, sign(body, webhookSecret, now.Add(-time.Hour)), payments.Notice{}, true},
		"none":            {body, "", payments.Notice{}, true},
		"a very long one": {append(bytes.Clone(body), bytes.Repeat([]byte(" "), 300<<10)...), sign(body, webhookSecret, now), payments.Notice{}, true},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks/stripe", bytes.NewReader(c.body))
		r.Header.Set("Stripe-Signature", c.header)
		got, err := p.Notice(r)
		if errors.Is(err, payments.ErrNotGenuine) != c.fails || got != c.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
