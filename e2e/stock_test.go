package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/users"
	"github.com/techmart/techmart/services/viewer"
)

const placeInRace = `mutation { orderPlace(input: {paymentToken: "tok_visa", shippingAddress: {recipient: "Ada", line1: "Ackerstr. 1", postalCode: "10115", city: "Berlin", countryCode: "DE"}}) {
	order { id } userErrors { code field ... on InsufficientStockError { variantId available } } } }`

// placed is what orderPlace answered in a race.
type placed struct {
	OrderPlace struct {
		Order      *struct{ ID string }
		UserErrors []struct {
			Code      string
			VariantID string
			Available int
		}
	}
}

// crowd gives customers, all with an account and a session of their own.
func (s *shop) crowd(n int) []*client {
	s.t.Helper()
	hash, err := s.Services.Users.HashPassword(s.t.Context(), password)
	if err != nil {
		s.t.Fatal(err)
	}
	accounts := make([]users.NewAccount, n)
	for i := range accounts {
		accounts[i] = users.NewAccount{Email: fmt.Sprintf("racer-%d@example.com", i), DisplayName: "Racer", PasswordHash: hash, Roles: []users.Role{users.Customer}, Verified: true}
	}
	if _, err := s.Services.Users.ImportAccounts(s.t.Context(), accounts); err != nil {
		s.t.Fatal(err)
	}
	people := make([]*client, n)
	for i, a := range accounts {
		people[i] = s.signIn(a.Email, password)
	}
	return people
}

// stockIn changes what lies at the first location.
func (s *shop) stockIn(variantID string, expected, onHand int) {
	s.t.Helper()
	s.adjust(variantID, 0, expected, onHand)
}

// placeInRace orders what is in the cart. A crowd on a small machine may be asked to come again, which a key makes safe.
func (c *client) placeInRace(into *placed) error {
	const most = 10
	key := uuid.NewString()
	for try := 1; ; try++ {
		a, err := c.post(placeInRace, nil, "Idempotency-Key", key)
		switch {
		case err != nil:
			return err
		case (a.Status == http.StatusServiceUnavailable || a.code() == "UNAVAILABLE") && try < most:
			continue
		case a.Status != http.StatusOK || len(a.Errors) > 0:
			return fmt.Errorf("status %d, %v", a.Status, a.Errors)
		}
		return json.Unmarshal(a.Data, into)
	}
}

// stockAt puts pieces of a variant on the shelf of a location that has none yet.
func (s *shop) stockAt(variantID string, location, onHand int) {
	s.t.Helper()
	s.adjust(variantID, location, 0, onHand)
}

