package payments_test

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/payments"
	store "github.com/techmart/techmart/services/payments/postgres"
	"github.com/techmart/techmart/services/payments/sandbox"
)

// faulty is the sandbox behind a bad line: calls do not arrive, or their answers do not come back.
type faulty struct {
	payments.Provider
	lost, unheard atomic.Int32 // how many of the next calls
	calls         atomic.Int32
}

var errLine = errors.New("the line is dead")

func (f *faulty) through(call func() (payments.Result, error)) (payments.Result, error) {
	f.calls.Add(1)
	if f.unheard.Add(-1) >= 0 {
		return payments.Result{}, errLine
	}
	r, err := call()
	if f.lost.Add(-1) >= 0 {
		return payments.Result{}, errLine
	}
	return r, err
}

func (f *faulty) Authorize(ctx context.Context, c payments.AuthorizeCall) (payments.Result, error) {
	return f.through(func() (payments.Result, error) { return f.Provider.Authorize(ctx, c) })
}

func (f *faulty) Capture(ctx context.Context, c payments.Call) (payments.Result, error) {
	return f.through(func() (payments.Result, error) { return f.Provider.Capture(ctx, c) })
}

func (f *faulty) Refund(ctx context.Context, c payments.Call) (payments.Result, error) {
	return f.through(func() (payments.Result, error) { return f.Provider.Refund(ctx, c) })
}

func (f *faulty) Void(ctx context.Context, c payments.Call) (payments.Result, error) {
	return f.through(func() (payments.Result, error) { return f.Provider.Void(ctx, c) })
}

func setupFaulty(t testing.TB) (*shop, *faulty) {
	s := setup(t)
	f := &faulty{Provider: sandbox.New(sandbox.Config{Books: store.NewSandboxBooks(s.pool)})}
	s.Service = newService(s.pool, f)
	return s, f
}

func TestLostAnswers(t *testing.T) {
	t.Parallel()
	s, line := setupFaulty(t)
	for name, fault := range map[string]*atomic.Int32{"lost": &line.lost, "unheard": &line.unheard} {
		p := s.authorize(t, 1000)
		fault.Store(1)
		_, err := s.Capture(staff(t), payments.Request{PaymentID: p.ID, Amount: part(600)})
		wantCode(t, name, err, errs.Unavailable)
		got, err := s.Payment(staff(t), p.ID)
		if err != nil || got.Captured != eur(0) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		// the next call finds out what became of it, and then there is only 400 left
		_, err = s.Capture(staff(t), payments.Request{PaymentID: p.ID, Amount: part(600)})
		wantCode(t, name, err, payments.AmountExceeded)
		if got, _ = s.Payment(staff(t), p.ID); got.Captured != eur(600) {
			t.Errorf("%s: %s was captured", name, got.Captured)
		}
		fault.Store(1)
		key := payments.Request{PaymentID: p.ID, Amount: part(100), IdempotencyKey: "r"}
		ctx := staff(t)
		_, err = s.Refund(ctx, key)
		wantCode(t, name, err, errs.Unavailable)
		if got, err = s.Refund(ctx, key); err != nil || got.Refunded != eur(100) {
			t.Errorf("%s, the same key again: %+v, %v", name, got, err)
		}
		fault.Store(0)
	}
}

func TestPendingCountsWhileUnknown(t *testing.T) {
	t.Parallel()
	s, _ := setupFaulty(t)
	p := s.authorize(t, 1000)
	dead := newService(s.pool, deadProvider{})
	_, err := dead.Capture(staff(t), payments.Request{PaymentID: p.ID, Amount: part(700)})
	wantCode(t, "first", err, errs.Unavailable)
	_, err = dead.Capture(staff(t), payments.Request{PaymentID: p.ID, Amount: part(700)})
	wantCode(t, "second", err, payments.AmountExceeded)
	_, err = dead.Void(staff(t), payments.Request{PaymentID: p.ID})
	wantCode(t, "void", err, errs.InvalidState)
	if n, err := dead.ResolvePending(program(t), -time.Minute, 10); n != 0 || err == nil {
		t.Errorf("a dead provider resolved %d, %v", n, err)
	}
	if n, err := s.ResolvePending(program(t), -time.Minute, 10); n != 1 || err != nil {
		t.Errorf("resolved %d, %v", n, err)
	}
	if got, err := s.Payment(staff(t), p.ID); err != nil || got.Captured != eur(700) {
		t.Errorf("after the sweep: %+v, %v", got, err)
	}
	if n, err := s.ResolvePending(program(t), -time.Minute, 10); n != 0 || err != nil {
		t.Errorf("a second sweep resolved %d, %v", n, err)
	}
}

