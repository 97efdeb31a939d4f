package postgres

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/migrations"
	"github.com/techmart/techmart/platform/postgres"
)

// Connections keep the plans that they made while the shop was new, when the indexes of a status were the smallest: closing a
// cart must not read all carts of it later.
func TestClosingReadsCartsByTheirIDs(t *testing.T) {
	t.Parallel()
	pool, err := postgres.Open(t.Context(), postgres.Config{URL: stacktest.Postgres(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if err := postgres.Migrate(t.Context(), pool, migrations.FS(Schema), Schema); err != nil {
		t.Fatal(err)
	}
	for _, carts := range []int{0, 500} {
		t.Run(fmt.Sprint(carts), func(t *testing.T) {
			fill := `INSERT INTO carts.carts (id, user_id, created_at, updated_at) SELECT gen_random_uuid(), gen_random_uuid(), now(), now() FROM generate_series(1, $1)`
			for _, sql := range []string{fill, `ANALYZE carts.carts`} {
				var args []any
				if sql == fill {
					args = append(args, carts)
				}
				if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
					t.Fatal(err)
				}
			}
			for name, sql := range map[string]string{"close": closeOrdered, "rest": keepRest} {
				plan := explain(t, pool, name, sql)
				if strings.Contains(plan, "carts_user_open") || strings.Contains(plan, "carts_closed") || !strings.Contains(plan, "carts_pkey") {
					t.Errorf("%s:\n%s", name, plan)
				}
			}
		})
	}
}

// explain gives the plan that connections keep for a statement of arrays.
func explain(t *testing.T, pool *pgxpool.Pool, name, sql string) string {
	t.Helper()
	arguments := strings.TrimSuffix(strings.Repeat("NULL, ", strings.Count(sql, "[]")), ", ")
	var lines []string
	err := postgres.InSteadyPipeline(t.Context(), pool, func(p *postgres.Pipeline) error {
		if _, err := p.Exec(t.Context(), "PREPARE "+name+" AS "+sql); err != nil {
			return err
		}
		rows, err := p.Query(t.Context(), "EXPLAIN EXECUTE "+name+"("+arguments+")")
		if err != nil {
			return err
		}
		if lines, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			return err
		}
		_, err = p.Exec(t.Context(), "DEALLOCATE "+name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}
