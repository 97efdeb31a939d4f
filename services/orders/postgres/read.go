package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/page"
)

const (
	orderByID     = `SELECT ` + orderColumns + ` FROM orders.orders o WHERE o.id = $1 AND ($2 OR o.customer_id = $3)`
	ordersByID    = `SELECT ` + orderColumns + ` FROM orders.orders o WHERE o.id = ANY($1) AND ($2 OR o.customer_id = $3)`
	orderByNumber = `SELECT ` + orderColumns + ` FROM orders.orders o WHERE o.number = $1`
	orderByCart   = `SELECT ` + orderColumns + ` FROM orders.orders o WHERE o.cart_id = $1`
	linesOfOrders = `SELECT ` + lineColumns + ` FROM orders.orders o JOIN orders.lines l ON l.order_id = o.id
WHERE o.id = ANY($1) AND ($2 OR o.customer_id = $3) ORDER BY l.order_id, l.position`
	parcelsOfOrders = `SELECT ` + fulfillmentColumns + ` FROM orders.orders o JOIN orders.fulfillments f ON f.order_id = o.id
WHERE o.id = ANY($1) AND ($2 OR o.customer_id = $3) ORDER BY f.order_id, f.position`
	parcelsByID = `SELECT ` + fulfillmentColumns + ` FROM orders.fulfillments f JOIN orders.orders o ON o.id = f.order_id
WHERE f.id = ANY($1) AND ($2 OR o.customer_id = $3)`
	timelineForward = `SELECT e.order_id, e.position, e.id, e.type, e.message, e.created_at FROM orders.orders o CROSS JOIN LATERAL (
	SELECT * FROM orders.timeline t WHERE t.order_id = o.id AND t.position > $4 ORDER BY t.position LIMIT $5) e
WHERE o.id = ANY($1) AND ($2 OR o.customer_id = $3) ORDER BY e.order_id, e.position`
	timelineBackward = `SELECT e.order_id, e.position, e.id, e.type, e.message, e.created_at FROM orders.orders o CROSS JOIN LATERAL (
	SELECT * FROM orders.timeline t WHERE t.order_id = o.id AND t.position < $4 ORDER BY t.position DESC LIMIT $5) e
WHERE o.id = ANY($1) AND ($2 OR o.customer_id = $3) ORDER BY e.order_id, e.position DESC`
	hasBought = `SELECT EXISTS (SELECT FROM orders.orders o WHERE o.customer_id = $1 AND o.status = ANY($3)
	AND EXISTS (SELECT FROM orders.lines l WHERE l.order_id = o.id AND l.product_id = $2))`
	stuckOrders = `SELECT id FROM orders.orders WHERE stage NOT IN ('DONE', 'UNDONE') AND updated_at < $1
	AND (claimed_until IS NULL OR claimed_until < clock_timestamp()) ORDER BY updated_at, id LIMIT $2`
	stuckParcels = `SELECT order_id, id FROM orders.fulfillments WHERE settled_at IS NULL AND created_at < $1 ORDER BY created_at, id LIMIT $2`
	purgeKeys    = `DELETE FROM orders.idempotency_keys WHERE ctid IN (
	SELECT ctid FROM orders.idempotency_keys WHERE created_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`
	purgeClaims = `DELETE FROM orders.claims WHERE until < clock_timestamp()`
	purgeEvents = `DELETE FROM orders.consumed_events WHERE ctid IN (
	SELECT ctid FROM orders.consumed_events WHERE consumed_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`
)

// ByIDs implements orders.Store.
func (s *Store) ByIDs(ctx context.Context, ids []uuid.UUID, who orders.Audience) ([]*orders.Order, error) {
	if len(ids) == 1 { // as most are
		o, err := s.reading.Do(ctx, lookup{ids[0], who})
		if o == nil || err != nil {
			return nil, err
		}
		return []*orders.Order{o}, nil
	}
	return collect(ctx, s, rowToOrder, ordersByID, ids, who.Everybody, who.Customer)
}

// lookup asks for an order.
type lookup struct {
	id  uuid.UUID
	who orders.Audience
}

func (s *Store) readOne(ctx context.Context, l lookup) (*orders.Order, error) {
	found, err := collect(ctx, s, rowToOrder, orderByID, l.id, l.who.Everybody, l.who.Customer)
	if len(found) == 0 || err != nil {
		return nil, err
	}
	return found[0], nil
}

