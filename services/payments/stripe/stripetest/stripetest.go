package stripe_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/techmart/techmart/services/payments"
	"github.com/techmart/techmart/services/payments/stripe"
)

var eternity = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func isNoSuchCall(err error) bool { return errors.Is(err, payments.ErrNoSuchCall) }

// account is a Stripe account with the rules that matter here: what an intent may go through, and
// idempotency keys. It can be made to fail in every way before and after it has done what was asked.
type account struct {
	mu      sync.Mutex
	several bool // cards allow several captures
	intents map[string]*intent
	refunds []*refund
	answers map[string]answer // by idempotency key
	calls   int               // that changed something
	fault   func(w http.ResponseWriter, do func()) bool
	stale   bool // the search runs behind
}

type intent struct {
	ID, Status                   string
	Amount, Received, Capturable int64
	Refunded                     int64
	Metadata                     map[string]string
	Created                      int64
}

type refund struct {
	ID, Intent, Status string
	Metadata           map[string]string
}

type answer struct {
	status  int
	body    any
	content string
}

// open starts an account and gives a provider that speaks to it.
func open(t *testing.T, a *account) (*stripe.Provider, *account) {
	t.Helper()
	a.intents, a.answers = make(map[string]*intent), make(map[string]answer)
	api := httptest.NewServer(a)
	t.Cleanup(api.Close)
	// A connection for each call: over a kept one net/http itself repeats calls with an idempotency key.
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	p, err := stripe.New(stripe.Config{Key: "sk_test_1", URL: api.URL, Client: client, Webhook: webhookSecret})
	if err != nil {
		t.Fatal(err)
	}
	return p, a
}

// failOnce makes the next call that changes something fail.
func (a *account) failOnce(fault func(w http.ResponseWriter, do func())) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fault = func(w http.ResponseWriter, do func()) bool {
		a.fault = nil
		fault(w, do)
		return true
	}
}

func (a *account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_ = r.ParseForm()
	if r.Method == http.MethodGet {
		a.read(w, r)
		return
	}
	key, content := r.Header.Get("Idempotency-Key"), r.URL.Path+"?"+r.PostForm.Encode()
	before, known := a.answers[key]
	switch {
	case key == "":
		reply(w, 400, failed("invalid_request_error", "", "no idempotency key"))
	case known && before.content != content:
		reply(w, 400, failed("idempotency_error", "", "other parameters"))
	case known:
		reply(w, before.status, before.body)
	default:
		do := func() {
			a.calls++
			status, body := a.change(r)
			a.answers[key] = answer{status, body, content}
		}
		if a.fault != nil && a.fault(w, do) {
			return
		}
		do()
		reply(w, a.answers[key].status, a.answers[key].body)
	}
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func failed(kind, code, message string) any {
	return map[string]any{"error": map[string]any{"type": kind, "code": code, "message": message}}
}

func (a *account) change(r *http.Request) (int, any) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/") // v1 payment_intents [id action]
	form := r.PostForm
	metadata := make(map[string]string)
	for k, v := range form {
		if name, ok := strings.CutPrefix(k, "metadata["); ok {
			metadata[strings.TrimSuffix(name, "]")] = v[0]
		}
	}
	number := func(name string) int64 { n, _ := strconv.ParseInt(form.Get(name), 10, 64); return n }
	switch {
	case parts[1] == "refunds":
		in := a.intents[form.Get("payment_intent")]
		if in == nil || in.Refunded+number("amount") > in.Received {
			return 400, failed("invalid_request_error", "charge_already_refunded", "more than is left")
		}
		in.Refunded += number("amount")
		re := &refund{ID: fmt.Sprintf("re_%d", len(a.refunds)+1), Intent: in.ID, Status: "succeeded", Metadata: metadata}
		a.refunds = append(a.refunds, re)
		return 200, re.show()
	case len(parts) == 2:
		switch form.Get("payment_method") {
		case "pm_card_chargeDeclined":
			return 402, map[string]any{"error": map[string]any{"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds", "message": "Your card has insufficient funds."}}
		case "pm_card_authenticationRequired":
			return 402, failed("card_error", "authentication_required", "This PaymentIntent requires an action")
		case "pm_unknown":
			return 400, map[string]any{"error": map[string]any{"type": "invalid_request_error", "code": "resource_missing", "param": "payment_method", "message": "No such PaymentMethod: 'pm_unknown'"}}
		}
		in := &intent{ID: fmt.Sprintf("pi_%d", len(a.intents)+1), Status: "requires_capture", Amount: number("amount"), Capturable: number("amount"),
			Metadata: metadata, Created: eternity.Unix() + int64(len(a.intents))}
		a.intents[in.ID] = in
		return 200, a.show(in)
	}
	in := a.intents[parts[2]]
	if in == nil {
		return 404, failed("invalid_request_error", "resource_missing", "no such intent")
	}
	if in.Status != "requires_capture" {
		return 400, failed("invalid_request_error", "payment_intent_unexpected_state", "it is "+in.Status)
	}
	switch parts[3] {
	case "cancel":
		if in.Received > 0 {
			return 400, failed("invalid_request_error", "payment_intent_unexpected_state", "captured")
		}
		in.Status, in.Capturable = "canceled", 0
	case "capture":
		n := number("amount_to_capture")
		if n > in.Capturable {
			return 400, failed("invalid_request_error", "amount_too_large", "more than is left")
		}
		in.Received, in.Capturable = in.Received+n, in.Capturable-n
		if form.Get("final_capture") != "false" || in.Capturable == 0 {
			in.Status, in.Capturable = "succeeded", 0
		}
		for k, v := range metadata {
			in.Metadata[k] = v
		}
	}
	return 200, a.show(in)
}

func (a *account) read(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	list := []any{}
	switch {
	case parts[1] == "refunds":
		for _, re := range a.refunds {
			if re.Intent == r.Form.Get("payment_intent") {
				list = append(list, re.show())
			}
		}
	case len(parts) == 3 && parts[2] == "search":
		for _, in := range a.intents {
			if !a.stale && strings.Contains(r.Form.Get("query"), "'"+in.Metadata["techmart_authorization"]+"'") {
				list = append(list, a.show(in))
			}
		}
	case len(parts) == 3:
		in := a.intents[parts[2]]
		if in == nil {
			reply(w, 404, failed("invalid_request_error", "resource_missing", "no such intent"))
			return
		}
		reply(w, 200, a.show(in))
		return
	default:
		for _, in := range a.intents {
			list = append(list, a.show(in))
		}
	}
	reply(w, 200, map[string]any{"object": "list", "data": list, "has_more": false, "url": r.URL.Path})
}

func (re *refund) show() any {
	return map[string]any{"id": re.ID, "object": "refund", "payment_intent": re.Intent, "status": re.Status, "metadata": re.Metadata}
}

func (a *account) show(in *intent) any {
	multicapture := "unavailable"
	if a.several {
		multicapture = "available"
	}
	return map[string]any{
		"id": in.ID, "object": "payment_intent", "status": in.Status, "amount": in.Amount, "amount_received": in.Received,
		"amount_capturable": in.Capturable, "currency": "eur", "metadata": in.Metadata, "created": in.Created,
		"latest_charge": map[string]any{"id": "ch_" + in.ID, "object": "charge", "amount_refunded": in.Refunded,
			"payment_method_details": map[string]any{"type": "card", "card": map[string]any{"multicapture": map[string]any{"status": multicapture}}}},
	}
}
