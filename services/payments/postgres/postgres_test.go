package postgres_test

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/migrations"
	platform "github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/payments"
	"github.com/techmart/techmart/services/payments/postgres"
	"github.com/techmart/techmart/services/payments/storetest"
)

// open gives a migrated database of its own.
func open(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool, err := platform.Open(t.Context(), platform.Config{URL: stacktest.Postgres(t), MaxConns: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if err := platform.Migrate(t.Context(), pool, migrations.FS("payments"), "payments"); err != nil {
		t.Fatal(err)
	}
	return pool
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) payments.Store { return postgres.New(open(t)) })
}
