// Package sandbox is a payment provider that moves no money: the shop's own for development, tests and
// demonstrations. It keeps its books, so that idempotency keys hold across retries and processes, and
// what it does depends on the token alone:
//
//	tok_visa, tok_mastercard   approves
//	tok_declined               declines: card_declined
//	tok_insufficient_funds     declines: insufficient_funds
//	tok_retry_once             fails for a moment the first time, then approves
//	tok_timeout                approves, but its first answer is lost; Lookup finds it
//	tok_slow                   approves after a while
//	any other                  declines: invalid_token
package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"time"

	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/payments"
)

// Tokens that the sandbox knows.
const (
	TokenVisa              = "tok_visa"
	TokenMastercard        = "tok_mastercard"
	TokenDeclined          = "tok_declined"
	TokenInsufficientFunds = "tok_insufficient_funds"
	TokenRetryOnce         = "tok_retry_once"
	TokenTimeout           = "tok_timeout"
	TokenSlow              = "tok_slow"
)

// Name is the provider's name.
const Name = "sandbox"

const defaultDelay = 2 * time.Second

// Charge is a call in the sandbox's books.
type Charge struct {
	Key           string
	Kind          payments.Kind
	Authorization string // key of the authorization that a capture, void or refund belongs to
	Token         string // of an authorization
	Amount        money.Money
	Attempts      int
	At            time.Time // of the first attempt; set by the books
	Done          bool      // Result is its answer for good
	Result        payments.Result

	Captured int64 // of an authorization, in minor units
	Refunded int64
	Voided   bool
}

// Books keep charges.
type Books interface {
	// Update locks the charge with the key, which it makes where it is missing, and the authorization
	// with the reference (nil where that is empty or unknown), lets fn change both, and writes them back.
	Update(ctx context.Context, key, authorization string, fn func(charge, authorization *Charge)) error
	// Find gives the charge with the key. It fails with payments.ErrNoSuchCall when there is none.
	Find(ctx context.Context, key string) (*Charge, error)
	// Authorizations gives those that were approved from (inclusive) to (exclusive) these times, oldest first.
	Authorizations(ctx context.Context, from, to time.Time) iter.Seq2[*Charge, error]
	// Authorization gives an approved one by its reference. It fails with payments.ErrNoSuchCall.
	Authorization(ctx context.Context, reference string) (*Charge, error)
}

// Config is what the sandbox is made of. Books are required.
type Config struct {
	Books Books
	Delay time.Duration // what tok_slow takes; default 2 s
}

// Provider is the sandbox.
type Provider struct {
	books Books
	delay time.Duration
}

var _ payments.Provider = (*Provider)(nil)

// New makes the sandbox.
func New(c Config) *Provider {
	if c.Delay <= 0 {
		c.Delay = defaultDelay
	}
	return &Provider{books: c.Books, delay: c.Delay}
}

// Name gives "sandbox".
func (*Provider) Name() string { return Name }

// Authorize answers as the token says.
func (p *Provider) Authorize(ctx context.Context, c payments.AuthorizeCall) (payments.Result, error) {
	if c.Token == TokenSlow {
		if err := wait(ctx, p.delay); err != nil {
			return payments.Result{}, err
		}
	}
	var result payments.Result
	var busy, lost bool
	err := p.books.Update(ctx, c.Key, "", func(charge, _ *Charge) {
		busy, lost = false, false
		if !charge.Done {
			charge.Kind, charge.Token, charge.Amount = payments.Authorize, c.Token, c.Amount
			charge.Attempts++
			busy = c.Token == TokenRetryOnce && charge.Attempts == 1
			lost = c.Token == TokenTimeout
			if !busy {
				charge.answer(outcome(c))
			}
		}
		result = charge.Result
	})
	switch {
	case err != nil:
		return payments.Result{}, err
	case busy:
		return payments.Result{}, payments.ErrTransient
	case lost:
		<-ctx.Done()
		return payments.Result{}, fmt.Errorf("sandbox: the answer was lost: %w", ctx.Err())
	}
	return result, nil
}

