package orders

import (
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/money"
)

// Types of the events of this domain.
const (
	EventPlaced    = "orders.placed"
	EventConfirmed = "orders.confirmed"
	EventFailed    = "orders.failed"
	EventCancelled = "orders.cancelled"
	EventShipped   = "orders.shipped"
	EventDelivered = "orders.delivered"
	EventRefunded  = "orders.refunded"

	EventReturnRequested = "orders.return_requested"
	EventReturnApproved  = "orders.return_approved"
	EventReturnRejected  = "orders.return_rejected"
	EventReturnCancelled = "orders.return_cancelled"
	EventReturnReceived  = "orders.return_received"
	EventReturnRefunded  = "orders.return_refunded"
)

// EventAmount is an amount in an event.
type EventAmount struct {
	Amount   int64          `json:"amount"` // minor units
	Currency money.Currency `json:"currency"`
}

// EventLine is a line in an event.
type EventLine struct {
	Title        string      `json:"title"`
	VariantTitle string      `json:"variantTitle"`
	SKU          string      `json:"sku"`
	Quantity     int         `json:"quantity"`
	UnitPrice    EventAmount `json:"unitPrice"`
	Total        EventAmount `json:"total"`
}

// EventFulfillment is a parcel in an event.
type EventFulfillment struct {
	ID             uuid.UUID `json:"id"`
	Carrier        string    `json:"carrier,omitempty"`
	TrackingNumber string    `json:"trackingNumber,omitempty"`
	TrackingURL    string    `json:"trackingUrl,omitempty"`
}

// EventRefund is a refund in an event.
type EventRefund struct {
	Amount EventAmount `json:"amount"`
	Return string      `json:"return,omitempty"` // number of the return that it was paid back for
}

// EventReturn is a return in an event.
type EventReturn struct {
	ID           uuid.UUID    `json:"id"`
	Number       string       `json:"number"`
	Status       ReturnStatus `json:"status"`
	Reason       string       `json:"reason,omitempty"`       // why it was rejected
	Instructions string       `json:"instructions,omitempty"` // where and how to send it
	Refund       *EventAmount `json:"refund,omitempty"`       // known once it is received
}

// EventData is the data of every event of this domain.
type EventData struct {
	OrderID     uuid.UUID         `json:"orderId"`
	Number      string            `json:"number"`
	CustomerID  uuid.UUID         `json:"customerId"`
	Email       string            `json:"email"`
	DisplayName string            `json:"displayName"`
	Status      Status            `json:"status"`
	Subtotal    EventAmount       `json:"subtotal"`
	Discount    *EventAmount      `json:"discount,omitempty"` // where there is one
	Shipping    EventAmount       `json:"shipping"`
	Total       EventAmount       `json:"total"`
	Lines       []EventLine       `json:"lines"`
	ReasonCode  string            `json:"reasonCode,omitempty"`
	Reason      string            `json:"reason,omitempty"`
	Fulfillment *EventFulfillment `json:"fulfillment,omitempty"`
	Refund      *EventRefund      `json:"refund,omitempty"`
	Return      *EventReturn      `json:"return,omitempty"`
}

// emit adds an event that describes the order as the draft has it now.
func (d *Draft) emit(eventType string, more func(*EventData)) error {
	o := d.Order
	data := EventData{
		OrderID: o.ID, Number: o.Number, CustomerID: o.CustomerID, Email: o.Email, DisplayName: o.DisplayName,
		Status: o.Status, Subtotal: amount(o.Subtotal), Shipping: amount(o.Shipping), Total: amount(o.Total),
		ReasonCode: o.ReasonCode, Reason: o.Reason, Lines: make([]EventLine, len(d.Lines)),
	}
	if !o.Discount.IsZero() {
		off := amount(o.Discount)
		data.Discount = &off
	}
	for i, l := range d.Lines {
		data.Lines[i] = EventLine{Title: l.Title, VariantTitle: l.VariantTitle, SKU: l.SKU, Quantity: l.Quantity,
			UnitPrice: amount(l.UnitPrice), Total: amount(l.Total)}
	}
	if more != nil {
		more(&data)
	}
	body, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("orders: encode an event: %w", err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	o.Sequence++
	d.Messages = append(d.Messages, Message{ID: id, Type: eventType, OrderID: o.ID, Sequence: o.Sequence, Time: d.now, Data: body})
	d.Changed = true
	return nil
}

func amount(m money.Money) EventAmount { return EventAmount{Amount: m.Amount, Currency: m.Currency} }
