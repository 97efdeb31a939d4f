package orders_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/orders/orderstest"
)

func TestSagaConfirms(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	o := f.place(t, uuid.New(), "tok_visa")
	if f.token(t, o.ID) != "tok_visa" {
		t.Error("the token is not kept for the authorization")
	}
	for range 3 { // double execution is harmless
		if err := f.Settle(t.Context(), o.ID, false); err != nil {
			t.Fatal(err)
		}
	}
	f.wantStatus(t, o.ID, orders.Confirmed)
	if got, want := f.shop.history(), "[complete reserve authorize]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := f.timeline(t, o.ID), "ORDER_PLACED STOCK_RESERVED PAYMENT_AUTHORIZED ORDER_CONFIRMED"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := f.events(t, o.ID), "placed confirmed"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if f.token(t, o.ID) != "" {
		t.Error("the token outlives the authorization")
	}
}

func TestSagaCapturesAtOnce(t *testing.T) {
	t.Parallel()
	c := terms()
	c.CaptureNow = true
	f := setup(t, c)
	o := f.confirmed(t, uuid.New())
	if got, want := f.shop.history(), "[complete reserve authorize capture]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if p := f.shop.payment(o.ID); p.captured != o.Total.Amount {
		t.Errorf("captured %d of %d", p.captured, o.Total.Amount)
	}
	ok(f.Cancel(as(t, o.CustomerID), orders.CancelInput{OrderID: o.ID}))(t)
	if err := f.Settle(t.Context(), o.ID, false); err != nil {
		t.Fatal(err)
	}
	if got, want := f.shop.history(), "[complete reserve authorize capture refund release]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSagaDeclined(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	o := f.place(t, uuid.New(), "tok_declined")
	if err := f.Settle(t.Context(), o.ID, false); err != nil {
		t.Fatal(err)
	}
	got := f.read(t, o.ID)
	if got.Status != orders.Failed || got.ReasonCode != orders.ReasonPaymentDeclined || got.StatusReason() != "The card has expired." {
		t.Errorf("got %+v", got)
	}
	if history, want := f.shop.history(), "[complete reserve release]"; history != want {
		t.Errorf("got %s, want %s", history, want)
	}
	if timeline, want := f.timeline(t, o.ID), "ORDER_PLACED STOCK_RESERVED PAYMENT_DECLINED STOCK_RELEASED ORDER_FAILED"; timeline != want {
		t.Errorf("got %s, want %s", timeline, want)
	}
	if events, want := f.events(t, o.ID), "placed failed"; events != want {
		t.Errorf("got %s, want %s", events, want)
	}
	if f.token(t, o.ID) != "" {
		t.Error("the token outlives the refusal")
	}
}

func TestSagaOutOfStock(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	o := f.place(t, uuid.New(), "tok_visa")
	f.shop.mu.Lock()
	f.shop.stock[f.lamp] = 1
	f.shop.mu.Unlock()
	if err := f.Settle(t.Context(), o.ID, false); err != nil {
		t.Fatal(err)
	}
	if got := f.read(t, o.ID); got.Status != orders.Failed || got.ReasonCode != orders.ReasonInsufficientStock {
		t.Errorf("got %+v", got)
	}
	if history, want := f.shop.history(), "[complete]"; history != want {
		t.Errorf("got %s, want %s", history, want)
	}
	if f.token(t, o.ID) != "" {
		t.Error("the token outlives the order")
	}
}

// outcomes are the ends that the table of crashes drives orders to, with the calls that fail on the way.
var outcomes = []struct {
	name, token string
	config      func(*orders.Config)
	cancel      bool
	calls       []string
	want        orders.Status
	history     string
}{
	{name: "confirmed", token: "tok_visa", calls: []string{"reserve", "authorize"}, want: orders.Confirmed,
		history: "[complete reserve authorize]"},
	{name: "captured", token: "tok_visa", config: func(c *orders.Config) { c.CaptureNow = true },
		calls: []string{"reserve", "authorize", "capture"}, want: orders.Confirmed, history: "[complete reserve authorize capture]"},
	{name: "declined", token: "tok_declined", calls: []string{"reserve", "authorize", "release"}, want: orders.Failed,
		history: "[complete reserve release]"},
	{name: "cancelled", token: "tok_visa", cancel: true, calls: []string{"void", "release"}, want: orders.Cancelled,
		history: "[complete reserve authorize void release]"},
}

