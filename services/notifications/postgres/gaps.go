package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/services/notifications"
)

const (
	receive = `INSERT INTO notifications.received (subject, sequence, received_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`
	// One process reports a gap. What came late closed it.
	reportGaps = `
WITH old AS (
  SELECT subject, sequence FROM notifications.gaps WHERE reported_at IS NULL AND noticed_at < $1 ORDER BY noticed_at LIMIT $3 FOR UPDATE SKIP LOCKED
), closed AS (
  DELETE FROM notifications.gaps g USING old o
  WHERE g.subject = o.subject AND g.sequence = o.sequence
    AND EXISTS (SELECT FROM notifications.received r WHERE r.subject = o.subject AND r.sequence = o.sequence - 1)
)
UPDATE notifications.gaps g SET reported_at = $2 FROM old o
WHERE g.subject = o.subject AND g.sequence = o.sequence
  AND NOT EXISTS (SELECT FROM notifications.received r WHERE r.subject = o.subject AND r.sequence = o.sequence - 1)
RETURNING g.subject, g.sequence`
	purgeReceived = `DELETE FROM notifications.received WHERE ctid IN (
  SELECT r.ctid FROM notifications.received r WHERE r.received_at < $1
    AND EXISTS (SELECT FROM notifications.received n WHERE n.subject = r.subject AND n.sequence = r.sequence + 1)
  LIMIT $2)`
	purgeGaps = `DELETE FROM notifications.gaps WHERE ctid IN (SELECT ctid FROM notifications.gaps WHERE reported_at < $1 LIMIT $2)`
)

// Receive implements [notifications.Store].
func (s *Store) Receive(ctx context.Context, r notifications.Receipt) error {
	if _, err := s.pool.Exec(ctx, receive, r.Subject, r.Sequence, r.At); err != nil {
		return fmt.Errorf("notifications: receive: %w", err)
	}
	return nil
}

// Gaps implements [notifications.Store].
func (s *Store) Gaps(ctx context.Context, before, now time.Time, limit int) ([]notifications.Gap, error) {
	rows, err := s.pool.Query(ctx, reportGaps, before, now, limit)
	if err != nil {
		return nil, fmt.Errorf("notifications: gaps: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[notifications.Gap])
}

// PurgeReceipts implements [notifications.Store].
func (s *Store) PurgeReceipts(ctx context.Context, before time.Time, limit int) (int, error) {
	total := 0
	for _, sql := range []string{purgeReceived, purgeGaps} {
		done, err := s.pool.Exec(ctx, sql, before, limit)
		if err != nil {
			return total, fmt.Errorf("notifications: purge receipts: %w", err)
		}
		total += int(done.RowsAffected())
	}
	return total, nil
}
