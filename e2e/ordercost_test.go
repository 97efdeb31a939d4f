package e2e

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/platform/telemetry"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/users"
	"github.com/techmart/techmart/services/viewer"
)

// workLine is a line of the metric work_total.
var workLine = regexp.MustCompile(`(?m)^work_total\{kind="([a-z]+)",part="([a-z]+)"\} (\S+)$`)

// work gives what the parts of the program have asked of the servers so far, as "part kind".
func (s *shop) work() map[string]float64 {
	s.t.Helper()
	counts := make(map[string]float64)
	for _, m := range workLine.FindAllStringSubmatch(s.page("/metrics"), -1) {
		n, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			s.t.Fatal(err)
		}
		counts[m[2]+" "+m[1]] = n
	}
	return counts
}

// An order takes at most 25 SQL round trips from orderPlace until it is CONFIRMED, with the jobs and the events
// among them; one at a time, so that none shares a round trip with another. The test runs alone, as the
// others that count do.
func TestAnOrderKeepsItsBudgetOfRoundTrips(t *testing.T) {
	const (
		count        = 20
		mostSQL      = 25
		mostMail     = 12 // of the notification that follows
		mostMongo    = 5  // commands
		mostMessages = 5
	)
	s := setup(t)
	lamp := s.product("Lamp", "10.00", 1000)
	ada := s.as(users.Customer)
	buy := func(sum map[string]float64) {
		ada.change("cartLinesAdd", "CartLinesAddInput", vars{"lines": []vars{{"variantId": lamp.variantID, "quantity": 1}}})
		before := s.work()
		id := ada.placeOrder("tok_visa")
		placed := s.work()
		for _, kind := range []string{"postgres", "statements", "commits", "mongodb", "redis", "rabbitmq", "messages"} {
			sum["place "+kind] += placed["requests "+kind] - before["requests "+kind]
		}
		s.settled(id)
	}
	for range 5 { // statements are prepared
		buy(make(map[string]float64))
	}
	// A worker asks for jobs from time to time, orders or not: on a busy machine, often while one order is under way.
	s.quiet()
	idle, began := s.work(), time.Now()
	var polls map[string]float64 // a second
	eventually(t, "the worker asks for jobs", func() bool {
		polls = make(map[string]float64)
		for name, n := range s.work() {
			if strings.HasPrefix(name, "jobs ") {
				polls[name] = (n - idle[name]) / time.Since(began).Seconds()
			}
		}
		return time.Since(began) > time.Second
	})
	var sum map[string]float64
	round := func() {
		s.quiet()
		sum = make(map[string]float64)
		before, began := s.work(), time.Now()
		for range count {
			buy(sum)
		}
		s.quiet()
		for name, n := range s.work() {
			sum[name] += n - before[name] - polls[name]*time.Since(began).Seconds()
		}
	}
	of := func(kind string, parts ...string) (n float64) {
		for _, part := range parts {
			n += sum[part+" "+kind]
		}
		return n / count
	}
	// On a busy machine the relays meet an order's events one by one: the best of three rounds counts.
	for range 3 {
		if round(); of("postgres", "place", "jobs", "saga", "outbox") <= mostSQL {
			break
		}
	}
	for _, part := range []string{"place", "jobs", "saga", "outbox", "notifications"} {
		var kinds []string
		for _, name := range slices.Sorted(maps.Keys(sum)) {
			if kind, ok := strings.CutPrefix(name, part+" "); ok && sum[name] > 0 {
				kinds = append(kinds, fmt.Sprintf("%s %.1f", kind, sum[name]/count))
			}
		}
		t.Logf("%-14s %s", part, strings.Join(kinds, ", "))
	}
	if n := of("postgres", "place", "jobs", "saga", "outbox"); n > mostSQL {
		t.Errorf("%.1f SQL round trips for an order; at most %d are allowed", n, mostSQL)
	}
	if n := of("postgres", "notifications"); n > mostMail {
		t.Errorf("%.1f SQL round trips for an order's notifications; at most %d are allowed", n, mostMail)
	}
	if n := of("mongodb", "place", "saga"); n > mostMongo {
		t.Errorf("%.1f MongoDB commands for an order; at most %d are allowed", n, mostMongo)
	}
	if n := of("messages", "outbox", "notifications"); n > mostMessages {
		t.Errorf("%.1f messages for an order; at most %d are allowed", n, mostMessages)
	}
}

// settled waits until an order is CONFIRMED, and does not count as work of the program.
func (s *shop) settled(id string) {
	s.t.Helper()
	orderID, err := model.ParseID(model.PrefixOrder, id)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx := telemetry.WithPart(viewer.NewContext(s.t.Context(), viewer.System), "test")
	eventually(s.t, "the order is confirmed", func() bool {
		found, err := s.Services.Orders.ByIDs(ctx, []uuid.UUID{orderID})
		return err == nil && len(found) == 1 && found[orderID].Status == orders.Confirmed
	})
}

// quiet waits until nothing is on its way any more: no event in any outbox, no e-mail to be sent.
func (s *shop) quiet() {
	s.t.Helper()
	ctx := s.t.Context()
	conn, err := pgx.Connect(ctx, s.config.PostgresURL)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	eventually(s.t, "all events and e-mails are out", func() bool {
		var n int
		err := conn.QueryRow(ctx, `SELECT (SELECT count(*) FROM orders.outbox) + (SELECT count(*) FROM payments.outbox)
			+ (SELECT count(*) FROM notifications.outbox) + (SELECT count(*) FROM notifications.deliveries WHERE status = 'PENDING')
			+ abs((SELECT count(*) FROM orders.timeline WHERE type = 'ORDER_CONFIRMED') - (SELECT count(*) FROM notifications.deliveries WHERE kind = 'ORDER_CONFIRMED'))`).Scan(&n)
		return err == nil && n == 0
	})
}
