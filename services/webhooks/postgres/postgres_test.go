package postgres_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/migrations"
	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/webhooks"
	"github.com/techmart/techmart/services/webhooks/jobs"
	webhookspostgres "github.com/techmart/techmart/services/webhooks/postgres"
	"github.com/techmart/techmart/services/webhooks/storetest"
)

func open(t *testing.T) (*webhookspostgres.Store, *pgxpool.Pool) {
	t.Helper()
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
	return webhookspostgres.New(pool, queue), pool
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) webhooks.Store {
		s, _ := open(t)
		return s
	})
}

// Each order has events, whether endpoints ask for them or not.
func TestWanted(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	now := time.Now()
	types := []string{"orders.placed", "orders.cancelled", "payments.refunded"}
	check := func(want ...string) {
		t.Helper()
		got, err := s.Wanted(t.Context(), types)
		if err != nil {
			t.Fatal(err)
		}
		if found := slices.Sorted(maps.Keys(got)); !slices.Equal(found, want) {
			t.Errorf("endpoints ask for %v, want %v", found, want)
		}
	}
	check()
	make := func(status webhooks.Status, types ...string) {
		e := &webhooks.Endpoint{
			ID: uuid.Must(uuid.NewV7()), Owner: webhooks.Owner{ClientID: uuid.Must(uuid.NewV7())}, URL: "https://hooks.example/", EventTypes: types,
			APIVersion: webhooks.CurrentVersion, Status: status, Version: 1, CreatedAt: now, UpdatedAt: now,
		}
		switch status {
		case webhooks.Paused:
			e.PausedAt, e.ProbeAt = now, now
		case webhooks.Disabled:
			e.DisabledAt, e.Reason = now, webhooks.ByRequest
		}
		secret := webhooks.Secret{ID: uuid.Must(uuid.NewV7()), EndpointID: e.ID, Sealed: []byte("sealed"), CreatedAt: now}
		if _, _, err := s.Create(t.Context(), e, secret, 5, nil); err != nil {
			t.Fatal(err)
		}
	}
	make(webhooks.Enabled, "orders.placed", "orders.shipped")
	check("orders.placed")
	make(webhooks.Paused, "payments.refunded", "orders.placed")
	check("orders.placed", "payments.refunded")
	make(webhooks.Disabled, "orders.cancelled")
	check("orders.placed", "payments.refunded")
}
