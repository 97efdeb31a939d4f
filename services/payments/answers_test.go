package payments_test

import (
	"context"
	"slices"
	"testing"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/payments"
)

// A capture and a refund that went through though their answers were lost are told of, once; those that never arrived are
// carried out, and nothing is told.
func TestAnsweredLate(t *testing.T) {
	t.Parallel()
	s, line := setupFaulty(t)
	for want, fault := range map[int]func(n int32){1: line.lost.Store, 0: line.unheard.Store} {
		p, ctx := s.authorize(t, 1000), staff(t)
		for _, call := range []func(context.Context, payments.Request) (*payments.Payment, error){s.Capture, s.Refund} {
			r := payments.Request{PaymentID: p.ID, Amount: part(600), IdempotencyKey: "k"}
			fault(1)
			_, err := call(ctx, r)
			wantCode(t, "its answer is lost", err, errs.Unavailable)
			fault(0)
			for range 2 {
				if _, err := call(ctx, r); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n := count(s.events(t, p), payments.EventAnsweredLate); n != 2*want {
			t.Errorf("%d of 2 are told of; want %d", n, 2*want)
		}
	}
}

// A refund whose second answer comes when it is settled already pays back once, and is told of.
func TestRefundAnsweredTwice(t *testing.T) {
	t.Parallel()
	s, line := setupFaulty(t)
	p, ctx := s.authorize(t, 1000), staff(t)
	if _, err := s.Capture(ctx, payments.Request{PaymentID: p.ID}); err != nil {
		t.Fatal(err)
	}
	slow := &slowly{Provider: line, carriedOut: make(chan struct{}), answers: make(chan struct{})}
	late := newService(s.pool, slow)
	ended := make(chan error, 1)
	go func() {
		_, err := late.Refund(ctx, payments.Request{PaymentID: p.ID, Amount: part(300)})
		ended <- err
	}()
	<-slow.carriedOut
	s.free(t, p) // as if the lease had ended
	if n, err := s.ResolvePending(program(t), 0, 10); n != 1 || err != nil {
		t.Fatalf("%d resolved, %v", n, err)
	}
	close(slow.answers)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	got, err := s.Payment(ctx, p.ID)
	if err != nil || got.Refunded != eur(300) {
		t.Errorf("%+v, %v", got, err)
	}
	events := s.events(t, p)
	if count(events, payments.EventRefunded) != 1 || count(events, payments.EventAnsweredTwice) != 1 {
		t.Errorf("the events are %v", events)
	}
}

// slowly is a provider that carries a refund out and answers later.
type slowly struct {
	payments.Provider
	carriedOut, answers chan struct{}
}

// Refund implements payments.Provider.
func (s *slowly) Refund(ctx context.Context, c payments.Call) (payments.Result, error) {
	r, err := s.Provider.Refund(ctx, c)
	close(s.carriedOut)
	<-s.answers
	return r, err
}

// free ends the leases of what is without an answer.
func (s *shop) free(t *testing.T, p *payments.Payment) {
	t.Helper()
	if _, err := s.pool.Exec(t.Context(), `UPDATE payments.transactions SET leased_until = now() - interval '1 hour', created_at = now() - interval '1 hour' WHERE payment_id = $1 AND status = 'PENDING'`, p.ID); err != nil {
		t.Fatal(err)
	}
}

func count(list []string, one string) int {
	return len(slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s != one }))
}
