package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/platform/outbox"
	"github.com/techmart/techmart/platform/rabbitmq"
	"github.com/techmart/techmart/services/notifications/notificationstest"
	notificationsrabbitmq "github.com/techmart/techmart/services/notifications/rabbitmq"
	"github.com/techmart/techmart/services/users"
	"github.com/techmart/techmart/services/viewer"
)

// A post is a mail server that can be told to take nothing, and remembers when it was asked.
type post struct {
	*notificationstest.MailServer

	mu      sync.Mutex
	refuses error
	asked   []time.Time
}

func newPost(t *testing.T, refuses error) *post {
	p := &post{refuses: refuses}
	p.MailServer = notificationstest.NewMailServer(t, func(int) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.asked = append(p.asked, time.Now())
		return p.refuses
	})
	return p
}

// deliver makes the configuration send its mails here, and try again after the waits.
func (p *post) deliver(waits ...time.Duration) func(*app.Config) {
	return func(c *app.Config) { c.SMTPURL, c.RetryDelays = "smtp://"+p.Addr, waits }
}

func (p *post) open() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses = nil
}

func (p *post) times() []time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// letters waits until there are so many dead letters.
func (s *shop) letters(n int) []app.DeadLetter {
	s.t.Helper()
	var list []app.DeadLetter
	eventually(s.t, "dead letters are listed", func() bool {
		found, err := s.DeadLetters(s.t.Context(), "", 100)
		if err != nil {
			s.t.Fatal(err)
		}
		list = found
		return len(list) == n
	})
	return list
}

// register asks for an account, which sends one mail.
func (s *shop) register(email string) {
	s.t.Helper()
	s.anonymous().change("userRegister", "UserRegisterInput", vars{"email": email, "password": password, "displayName": "Ada"})
}

type deliveryState struct {
	Status, Recipient string
	Attempts          int
	LastError         *string
}

// deliveries is what staff see of the e-mails.
func (c *client) deliveries() []deliveryState {
	c.s.t.Helper()
	var out struct {
		NotificationDeliveries struct{ Nodes []deliveryState }
	}
	c.must(&out, `{ notificationDeliveries(first: 100) { nodes { status recipient attempts lastError } } }`, nil)
	return out.NotificationDeliveries.Nodes
}

// A mail that cannot be delivered is tried again, ever later, put aside, and delivered once when staff replay it.
func TestAMailThatCannotBeDelivered(t *testing.T) {
	t.Parallel()
	post := newPost(t, notificationstest.Refusal(451, "the mailbox of ada@example.com is full"))
	waits := []time.Duration{150 * time.Millisecond, 400 * time.Millisecond, 900 * time.Millisecond}
	s := setup(t, post.deliver(waits...))
	support := s.as(users.Support)
	s.register("ada@example.com")

	letter := s.letters(1)[0]
	asked := post.times()
	if len(asked) != len(waits)+1 {
		t.Fatalf("it was tried %d times", len(asked))
	}
	for i, wait := range waits {
		if passed := asked[i+1].Sub(asked[i]); passed < wait {
			t.Errorf("attempt %d came after %v, not %v", i+2, passed, wait)
		}
	}
	if letter.Queue != notificationsrabbitmq.EmailQueue || letter.Attempts != len(waits)+1 || letter.Kind != "EMAIL_VERIFICATION" ||
		letter.Recipient != "a***@example.com" || letter.Unknown || letter.DiedAt.IsZero() || !strings.Contains(letter.Reason, "451") {
		t.Errorf("the dead letter is %+v", letter)
	}
	d := support.deliveries()
	if len(d) != 1 || d[0].Status != "DEAD" || d[0].Attempts != len(waits)+1 || d[0].LastError == nil || strings.Contains(*d[0].LastError, "ada@") || d[0].Recipient != "a***@example.com" {
		t.Errorf("staff see %+v", d)
	}
	if strings.Contains(letter.Reason, "ada@") {
		t.Errorf("the reason shows the address: %s", letter.Reason)
	}

	post.open()
	if n, err := s.ReplayDeadLetters(t.Context(), letter.Queue, uuid.NewString()); n != 0 || err != nil {
		t.Errorf("replaying one that is not there: %d, %v", n, err)
	}
	if n, err := s.ReplayDeadLetters(t.Context(), letter.Queue, letter.ID); n != 1 || err != nil {
		t.Fatalf("replay: %d, %v", n, err)
	}
	eventually(t, "it is delivered", func() bool { return len(post.Taken()) == 1 })
	eventually(t, "staff see it sent", func() bool { d := support.deliveries(); return len(d) == 1 && d[0].Status == "SENT" })
	s.letters(0)
	if n, err := s.ReplayDeadLetters(t.Context(), letter.Queue, letter.ID); n != 0 || err != nil {
		t.Errorf("replaying it again: %d, %v", n, err)
	}
	if got := post.Taken()[0]; got.Recipient != "ada@example.com" {
		t.Errorf("it went to %s", got.Recipient)
	}
	// A later mail is the second one: nothing was sent twice meanwhile.
	s.register("bob@example.com")
	eventually(t, "the next mail is delivered", func() bool { return len(post.Taken()) > 1 })
	if got := post.Taken(); len(got) != 2 || got[1].Recipient != "bob@example.com" {
		t.Errorf("%d mails were sent: %+v", len(got), got)
	}
}

