// Package resolvers answers the fields of the graph: each parses its arguments, calls one service
// method or loader, and converts what it got. Rules live in the services.
package resolvers

import (
	"sync"

	"github.com/techmart/techmart/graph/generated"
	"github.com/techmart/techmart/services/carts"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/notifications"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/payments"
	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/promotions"
	"github.com/techmart/techmart/services/users"
	"github.com/techmart/techmart/services/webhooks"
)

// Resolver is the root of the graph. All of its exported fields are needed.
type Resolver struct {
	Users         *users.Service
	Products      *products.Service
	Carts         *carts.Service
	Orders        *orders.Service
	Payments      *payments.Service
	Notifications *notifications.Service
	Promotions    *promotions.Service
	Webhooks      *webhooks.Service
	Cursors       *page.Cursors
	Currency      money.Currency // of the shop: filters by price are in it
	Costs         QueryCosts
	Subgraph      Subgraph // which part of the graph this process serves

	nodesOnce sync.Once
	nodes     map[string]nodeFunc
}

var _ generated.ResolverRoot = (*Resolver)(nil)

// The fields of the three roots are methods spread over the files of the domains.
type (
	queryResolver        struct{ r *Resolver }
	mutationResolver     struct{ r *Resolver }
	subscriptionResolver struct{ r *Resolver }
)

// Query gives the resolver of the root of reading.
func (r *Resolver) Query() generated.QueryResolver { return queryResolver{r} }

// Mutation gives the resolver of the root of writing.
func (r *Resolver) Mutation() generated.MutationResolver { return mutationResolver{r} }

// Subscription gives the resolver of the root of events.
func (r *Resolver) Subscription() generated.SubscriptionResolver { return subscriptionResolver{r} }
