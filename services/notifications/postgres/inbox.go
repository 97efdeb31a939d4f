package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/notifications"
)

const notificationColumns = `n.id, n.event_id, n.user_id, n.kind, n.title, n.body, n.order_id, n.read_at, n.created_at`

func scanNotification(row pgx.CollectableRow) (*notifications.Notification, error) {
	n := &notifications.Notification{}
	var (
		order *uuid.UUID
		read  *time.Time
	)
	err := row.Scan(&n.ID, &n.EventID, &n.UserID, &n.Kind, &n.Title, &n.Body, &order, &read, &n.CreatedAt)
	if order != nil {
		n.OrderID = *order
	}
	n.ReadAt, n.CreatedAt = timeOf(read), n.CreatedAt.UTC()
	return n, err
}

const inboxPages = `
SELECT ` + notificationColumns + `
FROM unnest($1::uuid[]) AS wanted(user_id) CROSS JOIN LATERAL (
  SELECT * FROM notifications.notifications AS own
  WHERE own.user_id = wanted.user_id %s
  ORDER BY created_at DESC, id DESC LIMIT $2) AS n
ORDER BY n.user_id, n.created_at DESC, n.id DESC`

// Inboxes gives parts of inboxes; see [notifications.Store]. Queries that differ only in their user
// are one statement.
func (s *Store) Inboxes(ctx context.Context, queries []notifications.InboxQuery) (map[notifications.InboxQuery][]*notifications.Notification, error) {
	shapes := map[notifications.InboxQuery][]uuid.UUID{} // the users of each query without its user
	for _, q := range queries {
		user := q.UserID
		q.UserID = uuid.Nil
		shapes[q] = append(shapes[q], user)
	}
	found := make(map[notifications.InboxQuery][]*notifications.Notification, len(queries))
	for shape, users := range shapes {
		list, err := s.inboxes(ctx, shape, users)
		if err != nil {
			return nil, fmt.Errorf("notifications: inboxes: %w", err)
		}
		for _, n := range list {
			q := shape
			q.UserID = n.UserID
			found[q] = append(found[q], n)
		}
	}
	return found, nil
}

func (s *Store) inboxes(ctx context.Context, q notifications.InboxQuery, users []uuid.UUID) ([]*notifications.Notification, error) {
	where, args := "", []any{users, q.Limit + 1}
	if q.UnreadOnly {
		where = "AND own.read_at IS NULL"
	}
	if q.AfterID != uuid.Nil {
		where += " AND (own.created_at, own.id) < ($3, $4)"
		args = append(args, q.AfterTime, q.AfterID)
	}
	rows, err := s.pool.Query(ctx, fmt.Sprintf(inboxPages, where), args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanNotification)
}

// Notifications gives those of the ids that exist; see [notifications.Store].
func (s *Store) Notifications(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*notifications.Notification, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+notificationColumns+` FROM notifications.notifications AS n WHERE n.id = ANY($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("notifications: by id: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanNotification)
	if err != nil {
		return nil, fmt.Errorf("notifications: by id: %w", err)
	}
	found := make(map[uuid.UUID]*notifications.Notification, len(list))
	for _, n := range list {
		found[n.ID] = n
	}
	return found, nil
}

const unreadCounts = `
SELECT user_id, count(*) FROM notifications.notifications
WHERE user_id = ANY($1) AND read_at IS NULL GROUP BY user_id`

// UnreadCounts counts unread entries by user; see [notifications.Store].
func (s *Store) UnreadCounts(ctx context.Context, userIDs []uuid.UUID) (map[uuid.UUID]int, error) {
	rows, err := s.pool.Query(ctx, unreadCounts, userIDs)
	if err != nil {
		return nil, fmt.Errorf("notifications: unread counts: %w", err)
	}
	counts := make(map[uuid.UUID]int, len(userIDs))
	var (
		user uuid.UUID
		n    int
	)
	if _, err := pgx.ForEachRow(rows, []any{&user, &n}, func() error {
		counts[user] = n
		return nil
	}); err != nil {
		return nil, fmt.Errorf("notifications: unread counts: %w", err)
	}
	return counts, nil
}

const (
	notificationMarkAll = `
UPDATE notifications.notifications SET read_at = $2 WHERE user_id = $1 AND read_at IS NULL`
	notificationMark = notificationMarkAll + ` AND id = ANY($3)`
	notificationOwn  = `
SELECT id FROM notifications.notifications WHERE user_id = $1 AND id = ANY($2)`
	unreadCount = `
SELECT count(*) FROM notifications.notifications WHERE user_id = $1 AND read_at IS NULL`
)

// MarkRead marks entries as read; see [notifications.Store].
func (s *Store) MarkRead(ctx context.Context, userID uuid.UUID, ids []uuid.UUID, now time.Time) (notifications.MarkResult, error) {
	var result notifications.MarkResult
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		result = notifications.MarkResult{}
		sql, args := notificationMarkAll, []any{userID, now}
		if ids != nil {
			var err error
			if result.Missing, err = missing(ctx, tx, userID, ids); err != nil {
				return err
			}
			sql, args = notificationMark, append(args, ids)
		}
		if len(result.Missing) == 0 {
			tag, err := tx.Exec(ctx, sql, args...)
			if err != nil {
				return err
			}
			result.Marked = int(tag.RowsAffected())
		}
		return tx.QueryRow(ctx, unreadCount, userID).Scan(&result.Unread)
	})
	if err != nil {
		return notifications.MarkResult{}, fmt.Errorf("notifications: mark read: %w", err)
	}
	return result, nil
}

// missing gives those of the ids that are not the user's.
func missing(ctx context.Context, tx pgx.Tx, userID uuid.UUID, ids []uuid.UUID) ([]uuid.UUID, error) {
	rows, err := tx.Query(ctx, notificationOwn, userID, ids)
	if err != nil {
		return nil, err
	}
	own, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id uuid.UUID) bool { return slices.Contains(own, id) }), nil
}
