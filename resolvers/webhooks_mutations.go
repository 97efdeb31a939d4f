package resolvers

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/graph/request"
	"github.com/techmart/techmart/services/webhooks"
)

// eventTypeOf writes a type of event as the graph does: ORDERS_SHIPPED for orders.shipped.
func eventTypeOf(t string) model.WebhookEventType {
	return model.WebhookEventType(strings.ToUpper(strings.Replace(t, ".", "_", 1)))
}

// eventTypes reads types of events. Nil stays so.
func eventTypes(list []model.WebhookEventType) []string {
	if list == nil {
		return nil
	}
	out := make([]string, len(list))
	for i, t := range list {
		out[i] = strings.Replace(strings.ToLower(string(t)), "_", ".", 1)
	}
	return out
}

// WebhookEndpointCreate answers Mutation.webhookEndpointCreate.
func (m mutationResolver) WebhookEndpointCreate(ctx context.Context, input model.WebhookEndpointCreateInput) (*model.WebhookEndpointCreatePayload, error) {
	made, err := m.r.Webhooks.Create(ctx, webhooks.CreateInput{
		URL: input.URL, Description: input.Description, EventTypes: eventTypes(input.EventTypes), Selection: text(input.PayloadSelection),
		APIVersion: text(input.APIVersion), IdempotencyKey: request.IdempotencyKey(ctx, input.IdempotencyKey),
	})
	endpoint, wrong, err := changedEndpoint(made.Endpoint, err)
	if err != nil {
		return nil, err
	}
	return &model.WebhookEndpointCreatePayload{Endpoint: endpoint, Secret: optional(made.Secret), Replayed: made.Replayed, UserErrors: wrong}, nil
}

// WebhookEndpointUpdate answers Mutation.webhookEndpointUpdate.
func (m mutationResolver) WebhookEndpointUpdate(ctx context.Context, input model.WebhookEndpointUpdateInput) (*model.WebhookEndpointUpdatePayload, error) {
	u, err := id(model.PrefixWebhookEndpoint, input.ID, "id")
	var e *webhooks.Endpoint
	if err == nil {
		e, err = m.r.Webhooks.Update(ctx, webhooks.UpdateInput{
			ID: u, ExpectedVersion: input.ExpectedVersion, URL: input.URL, Description: input.Description, EventTypes: eventTypes(input.EventTypes),
			Selection: input.PayloadSelection, Enabled: input.Enabled,
		})
	}
	endpoint, wrong, err := changedEndpoint(e, err)
	if err != nil {
		return nil, err
	}
	return &model.WebhookEndpointUpdatePayload{Endpoint: endpoint, UserErrors: wrong}, nil
}

// WebhookEndpointDelete answers Mutation.webhookEndpointDelete.
func (m mutationResolver) WebhookEndpointDelete(ctx context.Context, input model.WebhookEndpointDeleteInput) (*model.WebhookEndpointDeletePayload, error) {
	u, err := id(model.PrefixWebhookEndpoint, input.ID, "id")
	if err == nil {
		err = m.r.Webhooks.Delete(ctx, u)
	}
	out := &model.WebhookEndpointDeletePayload{}
	if err == nil {
		out.DeletedID = &input.ID
	}
	if out.UserErrors, err = userErrors(err); err != nil {
		return nil, err
	}
	return out, nil
}

// WebhookEndpointRotateSecret answers Mutation.webhookEndpointRotateSecret.
func (m mutationResolver) WebhookEndpointRotateSecret(ctx context.Context, input model.WebhookEndpointRotateSecretInput) (*model.WebhookEndpointRotateSecretPayload, error) {
	u, err := id(model.PrefixWebhookEndpoint, input.ID, "id")
	var made webhooks.Made
	if err == nil {
		made, err = m.r.Webhooks.RotateSecret(ctx, u, input.OverlapHours, request.IdempotencyKey(ctx, input.IdempotencyKey))
	}
	endpoint, wrong, err := changedEndpoint(made.Endpoint, err)
	if err != nil {
		return nil, err
	}
	return &model.WebhookEndpointRotateSecretPayload{Endpoint: endpoint, Secret: optional(made.Secret), Replayed: made.Replayed, UserErrors: wrong}, nil
}

// WebhookEndpointTest answers Mutation.webhookEndpointTest.
func (m mutationResolver) WebhookEndpointTest(ctx context.Context, input model.WebhookEndpointTestInput) (*model.WebhookEndpointTestPayload, error) {
	d, replayed, wrong, err := sent(ctx, m.r.Webhooks.Test, model.PrefixWebhookEndpoint, input.ID, input.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	return &model.WebhookEndpointTestPayload{Delivery: d, Replayed: replayed, UserErrors: wrong}, nil
}

// WebhookDeliveryRedeliver answers Mutation.webhookDeliveryRedeliver.
func (m mutationResolver) WebhookDeliveryRedeliver(ctx context.Context, input model.WebhookDeliveryRedeliverInput) (*model.WebhookDeliveryRedeliverPayload, error) {
	d, replayed, wrong, err := sent(ctx, m.r.Webhooks.Redeliver, model.PrefixWebhookDelivery, input.ID, input.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	return &model.WebhookDeliveryRedeliverPayload{Delivery: d, Replayed: replayed, UserErrors: wrong}, nil
}

// sent reads the input that two mutations share, calls the service once and converts its answer.
func sent(ctx context.Context, send func(context.Context, uuid.UUID, string) (*webhooks.Delivery, bool, error), prefix, thing string, key *string) (*model.WebhookDelivery, bool, []model.UserError, error) {
	u, err := id(prefix, thing, "id")
	var (
		d        *webhooks.Delivery
		replayed bool
	)
	if err == nil {
		d, replayed, err = send(ctx, u, request.IdempotencyKey(ctx, key))
	}
	wrong, err := userErrors(err)
	if err != nil || d == nil {
		return nil, replayed, wrong, err
	}
	return newWebhookDelivery(d), replayed, wrong, nil
}

// changedEndpoint converts what came of a change.
func changedEndpoint(e *webhooks.Endpoint, err error) (*model.WebhookEndpoint, []model.UserError, error) {
	wrong, err := userErrors(err)
	if err != nil || e == nil {
		return nil, wrong, err
	}
	return newWebhookEndpoint(e), wrong, nil
}
