package payments_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/payments"
	store "github.com/techmart/techmart/services/payments/postgres"
	"github.com/techmart/techmart/services/payments/sandbox"
)

// While the provider does not answer it is not asked, as those who watch are told; when it is back what was asked for is
// carried out, once.
func TestBreaker(t *testing.T) {
	t.Parallel()
	s := setup(t)
	line := &absent{Provider: sandbox.New(sandbox.Config{Books: store.NewSandboxBooks(s.pool)})}
	var (
		mu       sync.Mutex
		states   []int
		rejected int
	)
	s.Service = payments.New(payments.Deps{
		Store: store.New(s.pool), Provider: line, Log: slog.New(slog.DiscardHandler),
		Calls: payments.Calls{Timeout: 2 * time.Second, Backoff: time.Millisecond, Watch: payments.Watch{
			Breaker:  func(state int) { mu.Lock(); defer mu.Unlock(); states = append(states, state) },
			Rejected: func(string) { mu.Lock(); defer mu.Unlock(); rejected++ },
		}},
	})
	p := s.authorize(t, 1000)
	line.gone.Store(true)
	r := payments.Request{PaymentID: p.ID, Amount: part(600), IdempotencyKey: "k"}
	ctx := staff(t)
	for range 20 {
		_, err := s.Capture(ctx, r)
		wantCode(t, "the provider is away", err, errs.Unavailable)
	}
	mu.Lock()
	if len(states) == 0 || states[0] != 1 || rejected == 0 {
		t.Errorf("the states are %v, %d calls were refused", states, rejected)
	}
	mu.Unlock()
	asked := line.calls.Load()
	if _, err := s.Capture(ctx, r); err == nil || line.calls.Load() > asked+1 {
		t.Errorf("it is asked %d times more: %v", line.calls.Load()-asked, err)
	}
	line.gone.Store(false)
	for deadline := time.Now().Add(15 * time.Second); ; {
		_, err := s.Capture(ctx, r)
		if err == nil {
			break
		}
		if errs.CodeOf(err) != errs.Unavailable || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if last := states[len(states)-1]; last != 0 || !slices.Contains(states, 2) {
		t.Errorf("afterwards the states are %v", states)
	}
	if got, err := s.Payment(ctx, p.ID); err != nil || got.Captured != eur(600) {
		t.Errorf("%+v, %v", got, err)
	}
}

// absent is a provider that can be gone.
type absent struct {
	payments.Provider
	gone  atomic.Bool
	calls atomic.Int32
}

func (a *absent) there() error {
	a.calls.Add(1)
	if a.gone.Load() {
		return errLine
	}
	return nil
}

// Capture implements payments.Provider.
func (a *absent) Capture(ctx context.Context, c payments.Call) (payments.Result, error) {
	if err := a.there(); err != nil {
		return payments.Result{}, err
	}
	return a.Provider.Capture(ctx, c)
}

// Lookup implements payments.Provider.
func (a *absent) Lookup(ctx context.Context, k payments.Kind, c payments.Call) (payments.Result, error) {
	if err := a.there(); err != nil {
		return payments.Result{}, err
	}
	return a.Provider.Lookup(ctx, k, c)
}
