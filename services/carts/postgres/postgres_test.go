package postgres_test

import (
	"testing"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/migrations"
	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/carts"
	cartspostgres "github.com/techmart/techmart/services/carts/postgres"
	"github.com/techmart/techmart/services/carts/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) carts.Store {
		pool, err := postgres.Open(t.Context(), postgres.Config{URL: stacktest.Postgres(t)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		if err := postgres.Migrate(t.Context(), pool, migrations.FS("carts"), "carts"); err != nil {
			t.Fatal(err)
		}
		return cartspostgres.New(pool)
	})
}