// An address that the mail server refuses for good is not tried again; who discards the letter never sends it.
func TestAMailThatIsRefusedForGood(t *testing.T) {
	t.Parallel()
	post := newPost(t, notificationstest.Refusal(550, "no such mailbox"))
	s := setup(t, post.deliver(time.Minute))
	s.register("ada@example.com")
	letter := s.letters(1)[0]
	if letter.Attempts != 1 || post.Tries() != 1 {
		t.Errorf("it was tried %d times: %+v", post.Tries(), letter)
	}
	post.open()
	if n, err := s.DiscardDeadLetters(t.Context(), letter.Queue, letter.ID); n != 1 || err != nil {
		t.Fatalf("discard: %d, %v", n, err)
	}
	s.letters(0)
	if n, err := s.ReplayDeadLetters(t.Context(), letter.Queue); n != 0 || err != nil {
		t.Errorf("replaying what is gone: %d, %v", n, err)
	}
	s.register("bob@example.com")
	eventually(t, "the next mail is delivered", func() bool { return len(post.Taken()) > 0 })
	if got := post.Taken(); len(got) != 1 || got[0].Recipient != "bob@example.com" {
		t.Errorf("it was sent after all: %+v", got)
	}
}

// A mail whose outcome nobody knows, as the connection broke after it was handed over, is not sent again unless staff say so by its id.
func TestAMailWithAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	post := newPost(t, notificationstest.Vanish)
	s := setup(t, post.deliver(50*time.Millisecond, 50*time.Millisecond))
	s.register("ada@example.com")
	letter := s.letters(1)[0]
	if !letter.Unknown || post.Tries() != 1 {
		t.Errorf("after %d tries the letter is %+v", post.Tries(), letter)
	}
	post.open()
	if n, err := s.ReplayDeadLetters(t.Context(), letter.Queue); n != 0 || err != nil {
		t.Errorf("replaying all: %d, %v", n, err)
	}
	if n, err := s.ReplayDeadLetters(t.Context(), letter.Queue, letter.ID); n != 1 || err != nil {
		t.Errorf("replaying it: %d, %v", n, err)
	}
	eventually(t, "it is sent again", func() bool { return post.Tries() == 2 })
	s.letters(0)
}

// A message that is no event is put aside at once, and does not stop those behind it.
func TestAMessageThatCannotBeUnderstood(t *testing.T) {
	t.Parallel()
	post := newPost(t, nil)
	s := setup(t, post.deliver(time.Minute))
	s.letters(0) // the queues are there
	s.publish(rabbitmq.Message{ID: "nonsense-1", Type: "users.registered", RoutingKey: "users.registered", Body: []byte(`{"token":"s3cret"`)})
	letter := s.letters(1)[0]
	if letter.Queue != notificationsrabbitmq.EventsQueue || letter.ID != "nonsense-1" || letter.Attempts != 1 || strings.Contains(letter.Reason, "s3cret") {
		t.Errorf("the dead letter is %+v", letter)
	}
	s.register("ada@example.com")
	eventually(t, "the next mail is delivered", func() bool { return len(post.Taken()) == 1 })
}

// The same event twice is one mail and one notification.
func TestTheSameEventTwice(t *testing.T) {
	t.Parallel()
	post := newPost(t, nil)
	s := setup(t, post.deliver(time.Minute))
	customer := s.as(users.Customer)
	v, err := s.Services.Users.Authenticate(t.Context(), customer.token)
	if err != nil {
		t.Fatal(err)
	}
	event := func(email string) outbox.Event {
		data, err := json.Marshal(vars{"userId": v.UserID, "email": email, "displayName": "Ada"})
		if err != nil {
			t.Fatal(err)
		}
		return outbox.Event{ID: uuid.Must(uuid.NewV7()), Source: "/techmart/users", Sequence: 1, Type: users.EventPasswordChanged, Subject: v.UserID.String(), Time: time.Now().UTC(), Data: data}
	}
	twice, after := event("ada@example.com"), event("later@example.com")
	s.letters(0) // the queues are there
	for _, e := range []outbox.Event{twice, twice, twice, after} {
		body, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		s.publish(rabbitmq.Message{ID: e.ID.String(), Type: e.Type, RoutingKey: e.Type, ContentType: outbox.ContentType, Body: body, Time: e.Time})
	}
	recipients := func() []string {
		var list []string
		for _, m := range post.Taken() {
			list = append(list, m.Recipient)
		}
		slices.Sort(list)
		return list
	}
	eventually(t, "both mails are delivered", func() bool { return len(recipients()) >= 2 })
	// What was published before a message that has gone through every queue has been handled, too.
	s.register("last@example.com")
	eventually(t, "a later mail is delivered", func() bool { return slices.Contains(recipients(), "last@example.com") })
	if got := recipients(); !slices.Equal(got, []string{"ada@example.com", "last@example.com", "later@example.com"}) {
		t.Errorf("mails went to %v", got)
	}
	var out struct {
		Me struct {
			UnreadNotificationCount int
			Notifications           struct{ Nodes []struct{ Kind string } }
		}
	}
	customer.must(&out, `{ me { unreadNotificationCount notifications { nodes { kind } } } }`, nil)
	if out.Me.UnreadNotificationCount != 2 || len(out.Me.Notifications.Nodes) != 2 {
		t.Errorf("the inbox is %+v", out.Me)
	}
}

// publish sends a message as the relays do.
func (s *shop) publish(m rabbitmq.Message) {
	s.t.Helper()
	ctx := viewer.NewContext(s.t.Context(), viewer.System)
	broker, err := rabbitmq.Open(ctx, s.config.RabbitURL, rabbitmq.Options{Namespace: s.config.RabbitNamespace})
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := broker.Close(closing); err != nil {
			s.t.Error(err)
		}
	}()
	if err := broker.Publish(ctx, m); err != nil {
		s.t.Fatal(err)
	}
}
