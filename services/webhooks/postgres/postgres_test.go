package postgres_test

import (
	"sync"
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

// Each order has events, whether endpoints ask for them or not: those that none asks for cost no row, also where they come
// together with others.
func TestWhatNobodyAsksForIsNotWrittenDown(t *testing.T) {
	t.Parallel()
	s, pool := open(t)
	now := time.Now()
	accept := func(eventType string) {
		e := webhooks.Event{ID: uuid.Must(uuid.NewV7()), Type: eventType, Subject: uuid.Must(uuid.NewV7()), Sequence: 1, Time: now}
		if _, err := s.Accept(t.Context(), e, now); err != nil {
			t.Error(err)
		}
	}
	rows := func(table string) (n int) {
		if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM webhooks.`+table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	accept("orders.placed")
	if n := rows("inbox"); n != 0 {
		t.Errorf("without an endpoint, %d events were written down", n)
	}
	e := &webhooks.Endpoint{
		ID: uuid.Must(uuid.NewV7()), Owner: webhooks.Owner{ClientID: uuid.Must(uuid.NewV7())}, URL: "https://hooks.example/", EventTypes: []string{"orders.placed"},
		APIVersion: webhooks.CurrentVersion, Status: webhooks.Enabled, Version: 1, CreatedAt: now, UpdatedAt: now,
	}
	secret := webhooks.Secret{ID: uuid.Must(uuid.NewV7()), EndpointID: e.ID, Sealed: []byte("sealed"), CreatedAt: now}
	if _, _, err := s.Create(t.Context(), e, secret, 5, nil); err != nil {
		t.Fatal(err)
	}
	const each = 20
	var coming sync.WaitGroup
	for range each {
		coming.Go(func() { accept("orders.placed") })
		coming.Go(func() { accept("orders.cancelled") })
	}
	coming.Wait()
	if in, out := rows("inbox"), rows("deliveries"); in != each || out != each {
		t.Errorf("%d events were written down for %d deliveries, of %d", in, out, each)
	}
}
