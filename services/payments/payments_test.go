package payments_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/migrations"
	platform "github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/payments"
	"github.com/techmart/techmart/services/payments/postgres"
	"github.com/techmart/techmart/services/payments/sandbox"
	"github.com/techmart/techmart/services/viewer"
)

// shop is a service over a database of its own and the sandbox.
type shop struct {
	*payments.Service
	pool *pgxpool.Pool
}

func setup(t testing.TB) *shop {
	t.Helper()
	pool, err := platform.Open(t.Context(), platform.Config{URL: stacktest.Postgres(t), MaxConns: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if err := platform.Migrate(t.Context(), pool, migrations.FS("payments"), "payments"); err != nil {
		t.Fatal(err)
	}
	return &shop{newService(pool, sandbox.New(sandbox.Config{Books: postgres.NewSandboxBooks(pool), Delay: time.Millisecond})), pool}
}

func newService(pool *pgxpool.Pool, p payments.Provider) *payments.Service {
	return payments.New(payments.Deps{
		Store: postgres.New(pool), Provider: p, Log: slog.New(slog.DiscardHandler),
		Calls: payments.Calls{Timeout: 2 * time.Second, Backoff: time.Millisecond},
	})
}

func program(t testing.TB) context.Context { return viewer.NewContext(t.Context(), viewer.System) }

func as(t testing.TB, userID uuid.UUID, scopes ...viewer.Scope) context.Context {
	return viewer.NewContext(t.Context(), viewer.Viewer{UserID: userID, Scopes: scopes})
}

func staff(t testing.TB) context.Context {
	return as(t, uuid.New(), viewer.PaymentsRead, viewer.PaymentsWrite)
}

func eur(minor int64) money.Money   { return money.New(minor, "EUR") }
func part(minor int64) *money.Money { m := eur(minor); return &m }

func (s *shop) authorize(t testing.TB, minor int64) *payments.Payment {
	t.Helper()
	p, err := s.Authorize(program(t), uuid.New(), uuid.New(), eur(minor), sandbox.TokenVisa)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (s *shop) events(t testing.TB, p *payments.Payment) []string {
	t.Helper()
	rows, err := s.pool.Query(t.Context(), `SELECT type FROM payments.outbox WHERE subject = $1 ORDER BY sequence`, p.ID.String())
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var types []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		types = append(types, text)
	}
	return types
}

func wantCode(t testing.TB, what string, err error, want errs.Code) {
	t.Helper()
	if got := errs.CodeOf(err); got != want || want == "" && err != nil {
		t.Errorf("%s: %v, want %q", what, err, want)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for token, want := range map[string]struct {
		code   errs.Code
		status payments.Status
	}{
		sandbox.TokenVisa:              {"", payments.Authorized},
		sandbox.TokenMastercard:        {"", payments.Authorized},
		sandbox.TokenRetryOnce:         {"", payments.Authorized},
		sandbox.TokenSlow:              {"", payments.Authorized},
		sandbox.TokenDeclined:          {payments.PaymentDeclined, payments.Declined},
		sandbox.TokenInsufficientFunds: {payments.PaymentDeclined, payments.Declined},
		"tok_unheard_of":               {payments.PaymentDeclined, payments.Declined},
	} {
		order, customer := uuid.New(), uuid.New()
		for range 2 { // the second answer is the first one
			p, err := s.Authorize(program(t), order, customer, eur(5000), token)
			wantCode(t, token, err, want.code)
			if p == nil || p.Status != want.status || p.Token != "" {
				t.Errorf("%s leads to %+v", token, p)
			}
			if want.code != "" && (p.DeclineReason == "" || p.DeclineCode == "") {
				t.Errorf("%s is declined without a reason", token)
			}
		}
	}
	for _, token := range []string{"4242424242424242", ""} {
		if _, err := s.Authorize(program(t), uuid.New(), uuid.New(), eur(0), token); len(errs.All(err)) != 2 {
			t.Errorf("%q and nothing to pay: %v", token, err)
		}
	}
	var leaked int
	if err := s.pool.QueryRow(t.Context(), `SELECT count(*) FROM payments.payments WHERE token IS NOT NULL`).Scan(&leaked); err != nil || leaked != 0 {
		t.Errorf("%d tokens are kept, %v", leaked, err)
	}
	order := uuid.New()
	if _, err := s.Authorize(program(t), order, uuid.New(), eur(1), sandbox.TokenVisa); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Authorize(program(t), order, uuid.New(), eur(1), sandbox.TokenVisa); err == nil || errs.CodeOf(err) != "" {
		t.Errorf("the payment of another customer: %v", err)
	}
}

func TestCaptureAndRefundInParts(t *testing.T) {
	t.Parallel()
	s := setup(t)
	p := s.authorize(t, 10000)
	steps := []struct {
		do     func(context.Context, payments.Request) (*payments.Payment, error)
		amount *money.Money
		code   errs.Code
		status payments.Status
	}{
		{s.Refund, nil, errs.InvalidState, ""},
		{s.Capture, part(10001), payments.AmountExceeded, ""},
		{s.Capture, part(0), errs.OutOfRange, ""},
		{s.Capture, part(4000), "", payments.PartiallyCaptured},
		{s.Void, nil, errs.InvalidState, ""},
		{s.Capture, part(6001), payments.AmountExceeded, ""},
		{s.Refund, part(1000), "", payments.PartiallyRefunded},
		{s.Capture, nil, "", payments.PartiallyRefunded},
		{s.Capture, part(1), payments.AmountExceeded, ""},
		{s.Refund, part(9001), payments.AmountExceeded, ""},
		{s.Refund, nil, "", payments.Refunded},
		{s.Refund, part(1), errs.InvalidState, ""},
	}
	for i, step := range steps {
		got, err := step.do(staff(t), payments.Request{PaymentID: p.ID, Amount: step.amount})
		wantCode(t, string(rune('a'+i)), err, step.code)
		if err == nil && got.Status != step.status {
			t.Errorf("step %d: %s, want %s", i, got.Status, step.status)
		}
	}
	got, err := s.Payment(staff(t), p.ID)
	if err != nil || got.Authorized != eur(10000) || got.Captured != eur(10000) || got.Refunded != eur(10000) {
		t.Errorf("at the end: %+v, %v", got, err)
	}
	if events := s.events(t, p); len(events) != 5 || events[0] != payments.EventAuthorized || events[1] != payments.EventCaptured || events[4] != payments.EventRefunded {
		t.Errorf("events: %v", events)
	}
	balances, err := s.LedgerBalances(staff(t))
	if err != nil {
		t.Fatal(err)
	}
	want := map[payments.Account]int64{payments.ProviderClearing: 0, payments.Sales: -10000, payments.Refunds: 10000}
	for _, b := range balances {
		if b.Balance.Amount != want[b.Account] {
			t.Errorf("%s holds %s", b.Account, b.Balance)
		}
	}
}

func TestVoid(t *testing.T) {
	t.Parallel()
	s := setup(t)
	p := s.authorize(t, 300)
	got, err := s.Void(staff(t), payments.Request{PaymentID: p.ID, IdempotencyKey: "k"})
	if err != nil || got.Status != payments.Voided {
		t.Fatalf("%+v, %v", got, err)
	}
	_, err = s.Capture(staff(t), payments.Request{PaymentID: p.ID})
	wantCode(t, "capture after a void", err, errs.InvalidState)
	_, err = s.Void(staff(t), payments.Request{PaymentID: p.ID})
	wantCode(t, "a second void", err, errs.InvalidState)
}

func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	s := setup(t)
	p, other, ctx := s.authorize(t, 10000), s.authorize(t, 10000), staff(t)
	r := payments.Request{PaymentID: p.ID, Amount: part(100), IdempotencyKey: "k"}
	for range 3 {
		got, err := s.Capture(ctx, r)
		if err != nil || got.Captured != eur(100) {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	again := r
	again.Amount = part(101)
	_, err := s.Capture(ctx, again)
	wantCode(t, "another amount", err, errs.IdempotencyReused)
	again = r
	again.PaymentID = other.ID
	_, err = s.Capture(ctx, again)
	wantCode(t, "another payment", err, errs.IdempotencyReused)
	if got, err := s.Capture(staff(t), r); err != nil || got.Captured != eur(200) {
		t.Errorf("the key of another person: %+v, %v", got, err)
	}
	if got, err := s.Refund(ctx, r); err != nil || got.Refunded != eur(100) {
		t.Errorf("the key for another operation: %+v, %v", got, err)
	}
}

func TestAccess(t *testing.T) {
	t.Parallel()
	s := setup(t)
	p := s.authorize(t, 10000)
	list := payments.TransactionList{PaymentID: p.ID, Limit: 5}
	for name, c := range map[string]struct {
		ctx  context.Context
		sees bool
	}{
		"customer":  {as(t, p.CustomerID), true},
		"staff":     {as(t, uuid.New(), viewer.PaymentsRead), true},
		"stranger":  {as(t, uuid.New(), viewer.OrdersRead), false},
		"anonymous": {t.Context(), false},
	} {
		_, err := s.Payment(c.ctx, p.ID)
		if (err == nil) != c.sees || err != nil && errs.CodeOf(err) != errs.NotFound {
			t.Errorf("%s: %v", name, err)
		}
		byOrder, err := s.PaymentsOfOrders(c.ctx, []uuid.UUID{p.OrderID})
		if err != nil || (len(byOrder) == 1) != c.sees {
			t.Errorf("%s by order: %v, %v", name, byOrder, err)
		}
		pages, err := s.TransactionPages(c.ctx, []payments.TransactionList{list})
		if err != nil || (len(pages[list].Items) == 1) != c.sees {
			t.Errorf("%s, transactions: %v, %v", name, pages, err)
		}
		for _, page := range pages {
			for _, tr := range page.Items {
				found, err := s.Transactions(t.Context(), []uuid.UUID{tr.ID})
				if err != nil || len(found) != 0 {
					t.Errorf("anonymous sees a transaction: %v, %v", found, err)
				}
			}
		}
	}
	customer := as(t, p.CustomerID)
	for name, do := range map[string]func(context.Context, payments.Request) (*payments.Payment, error){"capture": s.Capture, "void": s.Void, "refund": s.Refund} {
		_, err := do(customer, payments.Request{PaymentID: p.ID})
		wantCode(t, name, err, errs.Forbidden)
		_, err = do(t.Context(), payments.Request{PaymentID: p.ID})
		wantCode(t, name, err, errs.Unauthenticated)
		_, err = do(staff(t), payments.Request{PaymentID: uuid.New()})
		wantCode(t, name, err, errs.NotFound)
	}
	_, err := s.Authorize(customer, uuid.New(), p.CustomerID, eur(1), sandbox.TokenVisa)
	wantCode(t, "authorize", err, errs.Forbidden)
	_, err = s.LedgerBalances(customer)
	wantCode(t, "ledger", err, errs.Forbidden)
	_, err = s.ResolvePending(customer, 0, 1)
	wantCode(t, "sweep", err, errs.Forbidden)
	_, err = s.PurgeKeys(customer, 0, 1)
	wantCode(t, "purge", err, errs.Forbidden)
	_, err = s.Count(customer, payments.Filter{})
	wantCode(t, "count", err, errs.Forbidden)
	_, err = s.List(customer, payments.Filter{}, page.Request{Limit: 1})
	wantCode(t, "list", err, errs.Forbidden)
	filter := payments.Filter{Statuses: []payments.Status{payments.Authorized}}
	n, err := s.Count(staff(t), filter)
	found, listed := s.List(staff(t), filter, page.Request{Limit: 1})
	if err != nil || listed != nil || n != 1 || len(found.Items) != 1 || found.Items[0].ID != p.ID {
		t.Errorf("%d payments, %+v, %v, %v", n, found, err, listed)
	}
}
