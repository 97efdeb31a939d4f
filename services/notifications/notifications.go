// Package notifications tells customers what happens to their accounts and orders: by e-mail, and
// in the inbox that the graph shows.
//
// An event of another domain is taken in once ([Service.HandleEvent]): its inbox entry, its e-mail
// delivery and the request to send it are written in one transaction. The request travels through
// the work queue to [Service.SendEmail], which hands the e-mail to the mail server at most once
// without a person deciding otherwise; see [Delivery] for how.
package notifications

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Kind says what a notification is about. Its text is the value of the GraphQL enum NotificationKind.
type Kind string

// The kinds.
const (
	Welcome           Kind = "WELCOME"
	EmailVerification Kind = "EMAIL_VERIFICATION"
	PasswordReset     Kind = "PASSWORD_RESET"
	PasswordChanged   Kind = "PASSWORD_CHANGED"

	SecondFactorEnabled  Kind = "SECOND_FACTOR_ENABLED"
	SecondFactorDisabled Kind = "SECOND_FACTOR_DISABLED"
	RecoveryCodesRenewed Kind = "RECOVERY_CODES_RENEWED"
	RecoveryCodeUsed     Kind = "RECOVERY_CODE_USED"

	AccountExists  Kind = "ACCOUNT_EXISTS"
	OrderConfirmed Kind = "ORDER_CONFIRMED"
	OrderFailed    Kind = "ORDER_FAILED"
	OrderCancelled Kind = "ORDER_CANCELLED"
	PaymentFailed  Kind = "PAYMENT_FAILED"
	OrderShipped   Kind = "ORDER_SHIPPED"
	OrderDelivered Kind = "ORDER_DELIVERED"
	OrderRefunded  Kind = "ORDER_REFUNDED"

	ReturnRequested Kind = "RETURN_REQUESTED"
	ReturnApproved  Kind = "RETURN_APPROVED"
	ReturnRejected  Kind = "RETURN_REJECTED"
	ReturnReceived  Kind = "RETURN_RECEIVED"
	ReturnRefunded  Kind = "RETURN_REFUNDED"

	WebhookPaused   Kind = "WEBHOOK_PAUSED"
	WebhookResumed  Kind = "WEBHOOK_RESUMED"
	WebhookDisabled Kind = "WEBHOOK_DISABLED"
)

// Channel is how something is sent.
type Channel string

// Email is the only channel with deliveries: what is in the inbox has arrived by being written.
const Email Channel = "EMAIL"

// Notification is an entry of a customer's inbox.
type Notification struct {
	ID        uuid.UUID
	EventID   uuid.UUID // the event that made it
	UserID    uuid.UUID
	Kind      Kind
	Title     string
	Body      string    // plain text, paragraphs divided by empty lines
	OrderID   uuid.UUID // zero where it is about no order
	ReadAt    time.Time // zero until read
	CreatedAt time.Time
}

// Status is how sending went.
type Status string

// The statuses.
const (
	Pending Status = "PENDING" // waits for its turn or its next attempt, or is being sent
	Sent    Status = "SENT"    // the mail server took it
	Dead    Status = "DEAD"    // given up; staff may replay it
)

// Delivery is one e-mail to one customer.
//
// It is sent at most once by the program alone. An attempt is claimed by one worker for a bounded
// time, and marked as handed over, durably, when the mail server is connected and before the first
// command of the message's transaction. A worker that vanishes before that mark has sent nothing:
// the next one goes on. One that vanishes after it, or whose mail server does not answer the end of
// the data, may have sent it, and SMTP has no way to ask: the delivery becomes DEAD with Unknown
// set, and staff decides between a possible duplicate (replay) and a possible loss (discard).
type Delivery struct {
	ID           uuid.UUID
	EventID      uuid.UUID // the event that made it; one delivery for each
	UserID       uuid.UUID
	Kind         Kind
	Channel      Channel
	Recipient    string // e-mail address
	Status       Status
	Attempts     int       // attempts begun; the current one's number
	LastError    string    // what the last failed attempt said, shortened, without the address
	Payload      []byte    // the event's data, a secret token included; nil once sent or discarded
	ClaimedUntil time.Time // zero, or until when a worker has the attempt to itself
	HandedOverAt time.Time // zero, or when the attempt began to give the message to the mail server
	Unknown      bool      // DEAD because nobody knows whether the mail server took it
	CreatedAt    time.Time
	UpdatedAt    time.Time
	SentAt       time.Time // zero until sent
	Receipt      Receipt   // written along with it; not read again
}

