package postgres_test

import (
	"testing"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/migrations"
	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/clients"
	clientspostgres "github.com/techmart/techmart/services/clients/postgres"
	"github.com/techmart/techmart/services/clients/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) clients.Store {
		pool, err := postgres.Open(t.Context(), postgres.Config{URL: stacktest.Postgres(t)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		if err := postgres.Migrate(t.Context(), pool, migrations.FS("clients"), "clients"); err != nil {
			t.Fatal(err)
		}
		return clientspostgres.New(pool)
	})
}
