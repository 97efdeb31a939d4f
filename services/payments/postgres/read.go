package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/payments"
)

const paymentsByID = `SELECT ` + paymentColumns + ` FROM payments.payments p
WHERE p.id = ANY($1) AND ($2 OR p.customer_id = $3)`

const paymentsByOrder = `SELECT ` + paymentColumns + ` FROM payments.payments p
WHERE p.order_id = ANY($1) AND ($2 OR p.customer_id = $3)`

// PaymentsByID implements payments.Store.
func (s *Store) PaymentsByID(ctx context.Context, ids []uuid.UUID, a payments.Audience) (map[uuid.UUID]*payments.Payment, error) {
	return s.payments(ctx, paymentsByID, ids, a, func(p *payments.Payment) uuid.UUID { return p.ID })
}

// PaymentsByOrder implements payments.Store.
func (s *Store) PaymentsByOrder(ctx context.Context, orderIDs []uuid.UUID, a payments.Audience) (map[uuid.UUID]*payments.Payment, error) {
	return s.payments(ctx, paymentsByOrder, orderIDs, a, func(p *payments.Payment) uuid.UUID { return p.OrderID })
}

func (s *Store) payments(ctx context.Context, sql string, ids []uuid.UUID, a payments.Audience, key func(*payments.Payment) uuid.UUID) (map[uuid.UUID]*payments.Payment, error) {
	rows, err := s.pool.Query(ctx, sql, ids, a.All, a.CustomerID)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, scanPayment)
	if err != nil {
		return nil, err
	}
	found := make(map[uuid.UUID]*payments.Payment, len(list))
	for _, p := range list {
		found[key(p)] = p
	}
	return found, nil
}

const transactionsByID = `SELECT ` + transactionColumns + ` FROM payments.transactions t JOIN payments.payments p ON p.id = t.payment_id
WHERE t.id = ANY($1) AND ($2 OR p.customer_id = $3)`

// TransactionsByID implements payments.Store.
func (s *Store) TransactionsByID(ctx context.Context, ids []uuid.UUID, a payments.Audience) (map[uuid.UUID]*payments.Transaction, error) {
	rows, err := s.pool.Query(ctx, transactionsByID, ids, a.All, a.CustomerID)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, scanTransaction)
	if err != nil {
		return nil, err
	}
	found := make(map[uuid.UUID]*payments.Transaction, len(list))
	for _, t := range list {
		found[t.ID] = t
	}
	return found, nil
}

// transactionLists reads a page of each parent by its own bounds. A parent without a position starts
// before all.
const transactionLists = `SELECT l.n, ` + transactionColumns + `
FROM unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::uuid[]) WITH ORDINALITY AS l(payment_id, size, after_at, after_id, n)
JOIN payments.payments p ON p.id = l.payment_id AND ($5 OR p.customer_id = $6)
CROSS JOIN LATERAL (
	SELECT * FROM payments.transactions t
	WHERE t.payment_id = l.payment_id AND (t.created_at, t.id) > (l.after_at, l.after_id)
	ORDER BY t.created_at, t.id LIMIT l.size
) t
ORDER BY l.n, t.created_at, t.id`

// TransactionLists implements payments.Store.
func (s *Store) TransactionLists(ctx context.Context, lists []payments.TransactionList, a payments.Audience) (map[payments.TransactionList][]*payments.Transaction, error) {
	n := len(lists)
	ids, sizes, times, afters := make([]uuid.UUID, n), make([]int64, n), make([]time.Time, n), make([]uuid.UUID, n)
	for i, l := range lists {
		ids[i], sizes[i], times[i], afters[i] = l.PaymentID, int64(l.Limit)+1, l.After.CreatedAt, l.After.ID
	}
	rows, err := s.pool.Query(ctx, transactionLists, ids, sizes, times, afters, a.All, a.CustomerID)
	if err != nil {
		return nil, err
	}
	found := make(map[payments.TransactionList][]*payments.Transaction, n)
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (struct{}, error) {
		var i int64
		t, err := scanTransactionAnd(row, &i)
		if err == nil {
			found[lists[i-1]] = append(found[lists[i-1]], t)
		}
		return struct{}{}, err
	})
	return found, err
}

