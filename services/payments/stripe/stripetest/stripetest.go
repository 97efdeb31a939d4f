// Package stripetest is an account at Stripe for tests: a server with the rules that matter here, what
// an intent may go through and idempotency keys, which can be made to fail in every way.
package stripetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Begin is when the account's first intent was made; each further one is a second later.
var Begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Account is an account at Stripe.
type Account struct {
	URL string // of its API

	mu      sync.Mutex
	rules   Rules
	intents map[string]*intent
	refunds []*refund
	answers map[string]answer // by idempotency key
	calls   int               // that changed something
	fault   func(w http.ResponseWriter, do func())
}

// Rules say how an account behaves.
type Rules struct {
	SeveralCaptures bool // cards allow several captures
	StaleSearch     bool // the search runs behind
}

// Open opens an account until the test ends.
func Open(t testing.TB, r Rules) *Account {
	t.Helper()
	a := &Account{rules: r, intents: make(map[string]*intent), answers: make(map[string]answer)}
	api := httptest.NewServer(a)
	t.Cleanup(api.Close)
	a.URL = api.URL
	return a
}

// FailOnce makes the next call that changes something fail; do carries it out.
func (a *Account) FailOnce(fault func(w http.ResponseWriter, do func())) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fault = fault
}

// Calls gives how many calls changed something.
func (a *Account) Calls() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls
}

// Intent is what the account holds of one payment.
type Intent struct {
	ID, Status                 string
	Amount, Received, Refunded int64
}

// Intents gives all payments.
func (a *Account) Intents() []Intent {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []Intent
	for _, in := range a.intents {
		list = append(list, Intent{in.ID, in.Status, in.Amount, in.Received, in.Refunded})
	}
	return list
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

// ServeHTTP answers as the API does.
func (a *Account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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
		Reply(w, 400, Failed("invalid_request_error", "", "no idempotency key"))
	case known && before.content != content:
		Reply(w, 400, Failed("idempotency_error", "", "other parameters"))
	case known:
		Reply(w, before.status, before.body)
	default:
		do := func() {
			a.calls++
			status, body := a.change(r)
			a.answers[key] = answer{status, body, content}
		}
		if fault := a.fault; fault != nil {
			a.fault = nil
			fault(w, do)
			return
		}
		do()
		Reply(w, a.answers[key].status, a.answers[key].body)
	}
}

func Reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// Failed is an error as the API shows it.
func Failed(kind, code, message string) any {
	return map[string]any{"error": map[string]any{"type": kind, "code": code, "message": message}}
}

func (a *Account) change(r *http.Request) (int, any) {
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
			return 400, Failed("invalid_request_error", "charge_already_refunded", "more than is left")
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
			return 402, Failed("card_error", "authentication_required", "This PaymentIntent requires an action")
		case "pm_unknown":
			return 400, map[string]any{"error": map[string]any{"type": "invalid_request_error", "code": "resource_missing", "param": "payment_method", "message": "No such PaymentMethod: 'pm_unknown'"}}
		}
		in := &intent{ID: fmt.Sprintf("pi_%d", len(a.intents)+1), Status: "requires_capture", Amount: number("amount"), Capturable: number("amount"),
			Metadata: metadata, Created: Begin.Unix() + int64(len(a.intents))}
		a.intents[in.ID] = in
		return 200, a.show(in)
	}
	in := a.intents[parts[2]]
	if in == nil {
		return 404, Failed("invalid_request_error", "resource_missing", "no such intent")
	}
	if in.Status != "requires_capture" {
		return 400, Failed("invalid_request_error", "payment_intent_unexpected_state", "it is "+in.Status)
	}
	switch parts[3] {
	case "cancel":
		if in.Received > 0 {
			return 400, Failed("invalid_request_error", "payment_intent_unexpected_state", "captured")
		}
		in.Status, in.Capturable = "canceled", 0
	case "capture":
		n := number("amount_to_capture")
		if n > in.Capturable {
			return 400, Failed("invalid_request_error", "amount_too_large", "more than is left")
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

func (a *Account) read(w http.ResponseWriter, r *http.Request) {
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
			if !a.rules.StaleSearch && strings.Contains(r.Form.Get("query"), "'"+in.Metadata["techmart_authorization"]+"'") {
				list = append(list, a.show(in))
			}
		}
	case len(parts) == 3:
		in := a.intents[parts[2]]
		if in == nil {
			Reply(w, 404, Failed("invalid_request_error", "resource_missing", "no such intent"))
			return
		}
		Reply(w, 200, a.show(in))
		return
	default:
		for _, in := range a.intents {
			list = append(list, a.show(in))
		}
	}
	Reply(w, 200, map[string]any{"object": "list", "data": list, "has_more": false, "url": r.URL.Path})
}

func (re *refund) show() any {
	return map[string]any{"id": re.ID, "object": "refund", "payment_intent": re.Intent, "status": re.Status, "metadata": re.Metadata}
}

func (a *Account) show(in *intent) any {
	multicapture := "unavailable"
	if a.rules.SeveralCaptures {
		multicapture = "available"
	}
	return map[string]any{
		"id": in.ID, "object": "payment_intent", "status": in.Status, "amount": in.Amount, "amount_received": in.Received,
		"amount_capturable": in.Capturable, "currency": "eur", "metadata": in.Metadata, "created": in.Created,
		"latest_charge": map[string]any{"id": "ch_" + in.ID, "object": "charge", "amount_refunded": in.Refunded,
			"payment_method_details": map[string]any{"type": "card", "card": map[string]any{"multicapture": map[string]any{"status": multicapture}}}},
	}
}
