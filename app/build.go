package app

import (
	"context"
	"time"

	"github.com/techmart/techmart/dataloaders"
	site "github.com/techmart/techmart/docs/site"
	"github.com/techmart/techmart/gateway"
	"github.com/techmart/techmart/graph/request"
	"github.com/techmart/techmart/migrations"
	"github.com/techmart/techmart/platform/fault"
	"github.com/techmart/techmart/platform/redis"
	"github.com/techmart/techmart/seed"
	"github.com/techmart/techmart/services/carts"
	cartspostgres "github.com/techmart/techmart/services/carts/postgres"
	"github.com/techmart/techmart/services/clients"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/notifications"
	"github.com/techmart/techmart/services/notifications/mailbox"
	notificationspostgres "github.com/techmart/techmart/services/notifications/postgres"
	"github.com/techmart/techmart/services/notifications/smtp"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/orders/jobs"
	orderspostgres "github.com/techmart/techmart/services/orders/postgres"
	"github.com/techmart/techmart/services/payments"
	paymentspostgres "github.com/techmart/techmart/services/payments/postgres"
	"github.com/techmart/techmart/services/products"
	productsmongodb "github.com/techmart/techmart/services/products/mongodb"
	"github.com/techmart/techmart/services/promotions"
	promotionspostgres "github.com/techmart/techmart/services/promotions/postgres"
	"github.com/techmart/techmart/services/users"
	"github.com/techmart/techmart/services/webhooks"
)

// Services are the domains.
type Services struct {
	Users         *users.Service
	Products      *products.Service
	Carts         *carts.Service
	Orders        *orders.Service
	Payments      *payments.Service
	Notifications *notifications.Service
	Clients       *clients.Service
	Promotions    *promotions.Service
	Webhooks      *webhooks.Service
}

// stores are what commands need of the domains beside their services.
type stores struct {
	catalogue *productsmongodb.Store
	orders    *orderspostgres.Store
	payments  *paymentspostgres.Store
	mailbox   mailbox.Store
}

// build makes the domains. Some need each other: their adapters reach through a.Services, which is
// complete before anything runs.
func (a *App) build(o Options) error {
	c, s := a.config, &a.Services
	currency := money.Currency(c.Currency)
	if err := a.buildUsers(o); err != nil {
		return err
	}
	a.stores.catalogue = productsmongodb.New(a.mongo, productsmongodb.WithMetrics(a.metrics))
	s.Products = products.New(products.Deps{
		Catalog: a.stores.catalogue, Inventory: a.stores.catalogue, Reviews: a.stores.catalogue,
		Signals: a.hub, Purchases: purchases{s}, Authors: authors{s}, Orders: stockOrders{s}, Currency: currency, Clock: o.Clock, Log: a.log,
		KeyLease: c.IdempotencyLease,
	})
	terms, err := c.terms()
	if err != nil {
		return err
	}
	s.Promotions = promotions.New(promotions.Deps{
		Store: promotionspostgres.New(a.pool("promotions")), Currency: currency, Clock: o.Clock, Log: a.log,
	})
	s.Carts = carts.New(carts.Deps{
		Store: cartspostgres.New(a.pool("carts")), Catalog: catalog{s}, Promotions: s.Promotions, Stock: cartStock{s}, HoldFor: c.CartHold, Terms: terms.Terms(), Clock: o.Clock, Log: a.log,
	})
	if err := a.buildPayments(o); err != nil {
		return err
	}
	queue, err := jobs.NewClient(a.pool("orders"), a.log)
	if err != nil {
		return err
	}
	a.stores.orders = orderspostgres.New(a.pool("orders"), queue)
	s.Orders, err = orders.New(orders.Deps{
		Store: a.stores.orders, Carts: orderCarts{s, c.CheckoutHold > 0}, Promotions: s.Promotions, Inventory: orderInventory{s, c.CheckoutHold},
		Payments: s.Payments.ForOrders(), Customers: orderCustomers{s}, Signals: a.hub, Config: terms, Clock: o.Clock, Log: a.log,
	})
	if err != nil {
		return err
	}
	if err := a.buildClients(o); err != nil {
		return err
	}
	if err := a.buildWebhooks(o); err != nil {
		return err
	}
	return a.buildNotifications(o)
}

// mailboxURL is the mail server that keeps every mail.
const mailboxURL = "mailbox:"

func (a *App) buildNotifications(o Options) error {
	store := notificationspostgres.New(a.pool("notifications"))
	var sender notifications.Sender
	if a.config.SMTPURL == mailboxURL {
		clock := o.Clock
		if clock == nil {
			clock = time.Now
		}
		sender, a.stores.mailbox = &mailbox.Sender{Store: store, Clock: clock}, store
	} else {
		s, err := smtp.New(a.config.SMTPURL)
		if err != nil {
			return err
		}
		s.Guard = fault.New(fault.Config{Server: "smtp", Metrics: a.metrics})
		a.closers = append(a.closers, func(context.Context) error { s.Close(); return nil })
		sender = s
	}
	var err error
	a.Services.Notifications, err = notifications.New(notifications.Deps{
		Store: store, Sender: sender, Signals: a.hub, Clock: o.Clock, Log: a.log, Metrics: a.metrics,
		Config: notifications.Config{PublicURL: a.config.PublicURL, From: a.config.MailFrom},
	})
	return err
}

