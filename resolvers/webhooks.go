package resolvers

import (
	"context"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/dataloaders"
	"github.com/techmart/techmart/graph/generated"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/webhooks"
)

type (
	webhookEndpointResolver           struct{ r *Resolver }
	webhookDeliveryResolver           struct{ r *Resolver }
	webhookEndpointConnectionResolver struct{}
	webhookDeliveryConnectionResolver struct{}
)

// WebhookEndpoint gives the resolver of webhook endpoints.
func (r *Resolver) WebhookEndpoint() generated.WebhookEndpointResolver {
	return webhookEndpointResolver{r}
}

// WebhookDelivery gives the resolver of deliveries of webhooks.
func (r *Resolver) WebhookDelivery() generated.WebhookDeliveryResolver {
	return webhookDeliveryResolver{r}
}

// WebhookEndpointConnection gives the resolver of lists of webhook endpoints.
func (r *Resolver) WebhookEndpointConnection() generated.WebhookEndpointConnectionResolver {
	return webhookEndpointConnectionResolver{}
}

// WebhookDeliveryConnection gives the resolver of lists of deliveries.
func (r *Resolver) WebhookDeliveryConnection() generated.WebhookDeliveryConnectionResolver {
	return webhookDeliveryConnectionResolver{}
}

// TotalCount answers WebhookEndpointConnection.totalCount.
func (webhookEndpointConnectionResolver) TotalCount(ctx context.Context, c *model.WebhookEndpointConnection) (int, error) {
	return c.Count(ctx)
}

// TotalCount answers WebhookDeliveryConnection.totalCount.
func (webhookDeliveryConnectionResolver) TotalCount(ctx context.Context, c *model.WebhookDeliveryConnection) (int, error) {
	return c.Count(ctx)
}

// WebhookEndpoint answers Query.webhookEndpoint.
func (q queryResolver) WebhookEndpoint(ctx context.Context, endpointID string) (*model.WebhookEndpoint, error) {
	u, err := id(model.PrefixWebhookEndpoint, endpointID)
	if err != nil {
		return absent[model.WebhookEndpoint](nil, err)
	}
	return absent(loadWebhookEndpoint(ctx, u))
}

// WebhookDelivery answers Query.webhookDelivery.
func (q queryResolver) WebhookDelivery(ctx context.Context, deliveryID string) (*model.WebhookDelivery, error) {
	u, err := id(model.PrefixWebhookDelivery, deliveryID)
	if err != nil {
		return absent[model.WebhookDelivery](nil, err)
	}
	return absent(loadWebhookDelivery(ctx, u))
}

func loadWebhookEndpoint(ctx context.Context, id uuid.UUID) (*model.WebhookEndpoint, error) {
	e, err := dataloaders.Load(ctx, dataloaders.For(ctx).Webhooks.ByID, id)
	if err != nil {
		return nil, err
	}
	return newWebhookEndpoint(e), nil
}

func loadWebhookDelivery(ctx context.Context, id uuid.UUID) (*model.WebhookDelivery, error) {
	d, err := dataloaders.Load(ctx, dataloaders.For(ctx).Webhooks.Deliveries, id)
	if err != nil {
		return nil, err
	}
	return newWebhookDelivery(d), nil
}

// WebhookEndpoints answers Query.webhookEndpoints.
func (q queryResolver) WebhookEndpoints(ctx context.Context, first *int, after *string, last *int, before *string) (*model.WebhookEndpointConnection, error) {
	list := listName("webhookEndpoints")
	r, err := q.r.Cursors.Request(list, pageArgs(first, after, last, before))
	if err != nil {
		return nil, err
	}
	p, err := q.r.Webhooks.List(ctx, r)
	if err != nil {
		return nil, err
	}
	connection := &model.WebhookEndpointConnection{Nodes: page.Map(p, newWebhookEndpoint).Items, Count: q.r.Webhooks.Count}
	connection.Edges, connection.PageInfo = edges(q.r.Cursors, list, p, webhooks.KeyOf, func(cursor string, e *webhooks.Endpoint) *model.WebhookEndpointEdge {
		return &model.WebhookEndpointEdge{Cursor: cursor, Node: newWebhookEndpoint(e)}
	})
	return connection, nil
}

