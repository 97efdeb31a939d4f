// Package stripe is Stripe as a payment provider: payment intents that are confirmed at once with the
// payment method that the token names (pm_...), captured by hand, voided and refunded.
//
// The idempotency key of a call is made of the transaction's id and of the call's content, and the
// transaction's id stands in the metadata of what it changed. So a call can be repeated, and what became
// of one can be asked long after Stripe has forgotten its key.
package stripe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	stripego "github.com/stripe/stripe-go/v85"

	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/payments"
)

// Name is the provider's name.
const Name = "stripe"

// Config is what the provider is made of. Key is required.
type Config struct {
	Key     string       // secret API key: sk_... or rk_...
	URL     string       // of the API; empty for Stripe's own
	Client  *http.Client // nil for one with a deadline of 30 s
	Webhook string       // secret of the webhook endpoint: whsec_...; empty where there is none
}

// Provider calls Stripe.
type Provider struct {
	client  *stripego.Client
	webhook string
}

var _ payments.Provider = (*Provider)(nil)

// clientTimeout bounds a request, should the caller set no deadline.
const clientTimeout = 30 * time.Second

// New makes the provider. It makes no call.
func New(c Config) (*Provider, error) {
	if c.Key == "" {
		return nil, errors.New("stripe: no API key given")
	}
	if c.Client == nil {
		c.Client = &http.Client{Timeout: clientTimeout}
	}
	backend := &stripego.BackendConfig{
		HTTPClient: c.Client, EnableTelemetry: stripego.Bool(false), LeveledLogger: &stripego.LeveledLogger{Level: stripego.LevelNull},
		MaxNetworkRetries: stripego.Int64(0), // the caller repeats calls, and knows which
	}
	if c.URL != "" {
		backend.URL = stripego.String(c.URL)
	}
	return &Provider{client: stripego.NewClient(c.Key, stripego.WithBackends(stripego.NewBackendsWithConfig(backend))), webhook: c.Webhook}, nil
}

// Name gives "stripe".
func (*Provider) Name() string { return Name }

// Authorize confirms a payment intent with the payment method, to be captured later. A card that asks
// for its owner's confirmation is declined: nobody is there to give it.
func (p *Provider) Authorize(ctx context.Context, c payments.AuthorizeCall) (payments.Result, error) {
	params := &stripego.PaymentIntentCreateParams{
		Amount: stripego.Int64(c.Amount.Amount), Currency: stripego.String(strings.ToLower(string(c.Amount.Currency))),
		PaymentMethod: stripego.String(c.Token), Confirm: stripego.Bool(true),
		CaptureMethod:         stripego.String(string(stripego.PaymentIntentCaptureMethodManual)),
		ErrorOnRequiresAction: stripego.Bool(true),
		AutomaticPaymentMethods: &stripego.PaymentIntentCreateAutomaticPaymentMethodsParams{
			Enabled: stripego.Bool(true), AllowRedirects: stripego.String("never"),
		},
		PaymentMethodOptions: &stripego.PaymentIntentCreatePaymentMethodOptionsParams{
			Card: &stripego.PaymentIntentCreatePaymentMethodOptionsCardParams{RequestMulticapture: stripego.String("if_available")},
		},
		Metadata: map[string]string{metadataKey(c.Key): string(payments.Authorize), authorizationKey: c.Key},
	}
	params.SetIdempotencyKey(idempotencyKey(c.Key, payments.Authorize, "", c.Amount, c.Token))
	intent, err := p.client.V1PaymentIntents.Create(ctx, params)
	if err != nil {
		return outcome(err)
	}
	return authorized(intent)
}

// authorized reads the state of an intent that was confirmed.
func authorized(intent *stripego.PaymentIntent) (payments.Result, error) {
	switch intent.Status {
	case stripego.PaymentIntentStatusRequiresCapture, stripego.PaymentIntentStatusSucceeded:
		return payments.ApprovedAs(intent.ID), nil
	case stripego.PaymentIntentStatusProcessing:
		return payments.Result{}, fmt.Errorf("stripe: %s is still being processed", intent.ID)
	}
	if intent.LastPaymentError != nil {
		return declined(intent.LastPaymentError), nil
	}
	if intent.Status == stripego.PaymentIntentStatusCanceled && intent.LatestCharge != nil {
		return payments.ApprovedAs(intent.ID), nil // it was authorized before it was canceled
	}
	return payments.DeclinedFor(string(intent.Status), "The payment was not completed."), nil
}

