package webhooks

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/viewer"
)

// Event is something that happened in the shop.
type Event struct {
	ID       uuid.UUID
	Type     string // orders.shipped
	Subject  uuid.UUID
	Sequence int64 // counts the subject's events from 1
	Time     time.Time
}

// Subject is the kind of thing that an event is about.
type Subject string

// The subjects.
const (
	OrderSubject    Subject = "order"
	PaymentSubject  Subject = "payment"
	EndpointSubject Subject = "webhookEndpoint"
	DeliverySubject Subject = "webhookDelivery" // of no event: its id is that of the message
)

// EventTest is the type of what an owner sends to try an endpoint. Its subject is the endpoint.
const EventTest = "webhooks.test"

// needs are the scope that reads a subject.
var needs = map[Subject]viewer.Scope{
	OrderSubject: viewer.OrdersRead, PaymentSubject: viewer.PaymentsRead, EndpointSubject: viewer.WebhooksRead,
}

// subjects gives the subject of each type that an endpoint can ask for.
var subjects = map[string]Subject{
	"orders.placed": OrderSubject, "orders.confirmed": OrderSubject, "orders.failed": OrderSubject, "orders.cancelled": OrderSubject,
	"orders.shipped": OrderSubject, "orders.delivered": OrderSubject, "orders.refunded": OrderSubject,
	"orders.return_requested": OrderSubject, "orders.return_approved": OrderSubject, "orders.return_rejected": OrderSubject,
	"orders.return_cancelled": OrderSubject, "orders.return_received": OrderSubject, "orders.return_refunded": OrderSubject,
	"payments.authorized": PaymentSubject, "payments.declined": PaymentSubject, "payments.captured": PaymentSubject,
	"payments.voided": PaymentSubject, "payments.refunded": PaymentSubject,
}

// SubjectOf gives what the events of a type are about; false for a type that no endpoint gets.
func SubjectOf(eventType string) (Subject, bool) {
	if eventType == EventTest {
		return EndpointSubject, true
	}
	s, ok := subjects[eventType]
	return s, ok
}

// Types are the types of the events that endpoints can ask for.
func Types() []string {
	var list []string
	for t := range subjects {
		list = append(list, t)
	}
	slices.Sort(list)
	return list
}

// The current version of the envelope around payloads. Another one is added when a change would break receivers.
const CurrentVersion = "2026-11-01"

// Types of the events of this domain. The subject is the endpoint's id.
const (
	EventPaused   = "webhooks.endpoint_paused"
	EventResumed  = "webhooks.endpoint_resumed"
	EventDisabled = "webhooks.endpoint_disabled"
)

// News is a change of an endpoint that its owner is told of.
type News string

// The news.
const (
	NewsNone     News = ""
	NewsPaused   News = "PAUSED"
	NewsResumed  News = "RESUMED"
	NewsDisabled News = "DISABLED"
)

// NoticeData is the data of the events of this domain.
type NoticeData struct {
	UserID      uuid.UUID  `json:"userId"` // who is told
	Email       string     `json:"email"`
	DisplayName string     `json:"displayName"`
	Webhook     NoticeHook `json:"webhook"`
}

// NoticeHook is an endpoint in an event. Its host alone is told: the rest of a URL may be secret.
type NoticeHook struct {
	EndpointID uuid.UUID `json:"endpointId"`
	Host       string    `json:"host"`
	Reason     Reason    `json:"reason,omitempty"`
}

// Notice is an event of this domain, for one recipient.
type Notice struct {
	ID         uuid.UUID
	Type       string
	EndpointID uuid.UUID
	Time       time.Time
	Data       NoticeData
}
