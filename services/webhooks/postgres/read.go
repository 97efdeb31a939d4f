package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/webhooks"
)

const (
	endpointsByID = `SELECT ` + endpointColumns + ` FROM webhooks.endpoints e WHERE e.id = ANY($1) AND ($2 OR e.owner_client = $3)`

	listForward        = `SELECT ` + endpointColumns + ` FROM webhooks.endpoints e WHERE (e.created_at, e.id) < ($1, $2) ORDER BY e.created_at DESC, e.id DESC LIMIT $3`
	listBackward       = `SELECT ` + endpointColumns + ` FROM webhooks.endpoints e WHERE (e.created_at, e.id) > ($1, $2) ORDER BY e.created_at, e.id LIMIT $3`
	listClientForward  = `SELECT ` + endpointColumns + ` FROM webhooks.endpoints e WHERE e.owner_client = $4 AND (e.created_at, e.id) < ($1, $2) ORDER BY e.created_at DESC, e.id DESC LIMIT $3`
	listClientBackward = `SELECT ` + endpointColumns + ` FROM webhooks.endpoints e WHERE e.owner_client = $4 AND (e.created_at, e.id) > ($1, $2) ORDER BY e.created_at, e.id LIMIT $3`

	countEndpoints = `SELECT count(*) FROM webhooks.endpoints`
	countOfClient  = `SELECT count(*) FROM webhooks.endpoints WHERE owner_client = $1`

	deliveriesByID = `SELECT ` + deliveryColumns + ` FROM webhooks.deliveries d JOIN webhooks.endpoints e ON e.id = d.endpoint_id
WHERE d.id = ANY($1) AND ($2 OR e.owner_client = $3)`

	// n numbers the lists: two of them may be of one endpoint.
	deliveryLists = `SELECT l.n, ` + deliveryColumns + `
FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::int[]) WITH ORDINALITY AS l(endpoint_id, at, id, most, n)
JOIN webhooks.endpoints e ON e.id = l.endpoint_id AND ($5 OR e.owner_client = $6)
CROSS JOIN LATERAL (
	SELECT * FROM webhooks.deliveries d WHERE d.endpoint_id = l.endpoint_id AND (d.created_at, d.id) < (l.at, l.id)
	ORDER BY d.created_at DESC, d.id DESC LIMIT l.most
) d ORDER BY l.n, d.created_at DESC, d.id DESC`

	deliveryListsByStatus = `SELECT l.n, ` + deliveryColumns + `
FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::int[], $7::text[]) WITH ORDINALITY AS l(endpoint_id, at, id, most, status, n)
JOIN webhooks.endpoints e ON e.id = l.endpoint_id AND ($5 OR e.owner_client = $6)
CROSS JOIN LATERAL (
	SELECT * FROM webhooks.deliveries d WHERE d.endpoint_id = l.endpoint_id AND d.status = l.status AND (d.created_at, d.id) < (l.at, l.id)
	ORDER BY d.created_at DESC, d.id DESC LIMIT l.most
) d ORDER BY l.n, d.created_at DESC, d.id DESC`

	deliveryCounts = `SELECT d.endpoint_id, d.status, count(*) FROM webhooks.deliveries d JOIN webhooks.endpoints e ON e.id = d.endpoint_id
WHERE d.endpoint_id = ANY($1) AND ($2 OR e.owner_client = $3) GROUP BY d.endpoint_id, d.status`

	attemptLists = `SELECT l.n, a.delivery_id, a.number, a.started_at, a.duration_ms, a.outcome, a.status, a.error, a.excerpt
FROM unnest($1::uuid[], $2::int[], $3::int[]) WITH ORDINALITY AS l(delivery_id, before, most, n)
JOIN webhooks.deliveries d ON d.id = l.delivery_id
JOIN webhooks.endpoints e ON e.id = d.endpoint_id AND ($4 OR e.owner_client = $5)
CROSS JOIN LATERAL (
	SELECT * FROM webhooks.attempts a WHERE a.delivery_id = l.delivery_id AND a.number < l.before ORDER BY a.number DESC LIMIT l.most
) a ORDER BY l.n, a.number DESC`
)

var (
	earliest = webhooks.Position{CreatedAt: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)}
	latest   = webhooks.Position{CreatedAt: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), ID: uuid.Max}
)

// ByIDs implements webhooks.Store.
func (s *Store) ByIDs(ctx context.Context, ids []uuid.UUID, a webhooks.Audience) (map[uuid.UUID]*webhooks.Endpoint, error) {
	rows, err := s.pool.Query(ctx, endpointsByID, ids, a.All, nullID(a.ClientID))
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, scanEndpoint)
	found := make(map[uuid.UUID]*webhooks.Endpoint, len(list))
	for _, e := range list {
		found[e.ID] = e
	}
	return found, err
}

// List implements webhooks.Store.
func (s *Store) List(ctx context.Context, a webhooks.Audience, r page.Request) ([]*webhooks.Endpoint, error) {
	at, sql, ofClient := latest, listForward, listClientForward
	if r.Backward {
		at, sql, ofClient = earliest, listBackward, listClientBackward
	}
	if r.From != nil {
		var err error
		if at, err = webhooks.ParseKey(r.From); err != nil {
			return nil, errs.New(errs.CursorMismatch, "This cursor is not of this list.")
		}
	}
	args := []any{at.CreatedAt, at.ID, r.Limit + 1}
	if !a.All {
		sql, args = ofClient, append(args, a.ClientID)
	}
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanEndpoint)
}