// Capture takes a part of what is held. Where the card does not allow several captures, Stripe releases
// what a first one leaves.
func (p *Provider) Capture(ctx context.Context, c payments.Call) (payments.Result, error) {
	several, err := p.allowsSeveralCaptures(ctx, c.Authorization)
	if err != nil {
		return outcome(err)
	}
	params := &stripego.PaymentIntentCaptureParams{
		AmountToCapture: stripego.Int64(c.Amount.Amount),
		Metadata:        map[string]string{metadataKey(c.Key): string(payments.Capture)},
	}
	if several {
		params.FinalCapture = stripego.Bool(false)
	}
	params.SetIdempotencyKey(idempotencyKey(c.Key, payments.Capture, c.Authorization, c.Amount, ""))
	if _, err := p.client.V1PaymentIntents.Capture(ctx, c.Authorization, params); err != nil {
		return outcome(err)
	}
	return payments.ApprovedAs(c.Authorization), nil
}

func (p *Provider) allowsSeveralCaptures(ctx context.Context, authorization string) (bool, error) {
	intent, err := p.retrieve(ctx, authorization)
	if err != nil || intent.LatestCharge == nil || intent.LatestCharge.PaymentMethodDetails == nil || intent.LatestCharge.PaymentMethodDetails.Card == nil {
		return false, err
	}
	m := intent.LatestCharge.PaymentMethodDetails.Card.Multicapture
	return m != nil && m.Status == stripego.ChargePaymentMethodDetailsCardMulticaptureStatusAvailable, nil
}

// Void cancels a payment intent of which nothing was captured.
func (p *Provider) Void(ctx context.Context, c payments.Call) (payments.Result, error) {
	params := &stripego.PaymentIntentCancelParams{CancellationReason: stripego.String(string(stripego.PaymentIntentCancellationReasonAbandoned))}
	params.SetIdempotencyKey(idempotencyKey(c.Key, payments.Void, c.Authorization, c.Amount, ""))
	if _, err := p.client.V1PaymentIntents.Cancel(ctx, c.Authorization, params); err != nil {
		return outcome(err)
	}
	return payments.ApprovedAs(c.Authorization), nil
}

// Refund pays back a part of what was captured.
func (p *Provider) Refund(ctx context.Context, c payments.Call) (payments.Result, error) {
	params := &stripego.RefundCreateParams{
		PaymentIntent: stripego.String(c.Authorization), Amount: stripego.Int64(c.Amount.Amount),
		Metadata: map[string]string{metadataKey(c.Key): string(payments.Refund)},
	}
	params.SetIdempotencyKey(idempotencyKey(c.Key, payments.Refund, c.Authorization, c.Amount, ""))
	refund, err := p.client.V1Refunds.Create(ctx, params)
	if err != nil {
		return outcome(err)
	}
	return refunded(refund), nil
}

func refunded(r *stripego.Refund) payments.Result {
	switch r.Status {
	case stripego.RefundStatusFailed, stripego.RefundStatusCanceled:
		return payments.DeclinedFor(string(r.FailureReason), "The bank refused the refund.")
	}
	return payments.ApprovedAs(r.ID)
}

// Lookup gives what became of a call by what it left at Stripe.
func (p *Provider) Lookup(ctx context.Context, k payments.Kind, c payments.Call) (payments.Result, error) {
	switch k {
	case payments.Authorize:
		return p.lookUpAuthorization(ctx, c.Key)
	case payments.Refund:
		return p.lookUpRefund(ctx, c)
	}
	intent, err := p.retrieve(ctx, c.Authorization)
	if err != nil {
		return payments.Result{}, failure(err)
	}
	_, captured := intent.Metadata[metadataKey(c.Key)]
	if k == payments.Capture && captured || k == payments.Void && intent.Status == stripego.PaymentIntentStatusCanceled {
		return payments.ApprovedAs(c.Authorization), nil
	}
	return payments.Result{}, payments.ErrNoSuchCall
}

