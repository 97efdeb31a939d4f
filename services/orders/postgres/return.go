package postgres

import (
	"context"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/page"
)

const returnColumns = `r.id, r.order_id, o.customer_id, r.position, o.number || '-R' || r.position, r.status, r.note, r.reason, r.instructions, o.currency, r.refund,
	r.problem, r.attempt, r.settlement, r.requested_at, r.updated_at, r.received_at, r.restocked_at, l.lines, l.quantities, l.reasons, l.received, l.restock, l.locations, l.refunds`

// returnParts are the lines of the return r, as lists.
const returnParts = `CROSS JOIN LATERAL (SELECT array_agg(p.line_id ORDER BY p.position) AS lines, array_agg(p.quantity ORDER BY p.position) AS quantities,
	array_agg(p.reason ORDER BY p.position) AS reasons, array_agg(p.received ORDER BY p.position) AS received, array_agg(p.restock ORDER BY p.position) AS restock,
	array_agg(p.location_id ORDER BY p.position) AS locations, array_agg(p.refund ORDER BY p.position) AS refunds
	FROM orders.return_lines p WHERE p.return_id = r.id) l`

func rowToReturn(row pgx.CollectableRow) (*orders.Return, error) {
	var (
		r                             orders.Return
		currency                      string
		lines                         []uuid.UUID
		quantities, received, restock []int
		reasons                       []string
		locations                     []*uuid.UUID
		refunds                       []int64
	)
	err := row.Scan(&r.ID, &r.OrderID, &r.CustomerID, &r.Position, &r.Number, &r.Status, &r.Note, &r.Reason, &r.Instructions, &currency, &r.Refund.Amount,
		&r.Problem, &r.Attempt, &r.Settlement, &r.RequestedAt, &r.UpdatedAt, &r.ReceivedAt, &r.RestockedAt, &lines, &quantities, &reasons, &received, &restock, &locations, &refunds)
	if err != nil {
		return nil, err
	}
	r.Refund.Currency = money.Currency(currency)
	r.RequestedAt, r.UpdatedAt, r.ReceivedAt, r.RestockedAt = r.RequestedAt.UTC(), r.UpdatedAt.UTC(), utc(r.ReceivedAt), utc(r.RestockedAt)
	r.Lines = make([]orders.ReturnLine, len(lines))
	for i := range lines {
		l := orders.ReturnLine{LineID: lines[i], Quantity: quantities[i], Reason: orders.ReturnReason(reasons[i]), Received: received[i],
			Restock: restock[i], Refund: money.New(refunds[i], r.Refund.Currency)}
		if locations[i] != nil {
			l.Location = *locations[i]
		}
		r.Lines[i] = l
	}
	return &r, nil
}

const (
	returnsOfOrder = `SELECT ` + returnColumns + ` FROM orders.returns r JOIN orders.orders o ON o.id = r.order_id ` + returnParts + `
WHERE r.order_id = $1 ORDER BY r.position`
	returnsByID = `SELECT ` + returnColumns + ` FROM orders.returns r JOIN orders.orders o ON o.id = r.order_id ` + returnParts + `
WHERE r.id = ANY($1) AND ($2 OR o.customer_id = $3)`
	returnsForward = `SELECT ` + returnColumns + ` FROM orders.orders o CROSS JOIN LATERAL (
	SELECT * FROM orders.returns t WHERE t.order_id = o.id AND t.position > $4 ORDER BY t.position LIMIT $5) r ` + returnParts + `
WHERE o.id = ANY($1) AND ($2 OR o.customer_id = $3) ORDER BY r.order_id, r.position`
	returnsBackward = `SELECT ` + returnColumns + ` FROM orders.orders o CROSS JOIN LATERAL (
	SELECT * FROM orders.returns t WHERE t.order_id = o.id AND t.position < $4 ORDER BY t.position DESC LIMIT $5) r ` + returnParts + `
WHERE o.id = ANY($1) AND ($2 OR o.customer_id = $3) ORDER BY r.order_id, r.position DESC`
	countReturns = `SELECT o.id, (SELECT count(*) FROM orders.returns r WHERE r.order_id = o.id) FROM orders.orders o
WHERE o.id = ANY($1) AND ($2 OR o.customer_id = $3)`
	stuckReturns = `SELECT order_id, id FROM orders.returns WHERE status = 'RECEIVED' AND problem = '' AND updated_at < $1 ORDER BY updated_at, id LIMIT $2`
	saveReturn   = `INSERT INTO orders.returns (id, order_id, position, status, note, reason, instructions, refund, problem, attempt, settlement,
	requested_at, updated_at, received_at, restocked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (id) DO UPDATE SET status = excluded.status, reason = excluded.reason, instructions = excluded.instructions, refund = excluded.refund,
	problem = excluded.problem, attempt = excluded.attempt, settlement = excluded.settlement, updated_at = excluded.updated_at, received_at = excluded.received_at,
	restocked_at = excluded.restocked_at`
	saveReturnLines = `INSERT INTO orders.return_lines (return_id, line_id, position, quantity, reason, received, restock, location_id, refund, held)
SELECT $1, id, n, quantity, reason, received, restock, location, refund, held
FROM unnest($2::uuid[], $3::integer[], $4::text[], $5::integer[], $6::integer[], $7::uuid[], $8::bigint[], $9::integer[])
	WITH ORDINALITY AS l(id, quantity, reason, received, restock, location, refund, held, n)
ON CONFLICT (return_id, line_id) DO UPDATE SET received = excluded.received, restock = excluded.restock, location_id = excluded.location_id,
	refund = excluded.refund, held = excluded.held`
)