// deadProvider never answers.
type deadProvider struct{}

func (deadProvider) Name() string { return "sandbox" }

func (deadProvider) Authorize(context.Context, payments.AuthorizeCall) (payments.Result, error) {
	return payments.Result{}, errLine
}

func (deadProvider) Capture(context.Context, payments.Call) (payments.Result, error) {
	return payments.Result{}, errLine
}

func (deadProvider) Void(context.Context, payments.Call) (payments.Result, error) {
	return payments.Result{}, errLine
}

func (deadProvider) Refund(context.Context, payments.Call) (payments.Result, error) {
	return payments.Result{}, errLine
}

func (deadProvider) Lookup(context.Context, payments.Kind, payments.Call) (payments.Result, error) {
	return payments.Result{}, errLine
}

func (deadProvider) Statement(context.Context, time.Time, time.Time) iter.Seq2[payments.StatementLine, error] {
	return func(yield func(payments.StatementLine, error) bool) { yield(payments.StatementLine{}, errLine) }
}

func (deadProvider) StatementLine(context.Context, string) (payments.StatementLine, error) {
	return payments.StatementLine{}, errLine
}

func TestTimeoutToken(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.Service = payments.New(payments.Deps{
		Store: store.New(s.pool), Provider: sandbox.New(sandbox.Config{Books: store.NewSandboxBooks(s.pool)}), Log: slog.New(slog.DiscardHandler),
		Calls: payments.Calls{Timeout: 300 * time.Millisecond},
	})
	order, customer := uuid.New(), uuid.New()
	p, err := s.Authorize(program(t), order, customer, eur(100), sandbox.TokenTimeout)
	wantCode(t, "first", err, errs.Unavailable)
	if p.Status != payments.Pending {
		t.Errorf("the payment is %s", p.Status)
	}
	if p, err = s.Authorize(program(t), order, customer, eur(100), sandbox.TokenTimeout); err != nil || p.Status != payments.Authorized {
		t.Errorf("looked up: %+v, %v", p, err)
	}
	if events := s.events(t, p); len(events) != 2 || events[1] != payments.EventAnsweredLate {
		t.Errorf("events: %v", events)
	}
}

func gaveUp(_ bool, err error) error { return err }

func TestForOrders(t *testing.T) {
	t.Parallel()
	s, line := setupFaulty(t)
	o := s.ForOrders()
	ctx := as(t, uuid.New()) // rights of the viewer do not matter
	order := func(token string) uuid.UUID {
		id := uuid.New()
		err := o.Authorize(ctx, id, uuid.New(), eur(1000), token)
		if token == sandbox.TokenDeclined {
			wantCode(t, token, err, payments.PaymentDeclined)
		} else if err != nil {
			t.Fatal(err)
		}
		return id
	}
	status := func(id uuid.UUID) *payments.Payment {
		found, err := s.PaymentsOfOrders(staff(t), []uuid.UUID{id})
		if err != nil || found[id] == nil {
			t.Fatalf("%v, %v", found, err)
		}
		return found[id]
	}
	twice := func(what string, want errs.Code, do func() error) {
		t.Helper()
		for range 2 {
			wantCode(t, what, do(), want)
		}
	}

	twice("void without a payment", "", func() error { return gaveUp(o.Void(ctx, uuid.New())) })
	twice("refund without a payment", "", func() error { return o.RefundAll(ctx, uuid.New(), "") })
	refused := order(sandbox.TokenDeclined)
	twice("void of a refusal", "", func() error { return gaveUp(o.Void(ctx, refused)) })
	twice("refund of a refusal", "", func() error { return o.RefundAll(ctx, refused, "") })

	voided := order(sandbox.TokenVisa)
	twice("void", "", func() error { return gaveUp(o.Void(ctx, voided)) })
	wantCode(t, "authorize after a void", o.Authorize(ctx, voided, status(voided).CustomerID, eur(1000), sandbox.TokenVisa), errs.InvalidState)

	unused := order(sandbox.TokenVisa)
	twice("refund of nothing captured", "", func() error { return o.RefundAll(ctx, unused, "off") })
	if p := status(unused); p.Status != payments.Voided {
		t.Errorf("it is %s", p.Status)
	}

	partly := order(sandbox.TokenVisa)
	twice("capture", "", func() error { return o.Capture(ctx, partly, "parcel", eur(400)) })
	wantCode(t, "the key for another amount", o.Capture(ctx, partly, "parcel", eur(401)), errs.IdempotencyReused)
	wantCode(t, "void after a capture", gaveUp(o.Void(ctx, partly)), errs.InvalidState)
	line.lost.Store(1)
	wantCode(t, "refund, answer lost", o.RefundAll(ctx, partly, "off"), errs.Unavailable)
	twice("refund", "", func() error { return o.RefundAll(ctx, partly, "off") })
	wantCode(t, "capture of what is closed", o.Capture(ctx, partly, "late", eur(1)), payments.AmountExceeded)
	if p := status(partly); p.Status != payments.Refunded || p.Refunded != eur(400) || p.Captured != eur(400) {
		t.Errorf("it is %+v", p)
	}

	back := order(sandbox.TokenVisa)
	wantCode(t, "refund of what was not captured", o.RefundPart(ctx, back, "first", eur(1), ""), errs.InvalidState)
	twice("capture", "", func() error { return o.Capture(ctx, back, "parcel", eur(500)) })
	line.lost.Store(1)
	wantCode(t, "refund of a part, answer lost", o.RefundPart(ctx, back, "return 1", eur(200), "returned"), errs.Unavailable)
	twice("refund of a part", "", func() error { return o.RefundPart(ctx, back, "return 1", eur(200), "returned") })
	twice("refund of another part", "", func() error { return o.RefundPart(ctx, back, "return 2", eur(200), "returned") })
	wantCode(t, "the key for another refund", o.RefundPart(ctx, back, "return 2", eur(100), "returned"), errs.IdempotencyReused)
	wantCode(t, "refund of more than is left", o.RefundPart(ctx, back, "return 3", eur(101), "returned"), payments.AmountExceeded)
	if p := status(back); p.Refunded != eur(400) || p.Captured != eur(500) {
		t.Errorf("it is %+v", p)
	}

	line.lost.Store(1)
	waiting := uuid.New()
	wantCode(t, "authorize, answer lost", o.Authorize(ctx, waiting, uuid.New(), eur(1000), sandbox.TokenVisa), errs.Unavailable)
	twice("void of what is pending", "", func() error { return gaveUp(o.Void(ctx, waiting)) })
	if p := status(waiting); p.Status != payments.Voided || p.Authorized != eur(1000) {
		t.Errorf("it is %+v", p)
	}
}

