package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/notifications/mailbox"
)

var _ mailbox.Store = (*Store)(nil)

// The deletion does not see the new rows.
const mailInsert = `
WITH kept AS (
  INSERT INTO notifications.mailbox (id, message_id, sender, recipient, subject, body_text, body_html, received_at)
  SELECT * FROM %s
)
DELETE FROM notifications.mailbox WHERE id IN (
  SELECT id FROM notifications.mailbox ORDER BY received_at DESC, id DESC OFFSET $9)`

var mailsInsert = fmt.Sprintf(mailInsert, postgres.Unnest(1, "uuid text text text text text text timestamptz"))

// keeping is a mail to be kept with the newest ones, as many as capacity.
type keeping struct {
	mail     *mailbox.Mail
	capacity int
}

// KeepMail adds a mail and forgets old ones; see [mailbox.Store].
func (s *Store) KeepMail(ctx context.Context, m *mailbox.Mail, capacity int) error {
	if _, err := s.keeping.Do(ctx, keeping{m, capacity}); err != nil {
		return fmt.Errorf("notifications: keep mail: %w", err)
	}
	return nil
}

func (s *Store) keepMail(ctx context.Context, k keeping) (struct{}, error) {
	_, err := s.keepMails(ctx, []keeping{k})
	return struct{}{}, err
}

func (s *Store) keepMails(ctx context.Context, mails []keeping) ([]postgres.Result[struct{}], error) {
	capacity := mails[0].capacity
	for _, k := range mails {
		capacity = min(capacity, k.capacity)
	}
	args := postgres.Columns(mails, func(k keeping) []any {
		m := k.mail
		return []any{m.ID, m.MessageID, m.From, m.To, m.Subject, m.Text, m.HTML, m.ReceivedAt}
	})
	args = append(args, max(capacity-len(mails), 0))
	err := postgres.SendSteadily(ctx, s.pool, func(b *pgx.Batch) { b.Queue(mailsInsert, args...) })
	return make([]postgres.Result[struct{}], len(mails)), err
}

func scanMail(row pgx.CollectableRow) (*mailbox.Mail, error) {
	m := &mailbox.Mail{}
	err := row.Scan(&m.ID, &m.MessageID, &m.From, &m.To, &m.Subject, &m.Text, &m.HTML, &m.ReceivedAt)
	m.ReceivedAt = m.ReceivedAt.UTC()
	return m, err
}

// Mails gives the newest mails; see [mailbox.Store].
func (s *Store) Mails(ctx context.Context, limit int) ([]*mailbox.Mail, error) {
	rows, err := s.pool.Query(ctx, `SELECT id, message_id, sender, recipient, subject, '', '', received_at
FROM notifications.mailbox ORDER BY received_at DESC, id DESC LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("notifications: mails: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanMail)
	if err != nil {
		return nil, fmt.Errorf("notifications: mails: %w", err)
	}
	return list, nil
}

// Mail gives one mail; see [mailbox.Store].
func (s *Store) Mail(ctx context.Context, id uuid.UUID) (*mailbox.Mail, error) {
	rows, err := s.pool.Query(ctx, `SELECT id, message_id, sender, recipient, subject, body_text, body_html, received_at
FROM notifications.mailbox WHERE id = $1`, id)
	if err != nil {
		return nil, fmt.Errorf("notifications: mail: %w", err)
	}
	m, err := pgx.CollectExactlyOneRow(rows, scanMail)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, mailbox.NoSuchMail()
	}
	if err != nil {
		return nil, fmt.Errorf("notifications: mail: %w", err)
	}
	return m, nil
}
