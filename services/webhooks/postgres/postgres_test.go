package postgres_test

import (
	"testing"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/migrations"
	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/webhooks"
	"github.com/techmart/techmart/services/webhooks/jobs"
	webhookspostgres "github.com/techmart/techmart/services/webhooks/postgres"
	"github.com/techmart/techmart/services/webhooks/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) webhooks.Store {
		pool, err := postgres.Open(t.Context(), postgres.Config{URL: stacktest.Postgres(t)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		if err := postgres.Migrate(t.Context(), pool, migrations.FS("webhooks"), "webhooks"); err != nil {
			t.Fatal(err)
		}
		if err := jobs.Migrate(t.Context(), pool); err != nil {
			t.Fatal(err)
		}
		queue, err := jobs.NewClient(pool, nil)
		if err != nil {
			t.Fatal(err)
		}
		return webhookspostgres.New(pool, queue)
	})
}
