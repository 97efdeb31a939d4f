package payments_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/payments"
	store "github.com/techmart/techmart/services/payments/postgres"
	"github.com/techmart/techmart/services/payments/sandbox"
)

// books is the sandbox with some of its lines changed, as by somebody in the provider's own pages.
type books struct {
	payments.Provider
	change func(payments.StatementLine) (payments.StatementLine, bool)
}

func (b books) Statement(ctx context.Context, from, to time.Time) iter.Seq2[payments.StatementLine, error] {
	return func(yield func(payments.StatementLine, error) bool) {
		for l, err := range b.Provider.Statement(ctx, from, to) {
			if changed, ok := b.change(l); (ok || err != nil) && !yield(changed, err) {
				return
			}
		}
	}
}

func (b books) StatementLine(ctx context.Context, reference string) (payments.StatementLine, error) {
	l, err := b.Provider.StatementLine(ctx, reference)
	if err != nil {
		return l, err
	}
	l, ok := b.change(l)
	if !ok {
		return l, payments.ErrNoSuchCall
	}
	return l, nil
}

func TestReconcile(t *testing.T) {
	t.Parallel()
	s, line := setupFaulty(t)
	plain := sandbox.New(sandbox.Config{Books: store.NewSandboxBooks(s.pool)})
	names := map[string]string{} // what is done to the payment with the reference
	for _, name := range []string{"right", "captured more", "captured", "refunded", "gone", "voided", "authorized"} {
		p := s.authorize(t, 1000)
		names[p.Reference] = name
		if name == "captured" || name == "refunded" {
			if _, err := s.Capture(staff(t), payments.Request{PaymentID: p.ID}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := plain.Authorize(t.Context(), payments.AuthorizeCall{Key: uuid.NewString(), Amount: eur(77), Token: sandbox.TokenVisa}); err != nil {
		t.Fatal(err) // the shop knows nothing of it
	}
	dead := newService(s.pool, deadProvider{})
	waiting := s.authorize(t, 500) // and one that waits for an answer differs for now only
	names[waiting.Reference] = "captured more"
	if _, err := dead.Capture(staff(t), payments.Request{PaymentID: waiting.ID, Amount: part(100)}); errs.CodeOf(err) != errs.Unavailable {
		t.Fatal(err)
	}
	line.lost.Store(1) // as does one that the provider holds, and the shop does not know under which reference
	if _, err := s.Authorize(program(t), uuid.New(), uuid.New(), eur(300), sandbox.TokenVisa); errs.CodeOf(err) != errs.Unavailable {
		t.Fatal(err)
	}

	now := time.Now()
	from, to := now.Add(-time.Hour), now.Add(time.Hour)
	found, err := s.Reconcile(staff(t), from, to)
	if err != nil || found.Compared != 10 || found.InProgress != 1 || found.Count != 1 || found.Differences[0].Kind != payments.UnknownToShop || *found.Differences[0].Provider != eur(77) {
		t.Fatalf("%+v, %v", found, err)
	}

	other := newService(s.pool, books{plain, func(l payments.StatementLine) (payments.StatementLine, bool) {
		switch names[l.Reference] {
		case "captured more":
			l.Captured = l.Captured.Add(eur(1))
		case "captured":
			l.Captured = eur(999)
		case "refunded":
			l.Refunded = eur(5)
		case "authorized":
			l.Authorized = eur(1)
		case "voided":
			l.Voided = true
		case "gone":
			return l, false
		}
		return l, true
	}})
	found, err = other.Reconcile(staff(t), from, to)
	if err != nil || found.Compared != 10 || found.InProgress != 2 || found.Count != 7 {
		t.Fatalf("%+v, %v", found, err)
	}
	want := map[string]payments.DifferenceKind{
		"captured more": payments.CapturedDiffers, "captured": payments.CapturedDiffers, "refunded": payments.RefundedDiffers,
		"authorized": payments.AuthorizedDiffers, "voided": payments.VoidedDiffers, "gone": payments.UnknownToProvider, "": payments.UnknownToShop,
	}
	for _, d := range found.Differences {
		name := names[d.Reference]
		if d.Kind != want[name] || (d.Payment == nil) != (name == "") {
			t.Errorf("%q is said to be %s", name, d.Kind)
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("not found: %v", want)
	}

	_, err = s.Reconcile(as(t, uuid.New()), from, to)
	wantCode(t, "a customer", err, errs.Forbidden)
	_, err = s.Reconcile(staff(t), to, from)
	wantCode(t, "backwards", err, errs.BadInput)
	_, err = s.Reconcile(staff(t), from, from.AddDate(0, 2, 0))
	wantCode(t, "two months", err, errs.BadInput)
	_, err = dead.Reconcile(staff(t), from, to)
	wantCode(t, "a dead provider", err, errs.Unavailable)
}

func TestNotices(t *testing.T) {
	t.Parallel()
	s, line := setupFaulty(t)
	p := s.authorize(t, 1000)
	line.lost.Store(1)
	_, err := s.Capture(staff(t), payments.Request{PaymentID: p.ID, Amount: part(600)})
	wantCode(t, "the lost answer", err, errs.Unavailable)
	n := payments.Notice{ID: "evt_1", Type: "capture", Authorization: p.Reference}
	for range 2 { // it may come twice
		if err := s.Notified(program(t), n); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Payment(staff(t), p.ID); err != nil || got.Captured != eur(600) {
		t.Errorf("after the notice: %+v, %v", got, err)
	}
	if types := s.events(t, p); len(types) != 3 || types[2] != payments.EventAnsweredLate {
		t.Errorf("events: %v", types)
	}

	// The answer of an authorization is lost: only the notice says under which reference it went through.
	line.lost.Store(1)
	order := uuid.New()
	_, err = s.Authorize(program(t), order, uuid.New(), eur(300), sandbox.TokenVisa)
	wantCode(t, "the lost authorization", err, errs.Unavailable)
	var transaction uuid.UUID
	if err := s.pool.QueryRow(t.Context(), `SELECT t.id FROM payments.transactions t JOIN payments.payments p ON p.id = t.payment_id WHERE p.order_id = $1`, order).Scan(&transaction); err != nil {
		t.Fatal(err)
	}
	reference := sandbox.Reference(transaction.String())
	if err := s.Notified(program(t), payments.Notice{ID: "evt_2", Authorization: reference, Transaction: transaction.String()}); err != nil {
		t.Fatal(err)
	}
	found, err := s.PaymentsOfOrders(staff(t), []uuid.UUID{order})
	if err != nil || found[order].Status != payments.Authorized || found[order].Authorized != (money.New(300, "EUR")) {
		t.Errorf("%+v, %v", found[order], err)
	}

	for name, n := range map[string]payments.Notice{
		"of somebody else": {ID: "evt_3", Authorization: "pi_other", Transaction: "theirs"}, "of nothing": {ID: "evt_4"},
		"of a transaction that is not here": {ID: "evt_5", Transaction: uuid.NewString()},
	} {
		if err := s.Notified(program(t), n); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantCode(t, "a customer", s.Notified(as(t, uuid.New()), n), errs.Forbidden)
	// A notice that cannot be dealt with is not forgotten: the provider is to send it again.
	dead := newService(s.pool, deadProvider{})
	again := payments.Notice{ID: "evt_6", Authorization: p.Reference}
	if err := dead.Notified(program(t), again); err == nil {
		t.Error("a notice is taken though the provider does not answer")
	}
	if n, err := s.PurgeNotices(program(t), -time.Minute, 100); err != nil || n != 5 {
		t.Errorf("%d notices were purged, %v", n, err)
	}
}
