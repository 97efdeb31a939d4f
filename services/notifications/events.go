package notifications

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/money"
)

// EmailRequested is the type of the event that a Store writes to its outbox for each e-mail to be
// sent. Its subject is the delivery's id.
const EmailRequested = "notifications.email_requested"

// EmailRequest is the data of EmailRequested.
type EmailRequest struct {
	DeliveryID uuid.UUID `json:"deliveryId"`
}

// Event is something that happened in another domain.
type Event struct {
	ID       uuid.UUID
	Type     string
	Subject  string // what it happened to
	Sequence int64  // counts the subject's events from 1; 0 where it is not known
	Time     time.Time
	Data     json.RawMessage
}

// amount is money in an event.
type amount struct {
	Amount   int64          `json:"amount"` // minor units
	Currency money.Currency `json:"currency"`
}

func (a amount) money() money.Money { return money.New(a.Amount, a.Currency) }

// accountData is the data of an event of an account.
type accountData struct {
	UserID      uuid.UUID `json:"userId"`
	Email       string    `json:"email"`
	DisplayName string    `json:"displayName"`
	Token       string    `json:"token"`
	Webhook     *hookData `json:"webhook"`
}

// hookData is a webhook endpoint in an event.
type hookData struct {
	Host   string `json:"host"`
	Reason string `json:"reason"`
}

// orderData is the data of an event of an order.
type orderData struct {
	OrderID     uuid.UUID        `json:"orderId"`
	Number      string           `json:"number"`
	CustomerID  uuid.UUID        `json:"customerId"`
	Email       string           `json:"email"`
	DisplayName string           `json:"displayName"`
	Subtotal    amount           `json:"subtotal"`
	Discount    *amount          `json:"discount"`
	Shipping    amount           `json:"shipping"`
	Total       amount           `json:"total"`
	Lines       []orderLine      `json:"lines"`
	ReasonCode  string           `json:"reasonCode"`
	Reason      string           `json:"reason"`
	Fulfillment *fulfillmentData `json:"fulfillment"`
	Refund      *refundData      `json:"refund"`
	Return      *returnData      `json:"return"`
}

type orderLine struct {
	Title        string `json:"title"`
	VariantTitle string `json:"variantTitle"`
	SKU          string `json:"sku"`
	Quantity     int    `json:"quantity"`
	UnitPrice    amount `json:"unitPrice"`
	Total        amount `json:"total"`
}

type fulfillmentData struct {
	ID             uuid.UUID `json:"id"`
	Carrier        string    `json:"carrier"`
	TrackingNumber string    `json:"trackingNumber"`
	TrackingURL    string    `json:"trackingUrl"`
}

type refundData struct {
	Amount amount `json:"amount"`
	Return string `json:"return"` // number of the return that it was paid back for
}

type returnData struct {
	Number       string  `json:"number"`
	Reason       string  `json:"reason"`
	Instructions string  `json:"instructions"`
	Refund       *amount `json:"refund"`
}

// content is what a notification is made of, read from an event.
type content struct {
	UserID  uuid.UUID
	Email   string
	Name    string
	Token   string     // of an account's event; secret
	Order   *orderData // of an order's event
	OrderID uuid.UUID
	Webhook *hookData // of a webhook endpoint's event
}

// orderFailed is one type for two kinds: the reason decides.
const (
	orderFailed     = "orders.failed"
	paymentDeclined = "PAYMENT_DECLINED"
)

// kindsByType gives the kind of the types that a customer is told of.
var kindsByType = map[string]Kind{
	"users.registered":                   EmailVerification,
	"users.email_verification_requested": EmailVerification,
	"users.email_verified":               Welcome,
	"users.password_reset_requested":     PasswordReset,
	"users.password_changed":             PasswordChanged,
	"users.registration_attempted":       AccountExists,
	"users.second_factor_enabled":        SecondFactorEnabled,
	"users.second_factor_disabled":       SecondFactorDisabled,
	"users.recovery_codes_renewed":       RecoveryCodesRenewed,
	"users.recovery_code_used":           RecoveryCodeUsed,
	"orders.confirmed":                   OrderConfirmed,
	orderFailed:                          OrderFailed,
	"orders.cancelled":                   OrderCancelled,
	"orders.shipped":                     OrderShipped,
	"orders.delivered":                   OrderDelivered,
	"orders.refunded":                    OrderRefunded,
	"orders.return_requested":            ReturnRequested,
	"orders.return_approved":             ReturnApproved,
	"orders.return_rejected":             ReturnRejected,
	"orders.return_received":             ReturnReceived,
	"orders.return_refunded":             ReturnRefunded,
	"webhooks.endpoint_paused":           WebhookPaused,
	"webhooks.endpoint_resumed":          WebhookResumed,
	"webhooks.endpoint_disabled":         WebhookDisabled,
}

