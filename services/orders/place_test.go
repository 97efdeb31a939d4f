package orders_test

import (
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/orders"
)

func berlin() *orders.Address {
	return &orders.Address{Recipient: " Ada ", Line1: "Main Street 1", PostalCode: "10115", City: "Berlin", CountryCode: "de", Phone: "+49301234567"}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	user := uuid.New()
	f.fill(user, 2, 1)
	total := euro(3990)
	o := ok(f.Place(as(t, user), orders.PlaceInput{PaymentToken: "tok_visa", ShippingAddress: berlin(), ExpectedTotal: &total}))(t)
	stored := f.read(t, o.ID)
	if !reflect.DeepEqual(stored, o) {
		t.Errorf("the answer differs from what is stored:\n%+v\n%+v", o, stored)
	}
	if o.Status != orders.Pending || o.Number != "T-100001" || o.Subtotal != euro(3500) || o.Shipping != euro(490) || o.Total != total || o.Tax != euro(637) {
		t.Errorf("got %+v", o)
	}
	if o.Address.Recipient != "Ada" || o.Address.CountryCode != "DE" || o.Version != 1 {
		t.Errorf("got %+v", o)
	}
	lines := ok(f.Lines(as(t, user), []uuid.UUID{o.ID}))(t)[o.ID]
	if len(lines) != 2 || lines[0].SKU != "LAMP" || lines[0].Total != euro(2000) || lines[1].Position != 1 || lines[1].Fulfilled != 0 {
		t.Errorf("got %+v", lines)
	}
	if f.jobs(t, "orders.settle") != 1 || f.events(t, o.ID) != "placed" {
		t.Error("the job or the event is missing")
	}
	_, err := f.Place(as(t, user), orders.PlaceInput{PaymentToken: "tok_visa", ShippingAddress: berlin()})
	wantFault(t, err, orders.CodeCartEmpty, "")
	_, err = f.Place(t.Context(), orders.PlaceInput{})
	wantFault(t, err, errs.Unauthenticated, "")
}

func TestPlaceReportsAllFaults(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	user := uuid.New()
	f.fill(user, 101, 200)
	wrong := euro(1)
	_, err := f.Place(as(t, user), orders.PlaceInput{ShippingAddress: &orders.Address{Recipient: strings.Repeat("x", 101), CountryCode: "ZZ", Phone: "030"}, ExpectedTotal: &wrong})
	for field, code := range map[string]errs.Code{
		"shippingAddress.recipient": errs.TooLong, "shippingAddress.line1": errs.Required, "shippingAddress.postalCode": errs.Required,
		"shippingAddress.city": errs.Required, "shippingAddress.countryCode": errs.Invalid, "shippingAddress.phone": errs.Invalid,
		"paymentToken": errs.Required, "expectedTotal": orders.CodePriceChanged,
		"cart.lines.0": orders.CodeInsufficientStock, "cart.lines.1": orders.CodeInsufficientStock,
	} {
		wantFault(t, err, code, field)
	}
	for _, e := range errs.All(err) {
		if e.Code == orders.CodeInsufficientStock && (e.Data["available"] != 100 || e.Data["variantId"] == nil) {
			t.Errorf("got %v", e.Data)
		}
	}
	_, err = f.Place(as(t, user), orders.PlaceInput{PaymentToken: "tok_visa"})
	wantFault(t, err, errs.Required, "shippingAddress")
	_, err = f.Place(as(t, user), orders.PlaceInput{PaymentToken: "tok_visa", ShippingAddressID: uuid.New()})
	wantFault(t, err, errs.NotFound, "shippingAddressId")
	_, err = f.Place(as(t, user), orders.PlaceInput{PaymentToken: "tok_visa", ShippingAddressID: bookAddress, ShippingAddress: berlin()})
	wantFault(t, err, errs.Invalid, "shippingAddress")
	_, err = f.Place(as(t, user), orders.PlaceInput{IdempotencyKey: strings.Repeat("k", 256)})
	wantFault(t, err, errs.TooLong, "idempotencyKey")
	for token, code := range map[string]errs.Code{
		"4111 1111 1111 1111": errs.Invalid, "4111-1111-1111-1112": errs.Invalid, "5500005555555559": errs.Invalid,
		"card:378282246310005": errs.Invalid, "123456789012": errs.Invalid, "tok visa": errs.Invalid, "tök": errs.Invalid, strings.Repeat("t", 256): errs.TooLong,
	} {
		_, err = f.Place(as(t, user), orders.PlaceInput{PaymentToken: token, ShippingAddressID: bookAddress})
		wantFault(t, err, code, "paymentToken")
	}
}

