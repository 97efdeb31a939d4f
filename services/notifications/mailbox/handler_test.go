package mailbox_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/services/notifications"
	"github.com/techmart/techmart/services/notifications/mailbox"
	"github.com/techmart/techmart/services/notifications/notificationstest"
)

func get(t *testing.T, h http.Handler, path string) (*http.Response, string) {
	t.Helper()
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	response := recorder.Result()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func TestMailbox(t *testing.T) {
	t.Parallel()
	store, pool := notificationstest.Open(t, stacktest.Postgres(t))
	handler := mailbox.NewHandler("/dev/mailbox", store, slog.New(slog.DiscardHandler))
	if _, body := get(t, handler, "/dev/mailbox"); !strings.Contains(body, "No mail yet") {
		t.Errorf("an empty mailbox says: %s", body)
	}

	sender := &mailbox.Sender{Store: store, Clock: time.Now}
	const hostile = `Hello <script>alert(1)</script>`
	for _, subject := range []string{"The first", hostile} {
		err := sender.Send(t.Context(), notifications.Message{ID: subject, From: "shop@techmart.example", To: `"Ada" <ada@example.com>`,
			Subject: subject, Text: "the text part", HTML: "<html><head></head><body><h1>the HTML part</h1></body></html>"},
			func(context.Context) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	other := notifications.Message{ID: "other", To: `=?utf-8?q?In=C3=A8s?= <ines@example.com>`, Subject: "To another", Text: "another text part"}
	if err := sender.Send(t.Context(), other, func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	revoked := errors.New("revoked")
	if err := sender.Send(t.Context(), notifications.Message{ID: "x"}, func(context.Context) error { return revoked }); !errors.Is(err, revoked) {
		t.Errorf("a revoked attempt: %v", err)
	}

	mails, err := store.Mails(t.Context(), 10)
	if err != nil || len(mails) != 3 {
		t.Fatalf("%d mails, %v", len(mails), err)
	}
	newest := "/dev/mailbox/" + mails[1].ID.String()
	list, body := get(t, handler, "/dev/mailbox")
	if list.StatusCode != http.StatusOK || strings.Index(body, newest) > strings.Index(body, mails[2].ID.String()) {
		t.Errorf("status %d, newest first expected:\n%s", list.StatusCode, body)
	}
	if strings.Contains(body, "<script>") {
		t.Error("a subject became markup")
	}
	if !strings.Contains(body, `http-equiv="refresh"`) {
		t.Error("the list does not renew itself")
	}
	if _, body := get(t, handler, newest); !strings.Contains(body, `<iframe title="The message" src="`+newest+`/html" sandbox="allow-popups`) ||
		!strings.Contains(body, "the text part") || strings.Contains(body, "<script>") {
		t.Errorf("the mail's page:\n%s", body)
	}
	page, body := get(t, handler, newest+"/html")
	if policy := page.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "sandbox") || strings.Contains(policy, "allow-scripts") {
		t.Errorf("the HTML part's policy is %q", policy)
	}
	if !strings.Contains(body, "<h1>the HTML part</h1>") || !strings.Contains(body, `<base target="_blank">`) {
		t.Errorf("the HTML part: %s", body)
	}
	if page, body := get(t, handler, newest+"/text"); body != "the text part" || page.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("the text part: %s", body)
	}
	if _, body := get(t, handler, "/dev/mailbox"); !strings.Contains(body, ">I</span>") || !strings.Contains(body, "Inès &lt;ines@example.com&gt;") {
		t.Errorf("a name beyond ASCII: %s", body)
	}
	for address, text := range map[string]string{"ada@example.com": "the text part", "Ines@example.com": "another text part"} {
		if page, body := get(t, handler, "/dev/mailbox/latest?to="+address); body != text || page.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("the newest mail to %s: %s", address, body)
		}
	}
	if style, _ := get(t, handler, "/dev/mailbox/style.css"); style.Header.Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("the style sheet is %s", style.Header.Get("Content-Type"))
	}
	for _, absent := range []string{"/dev/mailbox/nonsense", "/dev/mailbox/latest?to=nobody@example.com", "/dev/mailbox/latest", "/dev/mailbox/" + uuid.NewString(), "/dev/mailbox/" + uuid.NewString() + "/html"} {
		if response, _ := get(t, handler, absent); response.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d", absent, response.StatusCode)
		}
	}

	pool.Close()
	for _, path := range []string{"/dev/mailbox", newest, "/dev/mailbox/latest?to=ada@example.com"} {
		if response, body := get(t, handler, path); response.StatusCode != http.StatusInternalServerError || strings.Contains(body, "pool") {
			t.Errorf("without a database %s answers %d: %s", path, response.StatusCode, body)
		}
	}
}
