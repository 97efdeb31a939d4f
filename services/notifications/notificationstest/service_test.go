package notificationstest_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/platform/redis"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/notifications"
	"github.com/techmart/techmart/services/notifications/mailbox"
	"github.com/techmart/techmart/services/notifications/notificationstest"
	"github.com/techmart/techmart/services/notifications/postgres"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/viewer"
)

// setup gives a service with a mailbox on a fresh database, and its store.
func setup(t *testing.T, signals notifications.Signals) (*notifications.Service, *postgres.Store) {
	t.Helper()
	store, _ := notificationstest.Open(t, stacktest.Postgres(t))
	service, err := notifications.New(notifications.Deps{
		Store: store, Signals: signals, Sender: &mailbox.Sender{Store: store, Clock: time.Now}, Log: slog.New(slog.DiscardHandler),
		Config: notifications.Config{PublicURL: "https://shop.example/", From: "TechMart <shop@techmart.example>"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return service, store
}

func as(t *testing.T, user uuid.UUID, scopes ...viewer.Scope) context.Context {
	return viewer.NewContext(t.Context(), viewer.Viewer{UserID: user, Scopes: scopes})
}

// tell makes an event of a user's account.
func tell(t *testing.T, s *notifications.Service, user uuid.UUID, kind string) {
	t.Helper()
	err := s.HandleEvent(viewer.NewContext(t.Context(), viewer.System), notifications.Event{ID: uuid.Must(uuid.NewV7()), Type: kind, Time: time.Now(),
		Data: []byte(`{"userId":"` + user.String() + `","email":"ada@example.com","displayName":"Ada","token":"t0ken"}`)})
	if err != nil {
		t.Fatal(err)
	}
}

func inbox(t *testing.T, ctx context.Context, s *notifications.Service, user uuid.UUID) []*notifications.Notification {
	t.Helper()
	q, err := notifications.NewInboxQuery(user, false, page.Request{Limit: 20})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := s.Inboxes(ctx, []notifications.InboxQuery{q})
	if err != nil {
		t.Fatal(err)
	}
	return pages[q].Items
}

func TestInboxIsTheViewersOwn(t *testing.T) {
	t.Parallel()
	s, _ := setup(t, nil)
	ada, eve := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	tell(t, s, ada, "users.email_verified")
	tell(t, s, ada, "users.password_changed")
	tell(t, s, ada, "users.password_reset_requested") // holds a secret, so e-mail only
	tell(t, s, ada, "users.roles_changed")            // nobody is told

	mine := inbox(t, as(t, ada), s, ada)
	if len(mine) != 2 || mine[0].Kind != notifications.PasswordChanged || mine[1].Kind != notifications.Welcome {
		t.Fatalf("the inbox has %+v", mine)
	}
	every := []viewer.Scope{viewer.NotifyRead, viewer.NotifyWrite, viewer.UsersRead, viewer.UsersWrite}
	for name, ctx := range map[string]context.Context{"eve": as(t, eve), "staff": as(t, eve, every...), "an anonymous viewer": t.Context()} {
		if got := inbox(t, ctx, s, ada); len(got) != 0 {
			t.Errorf("%s reads ada's inbox", name)
		}
		if counts, err := s.UnreadCounts(ctx, []uuid.UUID{ada}); err != nil || counts[ada] != 0 {
			t.Errorf("%s counts ada's inbox: %v, %v", name, counts, err)
		}
		if found, err := s.Notifications(ctx, []uuid.UUID{mine[0].ID}); err != nil || len(found) != 0 {
			t.Errorf("%s finds ada's notification: %v, %v", name, found, err)
		}
	}
	if found, err := s.Notifications(as(t, ada), []uuid.UUID{mine[0].ID}); err != nil || len(found) != 1 {
		t.Errorf("ada does not find her own: %v, %v", found, err)
	}

	if _, err := s.MarkRead(as(t, eve), []uuid.UUID{mine[0].ID}); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("eve marks ada's: %v", err)
	}
	result, err := s.MarkRead(as(t, ada), []uuid.UUID{mine[0].ID, uuid.Nil, uuid.Nil})
	all := errs.All(err)
	if len(all) != 2 || !slices.Equal(all[0].Field, []string{"ids", "1"}) || !slices.Equal(all[1].Field, []string{"ids", "2"}) || result.Unread != 2 {
		t.Errorf("unknown ids: %v, %+v", err, result)
	}
	if result, err := s.MarkRead(as(t, ada), make([]uuid.UUID, notifications.MaxMarked+1)); errs.CodeOf(err) != errs.TooLong || result.Unread != 2 {
		t.Errorf("too many ids: %v, %+v", err, result)
	}
	if result, err := s.MarkRead(as(t, ada), nil); err != nil || result.Marked != 2 || result.Unread != 0 {
		t.Errorf("all: %+v, %v", result, err)
	}
	if _, err := s.MarkRead(t.Context(), nil); errs.CodeOf(err) != errs.Unauthenticated {
		t.Errorf("an anonymous viewer marks: %v", err)
	}
}

func TestInboxPages(t *testing.T) {
	t.Parallel()
	s, _ := setup(t, nil)
	ada := uuid.Must(uuid.NewV7())
	for range 5 {
		tell(t, s, ada, "users.password_changed")
	}
	request := page.Request{Limit: 2}
	seen := map[uuid.UUID]bool{}
	for i, want := range []struct {
		n                 int
		hasNext, hasFirst bool
	}{{2, true, false}, {2, true, true}, {1, false, true}} {
		q, err := notifications.NewInboxQuery(ada, false, request)
		if err != nil {
			t.Fatal(err)
		}
		pages, err := s.Inboxes(as(t, ada), []notifications.InboxQuery{q})
		if err != nil {
			t.Fatal(err)
		}
		p := pages[q]
		if len(p.Items) != want.n || p.HasNext != want.hasNext || p.HasPrevious != want.hasFirst {
			t.Errorf("page %d: %d items, next %v, previous %v", i, len(p.Items), p.HasNext, p.HasPrevious)
		}
		for _, n := range p.Items {
			seen[n.ID] = true
			request.From = n.Key()
		}
	}
	if len(seen) != 5 {
		t.Errorf("%d different entries, want 5", len(seen))
	}
	if _, err := notifications.NewInboxQuery(ada, false, page.Request{Limit: 2, From: page.Key{"1", "x"}}); errs.CodeOf(err) != errs.CursorMismatch {
		t.Errorf("a strange key: %v", err)
	}
}

func TestReceived(t *testing.T) {
	t.Parallel()
	address, prefix := stacktest.Redis(t)
	client, err := redis.Open(t.Context(), redis.Config{URL: address, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	hub := redis.NewHub(client)
	t.Cleanup(func() {
		if err := errors.Join(hub.Close(), client.Close()); err != nil {
			t.Error(err)
		}
	})
	s, _ := setup(t, hub)
	ada, eve := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	ctx, cancel := context.WithCancel(as(t, ada))
	defer cancel()
	adas, err := s.Received(ctx)
	if err != nil {
		t.Fatal(err)
	}
	eves, err := s.Received(as(t, eve))
	if err != nil {
		t.Fatal(err)
	}
	next := func(from <-chan *notifications.Notification) *notifications.Notification {
		t.Helper()
		select {
		case n := <-from:
			return n
		case <-time.After(30 * time.Second):
			t.Fatal("nothing was received")
			return nil
		}
	}
	if err := hub.Publish(t.Context(), "inbox:"+ada.String(), []byte("nonsense")); err != nil {
		t.Fatal(err)
	}
	tell(t, s, ada, "users.password_changed")
	got := next(adas)
	if got.Kind != notifications.PasswordChanged || got.UserID != ada {
		t.Errorf("ada received %+v", got)
	}
	// Somebody who can publish to eve's channel still cannot show her what is ada's.
	if err := hub.Publish(t.Context(), "inbox:"+eve.String(), []byte(got.ID.String())); err != nil {
		t.Fatal(err)
	}
	tell(t, s, eve, "users.email_verified")
	if n := next(eves); n.UserID != eve {
		t.Errorf("eve received %+v", n)
	}
	cancel()
	for range adas { // ends
	}
	if _, err := s.Received(t.Context()); errs.CodeOf(err) != errs.Unauthenticated {
		t.Errorf("an anonymous subscription: %v", err)
	}
	without, _ := setup(t, nil)
	if _, err := without.Received(as(t, ada)); errs.CodeOf(err) != errs.Unavailable {
		t.Errorf("a subscription without signals: %v", err)
	}
}

func TestDeliveriesAreForStaff(t *testing.T) {
	t.Parallel()
	s, store := setup(t, nil)
	ada := uuid.Must(uuid.NewV7())
	tell(t, s, ada, "users.registered")
	staff := as(t, uuid.Must(uuid.NewV7()), viewer.NotifyRead)
	p, err := s.DeliveryList(staff, []notifications.Status{notifications.Pending}, page.Request{Limit: 5})
	if err != nil || len(p.Items) != 1 || p.HasNext {
		t.Fatalf("pending: %+v, %v", p, err)
	}
	id := p.Items[0].ID
	if found, err := s.Deliveries(staff, []uuid.UUID{id}); err != nil || len(found) != 1 {
		t.Errorf("staff finds %v, %v", found, err)
	}
	if found, err := s.Deliveries(as(t, ada), []uuid.UUID{id}); err != nil || len(found) != 0 {
		t.Errorf("a customer finds %v, %v", found, err)
	}
	if _, err := s.DeliveryList(as(t, ada), nil, page.Request{Limit: 5}); errs.CodeOf(err) != errs.Forbidden {
		t.Errorf("a customer lists: %v", err)
	}
	for name, do := range map[string]func(context.Context, uuid.UUID) error{"replay": s.ReplayEmail, "discard": s.DiscardEmail} {
		if err := do(staff, id); errs.CodeOf(err) != errs.Forbidden {
			t.Errorf("%s without the scope: %v", name, err)
		}
		if err := do(as(t, ada, viewer.NotifyWrite), uuid.Must(uuid.NewV7())); errs.CodeOf(err) != errs.NotFound {
			t.Errorf("%s of nothing: %v", name, err)
		}
	}

	for i := range 2 { // the second time there is nothing left to do
		if err := s.SendEmail(t.Context(), id, false); err != nil {
			t.Fatalf("sending, time %d: %v", i+1, err)
		}
	}
	mails, err := store.Mails(t.Context(), 5)
	if err != nil || len(mails) != 1 || !strings.HasPrefix(mails[0].To, `"Ada"`) {
		t.Errorf("%d mails, %v", len(mails), err)
	}
	if err := s.SendEmail(t.Context(), uuid.Must(uuid.NewV7()), false); !errors.Is(err, notifications.ErrPermanent) {
		t.Errorf("sending nothing: %v", err)
	}
}

func TestResumeEmails(t *testing.T) {
	t.Parallel()
	s, store := setup(t, nil)
	tell(t, s, uuid.Must(uuid.NewV7()), "users.registered")
	tell(t, s, uuid.Must(uuid.NewV7()), "users.registered")
	if n, err := s.ResumeEmails(t.Context(), time.Hour); n != 0 || err != nil {
		t.Errorf("resumed %d that are an hour old, %v", n, err)
	}
	later, err := notifications.New(notifications.Deps{Store: store, Clock: func() time.Time { return time.Now().Add(2 * time.Hour) },
		Config: notifications.Config{PublicURL: "https://shop.example", From: "shop@techmart.example"}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{2, 0} {
		if n, err := later.ResumeEmails(t.Context(), time.Hour); n != want || err != nil {
			t.Errorf("call %d resumed %d, %v; want %d", i+1, n, err, want)
		}
	}
	if err := later.SendEmail(t.Context(), uuid.Must(uuid.NewV7()), false); err == nil {
		t.Error("a process without a sender sent something")
	}
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	_, err := notifications.New(notifications.Deps{Config: notifications.Config{PublicURL: "shop.example", From: "nobody", SendTimeout: -1}})
	if err == nil {
		t.Fatal("a configuration without anything was taken")
	}
	for _, part := range []string{"store", "public URL", "sender", "timeout"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not name the %s: %v", part, err)
		}
	}
}

func TestEventWithoutID(t *testing.T) {
	t.Parallel()
	s, _ := setup(t, nil)
	err := s.HandleEvent(t.Context(), notifications.Event{Type: "users.password_changed",
		Data: []byte(`{"userId":"` + uuid.NewString() + `","email":"ada@example.com"}`)})
	if !errors.Is(err, notifications.ErrPermanent) {
		t.Errorf("an event without an id: %v", err)
	}
	if err := s.HandleEvent(t.Context(), notifications.Event{Type: "users.registered", Data: []byte(`{}`)}); !errors.Is(err, notifications.ErrPermanent) {
		t.Errorf("an event that cannot be understood: %v", err)
	}
}
