// Package audit reads every store of a shop, the payment provider's books and the e-mails that arrived,
// and says what contradicts the shop's promises: no accepted order is lost or stuck, nothing is oversold,
// nobody is charged twice, the ledger is what the provider did, every order is told of once, nothing
// waits in an outbox, promotions are used as often as they count, and what customers send back is put back into
// stock and paid back once.
//
// It shares no code with the program: it reads the rows and documents themselves.
package audit

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/techmart/techmart/platform/mongodb"
)

// Shop is what is audited. The provider is the sandbox, whose books are read.
type Shop struct {
	PostgresURL string // of all domains
	MongoURL    string // with the database
	Mongo       string // the database
	// Accepted are the orders that customers were told of: none may be missing.
	Accepted []uuid.UUID
	// Mails counts the e-mails that arrived, by delivery; nil where nobody counted.
	Mails map[uuid.UUID]int
	// Doubtful allows e-mails whose worker was lost while it handed them over: the mail server may have them,
	// they are DEAD for staff to decide about, and may have arrived once or not at all.
	Doubtful bool
}

// Report is what was found.
type Report struct {
	Orders, Charges, Emails, Doubtful, Variants int
	// Wrong are the broken promises, in words.
	Wrong []string
}

// String sums up what was read.
func (r *Report) String() string {
	return fmt.Sprintf("%d orders, %d charges, %d e-mails (%d of unknown outcome), %d variants: %d faults",
		r.Orders, r.Charges, r.Emails, r.Doubtful, r.Variants, len(r.Wrong))
}

func (r *Report) blame(format string, args ...any) {
	r.Wrong = append(r.Wrong, fmt.Sprintf(format, args...))
}

// order is what the stores say of an order.
type order struct {
	ID                       uuid.UUID
	Status, Stage            string
	Total                    int64
	CaptureNow               bool
	Owner                    *uuid.UUID // of its saga, for now
	Parcels, Unsettled       int
	ParcelCapture            int64
	Placed, Ended, Confirmed int // lines of the timeline

	lines map[uuid.UUID]*line // by variant
	auths []charge
	mails map[string]int // by kind
}

// line is what an order has of a variant.
type line struct{ quantity, fulfilled int }

// charge is an approved authorization in the provider's books.
type charge struct {
	Key                        string
	Order                      uuid.UUID
	Amount, Captured, Refunded int64
	Voided                     bool
}

// alive tells whether the order stands.
func (o *order) alive() bool {
	switch o.Status {
	case "CONFIRMED", "PARTIALLY_FULFILLED", "FULFILLED", "DELIVERED":
		return true
	}
	return false
}

// Check audits a shop that has come to rest. It fails when something cannot be read.
func Check(ctx context.Context, s Shop) (_ *Report, err error) {
	pool, err := pgxpool.New(ctx, s.PostgresURL)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	client, err := mongo.Connect(options.Client().ApplyURI(s.MongoURL).SetRegistry(mongodb.NewRegistry()))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, client.Disconnect(context.WithoutCancel(ctx))) }()

	r := &Report{}
	orders, err := readOrders(ctx, pool)
	if err != nil {
		return nil, err
	}
	r.Orders = len(orders)
	r.accepted(s.Accepted, orders)
	for _, step := range []func() error{
		func() error { return r.claims(ctx, pool, orders) },
		func() error { return r.charges(ctx, pool, orders) },
		func() error { return r.ledger(ctx, pool) },
		func() error { return r.waiting(ctx, pool) },
		func() error { return r.emails(ctx, pool, s, orders) },
		func() error { return r.promotions(ctx, pool) },
		func() error { return r.returns(ctx, pool, client.Database(s.Mongo)) },
		func() error { return r.stock(ctx, client.Database(s.Mongo), orders) },
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	for _, o := range orders {
		r.order(o)
	}
	sort.Strings(r.Wrong)
	return r, nil
}

