// Package orderstest opens databases of orders for tests.
package orderstest

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/migrations"
	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/orders/jobs"
)

// Database makes a fresh database with the tables of orders and jobs.
func Database(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(t.Context(), postgres.Config{URL: stacktest.Postgres(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if err := postgres.Migrate(t.Context(), pool, migrations.FS("orders"), "orders"); err != nil {
		t.Fatal(err)
	}
	if err := jobs.Migrate(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	return pool
}
