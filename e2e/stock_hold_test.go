package e2e

import (
	"testing"
	"time"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/users"
)

const cartWarnings = `{ cart { warnings { code } lines { quantity } } }`

// stockFrame is an event of followStock.
type stockFrame struct {
	StockChanged struct {
		QuantityAvailable int
		Available         bool
	}
}

// In a shop whose carts hold stock, who puts the last pieces into the cart is who can order them; when the
// cart is left alone they come back, and those who watch are told both times.
func TestCartsHoldStock(t *testing.T) {
	t.Parallel()
	s := setup(t, cheapPasswords, func(c *app.Config) { c.CartHold = time.Hour })
	hasty := s.config
	hasty.CartHold = time.Second
	other := open(t, hasty)
	other.run(false)
	lens := s.product("Fjord Lens", "50.00", 3)
	sig := s.signals()
	watch := s.anonymous().serverSentEvents(followStock, vars{"id": lens.variantID})
	sig.listened("stock:"+bare(t, model.PrefixVariant, lens.variantID), true)
	told := func(want int) {
		t.Helper()
		for got := -1; got != want; {
			var f stockFrame
			watch.read(&f)
			if got = f.StockChanged.QuantityAvailable; f.StockChanged.Available != (got > 0) {
				t.Errorf("told of %+v", f)
			}
		}
	}

	ada, bob := s.as(users.Customer), s.as(users.Customer)
	line := vars{"lines": []vars{{"variantId": lens.variantID, "quantity": 3}}}
	ada.change("cartLinesAdd", "CartLinesAddInput", line)
	told(0)
	bob.change("cartLinesAdd", "CartLinesAddInput", line)
	warned := func(c *client) int {
		var out struct {
			Cart struct{ Warnings []struct{ Code string } }
		}
		c.must(&out, cartWarnings, nil)
		return len(out.Cart.Warnings)
	}
	if a, b := warned(ada), warned(bob); a != 0 || b != 1 {
		t.Errorf("who holds the pieces is warned %d times, who does not %d times", a, b)
	}
	if e := bob.refusedOrder(); len(e) != 1 || e[0].Code != "INSUFFICIENT_STOCK" {
		t.Errorf("who holds nothing is told %+v", e)
	}
	id := ada.placeOrder("tok_visa")
	eventually(t, "the order is confirmed", func() bool { return ada.orderStatus(id) == "CONFIRMED" })
	if a := s.as(users.Support).inventoryAudit(); a.DriftCount != 0 || a.ReservationCount != 1 || a.Reserved != 3 {
		t.Errorf("after the order took over what its cart held: %+v", a)
	}

	ada.change("orderCancel", "OrderCancelInput", vars{"id": id})
	told(3)
	carol := s.as(users.Customer)
	carol.at(other).change("cartLinesAdd", "CartLinesAddInput", line)
	told(0)
	told(3) // she leaves it alone
	if n := s.available(lens.variantID); n != 3 {
		t.Errorf("%d pieces came back", n)
	}
	s.stockIsSound()
}

// refusedOrder tries to order what is in the cart, and gives why it cannot.
func (c *client) refusedOrder() []userError {
	c.s.t.Helper()
	var out struct {
		OrderPlace struct{ UserErrors []userError }
	}
	c.must(&out, placeInRace, nil)
	return out.OrderPlace.UserErrors
}
