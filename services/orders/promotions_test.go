package orders_test

import (
	"context"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/pricing"
)

// uses is an orders.Promotions in memory.
type uses struct {
	mu       sync.Mutex
	of       map[uuid.UUID][]uuid.UUID // promotions by order
	usedUp   bool
	released int
}

// Redeem implements orders.Promotions.
func (u *uses) Redeem(_ context.Context, orderID, _ uuid.UUID, promotions []uuid.UUID) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.usedUp {
		return errs.New(orders.CodePromotionUnavailable, "It is used up.")
	}
	u.of[orderID] = promotions
	return nil
}

// Release implements orders.Promotions.
func (u *uses) Release(_ context.Context, orderID uuid.UUID) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.of, orderID)
	u.released++
	return nil
}

var (
	ten = pricing.Promotion{ID: uuid.MustParse("01900000-0000-7000-8000-000000000010"), Code: "TEN", Title: "Ten percent",
		Kind: pricing.Percentage, Rate: 1000, Combinable: true}
	sendFree = pricing.Promotion{ID: uuid.MustParse("01900000-0000-7000-8000-000000000011"), Title: "Free shipping", Kind: pricing.FreeShipping, Combinable: true}
)

// discounted orders three lamps and a desk with promotions, sent to Berlin.
func (f *fixture) discounted(t *testing.T, user uuid.UUID, change func(*orders.Cart), promotions ...pricing.Promotion) (*orders.Order, error) {
	t.Helper()
	f.fill(user, 3, 1)
	c := f.shop.carts[user]
	c.Promotions = promotions
	if change != nil {
		change(&c)
	}
	f.shop.carts[user] = c
	return f.Place(as(t, user), orders.PlaceInput{PaymentToken: "tok_visa", ShippingAddressID: bookAddress})
}

func TestAnOrderKeepsItsPrices(t *testing.T) {
	t.Parallel()
	config := terms()
	config.TaxRates = map[string]pricing.Rate{"DE": 700}
	config.Methods = []pricing.Method{{Code: "express", Title: "Express", Fee: euro(1290)}}
	f, user := setup(t, config), uuid.New()
	placed := ok(f.discounted(t, user, func(c *orders.Cart) { c.Method = "express" }, ten, sendFree))(t)
	if err := f.Settle(t.Context(), placed.ID, false); err != nil {
		t.Fatal(err)
	}
	o := f.read(t, placed.ID)
	if o.Status != orders.Confirmed || o.Subtotal != euro(4500) || o.Discount != euro(450) || !o.Shipping.IsZero() || o.Total != euro(4050) || o.Tax != euro(265) {
		t.Errorf("%+v", o)
	}
	if len(o.Discounts) != 2 || o.Discounts[0] != (orders.Discount{PromotionID: ten.ID, Code: "TEN", Title: "Ten percent", Kind: pricing.Percentage, Amount: 450}) ||
		o.Discounts[1].Amount != 1290 || o.Method != (orders.ShippingMethod{Code: "express", Title: "Express"}) {
		t.Errorf("discounts %+v, sent by %+v", o.Discounts, o.Method)
	}
	if len(o.Taxes) != 1 || o.Taxes[0] != (orders.Tax{Rate: 700, Country: "DE", Base: 4050, Amount: 265}) {
		t.Errorf("taxes %+v", o.Taxes)
	}
	var off, tax money.Money = euro(0), euro(0)
	for _, l := range ok(f.store.Lines(t.Context(), []uuid.UUID{o.ID}, orders.Audience{Everybody: true}))(t)[o.ID] {
		off, tax = off.Add(l.Discount), tax.Add(l.Tax)
	}
	if off != o.Discount || tax != o.Tax {
		t.Errorf("lines have %v off and %v tax", off, tax)
	}
	if n := len(f.uses.of[o.ID]); n != 2 {
		t.Errorf("%d uses are reserved", n)
	}
	if p := f.shop.payment(o.ID); p.authorized != 4050 {
		t.Errorf("authorized: %d", p.authorized)
	}
}

