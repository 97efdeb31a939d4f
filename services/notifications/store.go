package notifications

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/page"
)

// Store keeps inboxes and deliveries. Any error that a comment does not name is internal.
type Store interface {
	// Accept writes the delivery, the request to send it (see EmailRequested) and, unless nil, the
	// inbox entry, all or nothing. It gives false and writes nothing when the delivery's event has
	// one already.
	Accept(ctx context.Context, d *Delivery, n *Notification) (bool, error)

	// Receive notes that an event has come which no one is told of.
	Receive(ctx context.Context, r Receipt) error
	// Gaps gives at most limit events that came before the time and whose predecessor has not come yet, each once; those whose
	// predecessor came late are forgotten.
	Gaps(ctx context.Context, before, now time.Time, limit int) ([]Gap, error)
	// PurgeReceipts forgets at most limit events each that came before the time and have a successor, and gaps reported before.
	PurgeReceipts(ctx context.Context, before time.Time, limit int) (int, error)

	// UpdateDelivery changes a delivery under a lock, by change; an error of change is returned as
	// it is and nothing is written. It fails with NOT_FOUND.
	UpdateDelivery(ctx context.Context, id uuid.UUID, change func(*Delivery) error) (*Delivery, error)
	// Deliveries gives those of the ids that exist. Payloads are left out.
	Deliveries(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Delivery, error)
	// DeliveryList gives up to limit+1 deliveries, newest first, with one of the statuses, or with
	// any for none. Payloads are left out.
	DeliveryList(ctx context.Context, statuses []Status, r page.Request) ([]*Delivery, error)
	// RequestStale requests anew the sending of PENDING deliveries that nothing happened to since
	// the time given, at most limit, and gives how many.
	RequestStale(ctx context.Context, before, now time.Time, limit int) (int, error)

	// Inboxes gives up to Limit+1 entries for each query, newest first; a query without any is left out.
	Inboxes(ctx context.Context, queries []InboxQuery) (map[InboxQuery][]*Notification, error)
	// Notifications gives those of the ids that exist.
	Notifications(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Notification, error)
	// UnreadCounts gives the number of unread entries of each user; one without any is left out.
	UnreadCounts(ctx context.Context, userIDs []uuid.UUID) (map[uuid.UUID]int, error)
	// MarkRead marks the user's entries with the ids as read, or all for nil. Where some of the ids
	// are not the user's, they are given as missing and nothing is marked.
	MarkRead(ctx context.Context, userID uuid.UUID, ids []uuid.UUID, now time.Time) (MarkResult, error)
}

// MarkResult is what MarkRead did.
type MarkResult struct {
	Marked  int         // that were unread before
	Unread  int         // that are unread now
	Missing []uuid.UUID // of the ids given
}

// InboxQuery asks for a part of one inbox, newest first. It is comparable, so that loaders can use it as a key.
type InboxQuery struct {
	UserID     uuid.UUID
	UnreadOnly bool
	Limit      int
	AfterTime  time.Time // UTC, with AfterID the entry to go on after; both zero for the newest
	AfterID    uuid.UUID
}