const transactionsUnsettled = `SELECT ` + transactionColumns + ` FROM payments.transactions t
WHERE t.status = 'PENDING' AND t.created_at < $1 AND (t.leased_until IS NULL OR t.leased_until <= $2)
ORDER BY t.attempts, t.created_at, t.id LIMIT $3`

// TransactionsUnsettled implements payments.Store.
func (s *Store) TransactionsUnsettled(ctx context.Context, before, now time.Time, limit int) ([]*payments.Transaction, error) {
	rows, err := s.pool.Query(ctx, transactionsUnsettled, before, now, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanTransaction)
}

// Lists are put together of few parts, so that each combination is served by its index. With
// statuses, every status is read by itself up to the limit, and the parts are merged.
const (
	listAll = `SELECT ` + paymentColumns + ` FROM payments.payments p
WHERE {bounds}
ORDER BY p.created_at {way}, p.id {way} LIMIT $1`

	listByStatus = `SELECT ` + paymentColumns + ` FROM unnest($6::text[]) AS s(status)
CROSS JOIN LATERAL (
	SELECT * FROM payments.payments p
	WHERE p.status = s.status AND {bounds}
	ORDER BY p.created_at {way}, p.id {way} LIMIT $1
) p
ORDER BY p.created_at {way}, p.id {way} LIMIT $1`

	listBounds = `p.created_at >= $2 AND p.created_at < $3 AND (p.created_at, p.id) {than} ($4, $5)`

	// Each status is counted on its own, in the index by status alone.
	countByStatus = `SELECT coalesce(sum(n), 0)::bigint FROM unnest($3::text[]) AS s(status)
CROSS JOIN LATERAL (
	SELECT count(*) AS n FROM payments.payments p WHERE p.status = s.status AND p.created_at >= $1 AND p.created_at < $2
) c`
)

var (
	earliest = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
)

// between gives the bounds of creation of a filter.
func between(f payments.Filter) (time.Time, time.Time) {
	from, to := f.CreatedFrom, f.CreatedTo
	if from.IsZero() {
		from = earliest
	}
	if to.IsZero() {
		to = latest
	}
	return from, to
}

// PaymentList implements payments.Store.
func (s *Store) PaymentList(ctx context.Context, f payments.Filter, r page.Request) ([]*payments.Payment, error) {
	way, than, at := "DESC", "<", payments.Position{CreatedAt: latest, ID: uuid.Max}
	if r.Backward {
		way, than, at = "ASC", ">", payments.Position{CreatedAt: earliest}
	}
	if r.From != nil {
		var err error
		if at, err = payments.ReadKey(r.From); err != nil {
			return nil, err
		}
	}
	from, to := between(f)
	sql, args := listAll, []any{r.Limit + 1, from, to, at.CreatedAt, at.ID}
	if len(f.Statuses) > 0 {
		sql, args = listByStatus, append(args, distinct(f.Statuses))
	}
	sql = strings.NewReplacer("{way}", way).Replace(strings.ReplaceAll(sql, "{bounds}", strings.ReplaceAll(listBounds, "{than}", than)))
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanPayment)
}

// PaymentCount implements payments.Store.
func (s *Store) PaymentCount(ctx context.Context, f payments.Filter) (int, error) {
	from, to := between(f)
	statuses := f.Statuses
	if len(statuses) == 0 {
		statuses = payments.Statuses
	}
	var n int
	err := s.pool.QueryRow(ctx, countByStatus, from, to, distinct(statuses)).Scan(&n)
	return n, err
}

// distinct gives the statuses as texts, each once.
func distinct(statuses []payments.Status) []string {
	var out []string
	seen := map[payments.Status]bool{}
	for _, s := range statuses {
		if !seen[s] {
			seen[s] = true
			out = append(out, string(s))
		}
	}
	return out
}

const ledgerBalances = `SELECT account, currency, sum(balance)::bigint FROM payments.ledger_balances GROUP BY account, currency ORDER BY account, currency`

// LedgerBalances implements payments.Store.
func (s *Store) LedgerBalances(ctx context.Context) ([]payments.Balance, error) {
	rows, err := s.pool.Query(ctx, ledgerBalances)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (payments.Balance, error) {
		var b payments.Balance
		err := row.Scan(&b.Account, &b.Balance.Currency, &b.Balance.Amount)
		return b, err
	})
}