// TestSagaResumes fails every call of every way once, before and after its effect, and resumes.
func TestSagaResumes(t *testing.T) {
	t.Parallel()
	pool := orderstest.Database(t)
	for _, o := range outcomes {
		for _, call := range o.calls {
			for _, when := range []string{"before", "after"} {
				t.Run(fmt.Sprintf("%s/%s %s", o.name, when, call), func(t *testing.T) {
					t.Parallel()
					config := terms()
					if o.config != nil {
						o.config(&config)
					}
					f := setupOn(t, pool, config)
					order := f.place(t, uuid.New(), o.token)
					if o.cancel {
						if err := f.Settle(t.Context(), order.ID, false); err != nil {
							t.Fatal(err)
						}
						ok(f.Cancel(as(t, order.CustomerID), orders.CancelInput{OrderID: order.ID}))(t)
					}
					failed := false
					fail := func(c string) error {
						if c != call || failed {
							return nil
						}
						failed = true
						return errOutage
					}
					if when == "before" {
						f.shop.hook(fail, nil)
					} else {
						f.shop.hook(nil, fail)
					}
					// A refusal has no "after": it fails by itself.
					if err := f.Settle(t.Context(), order.ID, false); failed && !errors.Is(err, errOutage) {
						t.Fatalf("the outage is not reported: %v", err)
					}
					if err := f.Settle(t.Context(), order.ID, false); err != nil {
						t.Fatal(err)
					}
					f.wantStatus(t, order.ID, o.want)
					if got := f.shop.history(); got != o.history {
						t.Errorf("got %s, want %s", got, o.history)
					}
				})
			}
		}
	}
}

// TestSagaTakenOver kills an execution within each call: it leaves its claim behind, and another one takes over.
func TestSagaTakenOver(t *testing.T) {
	t.Parallel()
	pool := orderstest.Database(t)
	for _, call := range []string{"reserve", "authorize"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			config := terms()
			config.ClaimTime = 300 * time.Millisecond
			f := setupOn(t, pool, config)
			o := f.place(t, uuid.New(), "tok_visa")
			entered, never := make(chan struct{}), make(chan struct{})
			var once sync.Once
			f.shop.hook(nil, func(c string) error {
				if c != call {
					return nil
				}
				first := false
				once.Do(func() { first = true; close(entered) })
				if first {
					<-never // the process is dead from here on
				}
				return nil
			})
			t.Cleanup(func() { close(never) })
			dead := context.WithoutCancel(t.Context())
			go func() { _ = f.Settle(dead, o.ID, false) }()
			<-entered
			if err := f.Settle(t.Context(), o.ID, false); !errors.Is(err, orders.ErrBusy) {
				t.Fatalf("two executions at the same time: %v", err)
			}
			for ctx := soon(t); ; {
				err := f.Settle(ctx, o.ID, false)
				if err == nil {
					break
				}
				if !errors.Is(err, orders.ErrBusy) {
					t.Fatal(err)
				}
			}
			f.wantStatus(t, o.ID, orders.Confirmed)
			if got, want := f.shop.history(), "[complete reserve authorize]"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// TestSagaCancelledMeanwhile cancels an order while each call of its saga is under way.
func TestSagaCancelledMeanwhile(t *testing.T) {
	t.Parallel()
	pool := orderstest.Database(t)
	for call, history := range map[string]string{
		"reserve":   "[complete reserve authorize void release]", // both steps are saved at once
		"authorize": "[complete reserve authorize void release]",
		"capture":   "[complete reserve authorize capture refund release]",
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			config := terms()
			config.CaptureNow = call == "capture"
			f := setupOn(t, pool, config)
			o := f.place(t, uuid.New(), "tok_visa")
			var once sync.Once
			f.shop.hook(nil, func(c string) error {
				if c == call {
					once.Do(func() {
						ok(f.Cancel(as(t, o.CustomerID), orders.CancelInput{OrderID: o.ID, Reason: "Too slow"}))(t)
						if err := f.Settle(t.Context(), o.ID, false); !errors.Is(err, orders.ErrBusy) {
							t.Errorf("the job of the cancellation runs beside the saga: %v", err)
						}
					})
				}
				return nil
			})
			if err := f.Settle(t.Context(), o.ID, false); err != nil {
				t.Fatal(err)
			}
			if got := f.read(t, o.ID); got.Status != orders.Cancelled || got.Stage != orders.StageUndone || got.Reason != "Too slow" {
				t.Errorf("got %+v", got)
			}
			if got := f.shop.history(); got != history {
				t.Errorf("got %s, want %s", got, history)
			}
			if f.shop.available(f.lamp) != 100 {
				t.Error("stock is missing")
			}
			if strings.Contains(f.events(t, o.ID), "failed") {
				t.Error("a cancelled order failed, too")
			}
		})
	}
}