// lookUpAuthorization searches. Stripe's search runs up to a minute behind: a call that it does not
// know yet is made again under the same idempotency key, which holds for a day at least.
func (p *Provider) lookUpAuthorization(ctx context.Context, key string) (payments.Result, error) {
	params := &stripego.PaymentIntentSearchParams{SearchParams: stripego.SearchParams{Query: fmt.Sprintf("metadata['%s']:'%s'", authorizationKey, key)}}
	for intent, err := range p.client.V1PaymentIntents.Search(ctx, params).All(ctx) {
		if err != nil {
			return payments.Result{}, failure(err)
		}
		return authorized(intent)
	}
	return payments.Result{}, payments.ErrNoSuchCall
}

func (p *Provider) lookUpRefund(ctx context.Context, c payments.Call) (payments.Result, error) {
	params := &stripego.RefundListParams{PaymentIntent: stripego.String(c.Authorization)}
	for refund, err := range p.client.V1Refunds.List(ctx, params).All(ctx) {
		if err != nil {
			return payments.Result{}, failure(err)
		}
		if _, ok := refund.Metadata[metadataKey(c.Key)]; ok {
			return refunded(refund), nil
		}
	}
	return payments.Result{}, payments.ErrNoSuchCall
}

func (p *Provider) retrieve(ctx context.Context, intent string) (*stripego.PaymentIntent, error) {
	params := &stripego.PaymentIntentRetrieveParams{}
	params.AddExpand("latest_charge")
	return p.client.V1PaymentIntents.Retrieve(ctx, intent, params)
}

// authorizationKey is the metadata by which an intent is searched for.
const authorizationKey = "techmart_authorization"

// metadataKey notes a transaction in the metadata of what it changed; Stripe allows 40 characters.
func metadataKey(transaction string) string { return "tx_" + transaction }

// idempotencyKey is that of the transaction and of the content: should a fault of ours ever send other
// content under one transaction, it is another call, which Stripe refuses by the state of the payment.
func idempotencyKey(transaction string, k payments.Kind, authorization string, amount money.Money, token string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{string(k), authorization, amount.String(), token}, "\x00")))
	return transaction + "-" + hex.EncodeToString(sum[:8])
}

// outcome tells a refusal from a failure.
func outcome(err error) (payments.Result, error) {
	var e *stripego.Error
	if errors.As(err, &e) {
		switch {
		case e.Type == stripego.ErrorTypeCard:
			return declined(e), nil
		case e.Type == stripego.ErrorTypeInvalidRequest && (e.HTTPStatusCode == http.StatusBadRequest || e.HTTPStatusCode == http.StatusNotFound):
			return refused(e), nil
		}
	}
	return payments.Result{}, failure(err)
}

func declined(e *stripego.Error) payments.Result {
	code := string(e.DeclineCode)
	if code == "" {
		code = string(e.Code)
	}
	if e.Code == stripego.ErrorCodeAuthenticationRequired {
		return payments.DeclinedFor(code, "The card needs a confirmation by its owner. Please use another one.")
	}
	return payments.DeclinedFor(code, e.Msg)
}

// refused reads a request that Stripe did not accept. Its message is for developers and is not shown.
func refused(e *stripego.Error) payments.Result {
	if e.Code == stripego.ErrorCodeResourceMissing && e.Param == "payment_method" {
		return payments.DeclinedFor("invalid_token", "The payment method is not known.")
	}
	code := string(e.Code)
	if code == "" {
		code = string(e.Type)
	}
	return payments.DeclinedFor(code, "The payment provider refused.")
}

// failure tells what was certainly not carried out. It keeps Stripe's words out of logs: they may hold
// what the customer entered.
func failure(err error) error {
	var e *stripego.Error
	if errors.As(err, &e) {
		told := fmt.Errorf("stripe: %d %s %s, request %s", e.HTTPStatusCode, e.Type, e.Code, e.RequestID)
		switch e.HTTPStatusCode {
		case http.StatusTooManyRequests, http.StatusConflict, http.StatusUnauthorized, http.StatusForbidden:
			return errors.Join(payments.ErrTransient, told)
		case http.StatusNotFound:
			return errors.Join(payments.ErrNoSuchCall, told)
		}
		return told
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return errors.Join(payments.ErrTransient, fmt.Errorf("stripe: %w", err))
	}
	return fmt.Errorf("stripe: %w", err)
}
