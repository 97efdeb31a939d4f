package mongodb_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/techmart/techmart/devstack/stacktest"
	platform "github.com/techmart/techmart/platform/mongodb"
	"github.com/techmart/techmart/platform/telemetry"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/products/mongodb"
)

var sale = time.Date(2026, 11, 27, 8, 0, 0, 0, time.UTC)

// process is a store of its own on the servers that others use, too, as another process has it.
type process struct {
	*mongodb.Store
	registry *prometheus.Registry
}

// processes opens stores of one database.
func processes(t *testing.T, n int) []*process {
	t.Helper()
	url := stacktest.MongoDB(t)
	list := make([]*process, n)
	for i := range list {
		registry := prometheus.NewRegistry()
		metrics := telemetry.NewMetrics(registry)
		db, disconnect, err := platform.Open(t.Context(), platform.Config{URL: url, Metrics: metrics})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = disconnect(context.Background()) })
		list[i] = &process{mongodb.New(db, mongodb.WithMetrics(metrics)), registry}
	}
	if err := list[0].EnsureIndexes(t.Context()); err != nil {
		t.Fatal(err)
	}
	return list
}

// put adds a variant with pieces at each location.
func (p *process) put(t *testing.T, pieces ...int) uuid.UUID {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	for i, n := range pieces {
		if _, _, err := p.SetOnHand(t.Context(), products.SetOnHand{
			ID: uuid.Must(uuid.NewV7()), VariantID: id, ProductID: uuid.New(), LocationID: products.Locations[i].ID,
			OnHand: n, Reason: products.Received, At: sale,
		}); err != nil {
			t.Fatal(err)
		}
	}
	return id
}

// hold has a cart hold whole lines, after it has looked at the stock as a checkout does.
func (p *process) hold(ctx context.Context, cart uuid.UUID, lines ...products.StockLine) (map[uuid.UUID]int, error) {
	ids := make([]uuid.UUID, len(lines))
	for i, l := range lines {
		ids[i] = l.VariantID
	}
	if _, err := p.Stock(ctx, ids); err != nil {
		return nil, err
	}
	held, _, err := p.Hold(ctx, products.Hold{CartID: cart, Lines: lines, Whole: true, Expires: sale.Add(time.Hour), At: sale})
	return held, err
}

// sound fails where stock contradicts itself, and gives what is reserved in all.
func (p *process) sound(t *testing.T) int {
	t.Helper()
	var audit products.Audit
	if err := p.Audit(t.Context(), &audit); err != nil || audit.Count > 0 {
		t.Errorf("stock is wrong: %v, %v", audit.Drifts, err)
	}
	return audit.Reserved
}

// counted sums a counter up, over what has the label's value.
func (p *process) counted(t *testing.T, name, value string) int {
	t.Helper()
	families, err := p.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == name && l.GetValue() == value {
					sum += int(m.GetCounter().GetValue())
				}
			}
		}
	}
	return sum
}