func TestPlaceIsIdempotent(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	user := uuid.New()
	f.fill(user, 1, 0)
	in := orders.PlaceInput{IdempotencyKey: "checkout", PaymentToken: "tok_visa", ShippingAddressID: bookAddress}
	var (
		all sync.WaitGroup
		ids [8]uuid.UUID
	)
	for i := range ids { // at the same time
		all.Go(func() {
			o, err := f.Place(as(t, user), in)
			for errs.CodeOf(err) == errs.InFlight {
				o, err = f.Place(as(t, user), in)
			}
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = o.ID
		})
	}
	all.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("the key made several orders: %v", ids)
		}
	}
	f.fill(user, 5, 0) // a new cart, the old key
	if again := ok(f.Place(as(t, user), in))(t); again.ID != ids[0] {
		t.Error("the key made a second order")
	}
	in.PaymentToken = "tok_other"
	_, err := f.Place(as(t, user), in)
	wantFault(t, err, errs.IdempotencyReused, "idempotencyKey")
	other := uuid.New()
	f.fill(other, 1, 0)
	if o := ok(f.Place(as(t, other), in))(t); o.ID == ids[0] {
		t.Error("a key works for somebody else")
	}
	if f.jobs(t, "orders.settle") != 2 {
		t.Errorf("%d jobs for 2 orders", f.jobs(t, "orders.settle"))
	}
}

// TestPlaceKeepsWhatWasNotOrdered puts a desk into the cart while the order of a lamp is being placed, and looks at the
// cart after the order, after its saga, and after a repeat in the place of a process that was killed.
func TestPlaceKeepsWhatWasNotOrdered(t *testing.T) {
	t.Parallel()
	for name, killed := range map[string]bool{"completed at once": false, "completed by the saga": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t, terms())
			user := uuid.New()
			f.fill(user, 1, 0)
			f.shop.hook(func(call string) error {
				if call == "complete" {
					f.shop.mu.Lock()
					defer f.shop.mu.Unlock()
					if c := f.shop.carts[user]; len(c.Lines) == 1 && c.Lines[0].VariantID == f.lamp {
						c.Lines = append(c.Lines, orders.CartLine{VariantID: f.desk, ProductID: f.desk, SKU: "DESK", Title: "Desk", Quantity: 1, UnitPrice: euro(1500)})
						f.shop.carts[user] = c
					}
					if killed {
						return errOutage
					}
				}
				return nil
			}, nil)
			in := orders.PlaceInput{PaymentToken: "tok_visa", ShippingAddressID: bookAddress}
			first := ok(f.Place(as(t, user), in))(t)
			if killed {
				if again := ok(f.Place(as(t, user), in))(t); again.ID != first.ID {
					t.Error("one cart made two orders")
				}
			}
			f.shop.hook(nil, nil)
			if err := f.Settle(t.Context(), first.ID, false); err != nil {
				t.Fatal(err)
			}
			second := ok(f.Place(as(t, user), in))(t)
			lines := ok(f.Lines(as(t, user), []uuid.UUID{first.ID, second.ID}))(t)
			if a, b := lines[first.ID], lines[second.ID]; len(a) != 1 || a[0].SKU != "LAMP" || len(b) != 1 || b[0].SKU != "DESK" {
				t.Errorf("got %+v and %+v", a, b)
			}
		})
	}
}

func TestTotals(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := orders.Config{Currency: "EUR", ShippingFee: euro(rapid.Int64Range(0, 2000).Draw(t, "fee")),
			FreeShippingFrom: euro(rapid.Int64Range(0, 100_000).Draw(t, "free from")), TaxRatePercent: rapid.Int64Range(0, 30).Draw(t, "rate")}
		var lines []*orders.Line
		sum := int64(0)
		for range rapid.IntRange(1, 100).Draw(t, "lines") {
			l := &orders.Line{Quantity: rapid.IntRange(1, 999).Draw(t, "quantity"), UnitPrice: euro(rapid.Int64Range(0, 1_000_000).Draw(t, "price"))}
			l.Total = l.UnitPrice.Times(l.Quantity)
			sum += l.Total.Amount
			lines = append(lines, l)
		}
		got := c.Totals(lines)
		if got.Subtotal != euro(sum) || got.Total != got.Subtotal.Add(got.Shipping) {
			t.Fatalf("got %+v for lines of %d", got, sum)
		}
		if free := sum >= c.FreeShippingFrom.Amount; free != got.Shipping.IsZero() && !c.ShippingFee.IsZero() {
			t.Fatalf("shipping is %v", got.Shipping)
		}
		// The tax is that of the net amount, to the nearest cent.
		net := got.Total.Sub(got.Tax)
		if d := net.Amount*c.TaxRatePercent - got.Tax.Amount*100; got.Tax.Amount < 0 || d > 50+c.TaxRatePercent/2 || d < -50-c.TaxRatePercent/2 {
			t.Fatalf("tax %v of %v at %d%%", got.Tax, got.Total, c.TaxRatePercent)
		}
	})
}

