package postgres_test

import (
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/orders/jobs"
	"github.com/techmart/techmart/services/orders/orderstest"
	orderspostgres "github.com/techmart/techmart/services/orders/postgres"
	"github.com/techmart/techmart/services/orders/storetest"
)

// open makes a store over a fresh database.
func open(t *testing.T) (*orderspostgres.Store, *pgxpool.Pool) {
	t.Helper()
	pool := orderstest.Database(t)
	client, err := jobs.NewClient(pool, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return orderspostgres.New(pool, client), pool
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) orders.Store {
		store, _ := open(t)
		return store
	})
}

// TestImport takes an order in twice: it is there once, and new numbers come after its own.
func TestImport(t *testing.T) {
	t.Parallel()
	store, _ := open(t)
	d := storetest.New(uuid.New(), 0, 100)
	d.Order.Number = "T-100050"
	at := d.Order.PlacedAt
	parcel := &orders.Fulfillment{ID: uuid.New(), OrderID: d.Order.ID, Status: orders.ParcelShipped, CreatedAt: at, SettledAt: &at,
		Capture: d.Order.Total, Lines: []orders.FulfillmentLine{{LineID: d.Lines[0].ID, Quantity: 1}}}
	record := &orders.Record{Order: d.Order, Lines: d.Lines, Fulfillments: []*orders.Fulfillment{parcel}, Entries: d.Entries}
	for range 2 {
		if err := store.Import(t.Context(), []*orders.Record{record}); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := store.ByNumber(t.Context(), "T-100050"); err != nil || !reflect.DeepEqual(got, d.Order) {
		t.Fatalf("got %+v, %v", got, err)
	}
	who := orders.Audience{Customer: d.Order.CustomerID}
	parcels, err := store.Fulfillments(t.Context(), []uuid.UUID{d.Order.ID}, who)
	if err != nil || len(parcels[d.Order.ID]) != 1 || len(parcels[d.Order.ID][0].Lines) != 1 {
		t.Fatalf("got %+v, %v", parcels, err)
	}
	if start, err := store.Start(t.Context(), nil, time.Minute); err != nil || start.Number != "T-100051" {
		t.Fatalf("got %+v, %v", start, err)
	}
}