// Three processes sell ten pieces to a hundred carts that want another article as well: what one has planned is no
// longer so when another has written. Those who hold are told so, and nobody else holds anything.
func TestProcessesSellNothingTwice(t *testing.T) {
	t.Parallel()
	const pieces, carts = 10, 100
	all := processes(t, 3)
	rare, common := all[0].put(t, 4, 6), all[0].put(t, 1000)
	lines := []products.StockLine{{VariantID: rare, Quantity: 1}, {VariantID: common, Quantity: 2}}
	var won, refused atomic.Int32
	var group sync.WaitGroup
	for i := range carts {
		group.Go(func() {
			p, cart, order := all[i%len(all)], uuid.New(), uuid.New()
			held, err := p.hold(t.Context(), cart, lines...)
			if errs.CodeOf(err) == products.InsufficientStock {
				if faults := errs.All(err); len(faults) != 1 || faults[0].Data["variantId"] != rare || faults[0].Data["available"] != 0 {
					t.Errorf("refused with %v", err)
				}
				refused.Add(1)
				return
			}
			if err != nil || held[rare] != 1 || held[common] != 2 {
				t.Errorf("holds %v, %v", held, err)
				return
			}
			won.Add(1)
			for _, other := range []int{i + 1, i + 2} { // the job comes twice
				if _, err := all[other%len(all)].Reserve(t.Context(), order, cart, lines, sale); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if won.Load() != pieces || refused.Load() != carts-pieces {
		t.Errorf("%d hold one of %d pieces, %d were refused", won.Load(), pieces, refused.Load())
	}
	if reserved := all[0].sound(t); reserved != 3*pieces {
		t.Errorf("%d pieces are reserved", reserved)
	}
	if changed, err := all[0].Expire(t.Context(), sale.Add(24*time.Hour), 10); err != nil || len(changed) > 0 {
		t.Errorf("an order's pieces expire: %v, %v", changed, err)
	}
}

// Two hundred carts at one article are few commands.
func TestASaleSharesCommands(t *testing.T) {
	t.Parallel()
	const carts, most = 200, 40
	p := processes(t, 1)[0]
	article := p.put(t, 10)
	before := p.counted(t, "backend_calls_total", "find") + p.counted(t, "backend_calls_total", "update")
	var won atomic.Int32
	var group sync.WaitGroup
	for range carts {
		group.Go(func() {
			if _, err := p.hold(t.Context(), uuid.New(), products.StockLine{VariantID: article, Quantity: 1}); err == nil {
				won.Add(1)
			} else if errs.CodeOf(err) != products.InsufficientStock {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := p.counted(t, "backend_calls_total", "find") + p.counted(t, "backend_calls_total", "update") - before; won.Load() != 10 || n > most {
		t.Errorf("%d of 10 pieces were sold, with %d commands", won.Load(), n)
	}
	p.sound(t)
}

// A cart that checks out again holds what it has now, and nothing else; twice at once is once.
func TestCartsCheckOutAgain(t *testing.T) {
	t.Parallel()
	p := processes(t, 1)[0]
	first, second, third := p.put(t, 5, 5), p.put(t, 5, 5), p.put(t, 5, 5)
	cart := uuid.New()
	for _, lines := range [][]products.StockLine{
		{{VariantID: first, Quantity: 7}}, // over both locations
		{{VariantID: first, Quantity: 7}},
		{{VariantID: first, Quantity: 2}, {VariantID: second, Quantity: 1}},
		{{VariantID: third, Quantity: 10}},
	} {
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				if _, err := p.hold(t.Context(), cart, lines...); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		want := 0
		for _, l := range lines {
			want += l.Quantity
		}
		held, err := p.Held(t.Context(), []uuid.UUID{cart})
		if err != nil || len(held[cart]) != len(lines) || p.sound(t) != want {
			t.Errorf("after %v the cart holds %v, %v", lines, held[cart], err)
		}
	}
}

// Orders are released while they take over what their carts hold: none of them keeps anything.
func TestReleasedOrdersTakeNothingOver(t *testing.T) {
	t.Parallel()
	all := processes(t, 2)
	article := all[0].put(t, 100, 100)
	lines := []products.StockLine{{VariantID: article, Quantity: 3}}
	var group sync.WaitGroup
	for i := range 40 {
		group.Go(func() {
			cart, order := uuid.New(), uuid.New()
			if _, err := all[0].hold(t.Context(), cart, lines...); err != nil {
				t.Error(err)
			}
			var both sync.WaitGroup
			release := func() {
				if _, err := all[1].Release(t.Context(), order, sale); err != nil {
					t.Error(err)
				}
			}
			late := i%2 == 0
			if late {
				release()
			} else {
				both.Go(release)
			}
			_, err := all[0].Reserve(t.Context(), order, cart, lines, sale)
			both.Wait()
			if errs.CodeOf(err) != errs.InvalidState && (late || err != nil) {
				t.Errorf("an order that is released reserves: %v", err)
			}
		})
	}
	group.Wait()
	if holders, err := all[0].Holders(t.Context(), uuid.Nil, 100); err != nil || len(holders) > 0 {
		t.Errorf("%d released orders hold stock, %v", len(holders), err)
	}
	if _, err := all[0].Expire(t.Context(), sale.Add(2*time.Hour), 10); err != nil {
		t.Error(err)
	}
	if reserved := all[0].sound(t); reserved != 0 {
		t.Errorf("%d pieces are left reserved", reserved)
	}
}
