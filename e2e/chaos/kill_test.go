package chaos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/users"
)

// A path is a way that an order can take through the worker.
type path struct {
	name   string
	token  string
	early  deed     // done before any worker has seen the order
	before []deed   // done with a worker that lives
	act    deed     // done with the worker that will die at one of its calls; nil for the order itself
	after  deed     // done while no worker lives
	ends   []string // statuses that the order may end with
	pieces int      // that are ordered; some when 0
	coupon bool     // the order uses a promotion up
}

// deed is something that somebody does to an order.
type deed func(k *killing, id uuid.UUID) error

func cancel(k *killing, id uuid.UUID) error { return k.customer.cancel(id) }
func send(k *killing, id uuid.UUID) error   { return k.staff.fulfill(id) }
func payBack(k *killing, id uuid.UUID) error {
	return k.staff.refund(id)
}
func nothing(*killing, uuid.UUID) error { return nil }

// paths are those of a shop that captures parcel by parcel.
var paths = []path{
	{name: "success", token: "tok_visa", ends: []string{"CONFIRMED"}},
	{name: "declined", token: "tok_declined", ends: []string{"FAILED"}},
	{name: "provider busy", token: "tok_retry_once", ends: []string{"CONFIRMED"}},
	{name: "answer lost", token: "tok_timeout", ends: []string{"CONFIRMED"}},
	{name: "cancelled before the worker came", token: "tok_visa", early: cancel, ends: []string{"CANCELLED"}},
	{name: "cancelled at any step", token: "tok_visa", after: cancel, ends: []string{"CANCELLED"}},
	{name: "cancelled while declined", token: "tok_declined", after: cancel, ends: []string{"CANCELLED", "FAILED"}},
	{name: "cancelled when confirmed", token: "tok_visa", act: cancel, ends: []string{"CANCELLED"}},
	{name: "sent", token: "tok_visa", act: send, ends: []string{"FULFILLED"}},
	{name: "paid back", token: "tok_visa", before: []deed{send}, act: payBack, ends: []string{"REFUNDED"}},
}

// pathsNow are those of a shop that captures at confirmation.
var pathsNow = []path{
	{name: "success", token: "tok_visa", ends: []string{"CONFIRMED"}},
	{name: "cancelled at any step", token: "tok_visa", after: cancel, ends: []string{"CANCELLED"}},
	{name: "cancelled when captured", token: "tok_visa", act: cancel, ends: []string{"CANCELLED"}},
	{name: "sent", token: "tok_visa", act: send, ends: []string{"FULFILLED"}},
	{name: "paid back before sending", token: "tok_visa", act: payBack, ends: []string{"REFUNDED"}},
}

// pathsUnheld are those of a shop that reserves in the saga only, where an order may come too late.
var pathsUnheld = []path{
	{name: "out of stock", token: "tok_visa", early: nothing, ends: []string{"FAILED", "CONFIRMED"}}, // one of two,
}

// killing is a shop whose workers are killed.
type killing struct {
	*shop
	customer, staff *client
	variant         string
	accepted        []uuid.UUID
	ends            map[uuid.UUID][]string // that each order may have
	what            map[uuid.UUID]string
	coupons         map[uuid.UUID]string // the code that each order used
	random          *rand.Rand
	died            int
}

// Wherever a worker dies, on any path that an order can take, the next one brings the order to its end: stock, charge, ledger
// and e-mails are right.
func TestAWorkerIsKilledAtEveryCall(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		now, hold string
		paths     []path
		some      int // so many of them, drawn by chance, where not every call is tried; 0 for all
	}{
		{name: "capture by parcel", now: "false", hold: "15m", paths: paths},
		{name: "capture at once", now: "true", hold: "15m", paths: pathsNow},
		{name: "reserve in the saga", now: "false", hold: "0s", paths: pathsUnheld},
		{name: "in parts", now: "false", hold: "15m", paths: pathsParts, some: 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k := killingIn(t, settings{"CAPTURE_NOW": tt.now, "CHECKOUT_HOLD": tt.hold})
			draw := k.random.Perm(len(tt.paths))
			if *exhaustive || tt.some == 0 {
				slices.Sort(draw)
			} else {
				draw = draw[:tt.some]
			}
			for _, i := range draw {
				k.try(&tt.paths[i])
			}
			k.resume()
		})
	}
}