func (s *shop) adjust(variantID string, location, expected, onHand int) {
	s.t.Helper()
	_, _, err := s.Services.Products.AdjustInventory(viewer.NewContext(s.t.Context(), viewer.System), products.AdjustInput{
		VariantID: uuid.MustParse(bare(s.t, model.PrefixVariant, variantID)), LocationID: products.Locations[location].ID, ExpectedOnHand: expected, OnHand: onHand, Reason: products.Received,
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// stockIsSound fails the test where stock contradicts itself.
func (s *shop) stockIsSound() {
	s.t.Helper()
	wrong, err := s.Services.Products.CheckStock(viewer.NewContext(s.t.Context(), viewer.System))
	if err != nil || len(wrong) > 0 {
		s.t.Errorf("stock is wrong: %v, %v", wrong, err)
	}
}

// cheapPasswords makes signing in cost next to nothing.
func cheapPasswords(c *app.Config) { c.PasswordMemoryKiB, c.PasswordIterations = 8, 1 }

// Two hundred customers want one of ten pieces, which lie at two places, and a bag with it, of which there
// are many. Ten get both; all others hear that it is gone, pay nothing and keep no bag from anyone.
func TestTwoHundredCustomersForTenPieces(t *testing.T) {
	t.Parallel()
	const crowd, pieces, bags = 200, 10, 1000
	s := setup(t, cheapPasswords)
	lens, bag := s.product("Last Lens", "100.00", 6), s.product("Lens Bag", "10.00", bags)
	s.stockAt(lens.variantID, 1, pieces-6)
	people, support := s.crowd(crowd), s.as(users.Support)

	answers := make([]placed, crowd)
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i, c := range people {
		ready.Add(1)
		done.Go(func() {
			a, err := c.post(`mutation($input: CartLinesAddInput!) { cartLinesAdd(input: $input) { userErrors { code } } }`, vars{"input": vars{"lines": []vars{
				{"variantId": bag.variantID, "quantity": 1}, {"variantId": lens.variantID, "quantity": 1},
			}}})
			ready.Done()
			if err != nil || len(a.Errors) > 0 {
				t.Errorf("filling the cart: %v, %v", err, a.Errors)
				return
			}
			<-start
			if err := c.placeInRace(&answers[i]); err != nil {
				t.Errorf("ordering: %v", err)
			}
		})
	}
	ready.Wait()
	close(start)
	done.Wait()

	won, refused := 0, 0
	for i, a := range answers {
		if a.OrderPlace.Order == nil {
			e := a.OrderPlace.UserErrors
			if len(e) != 1 || e[0].Code != "INSUFFICIENT_STOCK" || e[0].VariantID != lens.variantID || e[0].Available != 0 {
				t.Errorf("refused with %+v", e)
			}
			refused++
			continue
		}
		won++
		id := a.OrderPlace.Order.ID
		eventually(t, "an order is confirmed", func() bool { return people[i].orderStatus(id) == "CONFIRMED" })
		if o := support.order(id); o.Payment == nil || o.Payment.AuthorizedAmount.Amount != o.Total.Amount {
			t.Errorf("the order is paid by %+v", o.Payment)
		}
	}
	if won != pieces || refused != crowd-pieces {
		t.Errorf("%d orders, %d refused; want %d and %d", won, refused, pieces, crowd-pieces)
	}
	if lenses, rest := s.available(lens.variantID), s.available(bag.variantID); lenses != 0 || rest != bags-pieces {
		t.Errorf("%d pieces and %d bags are left", lenses, rest)
	}
	s.stockIsSound()
	var charged struct{ Payments struct{ TotalCount int } }
	support.must(&charged, `{ payments(first: 1) { totalCount } }`, nil)
	if charged.Payments.TotalCount != pieces {
		t.Errorf("%d customers were asked for money", charged.Payments.TotalCount)
	}
}

// inventoryAudit is what staff see of a check of all stock.
type inventoryAudit struct {
	VariantCount, ReservationCount, OnHand, Reserved, Available, DriftCount int
	Drifts                                                                  []struct {
		Kind       string
		Repairable bool
		HolderID   string
		Variant    *struct{ ID string }
	}
}

func (c *client) inventoryAudit() inventoryAudit {
	c.s.t.Helper()
	var out struct{ InventoryAudit inventoryAudit }
	c.must(&out, `{ inventoryAudit { checkedAt variantCount reservationCount onHand reserved available driftCount drifts { kind repairable holderId noted actual variant { id } location { code } } } }`, nil)
	return out.InventoryAudit
}

// Pieces that are held for no order are found by staff, raise the alarm, and are given back by the check of
// another process that may repair; those of orders stay.
func TestTheStockIsCheckedAndRepaired(t *testing.T) {
	t.Parallel()
	s := setup(t, func(c *app.Config) { c.InventoryRepair = false })
	lens := s.product("Fjord Lens", "100.00", 9)
	customer, staff := s.as(users.Customer), s.as(users.CatalogManager)
	id := customer.buy(lens.variantID, 2, "tok_visa")
	eventually(t, "the order is confirmed", func() bool { return customer.orderStatus(id) == "CONFIRMED" })
	sound := inventoryAudit{VariantCount: 1, ReservationCount: 1, OnHand: 9, Reserved: 2, Available: 7}
	if a := staff.inventoryAudit(); fmt.Sprint(a) != fmt.Sprint(sound) {
		t.Errorf("sound stock shows %+v", a)
	}

	program := viewer.NewContext(t.Context(), viewer.System)
	nobody := uuid.Must(uuid.NewV7())
	err := s.Services.Products.Reserve(program, nobody, []products.StockLine{{VariantID: uuid.MustParse(bare(t, model.PrefixVariant, lens.variantID)), Quantity: 3}})
	if err != nil {
		t.Fatal(err)
	}
	a := staff.inventoryAudit()
	if a.DriftCount != 1 || a.Drifts[0].Kind != "ORPHANED" || !a.Drifts[0].Repairable || a.Drifts[0].HolderID != model.ID(model.PrefixOrder, nobody) || a.Reserved != 5 {
		t.Errorf("pieces of no order show %+v", a)
	}
	if found, err := s.CheckInventory(t.Context(), false); err != nil || found.Count != 1 || s.available(lens.variantID) != 4 {
		t.Errorf("a check that may not repair gives %+v, %v", found, err)
	}

	other := s.config
	other.InventoryRepair = true
	repairing := open(t, other)
	repairing.run(true)
	eventually(t, "the other process repairs", func() bool {
		return strings.Contains(repairing.page("/metrics"), "inventory_repairs_total 1")
	})
	metrics := repairing.page("/metrics")
	if !strings.Contains(metrics, "inventory_drift 1") || !strings.Contains(metrics, `inventory_pieces{state="on_hand"} 9`) {
		t.Error("the metrics raise no alarm")
	}
	if a := staff.inventoryAudit(); fmt.Sprint(a) != fmt.Sprint(sound) {
		t.Errorf("repaired stock shows %+v", a)
	}
	if n := s.available(lens.variantID); n != 7 {
		t.Errorf("%d are available", n)
	}
}

// A variant of which more may be ordered than there is: the order is confirmed, and can be sent when the goods are in.
func TestBackOrders(t *testing.T) {
	t.Parallel()
	s := setup(t, cheapPasswords)
	lens := s.product("Fjord Lens", "50.00", 1)
	customer, staff := s.as(users.Customer), s.as(users.CatalogManager)
	policy := func(policy string) {
		t.Helper()
		staff.change("inventoryPolicySet", "InventoryPolicySetInput", vars{"variantId": lens.variantID, "policy": policy})
	}
	policy("CONTINUE")
	id := customer.buy(lens.variantID, 3, "tok_visa")
	eventually(t, "the back order is confirmed", func() bool { return customer.orderStatus(id) == "CONFIRMED" })
	var out struct {
		ProductVariant struct {
			InventoryPolicy   string
			Available         bool
			QuantityAvailable int
			InventoryLevels   []struct{ OnHand, Reserved, Available int }
		}
	}
	staff.must(&out, `query($id: ID!) { productVariant(id: $id) { inventoryPolicy available quantityAvailable inventoryLevels { onHand reserved available } } }`, vars{"id": lens.variantID})
	if v := out.ProductVariant; v.InventoryPolicy != "CONTINUE" || !v.Available || v.QuantityAvailable != 0 || fmt.Sprint(v.InventoryLevels) != "[{1 3 -2}]" {
		t.Errorf("with a back order there is %+v", v)
	}
	s.stockIsSound()

	s.stockIn(lens.variantID, 1, 5)
	s.as(users.Support).change("orderFulfill", "OrderFulfillInput", vars{"orderId": id})
	eventually(t, "the goods leave the shelf", func() bool { return s.available(lens.variantID) == 2 && staff.inventoryAudit().OnHand == 2 })
	policy("DENY")
	customer.change("cartLinesAdd", "CartLinesAddInput", vars{"lines": []vars{{"variantId": lens.variantID, "quantity": 3}}})
	if e := customer.refusedOrder(); len(e) != 1 || e[0].Code != "INSUFFICIENT_STOCK" {
		t.Errorf("without back orders it answers %+v", e)
	}
	s.stockIsSound()
}
