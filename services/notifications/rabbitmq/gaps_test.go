package rabbitmq_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/techmart/techmart/platform/outbox"
	"github.com/techmart/techmart/platform/telemetry"
	"github.com/techmart/techmart/services/notifications"
)

// Of events that come twice, out of order and not at all through the broker, each that comes is told once, and those that do
// not come are counted and named in the log.
func TestMissedAndRepeatedEvents(t *testing.T) {
	t.Parallel()
	s := setup(t, 2, nil)
	order := func(sequence int64, subject uuid.UUID) outbox.Event {
		e := event("users.password_changed", nil)
		e.Subject, e.Sequence = subject.String(), sequence
		return e
	}
	whole, late, dropped := uuid.New(), uuid.New(), uuid.New()
	var sent []outbox.Event
	for _, sequence := range []int64{1, 2, 3} {
		sent = append(sent, order(sequence, whole))
	}
	for _, sequence := range []int64{1, 3, 2} {
		sent = append(sent, order(sequence, late))
	}
	for _, sequence := range []int64{1, 2, 4, 5} {
		sent = append(sent, order(sequence, dropped))
	}
	for _, e := range sent {
		s.publish(e)
		s.publish(e)
		s.delivery(e, "sent", func(d *notifications.Delivery) bool { return d.Status == notifications.Sent })
	}
	if n := len(s.mail.Taken()); n != len(sent) {
		t.Errorf("%d e-mails were sent for %d events", n, len(sent))
	}

	reg, log := prometheus.NewRegistry(), &strings.Builder{}
	tomorrow, err := notifications.New(notifications.Deps{
		Store: s.store, Log: slog.New(slog.NewTextHandler(log, nil)), Metrics: telemetry.NewMetrics(reg),
		Clock:  func() time.Time { return time.Now().Add(24 * time.Hour) },
		Config: notifications.Config{PublicURL: "https://shop.example", From: "TechMart <shop@techmart.example>"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{1, 0} {
		if n, err := tomorrow.ReportGaps(s.ctx); n != want || err != nil {
			t.Errorf("%d gaps are reported, %v; want %d", n, err, want)
		}
	}
	if !strings.Contains(log.String(), dropped.String()) || !strings.Contains(log.String(), "sequence=3") {
		t.Errorf("the log says %s", log)
	}
	text := "# HELP events_missed_total Events that did not come to a consumer though a later one of their subject did.\n# TYPE events_missed_total counter\nevents_missed_total{consumer=\"notifications\"} 1\n"
	if err := testutil.GatherAndCompare(reg, strings.NewReader(text), "events_missed_total"); err != nil {
		t.Error(err)
	}
}
