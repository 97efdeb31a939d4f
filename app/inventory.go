package app

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/techmart/techmart/services/carts"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/products"
)

// stockChecked is how often all stock is checked.
const stockChecked = time.Hour

type stockOrders struct{ s *Services }

var _ products.StockOrders = stockOrders{}

// Over implements products.StockOrders.
func (a stockOrders) Over(ctx context.Context, ids []uuid.UUID) ([]uuid.UUID, error) {
	known, err := a.s.Orders.ByIDs(asProgram(ctx), ids)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id uuid.UUID) bool {
		o := known[id]
		return o != nil && o.Stage != orders.StageUndone
	}), nil
}

type cartStock struct{ s *Services }

var _ carts.Stock = cartStock{}

// Hold implements carts.Stock.
func (a cartStock) Hold(ctx context.Context, cartID uuid.UUID, quantities map[uuid.UUID]int, lasts time.Duration) error {
	lines := make([]products.StockLine, 0, len(quantities))
	for id, n := range quantities {
		lines = append(lines, products.StockLine{VariantID: id, Quantity: n})
	}
	_, err := a.s.Products.HoldForCart(asProgram(ctx), cartID, lines, lasts)
	return err
}

// Held implements carts.Stock.
func (a cartStock) Held(ctx context.Context, cartIDs []uuid.UUID) (map[uuid.UUID]map[uuid.UUID]int, error) {
	return a.s.Products.HeldByCarts(asProgram(ctx), cartIDs)
}

// checkHolds checks the times for which carts hold stock.
func (c Config) checkHolds(f faults) {
	f.check(c.OrderPatience >= 0, "ORDER_PATIENCE is 0 or more")
	f.check(c.CartHold >= 0 && c.CartHold <= 24*time.Hour, "CART_HOLD is from 0 to 24h")
	f.check(c.CheckoutHold >= 0 && c.CheckoutHold <= 24*time.Hour, "CHECKOUT_HOLD is from 0 to 24h")
	f.check(c.CartHold == 0 || c.CheckoutHold > 0, "CART_HOLD needs a CHECKOUT_HOLD, by which an order takes over what its cart holds")
}

// CheckInventory checks all stock, and repairs it on request. It gives what it found before.
func (a *App) CheckInventory(ctx context.Context, repair bool) (products.Audit, error) {
	if repair {
		return a.Services.Products.RepairInventory(asProgram(ctx))
	}
	return a.Services.Products.AuditInventory(asProgram(ctx))
}

// inventoryMetrics shows what the last check of the stock found.
type inventoryMetrics struct {
	drift    prometheus.Gauge
	repaired prometheus.Counter
	pieces   *prometheus.GaugeVec
}

func newInventoryMetrics(registry *prometheus.Registry) inventoryMetrics {
	m := inventoryMetrics{
		drift: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "inventory_drift", Help: "Contradictions in the stock at the last check: anything but 0 is an alarm.",
		}),
		repaired: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "inventory_repairs_total", Help: "Checks of the stock that repaired something.",
		}),
		pieces: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "inventory_pieces", Help: "Pieces of all variants at the last check, by state: on_hand is available and reserved.",
		}, []string{"state"}),
	}
	registry.MustRegister(m.drift, m.repaired, m.pieces)
	return m
}

// auditing is the chore that checks the stock, with its metrics.
func (a *App) auditing() chore {
	m := newInventoryMetrics(a.registry)
	return chore{"check the stock", stockChecked, func(ctx context.Context) error { return a.audit(ctx, m) }}
}

func (a *App) audit(ctx context.Context, m inventoryMetrics) error {
	found, err := a.CheckInventory(ctx, a.config.InventoryRepair)
	if err != nil {
		return err
	}
	m.drift.Set(float64(found.Count))
	for state, n := range map[string]int{"on_hand": found.OnHand, "reserved": found.Reserved, "available": found.Available} {
		m.pieces.WithLabelValues(state).Set(float64(n))
	}
	if found.Count == 0 {
		return nil
	}
	if a.config.InventoryRepair && found.Repairable() {
		m.repaired.Inc()
	}
	return fmt.Errorf("the stock contradicts itself %d times, among them %s: see inventoryAudit", found.Count, found.Drifts[0])
}