// readMany reads orders for many at once: of news that come together, each subscriber reads an order of its own.
func (s *Store) readMany(ctx context.Context, list []lookup) ([]postgres.Result[*orders.Order], error) {
	ids := make([]uuid.UUID, len(list))
	for i, l := range list {
		ids[i] = l.id
	}
	found := make(map[uuid.UUID]*orders.Order, len(list))
	err := postgres.SendSteadily(ctx, s.pool, func(b *pgx.Batch) {
		b.Queue(ordersByID, ids, true, uuid.Nil).Query(func(rows pgx.Rows) error {
			all, err := pgx.CollectRows(rows, rowToOrder)
			for _, o := range all {
				found[o.ID] = o
			}
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	results := make([]postgres.Result[*orders.Order], len(list))
	for i, l := range list {
		if o := found[l.id]; o != nil && (l.who.Everybody || o.CustomerID == l.who.Customer) {
			own := *o
			results[i].Value = &own
		}
	}
	return results, nil
}

// ByNumber implements orders.Store.
func (s *Store) ByNumber(ctx context.Context, number string) (*orders.Order, error) {
	return first(collect(ctx, s, rowToOrder, orderByNumber, number))
}

// ByCart implements orders.Store.
func (s *Store) ByCart(ctx context.Context, cartID uuid.UUID) (*orders.Order, error) {
	return first(collect(ctx, s, rowToOrder, orderByCart, cartID))
}

func collect[T any](ctx context.Context, s *Store, scan pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

func first(list []*orders.Order, err error) (*orders.Order, error) {
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, orders.NotFound()
	}
	return list[0], nil
}

// conditions are the parts of a WHERE clause with their arguments.
type conditions struct {
	parts []string
	args  []any
}

// add adds a condition; each %s in it stands for the next of the values.
func (c *conditions) add(text string, values ...any) {
	marks := make([]any, len(values))
	for i, v := range values {
		c.args = append(c.args, v)
		marks[i] = "$" + strconv.Itoa(len(c.args))
	}
	c.parts = append(c.parts, fmt.Sprintf(text, marks...))
}

// arg adds an argument and gives its mark.
func (c *conditions) arg(v any) string {
	c.args = append(c.args, v)
	return "$" + strconv.Itoa(len(c.args))
}

func (c *conditions) where() string {
	if len(c.parts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.parts, " AND ")
}

// filter adds the conditions of f to those of o.
func (c *conditions) filter(f orders.Filter) {
	switch statuses := f.Statuses.List(); len(statuses) {
	case 0:
	case 1:
		c.add("o.status = %s", statuses[0])
	default:
		texts := make([]string, len(statuses))
		for i, s := range statuses {
			texts[i] = string(s)
		}
		c.add("o.status = ANY(%s::text[])", texts)
	}
	if f.CustomerID != uuid.Nil {
		c.add("o.customer_id = %s", f.CustomerID)
	}
	if !f.PlacedFrom.IsZero() {
		c.add("o.placed_at >= %s", f.PlacedFrom)
	}
	if !f.PlacedBefore.IsZero() {
		c.add("o.placed_at < %s", f.PlacedBefore)
	}
	if f.MinTotal.Set {
		c.add("o.total >= %s", f.MinTotal.Value)
	}
	if f.MaxTotal.Set {
		c.add("o.total <= %s", f.MaxTotal.Value)
	}
	if text := strings.TrimSpace(f.Search); text != "" {
		// Ranges in byte order, which the indexes have, say "starts with".
		number, email := strings.ToUpper(text), strings.ToLower(text)
		const last = "\U0010FFFF"
		c.add(`(o.number >= %s AND o.number < %s OR lower(o.email) COLLATE "C" >= %s AND lower(o.email) COLLATE "C" < %s)`,
			number, number+last, email, email+last)
	}
}

var sortColumns = map[orders.SortField]string{
	orders.ByPlacedAt: "o.placed_at", orders.ByUpdatedAt: "o.updated_at", orders.ByTotal: "o.total",
}

// keyset adds the condition that rows lie behind the request's key, and gives the ORDER BY in reading direction.
func (c *conditions) keyset(s orders.Sort, r page.Request) (string, error) {
	column, comparison, direction := sortColumns[s.Field], ">", "ASC"
	if s.Ascending == r.Backward {
		comparison, direction = "<", "DESC"
	}
	if r.From != nil {
		value, id, err := parseKey(s, r.From)
		if err != nil {
			return "", err
		}
		c.add("("+column+", o.id) "+comparison+" (%s, %s)", value, id)
	}
	return " ORDER BY " + column + " " + direction + ", o.id " + direction, nil
}

func parseKey(s orders.Sort, k page.Key) (value any, id uuid.UUID, err error) {
	if len(k) != 2 {
		return nil, id, errs.New(errs.CursorMismatch, "This cursor was not made by this list.")
	}
	if s.Field == orders.ByTotal {
		value, err = strconv.ParseInt(k[0], 10, 64)
	} else {
		value, err = time.Parse(time.RFC3339Nano, k[0])
	}
	if err == nil {
		id, err = uuid.Parse(k[1])
	}
	if err != nil {
		return nil, id, errs.New(errs.CursorMismatch, "This cursor was not made by this list.")
	}
	return value, id, nil
}

// listSQL gives the statement of List.
func listSQL(f orders.Filter, sort orders.Sort, r page.Request) (string, []any, error) {
	var c conditions
	c.filter(f)
	order, err := c.keyset(sort, r)
	if err != nil {
		return "", nil, err
	}
	where := c.where()
	return `SELECT ` + orderColumns + ` FROM orders.orders o` + where + order + ` LIMIT ` + c.arg(r.Limit+1), c.args, nil
}

// List implements orders.Store.
func (s *Store) List(ctx context.Context, f orders.Filter, sort orders.Sort, r page.Request) (page.Page[*orders.Order], error) {
	sql, args, err := listSQL(f, sort, r)
	if err != nil {
		return page.Page[*orders.Order]{}, err
	}
	list, err := collect(ctx, s, rowToOrder, sql, args...)
	return page.Trim(list, r), err
}

// Count implements orders.Store.
func (s *Store) Count(ctx context.Context, f orders.Filter) (int, error) {
	var c conditions
	c.filter(f)
	var n int
	err := s.pool.QueryRow(ctx, `SELECT count(*) FROM orders.orders o`+c.where(), c.args...).Scan(&n)
	return n, err
}

// historySQL gives the statement of ListByCustomers.
func historySQL(customers []uuid.UUID, f orders.Filter, r page.Request) (string, []any, error) {
	var c conditions
	all := c.arg(customers)
	f.CustomerID = uuid.Nil
	c.add("o.customer_id = customer.id")
	c.filter(f)
	order, err := c.keyset(orders.Sort{Field: orders.ByPlacedAt}, r)
	if err != nil {
		return "", nil, err
	}
	where := c.where()
	return `SELECT o.* FROM unnest(` + all + `::uuid[]) AS customer(id) CROSS JOIN LATERAL (
	SELECT ` + orderColumns + ` FROM orders.orders o` + where + order + ` LIMIT ` + c.arg(r.Limit+1) + `) o` + order, c.args, nil
}

// ListByCustomers implements orders.Store.
func (s *Store) ListByCustomers(ctx context.Context, customers []uuid.UUID, f orders.Filter, r page.Request) (map[uuid.UUID]page.Page[*orders.Order], error) {
	sql, args, err := historySQL(customers, f, r)
	if err != nil {
		return nil, err
	}
	list, err := collect(ctx, s, rowToOrder, sql, args...)
	if err != nil {
		return nil, err
	}
	return pages(list, func(o *orders.Order) uuid.UUID { return o.CustomerID }, r), nil
}

// pages divides rows in reading direction into a page for each parent.
func pages[T any](list []T, parent func(T) uuid.UUID, r page.Request) map[uuid.UUID]page.Page[T] {
	rows := group(list, parent)
	result := make(map[uuid.UUID]page.Page[T], len(rows))
	for id, of := range rows {
		result[id] = page.Trim(of, r)
	}
	return result
}

func group[T any](list []T, parent func(T) uuid.UUID) map[uuid.UUID][]T {
	groups := make(map[uuid.UUID][]T)
	for _, item := range list {
		groups[parent(item)] = append(groups[parent(item)], item)
	}
	return groups
}

// CountByCustomers implements orders.Store.
func (s *Store) CountByCustomers(ctx context.Context, customers []uuid.UUID, f orders.Filter) (map[uuid.UUID]int, error) {
	var c conditions
	f.CustomerID = uuid.Nil
	c.add("o.customer_id = ANY(%s::uuid[])", customers)
	c.filter(f)
	rows, err := s.pool.Query(ctx, `SELECT o.customer_id, count(*) FROM orders.orders o`+c.where()+` GROUP BY o.customer_id`, c.args...)
	if err != nil {
		return nil, err
	}
	counts := make(map[uuid.UUID]int)
	var (
		id uuid.UUID
		n  int
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &n}, func() error {
		counts[id] = n
		return nil
	})
	return counts, err
}

// Lines implements orders.Store.
func (s *Store) Lines(ctx context.Context, orderIDs []uuid.UUID, who orders.Audience) (map[uuid.UUID][]*orders.Line, error) {
	list, err := collect(ctx, s, rowToLine, linesOfOrders, orderIDs, who.Everybody, who.Customer)
	return group(list, func(l *orders.Line) uuid.UUID { return l.OrderID }), err
}

// Fulfillments implements orders.Store.
func (s *Store) Fulfillments(ctx context.Context, orderIDs []uuid.UUID, who orders.Audience) (map[uuid.UUID][]*orders.Fulfillment, error) {
	list, err := collect(ctx, s, rowToFulfillment, parcelsOfOrders, orderIDs, who.Everybody, who.Customer)
	return group(list, func(f *orders.Fulfillment) uuid.UUID { return f.OrderID }), err
}

// FulfillmentsByIDs implements orders.Store.
func (s *Store) FulfillmentsByIDs(ctx context.Context, ids []uuid.UUID, who orders.Audience) ([]*orders.Fulfillment, error) {
	return collect(ctx, s, rowToFulfillment, parcelsByID, ids, who.Everybody, who.Customer)
}

// Timeline implements orders.Store.
func (s *Store) Timeline(ctx context.Context, orderIDs []uuid.UUID, who orders.Audience, r page.Request) (map[uuid.UUID]page.Page[*orders.Entry], error) {
	sql, from := timelineForward, int64(0)
	if r.Backward {
		sql, from = timelineBackward, int64(1)<<62
	}
	if r.From != nil {
		var err error
		if from, err = strconv.ParseInt(r.From[0], 10, 64); err != nil {
			return nil, errs.New(errs.CursorMismatch, "This cursor was not made by this list.")
		}
	}
	list, err := collect(ctx, s, func(row pgx.CollectableRow) (*orders.Entry, error) {
		var e orders.Entry
		err := row.Scan(&e.OrderID, &e.Position, &e.ID, &e.Type, &e.Message, &e.CreatedAt)
		e.CreatedAt = e.CreatedAt.UTC()
		return &e, err
	}, sql, orderIDs, who.Everybody, who.Customer, from, r.Limit+1)
	if err != nil {
		return nil, err
	}
	return pages(list, func(e *orders.Entry) uuid.UUID { return e.OrderID }, r), nil
}

// HasBought implements orders.Store.
func (s *Store) HasBought(ctx context.Context, customerID, productID uuid.UUID, statuses []orders.Status) (bool, error) {
	var has bool
	err := s.pool.QueryRow(ctx, hasBought, customerID, productID, statuses).Scan(&has)
	return has, err
}

// Stuck implements orders.Store.
func (s *Store) Stuck(ctx context.Context, before time.Time, limit int) (orders.Stuck, error) {
	ids, err := collect(ctx, s, pgx.RowTo[uuid.UUID], stuckOrders, before, limit)
	if err != nil {
		return orders.Stuck{}, err
	}
	parcels, err := collect(ctx, s, func(row pgx.CollectableRow) (orders.Job, error) {
		j := orders.Job{Kind: orders.JobShip}
		err := row.Scan(&j.OrderID, &j.FulfillmentID)
		return j, err
	}, stuckParcels, before, limit)
	return orders.Stuck{Orders: ids, Parcels: parcels}, err
}

// Purge implements orders.Store.
func (s *Store) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	keys, keysErr := s.pool.Exec(ctx, purgeKeys, before, limit)
	_, claimsErr := s.pool.Exec(ctx, purgeClaims)
	events, eventsErr := s.pool.Exec(ctx, purgeEvents, before, limit)
	return int(keys.RowsAffected() + events.RowsAffected()), errors.Join(keysErr, claimsErr, eventsErr)
}