// TestSequences runs any operations over the real store and provider, with lost answers among them,
// and holds the invariants in what is stored.
func TestSequences(t *testing.T) {
	t.Parallel()
	s, line := setupFaulty(t)
	rapid.Check(t, func(rt *rapid.T) {
		p := s.authorize(t, 1000)
		ctx := staff(t)
		for range rapid.IntRange(1, 8).Draw(rt, "steps") {
			line.lost.Store(int32(rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(rt, "lost")))
			r := payments.Request{PaymentID: p.ID}
			if rapid.Bool().Draw(rt, "part") {
				r.Amount = part(rapid.Int64Range(1, 700).Draw(rt, "amount"))
			}
			do := rapid.SampledFrom([]func(context.Context, payments.Request) (*payments.Payment, error){s.Capture, s.Refund, s.Void}).Draw(rt, "do")
			_, err := do(ctx, r)
			switch errs.CodeOf(err) {
			case errs.InvalidState, payments.AmountExceeded, errs.Unavailable:
			default:
				if err != nil {
					rt.Fatal(err)
				}
			}
		}
		line.lost.Store(0)
		checkBooks(t, s, p.ID)
	})
}

// checkBooks compares a payment with its transactions, the ledger and the provider's books.
func checkBooks(t testing.TB, s *shop, id uuid.UUID) {
	t.Helper()
	if _, err := s.ResolvePending(program(t), -time.Minute, 1000); err != nil {
		t.Fatal(err)
	}
	p, err := s.Payment(staff(t), id)
	if err != nil {
		t.Fatal(err)
	}
	if p.Refunded.Amount < 0 || p.Refunded.Amount > p.Captured.Amount || p.Captured.Amount > p.Authorized.Amount {
		t.Fatalf("impossible amounts: %+v", p)
	}
	var captured, refunded, theirCaptured, theirRefunded, clearing int64
	err = s.pool.QueryRow(t.Context(), `
		SELECT coalesce(sum(amount) FILTER (WHERE kind = 'CAPTURE' AND status = 'SUCCEEDED'), 0)::bigint,
		       coalesce(sum(amount) FILTER (WHERE kind = 'REFUND' AND status = 'SUCCEEDED'), 0)::bigint,
		       (SELECT captured FROM payments.sandbox_charges WHERE reference = $2),
		       (SELECT refunded FROM payments.sandbox_charges WHERE reference = $2),
		       (SELECT coalesce(sum(CASE direction WHEN 'DEBIT' THEN e.amount ELSE -e.amount END), 0)::bigint
		        FROM payments.ledger_entries e JOIN payments.transactions t ON t.id = e.transaction_id
		        WHERE t.payment_id = $1 AND account = 'provider_clearing')
		FROM payments.transactions WHERE payment_id = $1`, id, p.Reference).Scan(&captured, &refunded, &theirCaptured, &theirRefunded, &clearing)
	if err != nil {
		t.Fatal(err)
	}
	if captured != p.Captured.Amount || refunded != p.Refunded.Amount || theirCaptured != captured || theirRefunded != refunded || clearing != captured-refunded {
		t.Fatalf("captured %d (provider %d), refunded %d (provider %d), clearing %d, of %+v", captured, theirCaptured, refunded, theirRefunded, clearing, p)
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	s := setup(t)
	p := s.authorize(t, 1000)
	at := func(do func(context.Context, payments.Request) (*payments.Payment, error), amount *money.Money, key string) int32 {
		var done atomic.Int32
		var group sync.WaitGroup
		ctx := staff(t)
		for range 16 {
			group.Go(func() {
				_, err := do(ctx, payments.Request{PaymentID: p.ID, Amount: amount, IdempotencyKey: key})
				switch errs.CodeOf(err) {
				case payments.AmountExceeded, errs.InvalidState, errs.InFlight:
				default:
					if err != nil {
						t.Error(err)
					}
					done.Add(1)
				}
			})
		}
		group.Wait()
		return done.Load()
	}
	if n := at(s.Capture, part(300), ""); n != 3 {
		t.Errorf("%d captures of 3.00 out of 10.00", n)
	}
	if n := at(s.Refund, part(200), "one key"); n < 1 {
		t.Errorf("no refund under one key")
	}
	if got, err := s.Payment(staff(t), p.ID); err != nil || got.Refunded != eur(200) {
		t.Errorf("one key paid back %s, %v", got.Refunded, err)
	}
	if n := at(s.Refund, part(400), ""); n != 1 {
		t.Errorf("%d refunds of 4.00 out of 7.00", n)
	}
	checkBooks(t, s, p.ID)
}

func TestLedgerConstraints(t *testing.T) {
	t.Parallel()
	s := setup(t)
	p := s.authorize(t, 1000)
	if _, err := s.Capture(staff(t), payments.Request{PaymentID: p.ID}); err != nil {
		t.Fatal(err)
	}
	var transaction uuid.UUID
	if err := s.pool.QueryRow(t.Context(), `SELECT id FROM payments.transactions WHERE payment_id = $1 AND kind = 'CAPTURE'`, p.ID).Scan(&transaction); err != nil {
		t.Fatal(err)
	}
	const insert = `INSERT INTO payments.ledger_entries (transaction_id, account, direction, amount, currency, created_at) VALUES `
	for sql, constraint := range map[string]string{
		insert + `($1, 'sales', 'DEBIT', 5, 'EUR', now())`:                                                                               "ledger_balanced",
		insert + `($1, 'sales', 'DEBIT', 5, 'EUR', now()), ($1, 'refunds', 'CREDIT', 4, 'EUR', now())`:                                   "ledger_balanced",
		insert + `($1, 'sales', 'DEBIT', 5, 'EUR', now()), ($1, 'refunds', 'CREDIT', 5, 'USD', now())`:                                   "ledger_balanced",
		insert + `($1, 'sales', 'DEBIT', 0, 'EUR', now()), ($1, 'refunds', 'CREDIT', 0, 'EUR', now())`:                                   "ledger_entries_amount_check",
		`UPDATE payments.payments SET captured = authorized + 1 WHERE id = (SELECT payment_id FROM payments.transactions WHERE id = $1)`: "payments_amounts",
	} {
		_, err := s.pool.Exec(t.Context(), sql, transaction)
		if got, _ := postgres.CheckViolation(err); got != constraint {
			t.Errorf("%s: %v, want %s", sql, err, constraint)
		}
	}
	for _, sql := range []string{
		`UPDATE payments.ledger_entries SET amount = 1 WHERE transaction_id = $1`,
		`DELETE FROM payments.ledger_entries WHERE transaction_id = $1`,
	} {
		if _, err := s.pool.Exec(t.Context(), sql, transaction); postgres.Code(err) != "23001" {
			t.Errorf("%s: %v", sql, err)
		}
	}
	if _, err := s.pool.Exec(t.Context(), `TRUNCATE payments.ledger_entries`); postgres.Code(err) != "23001" {
		t.Errorf("truncate: %v", err)
	}
}
