package e2e

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/services/users"
	"github.com/techmart/techmart/services/viewer"
)

// A shop is backed up while customers order, and comes back on empty servers: what was settled then is
// as it was, what was under way goes on, and the stock is right.
func TestABackupUnderLoadIsRestored(t *testing.T) {
	t.Parallel()
	s := setup(t, func(c *app.Config) { c.CheckoutHold = time.Second })
	camera := s.product("Fjord Camera", "100.00", 500)
	first := s.as(users.Customer)
	settled := first.buy(camera.variantID, 2, "tok_visa")
	eventually(t, "the order is confirmed", func() bool { return first.orderStatus(settled) == "CONFIRMED" })

	// Customers order until the backup is there.
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 6 {
		customer := s.as(users.Customer)
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					id := customer.buy(camera.variantID, 1, "tok_visa")
					for customer.orderStatus(id) == "PENDING" && t.Context().Err() == nil {
						runtime.Gosched()
					}
				}
			}
		})
	}
	dir := filepath.Join(t.TempDir(), "backup")
	err := s.Backup(t.Context(), dir, "test", func(string) {})
	close(stop)
	all.Wait()
	if err != nil {
		t.Fatal(err)
	}

	fresh := config(t)
	fresh.TokenKeys = s.config.TokenKeys // sessions go on
	back := open(t, fresh)
	if err := back.Restore(t.Context(), dir, func(string) {}); err != nil {
		t.Fatal(err)
	}
	back.run(true)
	support := back.as(users.Support)
	if o := support.order(settled); o.Status != "CONFIRMED" || o.Payment == nil || o.Payment.Status != "AUTHORIZED" {
		t.Errorf("the settled order is %+v", o)
	}
	if token := (&client{s: back, token: first.token}).orderStatus(settled); token != "CONFIRMED" {
		t.Errorf("its customer sees %q", token)
	}
	back.audit(support, camera.variantID)

	if err := back.Restore(t.Context(), dir, func(string) {}); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a backup is restored over a shop: %v", err)
	}
}

// audit waits until every order is settled, and checks that what they hold of the stock is what is
// reserved of the only variant, and that each order is paid.
func (s *shop) audit(staff *client, variantID string) {
	s.t.Helper()
	var orders struct {
		Orders struct {
			Nodes []struct {
				ID, Status string
				Lines      []struct{ Quantity, QuantityFulfilled int }
				Payment    *struct{ Status string }
			}
			PageInfo struct {
				HasNextPage bool
				EndCursor   string
			}
		}
	}
	held := 0
	after := ""
	eventually(s.t, "no order is PENDING", func() bool {
		var out struct{ Orders struct{ TotalCount int } }
		staff.must(&out, `{ orders(where: {statuses: [PENDING]}) { totalCount } }`, nil)
		return out.Orders.TotalCount == 0
	})
	for {
		args := `first: 100`
		if after != "" {
			args += `, after: "` + after + `"`
		}
		staff.must(&orders, `{ orders(`+args+`) { nodes { id status lines { quantity quantityFulfilled } payment { status } } pageInfo { hasNextPage endCursor } } }`, nil)
		for _, o := range orders.Orders.Nodes {
			if o.Status != "CONFIRMED" || o.Payment == nil || o.Payment.Status != "AUTHORIZED" {
				s.t.Errorf("order %s is %s, paid %+v", o.ID, o.Status, o.Payment)
			}
			for _, l := range o.Lines {
				held += l.Quantity - l.QuantityFulfilled
			}
		}
		if after = orders.Orders.PageInfo.EndCursor; !orders.Orders.PageInfo.HasNextPage {
			break
		}
	}
	ctx := viewer.NewContext(s.t.Context(), viewer.System)
	wrong, err := s.Services.Products.CheckStock(ctx)
	if err != nil || len(wrong) > 0 {
		s.t.Errorf("the stock: %v, %v", wrong, err)
	}
	var stock struct {
		ProductVariant struct{ InventoryLevels []struct{ Reserved int } }
	}
	// What was held for orders that came after the backup is given back when its time is over.
	eventually(s.t, "what orders hold is what is reserved", func() bool {
		staff.must(&stock, `query($id: ID!) { productVariant(id: $id) { inventoryLevels { reserved } } }`, vars{"id": variantID})
		reserved := 0
		for _, l := range stock.ProductVariant.InventoryLevels {
			reserved += l.Reserved
		}
		return reserved == held
	})
}

// What is damaged is not restored, not even in part.
func TestADamagedBackupIsRefused(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.product("Fjord Camera", "100.00", 5)
	dir := filepath.Join(t.TempDir(), "backup")
	if err := s.Backup(t.Context(), dir, "test", func(string) {}); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), dir, "test", func(string) {}); err == nil {
		t.Error("a backup is written over another one")
	}
	files, err := filepath.Glob(filepath.Join(dir, "catalogue-products*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(files[0], text, 0o600); err != nil {
		t.Fatal(err)
	}
	empty := open(t, config(t))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := empty.Restore(ctx, dir, func(string) {}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged backup: %v", err)
	}
	status, err := empty.MigrationStatus(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range status {
		if m.Applied {
			t.Errorf("%s %s was written", m.Domain, m.Name)
		}
	}
}