// killingIn opens a shop with these settings in which processes are killed.
func killingIn(t *testing.T, with settings) *killing {
	t.Helper()
	set := fresh(t)
	maps.Copy(set, with)
	k := &killing{shop: open(t, set, set, false), ends: make(map[uuid.UUID][]string), what: make(map[uuid.UUID]string), coupons: make(map[uuid.UUID]string)}
	k.random = random(t)
	k.customer, k.staff = k.as(users.Customer), k.as(users.Admin)
	k.variant = k.product("Fjord Camera", 100_000)
	return k
}

// random gives a source of chance, and tells how to repeat it.
func random(t *testing.T) *rand.Rand {
	n := *seed
	if n == 0 {
		n = rand.Uint64()
	}
	t.Logf("repeat with -chaos.seed=%d", n)
	return rand.New(rand.NewPCG(n, 0))
}

const (
	someKills  = 3  // on each path, where not every call is tried
	likelyCall = 60 // most paths have fewer
)

// try kills workers on a path: at every call until the path is through, or at some.
func (k *killing) try(p *path) {
	if *exhaustive {
		for n, through := 1, 0; through < 2 && !k.t.Failed(); n++ {
			if k.once(p, n) {
				through++
			}
		}
		return
	}
	longest := likelyCall
	for range someKills {
		n := 1 + k.random.IntN(longest)
		if k.once(p, n) {
			longest = max(n-1, 1)
		}
	}
}

// once sends an order along the path with a worker that dies at its nth call, and tells whether the path ended before.
func (k *killing) once(p *path, n int) bool {
	k.t.Helper()
	var w *worker
	var id uuid.UUID
	what := fmt.Sprintf("%s, killed at call %d", p.name, n)
	switch {
	case p.early != nil:
		id = k.order(p)
		k.do(what, p.early, id)
		w = k.worker(0, n)
	case p.act == nil:
		w = k.worker(0, 0)
		w.arm(n)
		id = k.order(p)
	default:
		w = k.worker(0, 0)
		id = k.order(p)
		for _, d := range p.before {
			k.settles(id, what)
			k.do(what, d, id)
		}
		k.settles(id, what)
		w.arm(n)
		k.do(what, p.act, id)
	}
	k.ends[id], k.what[id] = p.ends, what
	through := k.await(w, id)
	if through {
		k.t.Logf("%s: it lived through %d calls", what, w.count())
	}
	w.kill()
	if p.after == nil {
		return through
	}
	var no refusal
	switch err := p.after(k, id); {
	case errors.As(err, &no) && slices.Contains(p.ends, "FAILED"): // it was over
	case err != nil:
		k.t.Errorf("%s: afterwards: %v", what, err)
	}
	return through
}

// order places the path's order. Where it is to find no stock, somebody else was faster.
func (k *killing) order(p *path) uuid.UUID {
	k.t.Helper()
	variant, pieces := k.variant, 1+k.random.IntN(3)
	if p.name == "out of stock" {
		variant, pieces = k.product("Last Piece "+uuid.NewString(), 1), 1
		faster := k.as(users.Customer)
		k.ends[k.place(faster, variant, pieces, "tok_visa")] = []string{"CONFIRMED", "FAILED"}
	}
	if p.pieces > 0 {
		pieces = p.pieces
	}
	if p.coupon {
		return k.placeWithCode(variant, pieces, p.token)
	}
	return k.place(k.customer, variant, pieces, p.token)
}

