package rabbitmq_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/platform/outbox"
	platform "github.com/techmart/techmart/platform/rabbitmq"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/notifications"
	"github.com/techmart/techmart/services/notifications/notificationstest"
	"github.com/techmart/techmart/services/notifications/postgres"
	"github.com/techmart/techmart/services/notifications/rabbitmq"
	"github.com/techmart/techmart/services/notifications/smtp"
	"github.com/techmart/techmart/services/viewer"
)

// delays make three attempts.
var delays = []time.Duration{50 * time.Millisecond, 100 * time.Millisecond}

const attempts = 3

// system is all that stands between an event and the customer: broker, relay, workers and mail server.
type system struct {
	t       *testing.T
	ctx     context.Context // of staff
	broker  platform.Broker
	pool    *pgxpool.Pool
	store   *postgres.Store
	service *notifications.Service
	mail    *notificationstest.MailServer
	letters *rabbitmq.DeadLetters
}

// setup starts it with so many workers; the mail server answers the nth message with answer(n).
func setup(t *testing.T, workers int, answer func(try int) error) *system {
	t.Helper()
	s := &system{t: t, ctx: viewer.NewContext(t.Context(), viewer.System)}
	s.store, s.pool = notificationstest.Open(t, stacktest.Postgres(t))
	s.mail = notificationstest.NewMailServer(t, answer)
	sender, err := smtp.New("smtp://" + s.mail.Addr)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	s.service, err = notifications.New(notifications.Deps{Store: s.store, Sender: sender, Log: log,
		Config: notifications.Config{PublicURL: "https://shop.example", From: "TechMart <shop@techmart.example>"}})
	if err != nil {
		t.Fatal(err)
	}
	address, namespace := stacktest.RabbitMQ(t)
	open := func() platform.Broker {
		b, err := platform.Open(t.Context(), address, platform.Options{Namespace: namespace, Log: log})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Declare(t.Context(), rabbitmq.Queues(delays)...); err != nil {
			t.Fatal(err)
		}
		return b
	}
	s.broker = open()
	s.letters = rabbitmq.NewDeadLetters(s.broker, s.service)

	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	run := func(f func(context.Context) error) {
		running.Go(func() {
			if err := f(ctx); err != nil {
				t.Errorf("a part of the system ended: %v", err)
			}
		})
	}
	relay := &outbox.Relay{Pool: s.pool, Schema: postgres.Schema, Publish: rabbitmq.Publish(s.broker), Poll: 100 * time.Millisecond, Log: log}
	run(relay.Run)
	brokers := []platform.Broker{s.broker}
	for range workers {
		b := open()
		brokers = append(brokers, b)
		run((&rabbitmq.Worker{Broker: b, Service: s.service, RetryDelays: delays, Log: log}).Run)
	}
	t.Cleanup(func() {
		stop()
		running.Wait()
		for _, b := range brokers {
			if err := b.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}
	})
	return s
}

// event makes a domain's event of a customer.
func event(kind string, data map[string]any) outbox.Event {
	user := uuid.Must(uuid.NewV7())
	all := map[string]any{"userId": user, "email": "ada@example.com", "displayName": "Ada Lovelace", "token": "t0ken"}
	for name, value := range data {
		all[name] = value
	}
	body, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	return outbox.Event{ID: uuid.Must(uuid.NewV7()), Type: kind, Source: "/techmart/users", Subject: user.String(), Sequence: 1, Time: time.Now(), Data: body}
}

// publish publishes an event as the relays of the other domains do.
func (s *system) publish(e outbox.Event) {
	s.t.Helper()
	body, err := json.Marshal(e)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.broker.Publish(s.t.Context(), platform.Message{ID: e.ID.String(), Type: e.Type, RoutingKey: e.Type, Mandatory: true, Body: body}); err != nil {
		s.t.Fatal(err)
	}
}