// newGateway puts the edge before the domains.
func (a *App) newGateway(o Options) (*gateway.Gateway, error) {
	c, s := a.config, a.Services
	g, err := a.newGraph()
	if err != nil {
		return nil, err
	}
	proxies, err := networks(c.TrustedProxies)
	if err != nil {
		return nil, err
	}
	insiders, err := networks(c.MetricsFrom)
	if err != nil {
		return nil, err
	}
	var certificate *gateway.Certificate
	if c.TLSCert != "" {
		if certificate, err = gateway.NewCertificate(c.TLSCert, c.TLSKey, a.log); err != nil {
			return nil, err
		}
	}
	budgets, err := c.budgets()
	if err != nil {
		return nil, err
	}
	a.shop.SetKey(c.ShopKey)
	deps := gateway.Deps{
		Schema: g.part, Whole: g.whole.Schema(), Loaders: a.loaders, Authenticator: s.Users, JWKS: s.Users.JWKS,
		Budgets: budgetBank{redis.NewBank(a.redis)},
		Clients: apiClients{a.directory}, Documents: apiClients{a.directory}, Persisted: persistedQueries{a.redis}, Checks: a.checks(), Registry: a.registry, Log: a.log, Demo: o.Demo,
		Media: seed.MediaHandler(), Shop: &a.shop, Webhooks: a.webhooks,
	}
	if c.ShowDocs || c.Mode == Development {
		deps.Docs = site.Handler()
	}
	if a.stores.mailbox != nil && c.Mode == Development {
		deps.Mailbox = mailbox.NewHandler("/dev/mailbox", a.stores.mailbox, a.log)
	}
	edge, err := gateway.New(gateway.Config{
		Production: c.Mode == Production, AllowedOrigins: c.AllowedOrigins, TrustedProxies: proxies, MetricsFrom: insiders, TLS: certificate,
		MaxBodyBytes: c.MaxBodyBytes, OperationTimeout: c.OperationTimeout,
		Limits: gateway.Limits{
			Cost: c.MaxCost, Depth: c.MaxDepth, Aliases: c.MaxAliases,
			RootFields: c.MaxRootFields, Directives: c.MaxDirectives, Tokens: c.MaxTokens,
			Fragments: c.MaxFragments, ListItems: c.MaxListItems, Batch: c.MaxBatch,
		},
		Budgets: budgets,
		Streams: gateway.StreamLimits{
			PerViewer: c.StreamsPerViewer, PerAddress: c.StreamsPerAddress, Total: c.StreamsTotal,
			Operations: c.StreamOperations, SlowReader: c.StreamSlowReader, Reservation: c.StreamReservation,
		},
		ShowBackendCalls: c.ShowBackendCalls, KeepAlive: c.KeepAlive, InitTimeout: connectionInit, PersistedTTL: c.PersistedTTL,
		Documents: gateway.DocumentMode(c.Documents), UntrustedCost: c.UntrustedCost,
	}, deps)
	if err != nil {
		return nil, err
	}
	a.schema = g.whole
	a.selections.run = edge.NewSelections(g.whole, c.WebhookMaxCost)
	g.costs.edge = edge // which needs the schema first
	return edge, nil
}

// connectionInit bounds the wait for a WebSocket's first message.
const connectionInit = 10 * time.Second

// loaders gives each response its loaders, and tells sign-ins from which device they come.
func (a *App) loaders(ctx context.Context) context.Context {
	info := request.FromContext(ctx)
	ctx = users.NewClientContext(ctx, users.Client{UserAgent: info.UserAgent, IPAddress: info.IPAddress})
	s := a.Services
	return dataloaders.NewContext(ctx, dataloaders.New(dataloaders.Services{
		Users: s.Users, Products: s.Products, Carts: s.Carts, Orders: s.Orders, Payments: s.Payments, Notifications: s.Notifications,
		Promotions: s.Promotions, Webhooks: s.Webhooks,
	}))
}

// checks look at every server that the process needs.
func (a *App) checks() map[string]gateway.Check {
	checks := map[string]gateway.Check{
		"mongodb":  func(ctx context.Context) error { return a.mongo.Client().Ping(ctx, nil) },
		"redis":    func(ctx context.Context) error { return a.redis.Ping(ctx).Err() },
		"rabbitmq": a.broker.Ping,
	}
	seen := make(map[string]bool) // domains that share a server are one component
	for _, domain := range migrations.Domains {
		url := a.config.postgresURL(domain)
		if seen[url] {
			continue
		}
		seen[url] = true
		name := "postgres"
		if len(a.pools) > 1 {
			name += "." + domain
		}
		checks[name] = a.pool(domain).Ping
	}
	return checks
}