// Account answers WebhookEndpoint.account.
func (w webhookEndpointResolver) Account(ctx context.Context, e *model.WebhookEndpoint) (*model.User, error) {
	if e.AccountID == uuid.Nil {
		return nil, nil
	}
	if w.r.elsewhere("User") {
		return newUserReference(e.AccountID), nil
	}
	u, found, err := dataloaders.Find(ctx, dataloaders.For(ctx).Users.ByID, e.AccountID)
	if err != nil || !found {
		return nil, err
	}
	return newUser(u), nil
}

// Secrets answers WebhookEndpoint.secrets.
func (w webhookEndpointResolver) Secrets(ctx context.Context, e *model.WebhookEndpoint) ([]*model.WebhookSecret, error) {
	list, _, err := dataloaders.Find(ctx, dataloaders.For(ctx).Webhooks.Secrets, e.EndpointID)
	out := make([]*model.WebhookSecret, len(list))
	for i, s := range list {
		out[i] = &model.WebhookSecret{CreatedAt: s.CreatedAt, ExpiresAt: optional(s.ExpiresAt)}
	}
	return out, err
}

// Deliveries answers WebhookEndpoint.deliveries.
func (w webhookEndpointResolver) Deliveries(ctx context.Context, e *model.WebhookEndpoint, first *int, after *string, status *model.WebhookDeliveryStatus) (*model.WebhookDeliveryConnection, error) {
	list := listName("webhookDeliveries", e.ID, status)
	r, err := w.r.Cursors.Request(list, pageArgs(first, after, nil, nil))
	if err != nil {
		return nil, err
	}
	key := webhooks.DeliveryList{EndpointID: e.EndpointID, Limit: r.Limit}
	if status != nil {
		key.Status = webhooks.DeliveryStatus(*status)
	}
	if r.From != nil {
		if key.After, err = webhooks.ParseKey(r.From); err != nil {
			return nil, err
		}
	}
	p, err := dataloaders.Load(ctx, dataloaders.For(ctx).Webhooks.DeliveryPages, key)
	if err != nil {
		return nil, err
	}
	connection := &model.WebhookDeliveryConnection{Nodes: page.Map(p, newWebhookDelivery).Items}
	connection.Edges, connection.PageInfo = edges(w.r.Cursors, list, p, webhooks.DeliveryKeyOf, func(cursor string, d *webhooks.Delivery) *model.WebhookDeliveryEdge {
		return &model.WebhookDeliveryEdge{Cursor: cursor, Node: newWebhookDelivery(d)}
	})
	connection.Count = func(ctx context.Context) (int, error) {
		counts, err := dataloaders.Load(ctx, dataloaders.For(ctx).Webhooks.DeliveryCounts, e.EndpointID)
		n := 0
		for s, of := range counts {
			if key.Status == "" || key.Status == s {
				n += of
			}
		}
		return n, err
	}
	return connection, nil
}

// Endpoint answers WebhookDelivery.endpoint.
func (w webhookDeliveryResolver) Endpoint(ctx context.Context, d *model.WebhookDelivery) (*model.WebhookEndpoint, error) {
	return absent(loadWebhookEndpoint(ctx, d.EndpointID))
}