// place orders, and notes that the order was accepted.
func (k *killing) place(c *client, variant string, pieces int, token string) uuid.UUID {
	k.t.Helper()
	id, err := c.buy(variant, pieces, token, uuid.NewString())
	if err != nil {
		k.t.Fatal(err)
	}
	k.accepted = append(k.accepted, id)
	return id
}

func (k *killing) do(what string, d deed, id uuid.UUID) {
	k.t.Helper()
	if err := d(k, id); err != nil {
		k.t.Fatalf("%s: %v", what, err)
	}
}

// settles waits until nothing of an order is under way.
func (k *killing) settles(id uuid.UUID, what string) {
	k.t.Helper()
	k.eventually(30*time.Second, what+": it settles before", func(ctx context.Context) bool { return k.told(ctx, id) })
}

// await waits until the worker dies, or the order is at its end with all e-mails sent, which it tells.
func (k *killing) await(w *worker, id uuid.UUID) (through bool) {
	k.t.Helper()
	k.eventually(time.Minute, k.what[id]+": the worker dies or ends its work", func(ctx context.Context) bool {
		if w.died() {
			return true
		}
		through = k.told(ctx, id)
		return through
	})
	if through = through && !w.died(); !through {
		k.died++
	}
	return through
}

// told tells whether nothing of an order is under way and its customer has got every e-mail.
func (k *killing) told(ctx context.Context, id uuid.UUID) bool {
	var told bool
	err := k.pool.QueryRow(ctx, `SELECT o.stage IN ('DONE', 'UNDONE') AND o.status <> 'PENDING'
		AND NOT EXISTS (SELECT FROM orders.fulfillments WHERE order_id = o.id AND settled_at IS NULL)
		AND NOT EXISTS (SELECT FROM orders.returns WHERE order_id = o.id AND status = 'RECEIVED')
		AND (SELECT count(*) FROM orders.timeline WHERE order_id = o.id AND type = 'PAYMENT_REFUNDED')
			= (SELECT count(*) FROM payments.transactions t JOIN payments.payments p ON p.id = t.payment_id WHERE p.order_id = o.id AND t.kind = 'REFUND')
		AND (SELECT count(*) FROM orders.timeline WHERE order_id = o.id AND type IN ('ORDER_CONFIRMED', 'ORDER_FAILED', 'ORDER_CANCELLED', 'PARCEL_SHIPPED', 'PAYMENT_REFUNDED',
			'RETURN_REQUESTED', 'RETURN_APPROVED', 'RETURN_RECEIVED'))
			<= (SELECT count(*) FROM notifications.deliveries d JOIN notifications.notifications n USING (event_id) WHERE n.order_id = o.id AND d.status = 'SENT')
		FROM orders.orders o WHERE id = $1`, id).Scan(&told)
	return err == nil && told
}

// resume lets a worker that lives bring everything to its end, and audits the shop. The test does not wait for what the dead
// ones still own: its worker's clock is ahead, and orders, which are owned by the database's clock, are given up.
func (k *killing) resume() {
	k.t.Helper()
	if _, err := k.pool.Exec(k.t.Context(), `UPDATE orders.orders SET claimed_until = clock_timestamp() WHERE claimed_until > clock_timestamp()`); err != nil {
		k.t.Fatal(err)
	}
	w := k.worker(10*time.Minute, 0)
	k.rests(5 * time.Minute) // the broker sends what it did not confirm to itself again after three
	w.kill()
	k.audit(k.accepted, true)
	for id, ends := range k.ends {
		var status string
		if err := k.pool.QueryRow(k.t.Context(), `SELECT status FROM orders.orders WHERE id = $1`, id).Scan(&status); err != nil {
			k.t.Errorf("order %s (%s): %v", id, k.what[id], err)
			continue
		}
		if !slices.Contains(ends, status) {
			k.t.Errorf("order %s (%s) ended as %s", id, k.what[id], status)
		}
		if code := k.coupons[id]; code != "" {
			k.used(id, code, status)
		}
	}
	k.t.Logf("%d processes died", k.died)
}
