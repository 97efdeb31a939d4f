package app

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/techmart/techmart/services/payments"
	paymentspostgres "github.com/techmart/techmart/services/payments/postgres"
	"github.com/techmart/techmart/services/payments/sandbox"
	"github.com/techmart/techmart/services/payments/stripe"
)

// reconciled is the period that is compared with the provider's books by itself.
const reconciled = 48 * time.Hour

// noticesKept is how long a provider's notices are remembered; Stripe repeats one for three days.
const noticesKept = 30 * 24 * time.Hour

// buildPayments makes the domain with the provider that is configured, and the route of its notices.
func (a *App) buildPayments(o Options) error {
	c := a.config
	a.stores.payments = paymentspostgres.New(a.pool("payments"))
	var provider payments.Provider
	var notices func(*http.Request) (payments.Notice, error)
	if c.PaymentProvider == stripe.Name {
		p, err := stripe.New(stripe.Config{Key: c.StripeKey, URL: c.StripeURL, Webhook: c.StripeWebhookSecret})
		if err != nil {
			return err
		}
		provider, notices = p, p.Notice
	} else {
		if c.Mode == Production {
			a.log.Warn("the payment provider is the sandbox: orders are confirmed and no money moves; set TECHMART_PAYMENT_PROVIDER=stripe to be paid")
		}
		provider = sandbox.New(sandbox.Config{Books: paymentspostgres.NewSandboxBooks(a.pool("payments"))})
	}
	a.Services.Payments = payments.New(payments.Deps{Store: a.stores.payments, Provider: provider, Clock: o.Clock, Log: a.log, Calls: payments.Calls{Watch: payments.Watch{
		Breaker:  func(state int) { a.metrics.Breaker(provider.Name(), state) },
		Rejected: func(reason string) { a.metrics.Rejected(provider.Name(), reason) },
		Retried:  func() { a.metrics.Retried(provider.Name()) },
	}}})
	a.metrics.Breaker(provider.Name(), 0)
	if notices != nil {
		a.webhooks = map[string]http.Handler{provider.Name(): webhook(notices, a.Services.Payments, a.log)}
	}
	return nil
}

// checkPayments checks the settings of the payment provider.
func (c Config) checkPayments(f faults) {
	f.check(c.PaymentProvider == sandbox.Name || c.PaymentProvider == stripe.Name, "PAYMENT_PROVIDER is stripe or sandbox")
	if c.PaymentProvider == stripe.Name {
		f.check(c.StripeKey != "", "STRIPE_KEY is missing: the secret key of the Stripe account")
		f.check(c.StripeWebhookSecret != "", "STRIPE_WEBHOOK_SECRET is missing: that of the webhook endpoint /webhooks/stripe")
	}
}

// reconcile compares the payment provider's books of the last days with the shop's.
func (a *App) reconcile(ctx context.Context, differences prometheus.Gauge) error {
	now := time.Now()
	found, err := a.Services.Payments.Reconcile(ctx, now.Add(-reconciled), now)
	if err != nil {
		return err
	}
	differences.Set(float64(found.Count))
	if found.Count > 0 {
		first := found.Differences[0]
		return fmt.Errorf("%d payments differ from the provider's books, among them %s (%s): see paymentReconciliation", found.Count, first.Reference, first.Kind)
	}
	return nil
}

// reconciliation is the chore of it, with its metric.
func (a *App) reconciliation() chore {
	differences := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "payments_reconciliation_differences", Help: "Payments of the last 48 hours that the provider's books and the shop's see differently.",
	})
	a.registry.MustRegister(differences)
	return chore{"compare payments with the provider's books", time.Hour, func(ctx context.Context) error { return a.reconcile(ctx, differences) }}
}