// UpdateReturns implements orders.Store. The order's row is locked first, as by Update.
func (s *Store) UpdateReturns(ctx context.Context, orderID uuid.UUID, key *orders.Key, fn func(d *orders.Draft) error) (*orders.Draft, error) {
	var d *orders.Draft
	err := postgres.InPipeline(ctx, s.pool, func(p *postgres.Pipeline) error {
		var (
			r       reading
			returns []*orders.Return
		)
		batch := &pgx.Batch{}
		if key != nil {
			batch.Queue(takeKey, key.Owner, key.Operation, key.Key)
		}
		r.queueOrder(batch, lockOrder, orderID)
		r.queueLines(batch, orderID)
		r.queueParcels(batch, orderID)
		batch.Queue(returnsOfOrder, orderID).Query(func(rows pgx.Rows) (err error) {
			returns, err = pgx.CollectRows(rows, rowToReturn)
			return err
		})
		r.queueKey(batch, key)
		if err := p.SendBatch(ctx, batch).Close(); err != nil {
			return failure(err)
		}
		if r.order == nil {
			return orders.NotFound()
		}
		d = orders.NewDraft(r.order, r.lines, r.parcels, r.token)
		d.Used, d.Returns = r.used, returns
		if err := fn(d); err != nil {
			return err
		}
		if !d.Changed {
			return nil
		}
		change := &pgx.Batch{}
		if err := queueChange(change, d); err != nil {
			return err
		}
		queueReturn(change, d.Return)
		if len(d.Jobs) > 0 {
			if err := s.jobs.EnqueueTx(ctx, p, d.Jobs); err != nil {
				return err
			}
		}
		return failure(p.CommitBatch(ctx, change))
	})
	if name, _ := postgres.CheckViolation(err); name == "lines_returned" {
		return nil, orders.ErrOverReturned
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// queueReturn writes a return; nil writes none.
func queueReturn(batch *pgx.Batch, r *orders.Return) {
	if r == nil {
		return
	}
	batch.Queue(saveReturn, r.ID, r.OrderID, r.Position, r.Status, r.Note, r.Reason, r.Instructions, r.Refund.Amount, r.Problem, r.Attempt, r.Settlement,
		r.RequestedAt, r.UpdatedAt, r.ReceivedAt, r.RestockedAt)
	n := len(r.Lines)
	ids, reasons, locations, refunds := make([]uuid.UUID, n), make([]string, n), make([]*uuid.UUID, n), make([]int64, n)
	quantities, received, restock := make([]int, n), make([]int, n), make([]int, n)
	for i, l := range r.Lines {
		ids[i], reasons[i], refunds[i], quantities[i], received[i], restock[i] = l.LineID, string(l.Reason), l.Refund.Amount, l.Quantity, l.Received, l.Restock
		if l.Location != uuid.Nil {
			locations[i] = &l.Location
		}
	}
	batch.Queue(saveReturnLines, r.ID, ids, quantities, reasons, received, restock, locations, refunds, r.Held())
}

// ReturnsByIDs implements orders.Store.
func (s *Store) ReturnsByIDs(ctx context.Context, ids []uuid.UUID, who orders.Audience) ([]*orders.Return, error) {
	return collect(ctx, s, rowToReturn, returnsByID, ids, who.Everybody, who.Customer)
}

// ReturnsByOrders implements orders.Store.
func (s *Store) ReturnsByOrders(ctx context.Context, orderIDs []uuid.UUID, who orders.Audience, r page.Request) (map[uuid.UUID]page.Page[*orders.Return], error) {
	sql, from := returnsForward, 0
	if r.Backward {
		sql, from = returnsBackward, 1<<30
	}
	if r.From != nil {
		var err error
		if from, err = strconv.Atoi(r.From[0]); err != nil {
			return nil, errs.New(errs.CursorMismatch, "This cursor was not made by this list.")
		}
	}
	list, err := collect(ctx, s, rowToReturn, sql, orderIDs, who.Everybody, who.Customer, from, r.Limit+1)
	if err != nil {
		return nil, err
	}
	return pages(list, func(r *orders.Return) uuid.UUID { return r.OrderID }, r), nil
}

// CountReturnsByOrders implements orders.Store.
func (s *Store) CountReturnsByOrders(ctx context.Context, orderIDs []uuid.UUID, who orders.Audience) (map[uuid.UUID]int, error) {
	rows, err := s.pool.Query(ctx, countReturns, orderIDs, who.Everybody, who.Customer)
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

func (c *conditions) returns(f orders.ReturnFilter) {
	if f.Status != "" {
		c.add("r.status = %s", f.Status)
	}
	if f.Refused {
		c.parts = append(c.parts, "r.status = 'RECEIVED' AND r.problem <> ''")
	}
}

// returnsSQL gives the statement of Returns.
func returnsSQL(f orders.ReturnFilter, sort orders.ReturnSort, r page.Request) (string, []any, error) {
	var c conditions
	c.returns(f)
	column, comparison, direction := "r.requested_at", ">", "ASC"
	if sort.Field == orders.ReturnsByUpdatedAt {
		column = "r.updated_at"
	}
	if sort.Ascending == r.Backward {
		comparison, direction = "<", "DESC"
	}
	if r.From != nil {
		value, id, err := parseKey(orders.Sort{Field: orders.ByPlacedAt}, r.From)
		if err != nil {
			return "", nil, err
		}
		c.add("("+column+", r.id) "+comparison+" (%s, %s)", value, id)
	}
	where, order := c.where(), " ORDER BY "+column+" "+direction+", r.id "+direction
	return `SELECT ` + returnColumns + ` FROM (SELECT * FROM orders.returns r` + where + order + ` LIMIT ` + c.arg(r.Limit+1) + `) r
	JOIN orders.orders o ON o.id = r.order_id ` + returnParts + order, c.args, nil
}

// Returns implements orders.Store.
func (s *Store) Returns(ctx context.Context, f orders.ReturnFilter, sort orders.ReturnSort, r page.Request) (page.Page[*orders.Return], error) {
	sql, args, err := returnsSQL(f, sort, r)
	if err != nil {
		return page.Page[*orders.Return]{}, err
	}
	list, err := collect(ctx, s, rowToReturn, sql, args...)
	return page.Trim(list, r), err
}

// CountReturns implements orders.Store.
func (s *Store) CountReturns(ctx context.Context, f orders.ReturnFilter) (int, error) {
	var c conditions
	c.returns(f)
	var n int
	err := s.pool.QueryRow(ctx, `SELECT count(*) FROM orders.returns r`+c.where(), c.args...).Scan(&n)
	return n, err
}

// StuckReturns implements orders.Store.
func (s *Store) StuckReturns(ctx context.Context, before time.Time, limit int) ([]orders.Job, error) {
	return collect(ctx, s, func(row pgx.CollectableRow) (orders.Job, error) {
		j := orders.Job{Kind: orders.JobReturn}
		err := row.Scan(&j.OrderID, &j.ReturnID)
		return j, err
	}, stuckReturns, before, limit)
}