// TestSagaGivesUp lets the last attempt fail: the saga undoes in reverse order what was done.
func TestSagaGivesUp(t *testing.T) {
	t.Parallel()
	pool := orderstest.Database(t)
	for call, want := range map[string]struct{ reason, history string }{
		"reserve":   {orders.ReasonStockUnavailable, "[complete]"},
		"authorize": {orders.ReasonPaymentUnavailable, "[complete reserve release]"},
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			f := setupOn(t, pool, terms())
			o := f.place(t, uuid.New(), "tok_visa")
			f.shop.hook(func(c string) error {
				if c == call {
					return errOutage
				}
				return nil
			}, nil)
			for range 2 {
				if err := f.Settle(t.Context(), o.ID, false); !errors.Is(err, errOutage) {
					t.Fatalf("got %v", err)
				}
				f.wantStatus(t, o.ID, orders.Pending)
			}
			if err := f.Settle(t.Context(), o.ID, true); err != nil {
				t.Fatal(err)
			}
			if got := f.read(t, o.ID); got.Status != orders.Failed || got.ReasonCode != want.reason {
				t.Errorf("got %+v", got)
			}
			if got := f.shop.history(); got != want.history {
				t.Errorf("got %s, want %s", got, want.history)
			}
		})
	}
}

// TestSagaGivesUpUnknown gives up an authorization whose answer was lost: it is voided.
func TestSagaGivesUpUnknown(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	o := f.place(t, uuid.New(), "tok_visa")
	f.shop.hook(nil, func(c string) error {
		if c == "authorize" {
			return errOutage
		}
		return nil
	})
	if err := f.Settle(t.Context(), o.ID, true); err != nil {
		t.Fatal(err)
	}
	f.wantStatus(t, o.ID, orders.Failed)
	if got, want := f.shop.history(), "[complete reserve authorize void release]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestSagaUndoesUntilDone never gives compensation up.
func TestSagaUndoesUntilDone(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	o := f.confirmed(t, uuid.New())
	ok(f.Cancel(as(t, o.CustomerID), orders.CancelInput{OrderID: o.ID}))(t)
	f.shop.hook(func(c string) error {
		if c == "void" {
			return errOutage
		}
		return nil
	}, nil)
	if err := f.Settle(t.Context(), o.ID, true); !errors.Is(err, errOutage) {
		t.Fatalf("got %v", err)
	}
	f.shop.hook(nil, nil)
	if n := ok(f.Sweep(t.Context(), 0))(t); n != 1 {
		t.Errorf("the sweeper took %d orders up, want 1", n)
	}
	if err := f.Settle(t.Context(), o.ID, false); err != nil {
		t.Fatal(err)
	}
	if got := f.read(t, o.ID); got.Stage != orders.StageUndone {
		t.Errorf("got %+v", got)
	}
	if n := ok(f.Sweep(t.Context(), 0))(t); n != 0 {
		t.Errorf("the sweeper took %d settled orders up", n)
	}
}

func TestSagaCompletesTheCart(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	user := uuid.New()
	f.shop.hook(func(c string) error {
		if c == "complete" {
			return errOutage
		}
		return nil
	}, nil)
	o := f.place(t, user, "tok_visa")
	if again := ok(f.Place(as(t, user), orders.PlaceInput{PaymentToken: "tok_visa", ShippingAddressID: bookAddress}))(t); again.ID != o.ID {
		t.Fatal("one cart was ordered twice")
	}
	if err := f.Settle(t.Context(), o.ID, false); !errors.Is(err, errOutage) {
		t.Fatalf("got %v", err)
	}
	f.wantStatus(t, o.ID, orders.Confirmed) // the cart holds nothing up
	f.shop.hook(nil, nil)
	if err := f.Settle(t.Context(), o.ID, false); err != nil {
		t.Fatal(err)
	}
	_, err := f.Place(as(t, user), orders.PlaceInput{PaymentToken: "tok_visa", ShippingAddressID: bookAddress})
	wantFault(t, err, orders.CodeCartEmpty, "")
}

func TestSettleUnknown(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	if err := f.Settle(t.Context(), uuid.New(), false); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("got %v", err)
	}
	if err := f.SettleParcel(t.Context(), uuid.New(), uuid.New()); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("got %v", err)
	}
}
