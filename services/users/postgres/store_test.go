package postgres_test

import (
	"os"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/platform/postgres"
	userspg "github.com/techmart/techmart/services/users/postgres"
	"github.com/techmart/techmart/services/users/storetest"
)

// open gives a pool on a fresh database with the domain's tables.
func open(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(t.Context(), postgres.Config{URL: stacktest.Postgres(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if err := postgres.Migrate(t.Context(), pool, os.DirFS("../../../migrations/users"), userspg.Schema); err != nil {
		t.Fatal(err)
	}
	return pool
}

func TestStore(t *testing.T) {
	t.Parallel()
	pool := open(t)
	storetest.Run(t, storetest.Harness{
		Store: userspg.New(pool),
		Events: func(t testing.TB, userID uuid.UUID) []string {
			t.Helper()
			rows, err := pool.Query(t.Context(), `SELECT type, sequence FROM users.outbox WHERE subject = $1 ORDER BY position`, userID.String())
			if err != nil {
				t.Fatal(err)
			}
			var (
				types    []string
				name     string
				sequence int
			)
			if _, err := pgx.ForEachRow(rows, []any{&name, &sequence}, func() error {
				types = append(types, name)
				if sequence != len(types) {
					t.Errorf("event %d of %s has number %d", len(types), userID, sequence)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			return types
		},
	})
}
