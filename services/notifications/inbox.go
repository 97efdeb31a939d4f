package notifications

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/viewer"
)

// MaxMarked is how many notifications can be marked by their ids at once.
const MaxMarked = 100

// Key gives the entry's place in an inbox.
func (n *Notification) Key() page.Key { return timeKey(n.CreatedAt, n.ID) }

// Key gives the delivery's place in the list of deliveries.
func (d *Delivery) Key() page.Key { return timeKey(d.CreatedAt, d.ID) }

func timeKey(t time.Time, id uuid.UUID) page.Key {
	return page.Key{strconv.FormatInt(t.UnixMicro(), 10), id.String()}
}

// ParseKey reads a place in a list of this domain; nil gives zero values. It fails with CURSOR_MISMATCH.
func ParseKey(k page.Key) (time.Time, uuid.UUID, error) {
	if k == nil {
		return time.Time{}, uuid.Nil, nil
	}
	if len(k) == 2 {
		micro, err := strconv.ParseInt(k[0], 10, 64)
		id, err2 := uuid.Parse(k[1])
		if err == nil && err2 == nil {
			return time.UnixMicro(micro).UTC(), id, nil
		}
	}
	return time.Time{}, uuid.Nil, errs.New(errs.CursorMismatch, "This cursor was not made by this list.")
}

// NewInboxQuery makes the query of a part of a user's inbox. It fails with CURSOR_MISMATCH.
func NewInboxQuery(userID uuid.UUID, unreadOnly bool, r page.Request) (InboxQuery, error) {
	t, id, err := ParseKey(r.From)
	return InboxQuery{UserID: userID, UnreadOnly: unreadOnly, Limit: r.Limit, AfterTime: t, AfterID: id}, err
}

// request is what was asked for, to trim what was read.
func (q InboxQuery) request() page.Request {
	r := page.Request{Limit: q.Limit}
	if q.AfterID != uuid.Nil {
		r.From = timeKey(q.AfterTime, q.AfterID)
	}
	return r
}

// Inboxes gives parts of inboxes, one for each query. Somebody else's inbox is empty.
func (s *Service) Inboxes(ctx context.Context, queries []InboxQuery) (map[InboxQuery]page.Page[*Notification], error) {
	own := slices.DeleteFunc(slices.Clone(queries), func(q InboxQuery) bool { return !ownsInbox(ctx, q.UserID) })
	rows := map[InboxQuery][]*Notification{}
	if len(own) > 0 {
		var err error
		if rows, err = s.store.Inboxes(ctx, own); err != nil {
			return nil, err
		}
	}
	pages := make(map[InboxQuery]page.Page[*Notification], len(queries))
	for _, q := range queries {
		pages[q] = page.Trim(rows[q], q.request())
	}
	return pages, nil
}

// UnreadCounts gives the number of unread entries of each user; 0 for anybody but the viewer.
func (s *Service) UnreadCounts(ctx context.Context, userIDs []uuid.UUID) (map[uuid.UUID]int, error) {
	own := slices.DeleteFunc(slices.Clone(userIDs), func(id uuid.UUID) bool { return !ownsInbox(ctx, id) })
	counts := map[uuid.UUID]int{}
	if len(own) > 0 {
		var err error
		if counts, err = s.store.UnreadCounts(ctx, own); err != nil {
			return nil, err
		}
	}
	for _, id := range userIDs {
		counts[id] += 0 // a user without unread entries has a count as well
	}
	return counts, nil
}

// Notifications gives those of the ids that are in the viewer's inbox.
func (s *Service) Notifications(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Notification, error) {
	if !viewer.FromContext(ctx).Authenticated() {
		return nil, nil
	}
	found, err := s.store.Notifications(ctx, ids)
	if err != nil {
		return nil, err
	}
	for id, n := range found {
		if !ownsInbox(ctx, n.UserID) {
			delete(found, id)
		}
	}
	return found, nil
}

// MarkRead marks entries of the viewer's inbox as read: those with the ids, or all for nil. It fails
// with UNAUTHENTICATED, or, marking none, with TOO_LONG, or with NOT_FOUND for each id that is not
// there; the result tells how many are unread in the latter cases as well.
func (s *Service) MarkRead(ctx context.Context, ids []uuid.UUID) (MarkResult, error) {
	v := viewer.FromContext(ctx)
	if v.UserID == uuid.Nil {
		return MarkResult{}, errs.New(errs.Unauthenticated, "Sign in to do this.")
	}
	if len(ids) > MaxMarked {
		counts, err := s.store.UnreadCounts(ctx, []uuid.UUID{v.UserID})
		if err != nil {
			return MarkResult{}, err
		}
		return MarkResult{Unread: counts[v.UserID]}, errs.At(errs.TooLong, "Mark at most 100 notifications at once.", "ids")
	}
	result, err := s.store.MarkRead(ctx, v.UserID, ids, s.now())
	if err != nil {
		return MarkResult{}, err
	}
	var c errs.Collector
	for i, id := range ids {
		if slices.Contains(result.Missing, id) {
			c.Add(errs.NotFound, "There is no such notification.", "ids", strconv.Itoa(i))
		}
	}
	return result, c.Err()
}

// Received gives each new entry of the viewer's inbox until ctx ends. It fails with UNAUTHENTICATED.
func (s *Service) Received(ctx context.Context) (<-chan *Notification, error) {
	v := viewer.FromContext(ctx)
	if v.UserID == uuid.Nil {
		return nil, errs.New(errs.Unauthenticated, "Sign in to do this.")
	}
	if s.signals == nil {
		return nil, errs.New(errs.Unavailable, "Subscriptions are not available here.")
	}
	signals, err := s.signals.Subscribe(ctx, inboxChannel(v.UserID))
	if err != nil {
		return nil, &errs.Error{Code: errs.Unavailable, Message: "Subscriptions are not available right now.", Cause: err}
	}
	out := make(chan *Notification)
	go func() {
		defer close(out)
		for payload := range signals {
			n, err := s.announced(ctx, payload)
			if err != nil {
				if ctx.Err() == nil {
					s.log.WarnContext(ctx, "notifications: a signal leads nowhere", "error", err)
				}
				continue
			}
			select {
			case out <- n:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

// announced reads the entry that a signal names, under the viewer's rights.
func (s *Service) announced(ctx context.Context, payload []byte) (*Notification, error) {
	id, err := uuid.ParseBytes(payload)
	if err != nil {
		return nil, errors.New("its payload is not an id")
	}
	found, err := s.Notifications(ctx, []uuid.UUID{id})
	if err != nil {
		return nil, err
	}
	if n, ok := found[id]; ok {
		return n, nil
	}
	return nil, errs.New(errs.NotFound, "There is no such notification.")
}

func ownsInbox(ctx context.Context, userID uuid.UUID) bool {
	v := viewer.FromContext(ctx)
	return v.System || v.Is(userID)
}
