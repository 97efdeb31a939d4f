package dataloaders

import (
	"github.com/techmart/techmart/services/carts"
	"github.com/techmart/techmart/services/notifications"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/payments"
	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/promotions"
	"github.com/techmart/techmart/services/users"
	"github.com/techmart/techmart/services/webhooks"
)

// Services are what the loaders ask. All of them are needed.
type Services struct {
	Users         *users.Service
	Products      *products.Service
	Carts         *carts.Service
	Orders        *orders.Service
	Payments      *payments.Service
	Notifications *notifications.Service
	Promotions    *promotions.Service
	Webhooks      *webhooks.Service
}

// Loaders are the loaders of one response, by domain.
type Loaders struct {
	Users         *Users
	Products      *Products
	Inventory     *Inventory
	Reviews       *Reviews
	Carts         *Carts
	Orders        *Orders
	Returns       *Returns
	Payments      *Payments
	Notifications *Notifications
	Promotions    *Promotions
	Webhooks      *Webhooks

	waves waves // in which all of them look up
}

// New makes the loaders of one response.
func New(s Services) *Loaders {
	return &Loaders{
		Users:         newUsers(s.Users),
		Products:      newProducts(s.Products),
		Inventory:     newInventory(s.Products),
		Reviews:       newReviews(s.Products),
		Carts:         newCarts(s.Carts),
		Orders:        newOrders(s.Orders),
		Returns:       newReturns(s.Orders),
		Payments:      newPayments(s.Payments),
		Notifications: newNotifications(s.Notifications),
		Promotions:    newPromotions(s.Promotions),
		Webhooks:      newWebhooks(s.Webhooks),
	}
}
