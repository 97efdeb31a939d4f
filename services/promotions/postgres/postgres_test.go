package postgres_test

import (
	"testing"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/migrations"
	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/promotions"
	promotionspostgres "github.com/techmart/techmart/services/promotions/postgres"
	"github.com/techmart/techmart/services/promotions/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) promotions.Store {
		pool, err := postgres.Open(t.Context(), postgres.Config{URL: stacktest.Postgres(t)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		if err := postgres.Migrate(t.Context(), pool, migrations.FS("promotions"), "promotions"); err != nil {
			t.Fatal(err)
		}
		return promotionspostgres.New(pool)
	})
}