// Attempts answers WebhookDelivery.attempts.
func (w webhookDeliveryResolver) Attempts(ctx context.Context, d *model.WebhookDelivery, first *int, after *string) (*model.WebhookAttemptConnection, error) {
	list := listName("webhookAttempts", d.ID)
	r, err := w.r.Cursors.Request(list, pageArgs(first, after, nil, nil))
	if err != nil {
		return nil, err
	}
	key := webhooks.AttemptList{DeliveryID: d.DeliveryID, Limit: r.Limit}
	if r.From != nil {
		if key.Before, err = strconv.Atoi(r.From[0]); err != nil {
			return nil, errs.New(errs.CursorMismatch, "This cursor is not of this list.")
		}
	}
	p, err := dataloaders.Load(ctx, dataloaders.For(ctx).Webhooks.AttemptPages, key)
	if err != nil {
		return nil, err
	}
	connection := &model.WebhookAttemptConnection{Nodes: page.Map(p, newWebhookAttempt).Items}
	number := func(a webhooks.Attempt) page.Key { return page.Key{strconv.Itoa(a.Number)} }
	connection.Edges, connection.PageInfo = edges(w.r.Cursors, list, p, number, func(cursor string, a webhooks.Attempt) *model.WebhookAttemptEdge {
		return &model.WebhookAttemptEdge{Cursor: cursor, Node: newWebhookAttempt(a)}
	})
	return connection, nil
}

// webhookNodes are the look-ups of this domain for node(id).
func (r *Resolver) webhookNodes() map[string]nodeFunc {
	return map[string]nodeFunc{
		model.PrefixWebhookEndpoint: func(ctx context.Context, id uuid.UUID) (model.Node, error) { return loadWebhookEndpoint(ctx, id) },
		model.PrefixWebhookDelivery: func(ctx context.Context, id uuid.UUID) (model.Node, error) { return loadWebhookDelivery(ctx, id) },
	}
}

// newWebhookEndpoint gives the graph's form of an endpoint.
func newWebhookEndpoint(e *webhooks.Endpoint) *model.WebhookEndpoint {
	out := &model.WebhookEndpoint{
		ID: model.ID(model.PrefixWebhookEndpoint, e.ID), EndpointID: e.ID, AccountID: e.Owner.UserID, URL: e.URL, Description: e.Description,
		EventTypes: make([]model.WebhookEventType, len(e.EventTypes)), PayloadSelection: optional(e.Selection), APIVersion: e.APIVersion,
		Status: model.WebhookEndpointStatus(e.Status), DisableReason: optional(model.WebhookDisableReason(e.Reason)), ConsecutiveFailures: e.Failures,
		FailingSince: optional(e.FailingSince), ProbeAt: optional(e.ProbeAt), CreatedAt: e.CreatedAt, UpdatedAt: e.UpdatedAt, Version: e.Version,
	}
	for i, t := range e.EventTypes {
		out.EventTypes[i] = eventTypeOf(t)
	}
	return out
}

func newWebhookDelivery(d *webhooks.Delivery) *model.WebhookDelivery {
	prefix := map[webhooks.Subject]string{
		webhooks.OrderSubject: model.PrefixOrder, webhooks.PaymentSubject: model.PrefixPayment, webhooks.EndpointSubject: model.PrefixWebhookEndpoint,
	}
	subject, _ := webhooks.SubjectOf(d.Event.Type)
	return &model.WebhookDelivery{
		ID: model.ID(model.PrefixWebhookDelivery, d.ID), DeliveryID: d.ID, EndpointID: d.EndpointID, EventType: d.Event.Type,
		SubjectID: model.ID(prefix[subject], d.Event.Subject), Sequence: int(d.Event.Sequence), OccurredAt: d.Event.Time,
		Status: model.WebhookDeliveryStatus(d.Status), AttemptCount: d.Attempts, NextAttemptAt: optional(d.NextAttemptAt),
		CreatedAt: d.CreatedAt, FinishedAt: optional(d.FinishedAt),
	}
}

func newWebhookAttempt(a webhooks.Attempt) *model.WebhookAttempt {
	return &model.WebhookAttempt{
		Number: a.Number, StartedAt: a.StartedAt, DurationMs: int(a.Duration / time.Millisecond), Outcome: model.WebhookAttemptOutcome(a.Outcome),
		ResponseStatus: optional(a.Status), Error: optional(a.Error), ResponseExcerpt: optional(a.Excerpt),
	}
}