// Whatever the parcels: what they capture adds up to the discounted total.
func TestParcelsShareTheDiscount(t *testing.T) {
	t.Parallel()
	f, user := setup(t, terms()), uuid.New()
	seven := ten
	seven.Rate = 777
	placed := ok(f.discounted(t, user, nil, seven))(t)
	if err := f.Settle(t.Context(), placed.ID, false); err != nil {
		t.Fatal(err)
	}
	lines := ok(f.store.Lines(t.Context(), []uuid.UUID{placed.ID}, orders.Audience{Everybody: true}))(t)[placed.ID]
	var captured int64
	for _, parcel := range [][]orders.FulfillmentLine{
		{{LineID: lines[0].ID, Quantity: 1}}, {{LineID: lines[0].ID, Quantity: 1}, {LineID: lines[1].ID, Quantity: 1}}, nil,
	} {
		_, sent, err := f.Fulfill(staff(t), orders.FulfillInput{OrderID: placed.ID, Lines: parcel})
		if err != nil {
			t.Fatal(err)
		}
		if sent.Capture.Amount < 0 {
			t.Errorf("a parcel captures %v", sent.Capture)
		}
		captured += sent.Capture.Amount
		if err := f.SettleParcel(t.Context(), placed.ID, sent.ID); err != nil {
			t.Fatal(err)
		}
	}
	if captured != placed.Total.Amount || f.shop.payment(placed.ID).captured != captured {
		t.Errorf("captured %d of %v", captured, placed.Total)
	}
}

// Who comes too late for the last use gets no order, pays nothing, and holds no stock.
func TestUsedUp(t *testing.T) {
	t.Parallel()
	f, user := setup(t, terms()), uuid.New()
	f.uses.usedUp = true
	o := ok(f.discounted(t, user, nil, ten))(t)
	if err := f.Settle(t.Context(), o.ID, false); err != nil {
		t.Fatal(err)
	}
	f.wantStatus(t, o.ID, orders.Failed)
	if got := f.read(t, o.ID); got.ReasonCode != orders.ReasonPromotionUnavailable {
		t.Errorf("the reason is %s", got.ReasonCode)
	}
	if n := f.shop.available(f.lamp); n != 100 {
		t.Errorf("%d lamps are left", n)
	}
	if p := f.shop.payment(o.ID); p.authorized != 0 {
		t.Errorf("%d were authorized", p.authorized)
	}
}

func TestACancelledOrderGivesItsUsesBack(t *testing.T) {
	t.Parallel()
	f, user := setup(t, terms()), uuid.New()
	o := ok(f.discounted(t, user, nil, ten))(t)
	if err := f.Settle(t.Context(), o.ID, false); err != nil {
		t.Fatal(err)
	}
	ok(f.Cancel(as(t, user), orders.CancelInput{OrderID: o.ID}))(t)
	if err := f.Settle(t.Context(), o.ID, false); err != nil {
		t.Fatal(err)
	}
	if len(f.uses.of) > 0 {
		t.Error("its uses are still reserved")
	}
	plain := f.confirmed(t, user)
	ok(f.Cancel(as(t, user), orders.CancelInput{OrderID: plain.ID}))(t)
	if err := f.Settle(t.Context(), plain.ID, false); err != nil {
		t.Fatal(err)
	}
	if f.uses.released != 1 {
		t.Errorf("%d orders gave uses back; one had any", f.uses.released)
	}
}

func TestWhatCannotBeOrdered(t *testing.T) {
	t.Parallel()
	config := terms()
	config.Methods = []pricing.Method{{Code: "express", Title: "Express", Fee: euro(1290), Countries: []string{"AT"}}}
	f := setup(t, config)
	_, err := f.discounted(t, uuid.New(), func(c *orders.Cart) {
		c.Method, c.Unusable = "express", []orders.Unusable{{Position: 1, Code: "GONE"}}
	})
	wantFault(t, err, orders.CodePromotionUnavailable, "cart.discountCodes.1")
	wantFault(t, err, errs.Invalid, "cart.shippingMethod")
}
