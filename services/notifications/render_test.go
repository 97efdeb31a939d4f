package notifications

import (
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/net/html"
)

func newRenderer() *renderer {
	return &renderer{shop: "TechMart", baseURL: "https://shop.example", from: &mail.Address{Name: "TechMart", Address: "shop@techmart.example"}}
}

func rendered(t *testing.T, e Event) *Message {
	t.Helper()
	kind, c, _, err := kindOf(e)
	if err != nil {
		t.Fatal(err)
	}
	d := &Delivery{ID: uuid.MustParse("019a0000-0000-7000-8000-0000000000d1"), Kind: kind, Recipient: c.Email,
		CreatedAt: time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)}
	m, err := newRenderer().message(d, c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestEmails(t *testing.T) {
	t.Parallel()
	for kind, e := range samples {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			m := rendered(t, e)
			golden(t, strings.ToLower(string(kind))+".txt", "Subject: "+m.Subject+"\n\n"+m.Text)
			golden(t, strings.ToLower(string(kind))+".html", m.HTML)
			if m.ID != "019a0000-0000-7000-8000-0000000000d1.delivery@techmart.example" {
				t.Errorf("Message-ID %q", m.ID)
			}
			if m.To != `"Ada Lovelace" <ada@example.com>` || m.Recipient != "ada@example.com" {
				t.Errorf("to %q, recipient %q", m.To, m.Recipient)
			}
			if strings.Contains(m.Text, "<no value>") || strings.Contains(m.HTML, "ZgotmplZ") {
				t.Error("a value is missing or was refused as unsafe")
			}
		})
	}
}

func TestInboxEntries(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for _, kind := range []Kind{Welcome, PasswordChanged, SecondFactorEnabled, SecondFactorDisabled, RecoveryCodesRenewed, RecoveryCodeUsed, AccountExists, OrderConfirmed, OrderFailed, PaymentFailed, OrderCancelled, OrderShipped, OrderDelivered, OrderRefunded,
		ReturnRequested, ReturnApproved, ReturnRejected, ReturnReceived, ReturnRefunded, WebhookPaused, WebhookResumed, WebhookDisabled} {
		_, c, _, err := kindOf(samples[kind])
		if err != nil {
			t.Fatal(err)
		}
		title, body, err := newRenderer().inbox(kind, c)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(string(kind) + ": " + title + "\n\n" + body + "\n\n\n")
	}
	golden(t, "inbox.txt", all.String())
}

// A customer's or carrier's text must not become markup, a header or a link to a script.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	const hostile = `<script>alert(1)</script>\r\nBcc: eve@example.com`
	data := strings.NewReplacer("Ada Lovelace", hostile, "Punched cards", hostile, "T-100042", hostile).
		Replace(orderJSON(`,"fulfillment":{"carrier":"` + hostile + `","trackingNumber":"x","trackingUrl":"javascript:alert(1)"}`))
	m := rendered(t, sample("orders.shipped", data))
	if strings.ContainsAny(m.Subject+m.To, "\r\n") {
		t.Errorf("a header has a line break: %q, %q", m.Subject, m.To)
	}
	if _, err := mail.ParseAddress(m.To); err != nil {
		t.Errorf("to %q: %v", m.To, err)
	}
	if strings.Contains(m.HTML, "javascript:") || strings.Contains(m.Text, "javascript:") {
		t.Error("a link runs a script")
	}
	doc, err := html.Parse(strings.NewReader(m.HTML))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == "script" {
			t.Fatal("the HTML has a script")
		}
	}
}

func TestTokensAreInTheFragment(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{EmailVerification, PasswordReset} {
		m := rendered(t, samples[kind])
		if !strings.Contains(m.Text, "#token=tok-en_42\n") || !strings.Contains(m.Text, "\ntok-en_42\n") {
			t.Errorf("%s: the text lacks the link or the token:\n%s", kind, m.Text)
		}
		if strings.Contains(m.HTML, "?token=") || strings.Contains(m.Subject, "tok-en_42") {
			t.Errorf("%s: the token is where logs would find it", kind)
		}
	}
}

func TestDisplayMoney(t *testing.T) {
	t.Parallel()
	for want, a := range map[string]amount{
		"€12.90":    {1290, "EUR"},
		"-€0.05":    {-5, "EUR"},
		"¥500":      {500, "JPY"},
		"12.90 CHF": {1290, "CHF"},
	} {
		if got := displayMoney(a); got != want {
			t.Errorf("%v: %q, want %q", a, got, want)
		}
	}
}

func TestMaskAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"ada@example.com": "a***@example.com", "é@example.com": "é***@example.com", "nonsense": "***", "@example.com": "***", "": "***",
	} {
		if got := MaskAddress(address); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}