// outcome gives what the token's authorization ends with.
func outcome(c payments.AuthorizeCall) payments.Result {
	switch c.Token {
	case TokenVisa, TokenMastercard, TokenRetryOnce, TokenTimeout, TokenSlow:
		return payments.ApprovedAs(Reference(c.Key))
	case TokenDeclined:
		return payments.DeclinedFor("card_declined", "The card was declined.")
	case TokenInsufficientFunds:
		return payments.DeclinedFor("insufficient_funds", "The card has insufficient funds.")
	default:
		return payments.DeclinedFor("invalid_token", "The payment method is not known.")
	}
}

// Capture takes a part of what is held.
func (p *Provider) Capture(ctx context.Context, c payments.Call) (payments.Result, error) {
	return p.follow(ctx, payments.Capture, c, func(a *Charge) bool {
		if a.Voided || a.Captured+c.Amount.Amount > a.Amount.Amount {
			return false
		}
		a.Captured += c.Amount.Amount
		return true
	})
}

// Void gives up what is held, when nothing was captured.
func (p *Provider) Void(ctx context.Context, c payments.Call) (payments.Result, error) {
	return p.follow(ctx, payments.Void, c, func(a *Charge) bool {
		if a.Voided || a.Captured > 0 {
			return false
		}
		a.Voided = true
		return true
	})
}

// Refund pays back a part of what was captured.
func (p *Provider) Refund(ctx context.Context, c payments.Call) (payments.Result, error) {
	return p.follow(ctx, payments.Refund, c, func(a *Charge) bool {
		if a.Refunded+c.Amount.Amount > a.Captured {
			return false
		}
		a.Refunded += c.Amount.Amount
		return true
	})
}

// follow does something with an authorization, once for each key.
func (p *Provider) follow(ctx context.Context, kind payments.Kind, c payments.Call, do func(authorization *Charge) bool) (payments.Result, error) {
	var result payments.Result
	err := p.books.Update(ctx, c.Key, c.Authorization, func(charge, authorization *Charge) {
		if !charge.Done {
			charge.Kind, charge.Amount = kind, c.Amount
			charge.Attempts++
			switch {
			case authorization == nil:
				charge.answer(payments.DeclinedFor("no_such_authorization", "The provider knows no such authorization."))
			case !do(authorization):
				charge.answer(payments.DeclinedFor("not_allowed", "The provider refused: nothing is left of the authorization."))
			default:
				charge.Authorization = authorization.Key
				charge.answer(payments.ApprovedAs(Reference(c.Key)))
			}
		}
		result = charge.Result
	})
	return result, err
}

// Lookup gives the answer of an earlier call.
func (p *Provider) Lookup(ctx context.Context, _ payments.Kind, c payments.Call) (payments.Result, error) {
	charge, err := p.books.Find(ctx, c.Key)
	switch {
	case err != nil:
		return payments.Result{}, err
	case !charge.Done:
		return payments.Result{}, payments.ErrNoSuchCall
	}
	return charge.Result, nil
}

// Statement gives the authorizations of a period.
func (p *Provider) Statement(ctx context.Context, from, to time.Time) iter.Seq2[payments.StatementLine, error] {
	return func(yield func(payments.StatementLine, error) bool) {
		for charge, err := range p.books.Authorizations(ctx, from, to) {
			if err != nil {
				yield(payments.StatementLine{}, err)
				return
			}
			if !yield(charge.line(), nil) {
				return
			}
		}
	}
}

// StatementLine gives one authorization.
func (p *Provider) StatementLine(ctx context.Context, reference string) (payments.StatementLine, error) {
	charge, err := p.books.Authorization(ctx, reference)
	if err != nil {
		return payments.StatementLine{}, err
	}
	return charge.line(), nil
}

func (c *Charge) line() payments.StatementLine {
	return payments.StatementLine{
		Reference: c.Result.Reference, Key: c.Key, At: c.At, Authorized: c.Amount, Voided: c.Voided,
		Captured: money.New(c.Captured, c.Amount.Currency), Refunded: money.New(c.Refunded, c.Amount.Currency),
	}
}

func (c *Charge) answer(r payments.Result) { c.Done, c.Result = true, r }

// Reference gives the reference that the sandbox makes for an approved call with the key.
func Reference(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "sbx_" + hex.EncodeToString(sum[:12])
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("sandbox: %w", ctx.Err())
	case <-timer.C:
		return nil
	}
}
