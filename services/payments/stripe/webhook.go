package stripe

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	stripego "github.com/stripe/stripe-go/v85"
	"github.com/stripe/stripe-go/v85/webhook"

	"github.com/techmart/techmart/services/payments"
)

// maxWebhook bounds the body of a webhook, in bytes.
const maxWebhook = 256 << 10

// Notice reads a webhook of Stripe's and checks that it is one. It fails with
// payments.ErrNotGenuine for any other.
func (p *Provider) Notice(r *http.Request) (payments.Notice, error) {
	if p.webhook == "" {
		return payments.Notice{}, errors.Join(payments.ErrNotGenuine, errors.New("stripe: no webhook secret is set"))
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxWebhook+1))
	if err != nil {
		return payments.Notice{}, fmt.Errorf("stripe: webhook: %w", err)
	}
	if len(body) > maxWebhook {
		return payments.Notice{}, errors.Join(payments.ErrNotGenuine, errors.New("stripe: a webhook of this size"))
	}
	event, err := webhook.ConstructEventWithOptions(body, r.Header.Get("Stripe-Signature"), p.webhook, webhook.ConstructEventOptions{
		Tolerance:                webhook.DefaultTolerance,
		IgnoreAPIVersionMismatch: true, // only ids are read, and the truth is asked
	})
	if err != nil {
		return payments.Notice{}, errors.Join(payments.ErrNotGenuine, err)
	}
	notice := payments.Notice{ID: event.ID, Type: string(event.Type)}
	if event.Data == nil {
		return notice, nil
	}
	var about struct {
		Object   string            `json:"object"`
		ID       string            `json:"id"`
		Intent   json.RawMessage   `json:"payment_intent"`
		Metadata map[string]string `json:"metadata"`
	}
	if err := json.Unmarshal(event.Data.Raw, &about); err != nil {
		return payments.Notice{}, fmt.Errorf("stripe: webhook %s: %w", event.ID, err)
	}
	if about.Object == "payment_intent" {
		notice.Authorization, notice.Transaction = about.ID, about.Metadata[authorizationKey]
		return notice, nil
	}
	var intent stripego.PaymentIntent // an id, or the whole where it was expanded
	if len(about.Intent) > 0 && json.Unmarshal(about.Intent, &intent) == nil {
		notice.Authorization = intent.ID
	}
	return notice, nil
}
