package app

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/techmart/techmart/gateway"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/platform/outbox"
	"github.com/techmart/techmart/platform/rabbitmq"
	"github.com/techmart/techmart/platform/telemetry"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/users"
	"github.com/techmart/techmart/services/viewer"
	"github.com/techmart/techmart/services/webhooks"
	webhooksjobs "github.com/techmart/techmart/services/webhooks/jobs"
	webhookspostgres "github.com/techmart/techmart/services/webhooks/postgres"
	"github.com/techmart/techmart/services/webhooks/sender"
)

// webhooksQueue takes the events that webhook endpoints can ask for.
const webhooksQueue = "webhooks.events"

// buildWebhooks makes the domain of outgoing webhooks. What it needs of the graph comes with the edge.
func (a *App) buildWebhooks(o Options) error {
	c := a.config
	queue, err := webhooksjobs.NewClient(a.pool("webhooks"), a.log)
	if err != nil {
		return err
	}
	vault, err := c.vault()
	if err != nil {
		return err
	}
	allowed, err := networks(c.WebhookAllowNetworks)
	if err != nil {
		return err
	}
	out := sender.New(sender.Config{Timeout: c.WebhookTimeout, Allowed: allowed, Clock: o.Clock})
	a.closers = append(a.closers, func(context.Context) error { out.Close(); return nil })
	a.Services.Webhooks, err = webhooks.New(webhooks.Deps{
		Store: webhookspostgres.New(a.pool("webhooks"), queue), Graph: &a.selections, Owners: webhookOwners{a}, Vault: vault, Sender: out,
		Policy: webhooks.Policy{
			RetryDelays: c.WebhookRetryDelays, PauseAfter: c.WebhookPauseAfter, ProbeEvery: c.WebhookProbeEvery, GiveUpAfter: c.WebhookGiveUpAfter,
			Concurrency: c.WebhookConcurrency, Attempt: c.WebhookTimeout, AllowHTTP: c.Mode == Development,
		},
		Metrics: newWebhookMetrics(a.registry), Clock: o.Clock, Log: a.log,
	})
	return err
}

// checkWebhooks checks the settings of outgoing webhooks.
func (c Config) checkWebhooks(f faults) {
	_, err := networks(c.WebhookAllowNetworks)
	f.check(err == nil, "WEBHOOK_ALLOW_NETWORKS are networks such as 127.0.0.0/8")
	f.check(c.Mode != Production || len(c.WebhookAllowNetworks) == 0, "WEBHOOK_ALLOW_NETWORKS is for development: in production nothing is sent to private networks")
	for name, n := range map[string]int{"WEBHOOK_WORKERS": c.WebhookWorkers, "WEBHOOK_CONCURRENCY": c.WebhookConcurrency, "WEBHOOK_PAUSE_AFTER": c.WebhookPauseAfter, "WEBHOOK_MAX_COST": c.WebhookMaxCost} {
		f.check(n > 0, name+" is more than 0")
	}
	f.check(c.WebhookTimeout > 0 && c.WebhookTimeout <= time.Minute, "WEBHOOK_TIMEOUT is up to 1m")
	for name, d := range map[string]time.Duration{"WEBHOOK_PROBE_EVERY": c.WebhookProbeEvery, "WEBHOOK_GIVE_UP_AFTER": c.WebhookGiveUpAfter, "WEBHOOK_RETENTION": c.WebhookRetention} {
		f.check(d > 0, name+" is a time such as 15s")
	}
}

// selections is webhooks.Graph over the edge's selections, which are made after the services.
type selections struct{ run *gateway.Selections }

var _ webhooks.Graph = (*selections)(nil)

// CheckSelection implements webhooks.Graph.
func (s *selections) CheckSelection(_ context.Context, document string, roots []string) error {
	err := s.run.Check(document, roots)
	if list := errs.All(err); len(list) == 1 {
		return errs.At(list[0].Code, list[0].Message, "payloadSelection")
	}
	return err
}

// Select implements webhooks.Graph.
func (s *selections) Select(ctx context.Context, v viewer.Viewer, document, id string) (data, faults json.RawMessage, err error) {
	data, list, err := s.run.Run(ctx, v, document, id)
	if err != nil || len(list) == 0 {
		return data, nil, err
	}
	faults, err = json.Marshal(list)
	return data, faults, err
}

// prefixes of the ids that webhooks tell of.
var subjectPrefixes = map[webhooks.Subject]string{
	webhooks.OrderSubject: model.PrefixOrder, webhooks.PaymentSubject: model.PrefixPayment,
	webhooks.EndpointSubject: model.PrefixWebhookEndpoint, webhooks.DeliverySubject: model.PrefixWebhookDelivery,
}

