package smtp

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/techmart/techmart/platform/fault"
	"github.com/techmart/techmart/platform/telemetry"
	"github.com/techmart/techmart/services/notifications"
	"github.com/techmart/techmart/services/notifications/notificationstest"
)

// While the mail server is away e-mails are refused at once, as the metrics say, and none counts as handed over; when it is
// back they go on.
func TestBreaker(t *testing.T) {
	t.Parallel()
	server := notificationstest.NewMailServer(t, nil)
	away, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := away.Addr().String()
	_ = away.Close() // nobody listens there any more
	reg := prometheus.NewRegistry()
	s := sender(t, "smtp://"+gone+"?tls=off")
	s.Guard = fault.New(fault.Config{Server: "smtp", Rest: 50 * time.Millisecond, Metrics: telemetry.NewMetrics(reg)})
	state := func(want string) {
		t.Helper()
		text := "# HELP breaker_state The circuit breaker of a server: 0 closed, 1 open, 2 trying one call.\n# TYPE breaker_state gauge\nbreaker_state{server=\"smtp\"} " + want + "\n"
		if err := testutil.GatherAndCompare(reg, strings.NewReader(text), "breaker_state"); err != nil {
			t.Error(err)
		}
	}
	state("0")
	for range 5 {
		if err := s.Send(t.Context(), message(), begun); err == nil || errors.Is(err, notifications.ErrOutcomeUnknown) || errors.Is(err, fault.ErrOpen) {
			t.Fatalf("a server that is away answers %v", err)
		}
	}
	if err := s.Send(t.Context(), message(), begun); !errors.Is(err, fault.ErrOpen) {
		t.Errorf("it is tried all the same: %v", err)
	}
	state("1")
	back := sender(t, "smtp://"+server.Addr+"?tls=off")
	s.host, s.options = back.host, back.options
	for deadline := time.Now().Add(10 * time.Second); ; {
		err := s.Send(t.Context(), message(), begun)
		if err == nil {
			break
		}
		if !errors.Is(err, fault.ErrOpen) || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	state("0")
	if n := len(server.Taken()); n != 1 {
		t.Errorf("%d e-mails arrived", n)
	}
}
