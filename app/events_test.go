package app

import (
	"slices"
	"strings"
	"testing"

	"github.com/techmart/techmart/services/notifications"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/webhooks"
)

// The notifications notice an event that is missing by the number of the next one: of an order they have to get every type but that
// of its first event.
func TestNotificationsGetTheEventsOfOrders(t *testing.T) {
	bound := notifications.Bindings()
	n := 0
	for _, eventType := range webhooks.Types() {
		if !strings.HasPrefix(eventType, "orders.") || eventType == orders.EventPlaced {
			continue
		}
		if n++; !slices.Contains(bound, eventType) {
			t.Errorf("%s does not come to the notifications", eventType)
		}
	}
	if n < 12 {
		t.Errorf("%d types of events of orders are known", n)
	}
	if slices.Contains(bound, orders.EventPlaced) || slices.Contains(bound, "orders.#") {
		t.Error("each order's first event comes to the notifications, which have nothing to tell of it")
	}
}