// Count implements webhooks.Store.
func (s *Store) Count(ctx context.Context, a webhooks.Audience) (n int, err error) {
	sql, args := countEndpoints, []any(nil)
	if !a.All {
		sql, args = countOfClient, []any{a.ClientID}
	}
	err = s.pool.QueryRow(ctx, sql, args...).Scan(&n)
	return n, err
}

// Secrets implements webhooks.Store.
func (s *Store) Secrets(ctx context.Context, endpointIDs []uuid.UUID, now time.Time) (map[uuid.UUID][]webhooks.Secret, error) {
	rows, err := s.pool.Query(ctx, secretsOfMany, endpointIDs, now)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, scanSecret)
	found := make(map[uuid.UUID][]webhooks.Secret)
	for _, k := range list {
		found[k.EndpointID] = append(found[k.EndpointID], k)
	}
	return found, err
}

// Deliveries implements webhooks.Store.
func (s *Store) Deliveries(ctx context.Context, ids []uuid.UUID, a webhooks.Audience) (map[uuid.UUID]*webhooks.Delivery, error) {
	rows, err := s.pool.Query(ctx, deliveriesByID, ids, a.All, nullID(a.ClientID))
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, scanDelivery)
	found := make(map[uuid.UUID]*webhooks.Delivery, len(list))
	for _, d := range list {
		found[d.ID] = d
	}
	return found, err
}

// numbered scans the number of a list before a row of it.
type numbered struct {
	pgx.CollectableRow
	n *int
}

// Scan scans what comes after the number.
func (r numbered) Scan(dest ...any) error {
	return r.CollectableRow.Scan(append([]any{r.n}, dest...)...)
}

// DeliveryLists implements webhooks.Store. Lists with a status and without are read apart.
func (s *Store) DeliveryLists(ctx context.Context, lists []webhooks.DeliveryList, a webhooks.Audience) (map[webhooks.DeliveryList][]*webhooks.Delivery, error) {
	out := make(map[webhooks.DeliveryList][]*webhooks.Delivery, len(lists))
	for _, byStatus := range []bool{false, true} {
		var (
			some     []webhooks.DeliveryList
			ids      []uuid.UUID
			times    []time.Time
			after    []uuid.UUID
			most     []int
			statuses []string
		)
		for _, l := range lists {
			if (l.Status != "") != byStatus {
				continue
			}
			at := l.After
			if at == (webhooks.Position{}) {
				at = latest
			}
			some, ids, times, after = append(some, l), append(ids, l.EndpointID), append(times, at.CreatedAt), append(after, at.ID)
			most, statuses = append(most, l.Limit+1), append(statuses, string(l.Status))
		}
		if len(some) == 0 {
			continue
		}
		sql, args := deliveryLists, []any{ids, times, after, most, a.All, nullID(a.ClientID)}
		if byStatus {
			sql, args = deliveryListsByStatus, append(args, statuses)
		}
		rows, err := s.pool.Query(ctx, sql, args...)
		if err != nil {
			return nil, err
		}
		_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (struct{}, error) {
			var n int
			d, err := scanDelivery(numbered{row, &n})
			if err == nil {
				out[some[n-1]] = append(out[some[n-1]], d)
			}
			return struct{}{}, err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// DeliveryCounts implements webhooks.Store.
func (s *Store) DeliveryCounts(ctx context.Context, endpointIDs []uuid.UUID, a webhooks.Audience) (map[uuid.UUID]map[webhooks.DeliveryStatus]int, error) {
	rows, err := s.pool.Query(ctx, deliveryCounts, endpointIDs, a.All, nullID(a.ClientID))
	if err != nil {
		return nil, err
	}
	out := make(map[uuid.UUID]map[webhooks.DeliveryStatus]int)
	var (
		id     uuid.UUID
		status webhooks.DeliveryStatus
		n      int
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &status, &n}, func() error {
		if out[id] == nil {
			out[id] = make(map[webhooks.DeliveryStatus]int)
		}
		out[id][status] = n
		return nil
	})
	return out, err
}

// AttemptLists implements webhooks.Store.
func (s *Store) AttemptLists(ctx context.Context, lists []webhooks.AttemptList, a webhooks.Audience) (map[webhooks.AttemptList][]webhooks.Attempt, error) {
	ids, before, most := make([]uuid.UUID, len(lists)), make([]int, len(lists)), make([]int, len(lists))
	for i, l := range lists {
		ids[i], before[i], most[i] = l.DeliveryID, l.Before, l.Limit+1
		if l.Before == 0 {
			before[i] = 1 << 30
		}
	}
	rows, err := s.pool.Query(ctx, attemptLists, ids, before, most, a.All, nullID(a.ClientID))
	if err != nil {
		return nil, err
	}
	out := make(map[webhooks.AttemptList][]webhooks.Attempt, len(lists))
	var (
		n, ms int
		one   webhooks.Attempt
	)
	_, err = pgx.ForEachRow(rows, []any{&n, &one.DeliveryID, &one.Number, &one.StartedAt, &ms, &one.Outcome, &one.Status, &one.Error, &one.Excerpt}, func() error {
		one.StartedAt, one.Duration = one.StartedAt.UTC(), time.Duration(ms)*time.Millisecond
		out[lists[n-1]] = append(out[lists[n-1]], one)
		return nil
	})
	return out, err
}
