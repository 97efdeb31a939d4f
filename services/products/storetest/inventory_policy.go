package storetest

import (
	"testing"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/products"
)

// backOrders orders what is not there, receives it, and sends it.
func backOrders(t *testing.T, s *shelf) {
	v, fresh := s.put(1, 2), uuid.Must(uuid.NewV7())
	allow := func(id uuid.UUID, allowed bool) products.Stock {
		t.Helper()
		stock, err := s.SetBackOrders(s.ctx, id, productOf(id), berlin, allowed)
		if err != nil || stock.BackOrders != allowed || stock.Flipped == uuid.Nil || stock.CanBeBought() != (allowed || stock.Available() > 0) {
			t.Fatal(stock, err)
		}
		return stock
	}
	send := func(order, id uuid.UUID, n int) error {
		_, err := s.Fulfill(s.ctx, products.Fulfillment{ID: uuid.New(), OrderID: order, Lines: []products.StockLine{line(id, n)}, At: start})
		return err
	}
	receive := func(id uuid.UUID, expected, n int) error {
		_, _, err := s.SetOnHand(s.ctx, products.SetOnHand{
			ID: uuid.Must(uuid.NewV7()), VariantID: id, ProductID: productOf(id), LocationID: berlin, Expected: expected, OnHand: n, Reason: products.Received, At: start,
		})
		return err
	}

	allow(v, true)
	order, late := uuid.New(), uuid.New()
	for range 2 {
		s.must(s.reserve(order, line(v, 7)))
	}
	s.want(v, "1/5", "2/2") // what is nowhere waits at the first place
	if stock := s.stock(v); stock.Available() != -4 || !stock.CanBeBought() {
		t.Errorf("after a back order there is %+v", stock)
	}
	if held, _, err := s.hold(uuid.New(), false, start, line(v, 3)); err != nil || held[v] != 3 {
		t.Errorf("a cart holds %v, %v", held, err)
	}
	if _, err := s.Expire(s.ctx, start.Add(holdsFor), 5); err != nil {
		t.Error(err)
	}
	if err := send(order, v, 7); errs.CodeOf(err) != errs.InvalidState {
		t.Errorf("sent what is not there: %v", err)
	}
	s.want(v, "1/5", "2/2")
	s.must(receive(v, 1, 4))
	s.want(v, "4/5", "2/2")
	s.must(receive(v, 4, 6))
	s.must(send(order, v, 7))
	s.want(v, "1/0", "0/0")

	s.must(s.reserve(late, line(v, 3)))
	if _, err := s.Release(s.ctx, late, start); err != nil {
		t.Error(err)
	}
	s.want(v, "1/0", "0/0")
	allow(v, false)
	if err := s.reserve(uuid.New(), line(v, 2)); errs.CodeOf(err) != products.InsufficientStock {
		t.Errorf("a back order where none may be: %v", err)
	}

	allow(fresh, true)
	s.must(s.reserve(uuid.New(), line(fresh, 2)))
	s.want(fresh, "0/2")
}
