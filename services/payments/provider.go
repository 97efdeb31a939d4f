package payments

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/failsafe-go/failsafe-go/timeout"

	"github.com/techmart/techmart/services/money"
)

// Provider is a payment provider. Every call carries an idempotency key: the same key gives the
// answer of its first call that was carried out, and moves no money twice.
//
// A refusal is a Result, not an error. ErrTransient says that the call was certainly not carried out
// and may be tried again; after any other error its outcome is unknown.
type Provider interface {
	// Name gives the provider's short name, such as "sandbox".
	Name() string
	// Authorize holds an amount of the payer that the token stands for.
	Authorize(ctx context.Context, c AuthorizeCall) (Result, error)
	// Capture takes a part of what an authorization holds.
	Capture(ctx context.Context, c Call) (Result, error)
	// Void gives up an authorization of which nothing was captured.
	Void(ctx context.Context, c Call) (Result, error)
	// Refund pays back a part of what was captured of an authorization.
	Refund(ctx context.Context, c Call) (Result, error)
	// Lookup gives the answer of an earlier call of the kind by its key; c has no authorization where
	// that was the call. It fails with ErrNoSuchCall when no call with the key was carried out.
	Lookup(ctx context.Context, k Kind, c Call) (Result, error)
	// Statement gives every authorization that the provider made for the shop from (inclusive) to
	// (exclusive) these times, as it stands now.
	Statement(ctx context.Context, from, to time.Time) iter.Seq2[StatementLine, error]
	// StatementLine gives one authorization by its reference. It fails with ErrNoSuchCall.
	StatementLine(ctx context.Context, reference string) (StatementLine, error)
}

// StatementLine is an authorization as it stands in the provider's books.
type StatementLine struct {
	Reference  string
	Key        string // of the call that made it: the transaction's id
	At         time.Time
	Authorized money.Money
	Captured   money.Money
	Refunded   money.Money
	Voided     bool
}

// AuthorizeCall asks to hold an amount.
type AuthorizeCall struct {
	Key    string // idempotency key
	Amount money.Money
	Token  string // the provider's token of the payer
}

// Call asks for something to be done with an authorization.
type Call struct {
	Key           string // idempotency key
	Authorization string // the provider's reference of the authorization
	Amount        money.Money
}

// Result is a provider's answer: approved with a reference, or declined with a code and a message.
type Result struct {
	Approved  bool
	Reference string // the provider's own, when approved
	Code      string // why it was declined, for programs
	Message   string // why it was declined, safe to show to the payer
	earlier   bool   // of a call whose own answer was lost
}

// ApprovedAs is the answer of a call that was carried out.
func ApprovedAs(reference string) Result { return Result{Approved: true, Reference: reference} }

// DeclinedFor is the answer of a call that was refused for good.
func DeclinedFor(code, message string) Result { return Result{Code: code, Message: message} }

// Errors of providers.
var (
	// ErrTransient says that a call was not carried out and may be tried again.
	ErrTransient = errors.New("payments: the provider is not available for a moment")
	// ErrNoSuchCall says that no call with the key was carried out.
	ErrNoSuchCall = errors.New("payments: the provider knows no call with this key")
)

const (
	defaultTimeout = 5 * time.Second
	defaultRetries = 2
	defaultBackoff = 50 * time.Millisecond
	defaultLimit   = 64
	breakerLosses  = 10 // calls without an answer in a row, after which none is made
	breakerRest    = time.Second
	maxBackoff     = 2 * time.Second
	// leaseMargin is added to the longest time that a call can take before another process may take it over.
	leaseMargin = 2 * time.Second
	// settleTimeout bounds the recording of an answer, which goes on when the caller has gone away.
	settleTimeout = 10 * time.Second
)

// caller asks a provider within bounds: each try has a deadline, and tries that were certainly not
// carried out are repeated. While the provider does not answer no call is made, and each fails as a
// transient one.
type caller struct {
	provider Provider
	policies failsafe.Executor[Result]
	lease    time.Duration
	rejected func(reason string) // nil for none
}

func newCaller(p Provider, c Calls) *caller {
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	if c.Retries == 0 {
		c.Retries = defaultRetries
	}
	c.Retries = max(c.Retries, 0)
	if c.Backoff <= 0 {
		c.Backoff = defaultBackoff
	}
	retry := retrypolicy.NewBuilder[Result]().
		HandleErrors(ErrTransient).
		WithBackoff(c.Backoff, max(maxBackoff, 2*c.Backoff)).
		WithJitterFactor(0.2).
		WithMaxRetries(c.Retries).
		ReturnLastFailure().
		OnRetry(func(failsafe.ExecutionEvent[Result]) {
			if c.Watch.Retried != nil {
				c.Watch.Retried()
			}
		}).
		Build()
	if c.Limit <= 0 {
		c.Limit = defaultLimit
	}
	breaker := circuitbreaker.NewBuilder[Result]().
		HandleIf(func(_ Result, err error) bool {
			return err != nil && !errors.Is(err, ErrNoSuchCall) && !errors.Is(err, context.Canceled)
		}).
		WithFailureThreshold(breakerLosses).
		WithSuccessThreshold(1).
		WithDelay(breakerRest).
		OnStateChanged(func(e circuitbreaker.StateChangedEvent) {
			if c.Watch.Breaker != nil {
				c.Watch.Breaker(int(e.NewState))
			}
		}).
		Build()
	return &caller{
		provider: p,
		policies: failsafe.With[Result](retry, breaker, bulkhead.New[Result](uint(c.Limit)), timeout.New[Result](c.Timeout)),
		rejected: c.Watch.Rejected,
		lease:    time.Duration(c.Retries+1)*(c.Timeout+max(maxBackoff, 2*c.Backoff)) + leaseMargin,
	}
}

// ask makes the call that a transaction stands for.
func (c *caller) ask(ctx context.Context, p *Payment, t *Transaction) (Result, error) {
	return c.within(ctx, func(ctx context.Context) (Result, error) {
		call := Call{Key: t.ID.String(), Authorization: p.Reference, Amount: t.Amount}
		switch t.Kind {
		case Authorize:
			return c.provider.Authorize(ctx, AuthorizeCall{Key: call.Key, Amount: t.Amount, Token: p.Token})
		case Capture:
			return c.provider.Capture(ctx, call)
		case Void:
			return c.provider.Void(ctx, call)
		default:
			return c.provider.Refund(ctx, call)
		}
	})
}

// resolve finds out what became of a transaction's call, and makes the call where it never arrived.
func (c *caller) resolve(ctx context.Context, p *Payment, t *Transaction) (Result, error) {
	result, err := c.within(ctx, func(ctx context.Context) (Result, error) {
		return c.provider.Lookup(ctx, t.Kind, Call{Key: t.ID.String(), Authorization: p.Reference, Amount: t.Amount})
	})
	if errors.Is(err, ErrNoSuchCall) {
		return c.ask(ctx, p, t)
	}
	result.earlier = err == nil
	return result, err
}

func (c *caller) within(ctx context.Context, call func(context.Context) (Result, error)) (Result, error) {
	result, err := c.policies.WithContext(ctx).GetWithExecution(func(e failsafe.Execution[Result]) (Result, error) {
		return call(e.Context())
	})
	reason := ""
	switch {
	case errors.Is(err, circuitbreaker.ErrOpen):
		reason = "open"
	case errors.Is(err, bulkhead.ErrFull):
		reason = "full"
	default:
		return result, err
	}
	if c.rejected != nil {
		c.rejected(reason)
	}
	return result, fmt.Errorf("%w: %w", ErrTransient, err)
}