// delivery waits until the delivery of an event is as wanted.
func (s *system) delivery(e outbox.Event, what string, wanted func(*notifications.Delivery) bool) *notifications.Delivery {
	s.t.Helper()
	var d *notifications.Delivery
	notificationstest.Eventually(s.t, "the delivery is "+what, func(ctx context.Context) bool {
		var id uuid.UUID
		if s.pool.QueryRow(ctx, `SELECT id FROM notifications.deliveries WHERE event_id = $1`, e.ID).Scan(&id) != nil {
			return false // not yet
		}
		found, err := s.store.Deliveries(ctx, []uuid.UUID{id})
		if err != nil {
			s.t.Fatal(err)
		}
		d = found[id]
		return wanted(d)
	})
	return d
}

func sent(d *notifications.Delivery) bool { return d.Status == notifications.Sent }
func dead(d *notifications.Delivery) bool { return d.Status == notifications.Dead }

// dead waits until a queue has n dead letters.
func (s *system) dead(queue string, n int) []rabbitmq.DeadLetter {
	s.t.Helper()
	var letters []rabbitmq.DeadLetter
	notificationstest.Eventually(s.t, "the dead letters are as many as expected", func(context.Context) bool {
		var err error
		if letters, err = s.letters.List(s.ctx, queue, 100); err != nil {
			s.t.Fatal(err)
		}
		return len(letters) == n
	})
	return letters
}

// settled gives the server a later event to deal with, so that what should not happen had its chance.
func (s *system) settled() {
	s.t.Helper()
	last := event("users.password_changed", nil)
	s.publish(last)
	s.delivery(last, "sent", sent)
}

func TestDuplicatesOfAnEventAreSentOnce(t *testing.T) {
	t.Parallel()
	s := setup(t, 2, nil)
	e := event("users.registered", nil)
	for range 5 {
		s.publish(e)
	}
	d := s.delivery(e, "sent", sent)
	s.settled()
	if n := s.mail.Tries(); n != 2 {
		t.Errorf("the mail server got %d messages, want one for each of the 2 events", n)
	}
	if d.Attempts != 1 || d.SentAt.IsZero() {
		t.Errorf("delivery %+v", d)
	}
	mail := s.mail.Taken()[0]
	if mail.Recipient != "ada@example.com" || !strings.Contains(mail.Body, "t0ken") {
		t.Errorf("mail to %s:\n%s", mail.Recipient, mail.Body)
	}
	var secrets int
	if err := s.pool.QueryRow(t.Context(), `SELECT count(*) FROM notifications.deliveries WHERE payload IS NOT NULL`).Scan(&secrets); err != nil || secrets != 0 {
		t.Errorf("%d payloads are kept after sending, %v", secrets, err)
	}
}

func TestRequestsForOneDeliveryAreSentOnce(t *testing.T) {
	t.Parallel()
	offered, answer := make(chan struct{}), make(chan struct{})
	s := setup(t, 2, func(try int) error {
		if try == 1 {
			close(offered)
			<-answer
		}
		return nil
	})
	e := event("users.email_verified", nil)
	s.publish(e)
	<-offered // one worker is at the mail server
	d := s.delivery(e, "being sent", func(d *notifications.Delivery) bool { return !d.HandedOverAt.IsZero() })
	request := outbox.Event{ID: uuid.Must(uuid.NewV7()), Type: notifications.EmailRequested, Subject: d.ID.String(), Time: time.Now(), Data: []byte(`{}`)}
	for range 4 {
		if err := rabbitmq.Publish(s.broker)(t.Context(), []outbox.Event{request}); err != nil {
			t.Fatal(err)
		}
	}
	close(answer)
	s.delivery(e, "sent", sent)
	s.settled()
	if n := s.mail.Tries(); n != 2 {
		t.Errorf("the mail server got %d messages, want one for each of the 2 events", n)
	}
}