// Signals tells other processes that something is new; a lost signal loses no data.
type Signals interface {
	Publish(ctx context.Context, channel string, payload []byte) error
	// Subscribe gives what is published from now on, until ctx ends.
	Subscribe(ctx context.Context, channel string) (<-chan []byte, error)
}

// Config says how e-mails look and how long sending one may take.
type Config struct {
	PublicURL   string        // of the shop's web pages, for links: https://shop.example
	From        string        // sender of all e-mails: "TechMart <shop@techmart.example>"
	ShopName    string        // as it stands in e-mails; empty means TechMart
	SendTimeout time.Duration // bounds one attempt; 0 means 45 s
}

// Metrics counts what the consumers of events notice.
type Metrics interface {
	EventMissed(consumer string)   // has not come, though later ones have
	EventRepeated(consumer string) // has come before, and was dropped
}

// unmeasured counts nothing.
type unmeasured struct{}

func (unmeasured) EventMissed(string)   {}
func (unmeasured) EventRepeated(string) {}

// Deps is what a Service needs.
type Deps struct {
	Store   Store
	Sender  Sender           // nil where nothing is sent, such as in a process without workers
	Signals Signals          // nil where nobody can subscribe
	Clock   func() time.Time // nil means time.Now
	Log     *slog.Logger     // nil means slog.Default()
	Metrics Metrics          // nil records nothing
	Config  Config
}

// Service is the rules of the domain.
type Service struct {
	store       Store
	sender      Sender
	signals     Signals
	clock       func() time.Time
	log         *slog.Logger
	metrics     Metrics
	sendTimeout time.Duration
	render      *renderer
}

const defaultSendTimeout = 45 * time.Second

// New makes a Service; it fails for a configuration that cannot work, with all its faults.
func New(d Deps) (*Service, error) {
	if d.Metrics == nil {
		d.Metrics = unmeasured{}
	}
	var faults []error
	if d.Store == nil {
		faults = append(faults, errors.New("notifications: no store given"))
	}
	base, err := url.Parse(d.Config.PublicURL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		faults = append(faults, fmt.Errorf("notifications: the public URL %q is not an http or https address", d.Config.PublicURL))
	}
	from, err := mail.ParseAddress(d.Config.From)
	if err != nil {
		faults = append(faults, fmt.Errorf("notifications: the sender %q is not an e-mail address", d.Config.From))
	}
	if d.Config.SendTimeout < 0 {
		faults = append(faults, errors.New("notifications: the send timeout is negative"))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if d.Clock == nil {
		d.Clock = time.Now
	}
	return &Service{
		store:       d.Store,
		sender:      d.Sender,
		signals:     d.Signals,
		clock:       d.Clock,
		log:         cmp.Or(d.Log, slog.Default()),
		metrics:     d.Metrics,
		sendTimeout: cmp.Or(d.Config.SendTimeout, defaultSendTimeout),
		render: &renderer{
			shop:    cmp.Or(d.Config.ShopName, "TechMart"),
			baseURL: strings.TrimRight(d.Config.PublicURL, "/"),
			from:    from,
		},
	}, nil
}

// now is the time in the store's precision.
func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// MaskAddress hides most of an e-mail address: a***@example.com.
func MaskAddress(address string) string {
	local, domain, ok := strings.Cut(address, "@")
	if !ok || local == "" {
		return "***"
	}
	first := []rune(local)[:1]
	return string(first) + "***@" + domain
}
