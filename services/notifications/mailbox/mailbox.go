// Package mailbox keeps e-mails instead of sending them, and shows them on a page. It is for
// development: what it keeps holds secret tokens, and anybody who reaches the page can read it.
package mailbox

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/notifications"
)

// Mail is an e-mail that was kept.
type Mail struct {
	ID         uuid.UUID
	MessageID  string
	From       string
	To         string
	Subject    string
	Text       string
	HTML       string
	ReceivedAt time.Time
}

// Store keeps mails. Any error that a comment does not name is internal.
type Store interface {
	// KeepMail adds a mail and forgets all but the newest ones, as many as capacity.
	KeepMail(ctx context.Context, m *Mail, capacity int) error
	// Mails gives the newest mails, newest first, at most limit, without their texts.
	Mails(ctx context.Context, limit int) ([]*Mail, error)
	// Mail gives one mail. It fails with NOT_FOUND.
	Mail(ctx context.Context, id uuid.UUID) (*Mail, error)
}

// Capacity is how many mails are kept.
const Capacity = 500

// Sender is a [notifications.Sender] that keeps every message in a Store.
type Sender struct {
	Store Store
	Clock func() time.Time
}

var _ notifications.Sender = (*Sender)(nil)

// Send keeps m.
func (s *Sender) Send(ctx context.Context, m notifications.Message, begin func(context.Context) error) error {
	if err := begin(ctx); err != nil {
		return err
	}
	return s.Store.KeepMail(ctx, &Mail{
		ID: uuid.Must(uuid.NewV7()), MessageID: m.ID, From: m.From, To: m.To, Subject: m.Subject,
		Text: m.Text, HTML: m.HTML, ReceivedAt: s.Clock().UTC().Truncate(time.Microsecond),
	}, Capacity)
}

// NoSuchMail is what a store answers for a mail that it does not have: NOT_FOUND.
func NoSuchMail() error { return errs.New(errs.NotFound, "There is no such mail.") }