// E-mails that lost workers hold for some time keep no others from being sent, and go out when that time is over.
func TestWhatIsBusyWaitsInAQueue(t *testing.T) {
	t.Parallel()
	s := setup(t, 0, nil)
	held := make([]outbox.Event, 10) // more than a worker sends at once
	for i := range held {
		e := event("users.password_changed", nil)
		if err := s.service.HandleEvent(s.ctx, notifications.Event{ID: e.ID, Type: e.Type, Time: e.Time, Data: e.Data}); err != nil {
			t.Fatal(err)
		}
		d := s.delivery(e, "accepted", func(*notifications.Delivery) bool { return true })
		if _, err := s.store.UpdateDelivery(t.Context(), d.ID, func(d *notifications.Delivery) error {
			d.Claim(time.Now(), time.Now().Add(time.Hour))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		held[i] = e
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- (&rabbitmq.Worker{Broker: s.broker, Service: s.service, RetryDelays: delays, Log: slog.New(slog.DiscardHandler)}).Run(ctx)
	}()
	s.settled()
	if _, err := s.pool.Exec(t.Context(), `UPDATE notifications.deliveries SET claimed_until = now() - interval '1 second' WHERE claimed_until IS NOT NULL`); err != nil {
		t.Fatal(err)
	}
	for _, e := range held {
		if d := s.delivery(e, "sent", sent); d.Attempts != 2 {
			t.Errorf("it took %d attempts", d.Attempts)
		}
	}
	s.dead(rabbitmq.EmailQueue, 0)
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestRetriedUntilTaken(t *testing.T) {
	t.Parallel()
	s := setup(t, 1, func(try int) error {
		if try < attempts {
			return notificationstest.Refusal(451, "mailbox of ada@example.com is busy")
		}
		return nil
	})
	e := event("users.password_changed", nil)
	s.publish(e)
	d := s.delivery(e, "sent", sent)
	if d.Attempts != attempts || !strings.Contains(d.LastError, "a***@example.com is busy") || strings.Contains(d.LastError, "ada@") {
		t.Errorf("after %d attempts the last error is %q", d.Attempts, d.LastError)
	}
	first := s.mail.Taken()[0].Header.Get("Message-Id")
	if want := "<" + d.ID.String() + ".delivery@techmart.example>"; first != want {
		t.Errorf("Message-ID %q, want %q", first, want)
	}
}

func TestDeadLetterAndReplay(t *testing.T) {
	t.Parallel()
	s := setup(t, 1, func(try int) error {
		if try <= attempts {
			return notificationstest.Refusal(451, "try later")
		}
		return nil
	})
	e := event("users.password_reset_requested", nil)
	s.publish(e)
	d := s.delivery(e, "dead", dead)
	letter := s.dead(rabbitmq.EmailQueue, 1)[0]
	if n := s.mail.Tries(); n != attempts || d.Attempts != attempts || d.Unknown {
		t.Errorf("%d tries, delivery %+v", n, d)
	}
	if letter.ID != d.ID.String() || letter.Attempts != attempts || letter.Kind != notifications.PasswordReset ||
		letter.Recipient != "a***@example.com" || !strings.Contains(letter.Reason, "try later") || letter.DiedAt.IsZero() {
		t.Errorf("dead letter %+v", letter)
	}
	if n, err := s.letters.Replay(s.ctx, rabbitmq.EmailQueue, uuid.NewString()); n != 0 || err != nil {
		t.Errorf("replay of another one: %d, %v", n, err)
	}
	if n, err := s.letters.Replay(s.ctx, rabbitmq.EmailQueue); n != 1 || err != nil {
		t.Fatalf("replay: %d, %v", n, err)
	}
	if d := s.delivery(e, "sent", sent); d.Attempts != attempts+1 {
		t.Errorf("%d attempts, want %d", d.Attempts, attempts+1)
	}
	s.dead(rabbitmq.EmailQueue, 0)
}

func TestRefusedForGoodAndDiscarded(t *testing.T) {
	t.Parallel()
	s := setup(t, 1, func(int) error { return notificationstest.Refusal(550, "no such user") })
	e := event("users.email_verified", nil)
	s.publish(e)
	d := s.delivery(e, "dead", dead)
	s.dead("", 1)
	if s.mail.Tries() != 1 || d.Attempts != 1 {
		t.Errorf("%d tries, %d attempts; want 1", s.mail.Tries(), d.Attempts)
	}
	if n, err := s.letters.Discard(s.ctx, rabbitmq.EmailQueue, d.ID.String()); n != 1 || err != nil {
		t.Fatalf("discard: %d, %v", n, err)
	}
	s.dead("", 0)
	if err := s.service.ReplayEmail(s.ctx, d.ID); errs.CodeOf(err) != errs.InvalidState {
		t.Errorf("replay of a discarded one: %v", err)
	}
}

// A discard that is killed after it gave the e-mails up leaves their messages. A replay takes none of them back to work,
// and clears them away; one whose outcome was unknown is among them.
func TestReplayAfterADiscardThatWasCutOff(t *testing.T) {
	t.Parallel()
	s := setup(t, 1, func(try int) error {
		switch {
		case try == 1:
			return notificationstest.Vanish
		case try <= 3:
			return notificationstest.Refusal(550, "no such user")
		}
		return nil
	})
	var (
		last    outbox.Event
		letters []*notifications.Delivery
	)
	for i := range 3 {
		last = event("users.password_changed", nil)
		s.publish(last)
		letters = append(letters, s.delivery(last, "dead", dead))
		s.dead(rabbitmq.EmailQueue, i+1)
	}
	for _, d := range letters[:2] {
		if err := s.service.DiscardEmail(s.ctx, d.ID); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.letters.Replay(s.ctx, rabbitmq.EmailQueue); n != 1 || err != nil {
		t.Errorf("replay of all: %d, %v", n, err)
	}
	s.dead(rabbitmq.EmailQueue, 0)
	s.delivery(last, "sent", sent)
	if n := s.mail.Tries(); n != 4 {
		t.Errorf("%d tries, want 4", n)
	}
}

func TestUnknownOutcomeIsLeftToStaff(t *testing.T) {
	t.Parallel()
	s := setup(t, 1, func(try int) error {
		if try == 1 {
			return notificationstest.Vanish
		}
		return nil
	})
	vanished := event("users.password_changed", nil)
	s.publish(vanished)
	d := s.delivery(vanished, "dead", dead)
	if !d.Unknown || s.mail.Tries() != 1 {
		t.Fatalf("after %d tries: %+v", s.mail.Tries(), d)
	}
	if letter := s.dead(rabbitmq.EmailQueue, 1)[0]; !letter.Unknown {
		t.Errorf("dead letter %+v", letter)
	}
	if n, err := s.letters.Replay(s.ctx, rabbitmq.EmailQueue); n != 0 || err != nil {
		t.Errorf("a replay of all took the unknown one along: %d, %v", n, err)
	}
	if n, err := s.letters.Replay(s.ctx, rabbitmq.EmailQueue, d.ID.String()); n != 1 || err != nil {
		t.Fatalf("replay of the one: %d, %v", n, err)
	}
	s.delivery(vanished, "sent", sent)
	if n := s.mail.Tries(); n != 2 {
		t.Errorf("%d tries, want 2", n)
	}
}

// A worker that is killed between the hand-over and the answer has left its mark.
func TestWorkerLostAfterHandOver(t *testing.T) {
	t.Parallel()
	s := setup(t, 0, nil)
	e := event("users.password_changed", nil)
	if err := s.service.HandleEvent(s.ctx, notifications.Event{ID: e.ID, Type: e.Type, Time: e.Time, Data: e.Data}); err != nil {
		t.Fatal(err)
	}
	d := s.delivery(e, "accepted", func(*notifications.Delivery) bool { return true })
	long := time.Now().Add(-time.Hour).UTC()
	if _, err := s.store.UpdateDelivery(t.Context(), d.ID, func(d *notifications.Delivery) error {
		d.Claim(long, long.Add(time.Minute))
		return d.HandOver(1, long)
	}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- (&rabbitmq.Worker{Broker: s.broker, Service: s.service, RetryDelays: delays, Log: slog.New(slog.DiscardHandler)}).Run(ctx)
	}()
	if d := s.delivery(e, "dead", dead); !d.Unknown || d.LastError == "" {
		t.Errorf("delivery %+v", d)
	}
	s.dead(rabbitmq.EmailQueue, 1)
	if n := s.mail.Tries(); n != 0 {
		t.Errorf("it was sent again, %d times", n)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestEventsThatCannotBeHandled(t *testing.T) {
	t.Parallel()
	s := setup(t, 1, nil)
	for _, body := range []string{`{"token":"s3cr3t"`, `{"specversion":"1.0","id":"` + uuid.NewString() + `","type":"users.registered","data":{"token":"s3cr3t"}}`} {
		if err := s.broker.Publish(t.Context(), platform.Message{ID: uuid.NewString(), Type: "users.registered", RoutingKey: "users.registered", Mandatory: true, Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.broker.Publish(t.Context(), platform.Message{ID: "x", Queue: rabbitmq.EmailQueue, Body: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
	for _, letter := range append(s.dead(rabbitmq.EventsQueue, 2), s.dead(rabbitmq.EmailQueue, 1)...) {
		if letter.Attempts != 1 || strings.Contains(letter.Reason, "s3cr3t") {
			t.Errorf("dead letter %+v", letter)
		}
	}
	for queue, want := range map[string]int{rabbitmq.EventsQueue: 2, rabbitmq.EmailQueue: 1} {
		if n, err := s.letters.Discard(s.ctx, queue); n != want || err != nil {
			t.Errorf("discard of %s: %d, %v; want %d", queue, n, err, want)
		}
	}
	if _, err := s.letters.List(s.ctx, "orders", 1); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("an unknown queue: %v", err)
	}
}

func TestDeadLettersNeedScopes(t *testing.T) {
	t.Parallel()
	s := setup(t, 0, nil)
	reader := viewer.NewContext(t.Context(), viewer.Viewer{UserID: uuid.Must(uuid.NewV7()), Scopes: []viewer.Scope{viewer.NotifyRead}})
	if _, err := s.letters.List(reader, "", 1); err != nil {
		t.Error(err)
	}
	if _, err := s.letters.List(t.Context(), "", 1); errs.CodeOf(err) != errs.Unauthenticated {
		t.Errorf("an anonymous list: %v", err)
	}
	if _, err := s.letters.Replay(reader, rabbitmq.EmailQueue); errs.CodeOf(err) != errs.Forbidden {
		t.Errorf("a reader's replay: %v", err)
	}
	if _, err := s.letters.Discard(reader, rabbitmq.EventsQueue); errs.CodeOf(err) != errs.Forbidden {
		t.Errorf("a reader's discard: %v", err)
	}
}

// Events that overtake each other stand in the inbox as they happened.
func TestInboxInTheOrderOfEvents(t *testing.T) {
	t.Parallel()
	s := setup(t, 0, nil)
	customer := uuid.Must(uuid.NewV7())
	verified := time.Now().Add(-time.Minute).UTC().Truncate(time.Microsecond)
	for kind, happened := range map[string]time.Time{
		"users.password_changed": verified.Add(time.Second), "users.email_verified": verified, "users.registered": verified.Add(-time.Second),
	} {
		e := event(kind, map[string]any{"userId": customer})
		if err := s.service.HandleEvent(s.ctx, notifications.Event{ID: e.ID, Type: e.Type, Time: happened, Data: e.Data}); err != nil {
			t.Fatal(err)
		}
	}
	q := notifications.InboxQuery{UserID: customer, Limit: 10}
	found, err := s.store.Inboxes(t.Context(), []notifications.InboxQuery{q})
	if err != nil {
		t.Fatal(err)
	}
	if list := found[q]; len(list) != 2 || list[0].Kind != notifications.PasswordChanged || !list[1].CreatedAt.Equal(verified) {
		t.Errorf("the inbox: %+v", list)
	}
}
