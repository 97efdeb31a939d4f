package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/notifications"
)

// entries adds n inbox entries of a user, the first two at one time, and gives them newest first.
func entries(t *testing.T, s notifications.Store, user uuid.UUID, n int) []*notifications.Notification {
	t.Helper()
	var list []*notifications.Notification
	for i := range n {
		d := NewDelivery(user, epoch.Add(time.Duration(i/2)*time.Second))
		entry := NewNotification(d)
		accept(t, s, d, entry)
		list = append([]*notifications.Notification{entry}, list...)
	}
	return list
}

func inboxes(t *testing.T, s notifications.Store) {
	ada, bob, nobody := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	adas, bobs := entries(t, s, ada, 5), entries(t, s, bob, 2)
	if _, err := s.MarkRead(t.Context(), ada, []uuid.UUID{adas[1].ID}, epoch); err != nil {
		t.Fatal(err)
	}
	all := func(user uuid.UUID, limit int) notifications.InboxQuery {
		return notifications.InboxQuery{UserID: user, Limit: limit}
	}
	after := notifications.InboxQuery{UserID: ada, Limit: 3, AfterTime: adas[2].CreatedAt, AfterID: adas[2].ID}
	unread := notifications.InboxQuery{UserID: ada, Limit: 3, UnreadOnly: true}
	unreadAfter := unread
	unreadAfter.AfterTime, unreadAfter.AfterID = adas[0].CreatedAt, adas[0].ID
	wanted := map[notifications.InboxQuery][]*notifications.Notification{
		all(ada, 3):    adas[:4], // one more than asked for
		all(bob, 3):    bobs,
		all(nobody, 3): nil,
		all(ada, 9):    adas,
		after:          adas[3:],
		unread:         {adas[0], adas[2], adas[3], adas[4]},
		unreadAfter:    {adas[2], adas[3], adas[4]},
	}
	var queries []notifications.InboxQuery
	for q := range wanted {
		queries = append(queries, q)
	}
	got, err := s.Inboxes(t.Context(), queries)
	if err != nil {
		t.Fatal(err)
	}
	for q, want := range wanted {
		if !slices.Equal(ids(got[q]), ids(want)) {
			t.Errorf("%+v: %v, want %v", q, ids(got[q]), ids(want))
		}
	}
	found, err := s.Notifications(t.Context(), []uuid.UUID{adas[0].ID, adas[1].ID, nobody})
	if err != nil || len(found) != 2 {
		t.Fatalf("found %d by id, %v", len(found), err)
	}
	if *found[adas[0].ID] != *adas[0] {
		t.Errorf("read back %+v, want %+v", found[adas[0].ID], adas[0])
	}
	if found[adas[1].ID].ReadAt != epoch {
		t.Errorf("read at %v, want %v", found[adas[1].ID].ReadAt, epoch)
	}
	counts, err := s.UnreadCounts(t.Context(), []uuid.UUID{ada, bob, nobody})
	if err != nil || counts[ada] != 4 || counts[bob] != 2 || counts[nobody] != 0 {
		t.Errorf("unread: %v, %v", counts, err)
	}
}

func markedRead(t *testing.T, s notifications.Store) {
	ada, bob := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	adas, bobs := entries(t, s, ada, 3), entries(t, s, bob, 1)
	mark := func(what string, ids []uuid.UUID, want notifications.MarkResult) {
		t.Helper()
		got, err := s.MarkRead(t.Context(), ada, ids, epoch)
		if err != nil || got.Marked != want.Marked || got.Unread != want.Unread || !slices.Equal(got.Missing, want.Missing) {
			t.Errorf("%s: %+v, %v; want %+v", what, got, err, want)
		}
	}
	mark("none", []uuid.UUID{}, notifications.MarkResult{Unread: 3})
	mark("somebody else's", []uuid.UUID{adas[0].ID, bobs[0].ID}, notifications.MarkResult{Unread: 3, Missing: []uuid.UUID{bobs[0].ID}})
	mark("one", []uuid.UUID{adas[0].ID}, notifications.MarkResult{Marked: 1, Unread: 2})
	mark("one again", []uuid.UUID{adas[0].ID, adas[0].ID}, notifications.MarkResult{Unread: 2})
	mark("all", nil, notifications.MarkResult{Marked: 2})
	if counts, err := s.UnreadCounts(t.Context(), []uuid.UUID{bob}); err != nil || counts[bob] != 1 {
		t.Errorf("bob's unread: %v, %v", counts, err)
	}
}

func ids(list []*notifications.Notification) []uuid.UUID {
	out := make([]uuid.UUID, len(list))
	for i, n := range list {
		out[i] = n.ID
	}
	return out
}
