package payments

import (
	"context"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/viewer"
)

// audience gives whose payments the viewer may see.
func audience(ctx context.Context) (Audience, bool) {
	v := viewer.FromContext(ctx)
	if v.Can(viewer.PaymentsRead) {
		return Audience{All: true}, true
	}
	return Audience{CustomerID: v.UserID}, v.UserID != uuid.Nil
}

// Payment gives one payment. It fails with NOT_FOUND when it is not there or not visible to the viewer.
func (s *Service) Payment(ctx context.Context, id uuid.UUID) (*Payment, error) {
	found, err := s.Payments(ctx, []uuid.UUID{id})
	if err != nil {
		return nil, err
	}
	if p, ok := found[id]; ok {
		return p, nil
	}
	return nil, notFound()
}

// Payments gives those of the payments with the ids that the viewer may see: of own orders, or any
// with payments:read.
func (s *Service) Payments(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Payment, error) {
	a, ok := audience(ctx)
	if !ok {
		return nil, nil
	}
	return s.store.PaymentsByID(ctx, ids, a)
}

// PaymentsOfOrders gives the payments of orders by the orders' ids, as Payments.
func (s *Service) PaymentsOfOrders(ctx context.Context, orderIDs []uuid.UUID) (map[uuid.UUID]*Payment, error) {
	a, ok := audience(ctx)
	if !ok {
		return nil, nil
	}
	return s.store.PaymentsByOrder(ctx, orderIDs, a)
}

// Transactions gives those of the transactions with the ids whose payment the viewer may see.
func (s *Service) Transactions(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Transaction, error) {
	a, ok := audience(ctx)
	if !ok {
		return nil, nil
	}
	return s.store.TransactionsByID(ctx, ids, a)
}

// TransactionPages gives a page of each list, oldest first, in one look-up; that of a payment which
// the viewer may not see is empty.
func (s *Service) TransactionPages(ctx context.Context, lists []TransactionList) (map[TransactionList]page.Page[*Transaction], error) {
	found := map[TransactionList][]*Transaction{}
	if a, ok := audience(ctx); ok {
		var err error
		if found, err = s.store.TransactionLists(ctx, lists, a); err != nil {
			return nil, err
		}
	}
	pages := make(map[TransactionList]page.Page[*Transaction], len(lists))
	for _, l := range lists {
		r := page.Request{Limit: l.Limit}
		if l.After != (Position{}) {
			r.From = page.Key{}
		}
		pages[l] = page.Trim(found[l], r)
	}
	return pages, nil
}

// List gives a page of all payments, newest first. It needs payments:read.
// It fails with BAD_USER_INPUT for a filter that cannot be.
func (s *Service) List(ctx context.Context, f Filter, r page.Request) (page.Page[*Payment], error) {
	if err := f.check(ctx); err != nil {
		return page.Page[*Payment]{}, err
	}
	rows, err := s.store.PaymentList(ctx, f, r)
	if err != nil {
		return page.Page[*Payment]{}, err
	}
	return page.Trim(rows, r), nil
}

// Count counts all payments of a filter. It needs payments:read.
func (s *Service) Count(ctx context.Context, f Filter) (int, error) {
	if err := f.check(ctx); err != nil {
		return 0, err
	}
	return s.store.PaymentCount(ctx, f)
}

func (f Filter) check(ctx context.Context) error {
	if err := viewer.FromContext(ctx).Require(viewer.PaymentsRead); err != nil {
		return err
	}
	if len(f.Statuses) > len(Statuses) {
		return errs.At(errs.BadInput, "Name each status at most once.", "where", "statuses")
	}
	return nil
}

// LedgerBalances gives what each account of the ledger holds. It needs payments:read.
func (s *Service) LedgerBalances(ctx context.Context) ([]Balance, error) {
	if err := viewer.FromContext(ctx).Require(viewer.PaymentsRead); err != nil {
		return nil, err
	}
	return s.store.LedgerBalances(ctx)
}

// KeyOf gives a payment's position in lists: when it was made, and its id.
func KeyOf(p *Payment) page.Key { return positionKey(p.CreatedAt, p.ID) }

// TransactionKeyOf gives a transaction's position in its payment's list.
func TransactionKeyOf(t *Transaction) page.Key { return positionKey(t.CreatedAt, t.ID) }

func positionKey(at time.Time, id uuid.UUID) page.Key {
	return page.Key{strconv.FormatInt(at.UnixMicro(), 10), id.String()}
}

// ReadKey reads a key that KeyOf or TransactionKeyOf made. It fails with CURSOR_MISMATCH for any other.
func ReadKey(k page.Key) (Position, error) {
	if len(k) == 2 {
		micros, errTime := strconv.ParseInt(k[0], 10, 64)
		id, errID := uuid.Parse(k[1])
		if errTime == nil && errID == nil {
			return Position{CreatedAt: time.UnixMicro(micros).UTC(), ID: id}, nil
		}
	}
	return Position{}, errs.New(errs.CursorMismatch, "This cursor was not made by this list.")
}
