package jobs_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/orders/jobs"
	"github.com/techmart/techmart/services/orders/orderstest"
)

// Workers are notified of every order, however soon it follows another: one that they are not told of waits for the next poll.
func TestEachOrderWakesAWorker(t *testing.T) {
	t.Parallel()
	pool := orderstest.Database(t)
	client, err := jobs.NewClient(pool, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := pgx.Connect(t.Context(), pool.Config().ConnString())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close(context.WithoutCancel(t.Context())) })
	if _, err := listener.Exec(t.Context(), `LISTEN "orders.river_insert"`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for n := range 5 {
		placed := time.Now()
		err := postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
			return client.EnqueueTx(ctx, tx, []orders.Job{{Kind: orders.JobSettle, OrderID: uuid.New(), Cause: "test"}})
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := listener.WaitForNotification(ctx); err != nil {
			t.Fatalf("of order %d no worker is told: %v", n+1, err)
		}
		for time.Since(placed) < 2*time.Millisecond { // orders at the same time share a notification
			_, _ = pool.Exec(ctx, "SELECT 1")
		}
	}
}