// returnCancelled is an event of an order that its customer, whose own doing it is, is not told of.
const returnCancelled = "orders.return_cancelled"

// Bindings are the patterns of the events that are taken in: those that customers are told of, and what comes between them. An order's
// first event is left out: most orders are confirmed in the next moment, and that is told.
func Bindings() []string {
	list := []string{"users.#", "webhooks.#", returnCancelled}
	for t := range kindsByType {
		if strings.HasPrefix(t, "orders.") {
			list = append(list, t)
		}
	}
	slices.Sort(list)
	return list
}

// about says what of an event's data a kind needs.
type about struct {
	order bool // the data is an order's, else an account's
	back  bool // it is about a return of the order
	hook  bool // it is about a webhook endpoint
	token bool // the e-mail carries a secret; such a kind is not for the inbox
}

var abouts = map[Kind]about{
	EmailVerification: {token: true},
	PasswordReset:     {token: true},
	OrderConfirmed:    {order: true},
	OrderFailed:       {order: true},
	PaymentFailed:     {order: true},
	OrderCancelled:    {order: true},
	OrderShipped:      {order: true},
	OrderDelivered:    {order: true},
	OrderRefunded:     {order: true},
	ReturnRequested:   {order: true, back: true},
	ReturnApproved:    {order: true, back: true},
	ReturnRejected:    {order: true, back: true},
	ReturnReceived:    {order: true, back: true},
	ReturnRefunded:    {order: true, back: true},
	WebhookPaused:     {hook: true},
	WebhookResumed:    {hook: true},
	WebhookDisabled:   {hook: true},
}

// kindOf gives the kind of an event and what it says. ok is false for a type that no customer is
// told of. Errors never quote the data, which may hold a secret.
func kindOf(e Event) (kind Kind, c *content, ok bool, err error) {
	kind, ok = kindsByType[e.Type]
	if !ok {
		return "", nil, false, nil
	}
	c, err = parseContent(kind, e.Data)
	if err != nil {
		return "", nil, true, fmt.Errorf("%s: %w", e.Type, err)
	}
	if kind == OrderRefunded && c.Order.Refund.Return != "" {
		return "", nil, false, nil // the return tells of it
	}
	if e.Type == orderFailed && c.Order.ReasonCode == paymentDeclined {
		kind = PaymentFailed
	}
	return kind, c, true, nil
}

// parseContent reads the data of an event of the kind.
func parseContent(kind Kind, data []byte) (*content, error) {
	c := &content{}
	if abouts[kind].order {
		o := &orderData{}
		if json.Unmarshal(data, o) != nil {
			return nil, errors.New("its data is not that of an order's event")
		}
		c.UserID, c.Email, c.Name, c.Order, c.OrderID = o.CustomerID, o.Email, o.DisplayName, o, o.OrderID
	} else {
		a := accountData{}
		if json.Unmarshal(data, &a) != nil {
			return nil, errors.New("its data is not that of an account's event")
		}
		c.UserID, c.Email, c.Name, c.Token = a.UserID, a.Email, a.DisplayName, a.Token
		c.Webhook = a.Webhook
	}
	return c, c.validate(kind)
}

func (c *content) validate(kind Kind) error {
	address, err := mail.ParseAddress(c.Email)
	switch {
	case err != nil || address.Address != c.Email || len(c.Email) > maxAddress:
		return errors.New("its e-mail address cannot be used")
	case c.UserID == uuid.Nil:
		return errors.New("it names no customer")
	case c.Order != nil && (c.OrderID == uuid.Nil || c.Order.Number == ""):
		return errors.New("it names no order")
	case abouts[kind].token && c.Token == "":
		return errors.New("it has no token")
	case abouts[kind].hook && (c.Webhook == nil || c.Webhook.Host == ""):
		return errors.New("it names no webhook endpoint")
	case kind == OrderRefunded && c.Order.Refund == nil:
		return errors.New("it names no refund")
	case abouts[kind].back && (c.Order.Return == nil || c.Order.Return.Number == ""):
		return errors.New("it names no return")
	case (kind == ReturnReceived || kind == ReturnRefunded) && c.Order.Return.Refund == nil:
		return errors.New("it does not say what is paid back")
	}
	return nil
}

const maxAddress = 254 // RFC 5321, 4.5.3.1.3