// TestShares sends orders in random parcels: what they capture adds up to the total exactly.
func TestShares(t *testing.T) {
	t.Parallel()
	f := setup(t, orders.Config{Currency: "EUR", ShippingFee: euro(490), FreeShippingFrom: euro(3000), TaxRatePercent: 19})
	f.shop.stock[f.lamp], f.shop.stock[f.desk] = 1<<40, 1<<40
	ctx := staff(t)
	rapid.Check(t, func(rt *rapid.T) {
		user := uuid.New()
		f.fill(user, rapid.IntRange(1, 9).Draw(rt, "lamps"), rapid.IntRange(0, 9).Draw(rt, "desks"))
		o := ok(f.Place(as(t, user), orders.PlaceInput{PaymentToken: "tok_visa", ShippingAddressID: bookAddress}))(t)
		if err := f.Settle(ctx, o.ID, false); err != nil {
			rt.Fatal(err)
		}
		captured := money.New(0, "EUR")
		for done := false; !done; {
			in := orders.FulfillInput{OrderID: o.ID}
			for _, l := range ok(f.Lines(ctx, []uuid.UUID{o.ID}))(t)[o.ID] {
				if n := rapid.IntRange(0, l.Quantity-l.Fulfilled).Draw(rt, "quantity"); n > 0 {
					in.Lines = append(in.Lines, orders.FulfillmentLine{LineID: l.ID, Quantity: n})
				}
			}
			after, parcel, err := f.Fulfill(ctx, in) // all that is left where nothing was drawn
			if err != nil {
				rt.Fatal(err)
			}
			if parcel.Capture.Amount < 0 {
				rt.Fatalf("a parcel captures %v", parcel.Capture)
			}
			captured = captured.Add(parcel.Capture)
			for range 2 {
				if err := f.SettleParcel(ctx, o.ID, parcel.ID); err != nil {
					rt.Fatal(err)
				}
			}
			done = after.Status == orders.Fulfilled
		}
		if captured != o.Total || f.shop.payment(o.ID).captured != o.Total.Amount {
			rt.Fatalf("captured %v (provider: %d) of %v", captured, f.shop.payment(o.ID).captured, o.Total)
		}
	})
}

// Stock that goes between the look at the cart and the order is reported like any other; but who has it may be the
// order that the same cart made a moment ago.
func TestPlaceHoldsStock(t *testing.T) {
	t.Parallel()
	f := setup(t, terms())
	user := uuid.New()
	f.fill(user, 2, 1)
	in := orders.PlaceInput{PaymentToken: "tok_visa", ShippingAddress: berlin()}
	gone := func(call string) error {
		if call != "hold" {
			return nil
		}
		cart, err := f.shop.Checkout(t.Context(), user, true)
		if err != nil {
			return err
		}
		return errs.New(orders.CodeInsufficientStock, "Too little.").With("variantId", cart.Lines[1].VariantID).With("available", 0)
	}
	f.shop.hook(gone, nil)
	_, err := f.Place(as(t, user), in)
	wantFault(t, err, orders.CodeInsufficientStock, "cart.lines.1")
	if len(errs.All(err)) != 1 || f.jobs(t, "orders.settle") != 0 {
		t.Errorf("refused with %v; %d orders", err, f.jobs(t, "orders.settle"))
	}

	open := func(call string) error { // the first order does not come to closing its cart
		if call == "complete" {
			return errOutage
		}
		return nil
	}
	f.shop.hook(open, nil)
	o := ok(f.Place(as(t, user), in))(t)
	f.shop.hook(func(call string) error { return errors.Join(open(call), gone(call)) }, nil)
	if again := ok(f.Place(as(t, user), in))(t); again.ID != o.ID {
		t.Errorf("another order: %s and %s", o.ID, again.ID)
	}
}
