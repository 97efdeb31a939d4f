// Package storetest is the suite that every payments.Store passes.
package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/payments"
)

// Run tests the stores that open gives, each with nothing in it.
func Run(t *testing.T, open func(t *testing.T) payments.Store) {
	for name, test := range map[string]func(*testing.T, payments.Store){
		"open":           testOpen,
		"update":         testUpdate,
		"idempotency":    testIdempotency,
		"audience":       testAudience,
		"list":           testList,
		"transactions":   testTransactions,
		"unsettled":      testUnsettled,
		"ledger":         testLedger,
		"failed updates": testFailedUpdate,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

var start = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

func eur(minor int64) money.Money { return money.New(minor, "EUR") }

// NewPayment makes a PENDING payment of 100.00 EUR, made so many minutes after a fixed time, and the
// intent to authorize it.
func NewPayment(minutes int) (*payments.Payment, *payments.Transaction) {
	at := start.Add(time.Duration(minutes) * time.Minute)
	p := &payments.Payment{
		ID: uuid.Must(uuid.NewV7()), OrderID: uuid.New(), CustomerID: uuid.New(), Provider: "sandbox", Status: payments.Pending,
		Amount: eur(10000), Authorized: eur(0), Captured: eur(0), Refunded: eur(0), Token: "tok_visa", CreatedAt: at, UpdatedAt: at,
	}
	return p, &payments.Transaction{
		ID: uuid.Must(uuid.NewV7()), PaymentID: p.ID, Kind: payments.Authorize, Status: payments.Unsettled, Amount: p.Amount, Attempts: 1, CreatedAt: at,
	}
}

func add(t *testing.T, s payments.Store, minutes int) (*payments.Payment, *payments.Transaction) {
	t.Helper()
	p, tr := NewPayment(minutes)
	opened, err := s.PaymentOpen(t.Context(), p, tr)
	if err != nil || !opened {
		t.Fatalf("PaymentOpen = %v, %v", opened, err)
	}
	return p, tr
}

func update(t *testing.T, s payments.Store, p *payments.Payment, fn func(*payments.Unit)) {
	t.Helper()
	if err := s.PaymentUpdate(t.Context(), payments.Target{PaymentID: p.ID}, nil, func(u *payments.Unit) error { fn(u); return nil }); err != nil {
		t.Fatal(err)
	}
}

func everyone() payments.Audience { return payments.Audience{All: true} }

func get(t *testing.T, s payments.Store, id uuid.UUID) *payments.Payment {
	t.Helper()
	found, err := s.PaymentsByID(t.Context(), []uuid.UUID{id}, everyone())
	if err != nil || found[id] == nil {
		t.Fatalf("PaymentsByID = %v, %v", found, err)
	}
	return found[id]
}

func testOpen(t *testing.T, s payments.Store) {
	p, tr := add(t, s, 0)
	if got := get(t, s, p.ID); *got != *p {
		t.Errorf("read back %+v, want %+v", got, p)
	}
	found, err := s.TransactionsByID(t.Context(), []uuid.UUID{tr.ID}, everyone())
	if err != nil || found[tr.ID] == nil || *found[tr.ID] != *tr {
		t.Errorf("read back %+v, %v, want %+v", found[tr.ID], err, tr)
	}
	again, intent := NewPayment(1)
	again.OrderID = p.OrderID
	opened, err := s.PaymentOpen(t.Context(), again, intent)
	if err != nil || opened {
		t.Errorf("a second payment of an order: %v, %v", opened, err)
	}
}

func testUpdate(t *testing.T, s payments.Store) {
	p, tr := add(t, s, 0)
	want := *p
	want.Status, want.Authorized, want.Captured, want.Token, want.Reference = payments.PartiallyCaptured, eur(10000), eur(500), "", "ref"
	want.Sequence, want.Closed, want.UpdatedAt = 2, true, start.Add(time.Hour)
	settled := *tr
	settled.Status, settled.ProviderReference, settled.SettledAt, settled.Attempts = payments.Succeeded, "ref", start.Add(time.Hour), 3
	err := s.PaymentUpdate(t.Context(), payments.Target{OrderID: p.OrderID}, nil, func(u *payments.Unit) error {
		if len(u.Open) != 1 || *u.Open[0] != *tr || *u.Payment != *p {
			t.Errorf("the unit is %+v %+v", u.Payment, u.Open)
		}
		*u.Payment, *u.Open[0] = want, settled
		u.Save(u.Open[0])
		u.Events = append(u.Events, payments.Event{ID: uuid.New(), Type: payments.EventAuthorized, Subject: p.ID, Sequence: 1, Time: start})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, p.ID); *got != want {
		t.Errorf("read back %+v, want %+v", got, want)
	}
	update(t, s, p, func(u *payments.Unit) {
		if len(u.Open) != 0 {
			t.Errorf("open after it was settled: %+v", u.Open)
		}
	})
	err = s.PaymentUpdate(t.Context(), payments.Target{PaymentID: uuid.New()}, nil, func(*payments.Unit) error { return nil })
	if !errs.Is(err, errs.NotFound) {
		t.Errorf("an unknown payment: %v", err)
	}
}

func testFailedUpdate(t *testing.T, s payments.Store) {
	p, _ := add(t, s, 0)
	fault := errs.New(errs.InvalidState, "no")
	err := s.PaymentUpdate(t.Context(), payments.Target{PaymentID: p.ID}, nil, func(u *payments.Unit) error {
		u.Payment.Status = payments.Declined
		return fault
	})
	if err != error(fault) {
		t.Errorf("the error of fn came back as %v", err)
	}
	if got := get(t, s, p.ID); got.Status != payments.Pending {
		t.Errorf("written although fn failed: %s", got.Status)
	}
	err = s.PaymentUpdate(t.Context(), payments.Target{PaymentID: p.ID}, nil, func(u *payments.Unit) error {
		u.Payment.Captured = eur(1) // more than authorized
		return nil
	})
	if err == nil {
		t.Error("impossible amounts were stored")
	}
}

func testIdempotency(t *testing.T, s payments.Store) {
	p, tr := add(t, s, 0)
	other, otherTr := add(t, s, 1)
	key := &payments.Key{Owner: uuid.New(), Operation: "CAPTURE", Key: "k"}
	use := payments.Use{RequestHash: []byte{1, 2}, TransactionID: tr.ID, CreatedAt: start}
	run := func(p *payments.Payment, use *payments.Use) (found *payments.Use, err error) {
		err = s.PaymentUpdate(t.Context(), payments.Target{PaymentID: p.ID}, key, func(u *payments.Unit) error {
			found, u.Use = u.Used, use
			return nil
		})
		return found, err
	}
	if found, err := run(p, &use); err != nil || found != nil {
		t.Fatalf("first use: %v, %v", found, err)
	}
	found, err := run(p, nil)
	if err != nil || found == nil || !slices.Equal(found.RequestHash, use.RequestHash) || found.TransactionID != use.TransactionID {
		t.Errorf("second use: %+v, %v", found, err)
	}
	if _, err := run(other, &payments.Use{RequestHash: []byte{3}, TransactionID: otherTr.ID, CreatedAt: start}); !errs.Is(err, errs.IdempotencyReused) {
		t.Errorf("the key for another payment: %v", err)
	}
	if n, err := s.KeysPurge(t.Context(), start, 10); err != nil || n != 0 {
		t.Errorf("purged %d keys that are not older, %v", n, err)
	}
	if n, err := s.KeysPurge(t.Context(), start.Add(time.Second), 10); err != nil || n != 1 {
		t.Errorf("purged %d old keys, %v", n, err)
	}
	if found, err := run(p, nil); err != nil || found != nil {
		t.Errorf("a purged key: %+v, %v", found, err)
	}
}

func testAudience(t *testing.T, s payments.Store) {
	p, tr := add(t, s, 0)
	own := payments.Audience{CustomerID: p.CustomerID}
	strange := payments.Audience{CustomerID: uuid.New()}
	list := payments.TransactionList{PaymentID: p.ID, Limit: 5}
	for _, c := range []struct {
		who  payments.Audience
		want int
	}{{own, 1}, {strange, 0}, {everyone(), 1}} {
		byID, err1 := s.PaymentsByID(t.Context(), []uuid.UUID{p.ID, uuid.New()}, c.who)
		byOrder, err2 := s.PaymentsByOrder(t.Context(), []uuid.UUID{p.OrderID, uuid.New()}, c.who)
		transactions, err3 := s.TransactionsByID(t.Context(), []uuid.UUID{tr.ID}, c.who)
		lists, err4 := s.TransactionLists(t.Context(), []payments.TransactionList{list}, c.who)
		if err1 != nil || err2 != nil || err3 != nil || err4 != nil {
			t.Fatal(err1, err2, err3, err4)
		}
		if len(byID) != c.want || len(byOrder) != c.want || len(transactions) != c.want || len(lists[list]) != c.want {
			t.Errorf("%+v sees %d %d %d %d, want %d", c.who, len(byID), len(byOrder), len(transactions), len(lists[list]), c.want)
		}
		if c.want == 1 && byOrder[p.OrderID].ID != p.ID {
			t.Error("the payment of the order is another one")
		}
	}
}

func testTransactions(t *testing.T, s payments.Store) {
	var parents []*payments.Payment
	for i := range 3 {
		p, _ := add(t, s, i)
		for n := range 4 {
			update(t, s, p, func(u *payments.Unit) {
				u.Save(&payments.Transaction{ID: uuid.New(), PaymentID: p.ID, Kind: payments.Capture, Status: payments.Succeeded, Amount: eur(1),
					CreatedAt: p.CreatedAt.Add(time.Duration(n/2+1) * time.Second), SettledAt: start})
			})
		}
		parents = append(parents, p)
	}
	read := func(lists ...payments.TransactionList) map[payments.TransactionList][]*payments.Transaction {
		t.Helper()
		found, err := s.TransactionLists(context.Background(), lists, everyone())
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	all := payments.TransactionList{PaymentID: parents[0].ID, Limit: 10}
	two := payments.TransactionList{PaymentID: parents[1].ID, Limit: 2}
	found := read(all, two)
	if len(found[all]) != 5 || len(found[two]) != 3 || found[all][0].Kind != payments.Authorize {
		t.Fatalf("read %d and %d", len(found[all]), len(found[two]))
	}
	// page by page it is the same list
	var ids []uuid.UUID
	next := payments.TransactionList{PaymentID: parents[0].ID, Limit: 2}
	for range 5 {
		rows := read(next)[next]
		p := page.Trim(rows, page.Request{Limit: 2})
		for _, tr := range p.Items {
			ids = append(ids, tr.ID)
		}
		if !p.HasNext {
			break
		}
		at, err := payments.ReadKey(payments.TransactionKeyOf(p.Items[len(p.Items)-1]))
		if err != nil {
			t.Fatal(err)
		}
		next.After = at
	}
	for i, tr := range found[all] {
		if i >= len(ids) || ids[i] != tr.ID {
			t.Fatalf("pages give %v", ids)
		}
	}
}

func testUnsettled(t *testing.T, s payments.Store) {
	_, often := add(t, s, 0)
	p, leased := add(t, s, 1)
	_, fresh := add(t, s, 60)
	_, old := add(t, s, 2)
	update(t, s, p, func(u *payments.Unit) {
		u.Open[0].LeasedUntil = start.Add(2 * time.Hour)
		u.Save(u.Open[0])
	})
	update(t, s, &payments.Payment{ID: often.PaymentID}, func(u *payments.Unit) {
		u.Open[0].Attempts = 7
		u.Save(u.Open[0])
	})
	ids := func(before, now time.Time, limit int) []uuid.UUID {
		list, err := s.TransactionsUnsettled(t.Context(), before, now, limit)
		if err != nil {
			t.Fatal(err)
		}
		out := make([]uuid.UUID, len(list))
		for i, tr := range list {
			out[i] = tr.ID
		}
		return out
	}
	if got := ids(start.Add(time.Hour), start.Add(time.Hour), 10); !slices.Equal(got, []uuid.UUID{old.ID, often.ID}) {
		t.Errorf("unsettled: %v", got)
	}
	if got := ids(start.Add(2*time.Hour), start.Add(3*time.Hour), 2); !slices.Equal(got, []uuid.UUID{leased.ID, old.ID}) {
		t.Errorf("unsettled later: %v, fresh is %v", got, fresh.ID)
	}
}

func testLedger(t *testing.T, s payments.Store) {
	p, tr := add(t, s, 0)
	entries := []payments.Entry{
		{TransactionID: tr.ID, Account: payments.ProviderClearing, Debit: true, Amount: eur(700)},
		{TransactionID: tr.ID, Account: payments.Sales, Amount: eur(700)},
	}
	update(t, s, p, func(u *payments.Unit) { u.Entries = entries })
	update(t, s, p, func(u *payments.Unit) {
		u.Entries = []payments.Entry{
			{TransactionID: tr.ID, Account: payments.Refunds, Debit: true, Amount: eur(200)},
			{TransactionID: tr.ID, Account: payments.ProviderClearing, Amount: eur(200)},
		}
	})
	got, err := s.LedgerBalances(t.Context())
	want := []payments.Balance{
		{Account: payments.ProviderClearing, Balance: eur(500)},
		{Account: payments.Refunds, Balance: eur(200)},
		{Account: payments.Sales, Balance: eur(-700)},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("balances %v, %v, want %v", got, err, want)
	}
	err = s.PaymentUpdate(t.Context(), payments.Target{PaymentID: p.ID}, nil, func(u *payments.Unit) error {
		u.Entries = entries[:1]
		return nil
	})
	if err == nil {
		t.Error("an unbalanced posting was stored")
	}
}