// ID implements webhooks.Graph.
func (s *selections) ID(subject webhooks.Subject, id uuid.UUID) string {
	return model.ID(subjectPrefixes[subject], id)
}

// webhookOwners is webhooks.Owners.
type webhookOwners struct{ a *App }

var _ webhooks.Owners = webhookOwners{}

// Viewer implements webhooks.Owners.
func (w webhookOwners) Viewer(ctx context.Context, o webhooks.Owner) (viewer.Viewer, error) {
	if o.UserID != uuid.Nil {
		return w.a.Services.Users.Rights(asProgram(ctx), o.UserID)
	}
	c, err := w.a.directory.ByID(ctx, o.ClientID)
	if err != nil {
		return viewer.Viewer{}, err
	}
	return viewer.Viewer{ClientID: c.ID, Scopes: c.Scopes}, nil
}

// toldOfClients bounds the administrators who are told of the endpoints of API clients.
const toldOfClients = 10

// Recipients implements webhooks.Owners. An API client reads no mail: of its endpoints the administrators are told.
func (w webhookOwners) Recipients(ctx context.Context, o webhooks.Owner) ([]webhooks.Recipient, error) {
	ctx = asProgram(ctx)
	if o.UserID != uuid.Nil {
		c, err := w.a.Services.Users.Customer(ctx, o.UserID)
		if errs.Is(err, errs.NotFound) {
			return nil, nil
		}
		return []webhooks.Recipient{{UserID: o.UserID, Email: c.Email, DisplayName: c.DisplayName}}, err
	}
	admins, err := w.a.Services.Users.Users(ctx, users.Filter{Role: users.Admin}, users.Sort{}, page.Request{Limit: toldOfClients})
	if err != nil {
		return nil, err
	}
	list := make([]webhooks.Recipient, len(admins.Items))
	for i, u := range admins.Items {
		list[i] = webhooks.Recipient{UserID: u.ID, Email: u.Email, DisplayName: u.DisplayName}
	}
	return list, nil
}

// happened takes an event in for the webhook endpoints.
func (a *App) happened(ctx context.Context, d rabbitmq.Delivery) error {
	var e outbox.Event
	if json.Unmarshal(d.Body, &e) != nil {
		return rabbitmq.Permanent(errors.New("the message is not an event"))
	}
	subject, err := uuid.Parse(e.Subject)
	if err != nil {
		return rabbitmq.Permanent(errors.New("the event has no subject that endpoints are told of"))
	}
	_, err = a.Services.Webhooks.Handle(asProgram(ctx), webhooks.Event{ID: e.ID, Type: e.Type, Subject: subject, Sequence: e.Sequence, Time: e.Time})
	if errs.Is(err, errs.Invalid) {
		return rabbitmq.Permanent(err)
	}
	return err
}

// callOut delivers webhooks until ctx ends, and then lets those under way end.
func (a *App) callOut(ctx context.Context) error {
	var w *webhooksjobs.Worker
	err := a.persist(ctx, "deliver webhooks", func(ctx context.Context) (err error) {
		w, err = webhooksjobs.NewWorker(a.pool("webhooks"), a.Services.Webhooks, webhooksjobs.Config{Workers: a.config.WebhookWorkers, Log: a.log})
		if err != nil {
			return err
		}
		// Its own context: the end of ctx must not cut jobs off.
		return w.Start(telemetry.WithPart(context.WithoutCancel(ctx), telemetry.PartJobs))
	})
	if ctx.Err() != nil && err != nil {
		return nil // told to end
	}
	<-ctx.Done()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.config.ShutdownGrace)
	defer cancel()
	return w.Stop(closing)
}

// webhookMetrics is webhooks.Metrics.
type webhookMetrics struct {
	attempts *prometheus.CounterVec
	duration prometheus.Histogram
	changes  *prometheus.CounterVec
}

func newWebhookMetrics(r prometheus.Registerer) webhookMetrics {
	m := webhookMetrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "webhook_attempts_total", Help: "Attempts to deliver webhooks, by outcome.",
		}, []string{"outcome"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "webhook_attempt_duration_seconds", Help: "How long receivers of webhooks took.", Buckets: []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 15},
		}),
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "webhook_endpoint_changes_total", Help: "Webhook endpoints that were paused, came back or were disabled as deliveries went, by the status they have then.",
		}, []string{"status"}),
	}
	r.MustRegister(m.attempts, m.duration, m.changes)
	return m
}

// Attempted implements webhooks.Metrics.
func (m webhookMetrics) Attempted(o webhooks.Outcome, took time.Duration) {
	m.attempts.WithLabelValues(string(o)).Inc()
	m.duration.Observe(took.Seconds())
}

// StatusChanged implements webhooks.Metrics.
func (m webhookMetrics) StatusChanged(to webhooks.Status) {
	m.changes.WithLabelValues(string(to)).Inc()
}