// UnderWay says what is under way: orders and parcels that are not settled, calls of the provider without an
// answer, events that are not relayed or not taken in, e-mails that are neither sent nor given up.
func UnderWay(ctx context.Context, pool *pgxpool.Pool) ([]string, error) {
	rows, err := pool.Query(ctx, `SELECT 'order ' || id || ' is ' || status || ' at ' || stage FROM orders.orders WHERE stage NOT IN ('DONE', 'UNDONE') OR status = 'PENDING'
		UNION ALL SELECT 'parcel ' || id || ' is not settled' FROM orders.fulfillments WHERE settled_at IS NULL
		UNION ALL SELECT 'return ' || id || ' is not settled' FROM orders.returns WHERE status = 'RECEIVED' AND problem = ''
		UNION ALL SELECT kind || ' ' || id || ' has no answer' FROM payments.transactions WHERE status = 'PENDING'
		UNION ALL (SELECT 'event ' || type || ' waits' FROM users.outbox LIMIT 5)
		UNION ALL (SELECT 'event ' || type || ' waits' FROM orders.outbox LIMIT 5)
		UNION ALL (SELECT 'event ' || type || ' waits' FROM payments.outbox LIMIT 5)
		UNION ALL (SELECT 'event ' || type || ' waits' FROM notifications.outbox LIMIT 5)
		UNION ALL SELECT 'e-mail ' || id || ' (' || kind || ', attempt ' || attempts || ') is not sent: ' || last_error FROM notifications.deliveries WHERE status = 'PENDING'
		UNION ALL SELECT 'a refund of order ' || p.order_id || ' is not on its timeline' FROM payments.transactions t JOIN payments.payments p ON p.id = t.payment_id
			WHERE t.kind = 'REFUND' AND t.status = 'SUCCEEDED' AND NOT EXISTS (SELECT FROM orders.timeline WHERE order_id = p.order_id AND type = 'PAYMENT_REFUNDED')
		UNION ALL SELECT 'order ' || t.order_id || ' has had ' || t.news || ' news, and its customer was told of fewer' FROM (
			SELECT order_id, count(*) AS news FROM orders.timeline
			WHERE type IN ('ORDER_CONFIRMED', 'ORDER_FAILED', 'ORDER_CANCELLED', 'PARCEL_SHIPPED', 'PAYMENT_REFUNDED',
				'RETURN_REQUESTED', 'RETURN_APPROVED', 'RETURN_REJECTED', 'RETURN_RECEIVED') GROUP BY order_id) t
			LEFT JOIN (SELECT order_id, count(*) AS told FROM notifications.notifications GROUP BY order_id) n USING (order_id)
			WHERE t.news > coalesce(n.told, 0)`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func readOrders(ctx context.Context, pool *pgxpool.Pool) (map[uuid.UUID]*order, error) {
	rows, err := pool.Query(ctx, `SELECT id, status, stage, total, capture_now, CASE WHEN claimed_until > clock_timestamp() THEN claimed_by END,
		(SELECT count(*) FROM orders.fulfillments WHERE order_id = o.id),
		(SELECT count(*) FROM orders.fulfillments WHERE order_id = o.id AND settled_at IS NULL),
		(SELECT coalesce(sum(capture), 0)::bigint FROM orders.fulfillments WHERE order_id = o.id),
		(SELECT count(*) FROM orders.timeline WHERE order_id = o.id AND type = 'ORDER_PLACED'),
		(SELECT count(*) FROM orders.timeline WHERE order_id = o.id AND type IN ('ORDER_FAILED', 'ORDER_CANCELLED', 'ORDER_REFUNDED')),
		(SELECT count(*) FROM orders.timeline WHERE order_id = o.id AND type = 'ORDER_CONFIRMED')
		FROM orders.orders o`)
	if err != nil {
		return nil, err
	}
	orders := make(map[uuid.UUID]*order)
	o := new(order)
	if _, err = pgx.ForEachRow(rows, []any{&o.ID, &o.Status, &o.Stage, &o.Total, &o.CaptureNow, &o.Owner, &o.Parcels, &o.Unsettled,
		&o.ParcelCapture, &o.Placed, &o.Ended, &o.Confirmed}, func() error {
		one := *o
		one.lines, one.mails = make(map[uuid.UUID]*line), make(map[string]int)
		orders[one.ID] = &one
		return nil
	}); err != nil {
		return nil, err
	}
	rows, err = pool.Query(ctx, `SELECT order_id, variant_id, sum(quantity), sum(fulfilled) FROM orders.lines GROUP BY 1, 2`)
	if err != nil {
		return nil, err
	}
	var id, variant uuid.UUID
	var l line
	_, err = pgx.ForEachRow(rows, []any{&id, &variant, &l.quantity, &l.fulfilled}, func() error {
		one := l
		orders[id].lines[variant] = &one
		return nil
	})
	return orders, err
}

// accepted finds lost orders.
func (r *Report) accepted(ids []uuid.UUID, orders map[uuid.UUID]*order) {
	seen := make(map[uuid.UUID]bool, len(ids))
	for _, id := range ids {
		if orders[id] == nil {
			r.blame("order %s was accepted and is lost", id)
		}
		seen[id] = true
	}
}

// lookTime is more than a job takes that finds nothing to do for an order.
const lookTime = 3 * time.Second

// claims checks that no order at rest stays owned by a worker. One may be looking at it just now, as jobs that came while
// another was at work look again later.
func (r *Report) claims(ctx context.Context, pool *pgxpool.Pool, orders map[uuid.UUID]*order) error {
	var owned, owners []uuid.UUID
	for _, o := range orders {
		if o.Owner != nil {
			owned, owners = append(owned, o.ID), append(owners, *o.Owner)
		}
	}
	if len(owned) == 0 {
		return nil
	}
	select {
	case <-time.After(lookTime):
	case <-ctx.Done():
		return ctx.Err()
	}
	rows, err := pool.Query(ctx, `SELECT id FROM orders.orders JOIN unnest($1::uuid[], $2::uuid[]) AS was(id, owner) USING (id)
		WHERE claimed_by = was.owner`, owned, owners)
	if err != nil {
		return err
	}
	kept, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	for _, id := range kept {
		r.blame("order %s is still owned by a worker", id)
	}
	return err
}

// order checks an order by itself.
func (r *Report) order(o *order) {
	if o.Status == "PENDING" || o.Stage != "DONE" && o.Stage != "UNDONE" || o.Unsettled > 0 {
		r.blame("order %s is stuck: %s at %s, %d parcels unsettled", o.ID, o.Status, o.Stage, o.Unsettled)
	}
	ends := 0
	if !o.alive() && o.Status != "PENDING" {
		ends = 1
	}
	confirmed := 0
	if o.alive() || o.Status == "REFUNDED" {
		confirmed = 1
	}
	if o.Placed != 1 || o.Ended != ends || o.Confirmed > 1 || o.Confirmed < confirmed {
		r.blame("the timeline of order %s (%s) says %d times placed, %d times confirmed, %d times ended", o.ID, o.Status, o.Placed, o.Confirmed, o.Ended)
	}
	r.money(o)
}

// money checks what the customer was charged in the provider's books.
func (r *Report) money(o *order) {
	if o.Total == 0 {
		if len(o.auths) > 0 {
			r.blame("order %s costs nothing and was charged", o.ID)
		}
		return
	}
	if len(o.auths) > 1 {
		r.blame("order %s was charged %d times: %+v", o.ID, len(o.auths), o.auths)
	}
	var held, captured, refunded int64
	for _, a := range o.auths {
		captured, refunded = captured+a.Captured, refunded+a.Refunded
		if !a.Voided {
			held += a.Amount
		}
		if a.Voided && a.Captured > 0 || a.Refunded > a.Captured || a.Captured > a.Amount {
			r.blame("the charge of order %s is impossible: %+v", o.ID, a)
		}
	}
	switch {
	case o.alive():
		want := o.ParcelCapture
		if o.CaptureNow {
			want = o.Total
		}
		if held != o.Total || captured != want {
			r.blame("order %s is %s and costs %d: held are %d, captured %d of %d", o.ID, o.Status, o.Total, held, captured, want)
		}
	case captured != refunded:
		r.blame("order %s is %s: captured are %d, paid back %d", o.ID, o.Status, captured, refunded)
	case captured == 0 && held > 0:
		r.blame("order %s is %s: %d are still held of the customer's money", o.ID, o.Status, held)
	}
}
