package notifications

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
)

const (
	testUser  = "019a0000-0000-7000-8000-000000000001"
	testOrder = "019a0000-0000-7000-8000-000000000002"
)

func accountJSON(token string) string {
	return `{"userId":"` + testUser + `","email":"ada@example.com","displayName":"Ada Lovelace","token":"` + token + `"}`
}

// orderJSON is the data of an order's event with more members, such as `,"reason":"..."`.
func orderJSON(more string) string {
	return `{"orderId":"` + testOrder + `","number":"T-100042","customerId":"` + testUser + `","email":"ada@example.com",
"displayName":"Ada Lovelace","status":"CONFIRMED","subtotal":{"amount":104790,"currency":"EUR"},
"shipping":{"amount":0,"currency":"EUR"},"total":{"amount":104790,"currency":"EUR"},
"lines":[{"title":"Analytical Engine 14\" <Pro>","variantTitle":"16 GB / Silver","sku":"AE-14-16-S","quantity":1,
"unitPrice":{"amount":99900,"currency":"EUR"},"total":{"amount":99900,"currency":"EUR"}},
{"title":"Punched cards","variantTitle":"","sku":"PC-100","quantity":2,
"unitPrice":{"amount":2445,"currency":"EUR"},"total":{"amount":4890,"currency":"EUR"}}]` + more + `}`
}

// samples are one event for each kind.
var samples = map[Kind]Event{
	EmailVerification: sample("users.registered", accountJSON("tok-en_42")),
	Welcome:           sample("users.email_verified", accountJSON("")),
	PasswordReset:     sample("users.password_reset_requested", accountJSON("tok-en_42")),
	PasswordChanged:   sample("users.password_changed", accountJSON("")),
	AccountExists:     sample("users.registration_attempted", accountJSON("")),

	SecondFactorEnabled:  sample("users.second_factor_enabled", accountJSON("")),
	SecondFactorDisabled: sample("users.second_factor_disabled", accountJSON("")),
	RecoveryCodesRenewed: sample("users.recovery_codes_renewed", accountJSON("")),
	RecoveryCodeUsed:     sample("users.recovery_code_used", accountJSON("")),

	OrderConfirmed: sample("orders.confirmed", orderJSON("")),
	OrderFailed:    sample("orders.failed", orderJSON(`,"reasonCode":"OUT_OF_STOCK","reason":"An item was sold out."`)),
	PaymentFailed:  sample("orders.failed", orderJSON(`,"reasonCode":"PAYMENT_DECLINED","reason":"Declined."`)),
	OrderCancelled: sample("orders.cancelled", orderJSON(`,"reason":"Ordered twice."`)),
	OrderShipped: sample("orders.shipped", orderJSON(`,"fulfillment":{"id":"`+testOrder+`","carrier":"DHL",
"trackingNumber":"00340434","trackingUrl":"https://dhl.example/00340434"}`)),
	OrderDelivered: sample("orders.delivered", orderJSON("")),
	OrderRefunded:  sample("orders.refunded", orderJSON(`,"refund":{"amount":{"amount":4890,"currency":"EUR"}}`)),

	ReturnRequested: sample("orders.return_requested", orderJSON(`,"return":{"number":"T-100042-R1"}`)),
	ReturnApproved:  sample("orders.return_approved", orderJSON(`,"return":{"number":"T-100042-R1","instructions":"TechMart Returns\nWerftstr. 1, 10557 Berlin"}`)),
	ReturnRejected:  sample("orders.return_rejected", orderJSON(`,"return":{"number":"T-100042-R1","reason":"It was worn."}`)),
	ReturnReceived:  sample("orders.return_received", orderJSON(`,"return":{"number":"T-100042-R1","refund":{"amount":4890,"currency":"EUR"}}`)),
	ReturnRefunded:  sample("orders.return_refunded", orderJSON(`,"return":{"number":"T-100042-R1","refund":{"amount":4890,"currency":"EUR"}}`)),

	WebhookPaused:   sample("webhooks.endpoint_paused", hookJSON("")),
	WebhookResumed:  sample("webhooks.endpoint_resumed", hookJSON("")),
	WebhookDisabled: sample("webhooks.endpoint_disabled", hookJSON("FAILING")),
}

func hookJSON(reason string) string {
	return strings.TrimSuffix(accountJSON(""), "}") + `,"webhook":{"host":"hooks.example.com","reason":"` + reason + `"}}`
}

func sample(kind, data string) Event {
	return Event{ID: uuid.MustParse("019a0000-0000-7000-8000-00000000000e"), Type: kind, Data: json.RawMessage(data)}
}

func TestKindOfEachEvent(t *testing.T) {
	t.Parallel()
	for want, e := range samples {
		kind, c, ok, err := kindOf(e)
		if err != nil || !ok || kind != want {
			t.Errorf("%s: kind %q, ok %v, error %v; want %q", e.Type, kind, ok, err, want)
			continue
		}
		if c.UserID.String() != testUser || c.Email != "ada@example.com" {
			t.Errorf("%s: content %+v", e.Type, c)
		}
	}
	if kind, _, _, err := kindOf(sample("users.email_verification_requested", accountJSON("t"))); kind != EmailVerification || err != nil {
		t.Errorf("a verification asked for again: %q, %v", kind, err)
	}
	if _, _, ok, err := kindOf(sample("orders.refunded", orderJSON(`,"refund":{"amount":{"amount":4890,"currency":"EUR"},"return":"T-100042-R1"}`))); ok || err != nil {
		t.Errorf("the refund of a return: ok %v, error %v; its return tells of it", ok, err)
	}
	for _, other := range []string{"users.roles_changed", "orders.placed", "orders.return_cancelled", "payments.captured"} {
		if _, _, ok, err := kindOf(sample(other, `{}`)); ok || err != nil {
			t.Errorf("%s: ok %v, error %v; want neither", other, ok, err)
		}
	}
}

func TestEventsThatCannotBeUnderstood(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t-token"
	cases := map[string]Event{
		"no JSON":         sample("users.registered", `{"token":"`+secret+`"`),
		"another shape":   sample("users.registered", `{"userId":"`+secret+`"}`),
		"no address":      sample("users.registered", `{"userId":"`+testUser+`","token":"`+secret+`"}`),
		"a named address": sample("users.registered", strings.Replace(accountJSON(secret), "ada@", "Ada <ada@", 1)),
		"no token":        sample("users.registered", accountJSON("")),
		"no customer":     sample("users.password_changed", strings.Replace(accountJSON(""), testUser, uuid.Nil.String(), 1)),
		"no order":        sample("orders.confirmed", strings.Replace(orderJSON(""), "T-100042", "", 1)),
		"no refund":       sample("orders.refunded", orderJSON("")),
		"no return":       sample("orders.return_requested", orderJSON("")),
		"no sum":          sample("orders.return_refunded", orderJSON(`,"return":{"number":"T-100042-R1"}`)),
		"a list":          sample("orders.confirmed", `[]`),
		"a long address":  sample("users.password_changed", strings.Replace(accountJSON(""), "ada@", strings.Repeat("a", 250)+"@", 1)),
	}
	for name, e := range cases {
		_, _, ok, err := kindOf(e)
		if err == nil || !ok {
			t.Errorf("%s: ok %v, error %v; want an error", name, ok, err)
			continue
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error quotes the secret: %v", name, err)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (UPDATE_GOLDEN=1 writes it)", err)
	}
	if got != string(want) {
		t.Errorf("%s differs; UPDATE_GOLDEN=1 go test ./services/notifications rewrites it, then read the difference", path)
	}
}
