package postgres

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/users"
)

// lastRune sorts after every text that can follow a prefix.
const lastRune = "\U0010FFFF"

// query is a SELECT on users.accounts under construction.
type query struct {
	conditions []string
	args       []any
}

func (q *query) arg(value any) string {
	q.args = append(q.args, value)
	return "$" + strconv.Itoa(len(q.args))
}

func (q *query) where(condition string) { q.conditions = append(q.conditions, condition) }

func (q *query) sql(head, tail string) string {
	if len(q.conditions) > 0 {
		head += " WHERE " + strings.Join(q.conditions, " AND ")
	}
	return head + tail
}

// filter adds the conditions of a filter. A prefix is a range of the columns' byte order.
func (q *query) filter(f users.Filter) {
	if f.Search != "" {
		from, to := q.arg(f.Search), q.arg(f.Search+lastRune)
		q.where(`(a.email >= ` + from + ` AND a.email < ` + to + ` OR a.name_key >= ` + from + ` AND a.name_key < ` + to + `)`)
	}
	if f.Role != "" {
		q.where(`a.roles @> ARRAY[` + q.arg(string(f.Role)) + `]`)
	}
	if f.CreatedFrom != nil {
		q.where(`a.created_at >= ` + q.arg(*f.CreatedFrom))
	}
	if f.CreatedBefore != nil {
		q.where(`a.created_at < ` + q.arg(*f.CreatedBefore))
	}
}

// accountList gives the statement of AccountList. Its keys are those of users.Sort.Key.
func accountList(f users.Filter, order users.Sort, r page.Request) (string, []any) {
	var q query
	q.filter(f)
	after, direction := ` > `, ` ASC`
	if order.Descending != r.Backward {
		after, direction = ` < `, ` DESC`
	}
	by := `a.created_at` + direction + `, a.id` + direction
	if order.Field == users.SortEmail {
		by = `a.email` + direction // unique by itself
	}
	if r.From != nil {
		if order.Field == users.SortEmail {
			q.where(`a.email` + after + q.arg(r.From[0]))
		} else {
			q.where(`(a.created_at, a.id)` + after + `(` + q.arg(r.From[0]) + `::text::timestamptz, ` + q.arg(r.From[1]) + `::text::uuid)`)
		}
	}
	sql := q.sql(`SELECT `+userColumns+` FROM users.accounts AS a`, ` ORDER BY `+by+` LIMIT `+strconv.Itoa(r.Limit+1))
	return sql, q.args
}

// AccountList reads accounts in reading direction.
func (s *Store) AccountList(ctx context.Context, f users.Filter, order users.Sort, r page.Request) ([]*users.User, error) {
	sql, args := accountList(f, order, r)
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, wrap(err, "list accounts")
	}
	list, err := pgx.CollectRows(rows, collectUser)
	return list, wrap(err, "list accounts")
}

// accountCount gives the statement of AccountCount.
func accountCount(f users.Filter) (string, []any) {
	var q query
	q.filter(f)
	return q.sql(`SELECT count(*) FROM users.accounts AS a`, ``), q.args
}

// AccountCount counts accounts.
func (s *Store) AccountCount(ctx context.Context, f users.Filter) (int, error) {
	var n int
	sql, args := accountCount(f)
	err := s.pool.QueryRow(ctx, sql, args...).Scan(&n)
	return n, wrap(err, "count accounts")
}
