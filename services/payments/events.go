package payments

import (
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/money"
)

// Types of the events of this domain. The subject is the payment's id.
const (
	EventAuthorized = "payments.authorized" // the provider holds the amount
	EventDeclined   = "payments.declined"   // the provider refused the authorization
	EventCaptured   = "payments.captured"   // money was taken
	EventVoided     = "payments.voided"     // the authorization was given up
	EventRefunded   = "payments.refunded"   // money was paid back

	// EventAnsweredLate follows on what went through though its first answer was lost: it was found in the provider's books.
	EventAnsweredLate = "payments.answered_late"
	// EventAnsweredTwice tells of a further answer to what was settled before. Nothing was moved again.
	EventAnsweredTwice = "payments.answered_twice"
)

// Event is something that happened to a payment.
type Event struct {
	ID       uuid.UUID
	Type     string
	Subject  uuid.UUID // the payment
	Sequence int64     // counts the payment's events from 1
	Time     time.Time
	Data     EventData
}

// EventMoney is an amount in an event: minor units and the currency.
type EventMoney struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// EventData describes every event of this domain: what happened, and the payment after it.
type EventData struct {
	PaymentID     uuid.UUID  `json:"paymentId"`
	OrderID       uuid.UUID  `json:"orderId"`
	CustomerID    uuid.UUID  `json:"customerId"`
	TransactionID uuid.UUID  `json:"transactionId"`
	Status        Status     `json:"status"`         // of the payment
	Amount        EventMoney `json:"amount"`         // of what happened
	Authorized    EventMoney `json:"authorized"`     // in all
	Captured      EventMoney `json:"captured"`       // in all
	Refunded      EventMoney `json:"refunded"`       // in all
	Kind          Kind       `json:"kind,omitempty"` // of what was answered late or twice
	ReasonCode    string     `json:"reasonCode,omitempty"`
	Reason        string     `json:"reason,omitempty"` // why it was declined or paid back, for the customer
}

// happened gives the event of a settled transaction, and counts it on the payment; a refused
// capture, void or refund is no event.
func (p *Payment) happened(t *Transaction, id uuid.UUID) (Event, bool) {
	var kind string
	switch {
	case t.Kind == Authorize && t.Status == Failed:
		kind = EventDeclined
	case t.Status != Succeeded:
		return Event{}, false
	case t.Kind == Authorize:
		kind = EventAuthorized
	case t.Kind == Capture:
		kind = EventCaptured
	case t.Kind == Void:
		kind = EventVoided
	default:
		kind = EventRefunded
	}
	data := p.data(t)
	if kind == EventDeclined {
		data.ReasonCode, data.Reason = t.ErrorCode, t.ErrorMessage
	}
	return p.event(kind, data, t.SettledAt, id), true
}

// answered gives the event of an answer that is out of the usual.
func (p *Payment) answered(eventType string, t *Transaction, at time.Time, id uuid.UUID) Event {
	data := p.data(t)
	data.Kind = t.Kind
	return p.event(eventType, data, at, id)
}

// event makes the payment's next event.
func (p *Payment) event(eventType string, data EventData, at time.Time, id uuid.UUID) Event {
	p.Sequence++
	return Event{ID: id, Type: eventType, Subject: p.ID, Sequence: p.Sequence, Time: at, Data: data}
}

// data describes a transaction, and the payment after it.
func (p *Payment) data(t *Transaction) EventData {
	return EventData{
		PaymentID: p.ID, OrderID: p.OrderID, CustomerID: p.CustomerID, TransactionID: t.ID, Status: p.Status,
		Amount: eventMoney(t.Amount), Authorized: eventMoney(p.Authorized),
		Captured: eventMoney(p.Captured), Refunded: eventMoney(p.Refunded),
		Reason: t.Reason,
	}
}

func eventMoney(m money.Money) EventMoney {
	return EventMoney{Amount: m.Amount, Currency: string(m.Currency)}
}
