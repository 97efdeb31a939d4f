package postgres_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/platform/telemetry"
)

func setup(t *testing.T) *pgxpool.Pool {
	t.Helper()
	return open(t, postgres.Config{URL: stacktest.Postgres(t), ApplicationName: "test"})
}

func open(t *testing.T, c postgres.Config) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func scan[T any](t *testing.T, pool *pgxpool.Pool, sql string, args ...any) T {
	t.Helper()
	var v T
	if err := pool.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

func TestUUIDs(t *testing.T) {
	t.Parallel()
	pool := setup(t)
	a, b := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	if got := scan[uuid.UUID](t, pool, `SELECT $1::uuid`, a); got != a {
		t.Errorf("value: %s, want %s", got, a)
	}
	if got := scan[*uuid.UUID](t, pool, `SELECT $1::uuid`, &a); got == nil || *got != a {
		t.Errorf("pointer: %v, want %s", got, a)
	}
	if got := scan[*uuid.UUID](t, pool, `SELECT $1::uuid`, (*uuid.UUID)(nil)); got != nil {
		t.Errorf("nil pointer: %v", got)
	}
	if got := scan[[]uuid.UUID](t, pool, `SELECT $1::uuid[]`, []uuid.UUID{a, b}); !slices.Equal(got, []uuid.UUID{a, b}) {
		t.Errorf("slice: %v", got)
	}
	if got := scan[[]*uuid.UUID](t, pool, `SELECT $1::uuid[]`, []*uuid.UUID{&a, nil}); len(got) != 2 || *got[0] != a || got[1] != nil {
		t.Errorf("slice of pointers: %v", got)
	}
	if got := scan[string](t, pool, `SELECT ($1::uuid = ANY($2::uuid[]))::text`, b, []uuid.UUID{a, b}); got != "true" {
		t.Errorf("ANY: %s", got)
	}
	if got := scan[any](t, pool, `SELECT $1::uuid`, a); got != a {
		t.Errorf("any: %v (%T)", got, got)
	}
	type row struct{ ID, Parent *uuid.UUID }
	rows, err := pool.Query(t.Context(), `SELECT $1::uuid AS id, NULL::uuid AS parent`, a)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[row])
	if err != nil || *got.ID != a || got.Parent != nil {
		t.Errorf("struct: %+v, %v", got, err)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	url := stacktest.Postgres(t)
	pool := open(t, postgres.Config{URL: url, ApplicationName: "shop", StatementTimeout: 150 * time.Millisecond, MaxConns: 3})
	for setting, want := range map[string]string{
		"application_name": "shop", "timezone": "UTC", "idle_in_transaction_session_timeout": "1min", "statement_timeout": "150ms",
	} {
		if got := scan[string](t, pool, `SELECT current_setting($1)`, setting); got != want {
			t.Errorf("%s is %s, want %s", setting, got, want)
		}
	}
	if _, err := pool.Exec(t.Context(), `SELECT pg_sleep(5)`); postgres.Code(err) != "57014" {
		t.Errorf("a slow statement ended with %v", err)
	}
	if got := pool.Config().MaxConns; got != 3 {
		t.Errorf("MaxConns %d", got)
	}
	if got := open(t, postgres.Config{URL: url}).Config().MaxConns; got != 10 {
		t.Errorf("default MaxConns %d", got)
	}
	if got := open(t, postgres.Config{URL: url + "&pool_max_conns=7"}).Config().MaxConns; got != 7 {
		t.Errorf("MaxConns of the URL %d", got)
	}
	unbounded := open(t, postgres.Config{URL: url, StatementTimeout: -1})
	if got := scan[string](t, unbounded, `SHOW statement_timeout`); got != "0" {
		t.Errorf("statement_timeout %s, want none", got)
	}
}

func TestOpenFails(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "postgres://user:hunter2@127.0.0.1:1/none?sslmode=disable", "postgres://user:hunter2@[bad"} {
		_, err := postgres.Open(t.Context(), postgres.Config{URL: url})
		if err == nil {
			t.Errorf("%q was opened", url)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

func TestRoundTripsAreCounted(t *testing.T) {
	t.Parallel()
	reg := telemetry.NewRegistry()
	pool := open(t, postgres.Config{URL: stacktest.Postgres(t), Metrics: telemetry.NewMetrics(reg)})
	ctx, calls := telemetry.WithCalls(t.Context())
	count := func(what string, want int64, fn func() error) {
		t.Helper()
		before := calls.Postgres.Load()
		if err := fn(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if got := calls.Postgres.Load() - before; got != want {
			t.Errorf("%s made %d calls, want %d", what, got, want)
		}
	}
	count("a statement", 1, func() error { _, err := pool.Exec(ctx, `CREATE TABLE n (n int)`); return err })
	count("a batch of three", 1, func() error {
		var b pgx.Batch
		for range 3 {
			b.Queue(`INSERT INTO n VALUES (1)`)
		}
		return pool.SendBatch(ctx, &b).Close()
	})
	count("a copy", 1, func() error {
		_, err := pool.CopyFrom(ctx, pgx.Identifier{"n"}, []string{"n"}, pgx.CopyFromRows([][]any{{1}, {2}}))
		return err
	})
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	pool := setup(t)
	files := fstest.MapFS{
		"001_shop.sql": {Data: []byte("-- +goose Up\nCREATE TABLE shop.item (id int PRIMARY KEY);\n-- +goose Down\nDROP TABLE shop.item;\n")},
	}
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs { // as many processes starting at once
		wg.Go(func() { errs[i] = postgres.Migrate(t.Context(), pool, files, "shop") })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	files["002_price.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nALTER TABLE shop.item ADD price int NOT NULL;\n")}
	if err := postgres.Migrate(t.Context(), pool, files, "shop"); err != nil {
		t.Fatal(err)
	}
	if got := scan[int64](t, pool, `SELECT max(version_id) FROM shop.goose_db_version`); got != 2 {
		t.Errorf("version %d, want 2", got)
	}
	files["003_broken.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nALTER TABLE shop.item ADD extra int;\nALTER TABLE shop.nothing ADD extra int;\n")}
	if err := postgres.Migrate(t.Context(), pool, files, "shop"); err == nil {
		t.Fatal("a broken migration was applied")
	}
	if scan[bool](t, pool, `SELECT EXISTS (SELECT FROM information_schema.columns WHERE column_name = 'extra')`) {
		t.Error("half of a broken migration stayed")
	}
	if err := postgres.Migrate(t.Context(), pool, fstest.MapFS{}, "empty"); err == nil {
		t.Error("no migrations at all were accepted")
	}
}

func TestInTx(t *testing.T) {
	t.Parallel()
	pool := setup(t)
	ctx := t.Context()
	if _, err := pool.Exec(ctx, `CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL); INSERT INTO account VALUES (1, 0)`); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	errs := make([]error, 3)
	for i := range errs { // serializable increments conflict, and are run again
		wg.Go(func() {
			errs[i] = postgres.InTxWith(ctx, pool, pgx.TxOptions{IsoLevel: pgx.Serializable}, func(tx pgx.Tx) error {
				var balance int
				if err := tx.QueryRow(ctx, `SELECT balance FROM account WHERE id = 1`).Scan(&balance); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, `UPDATE account SET balance = $1 WHERE id = 1`, balance+1)
				return err
			})
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if got := scan[int](t, pool, `SELECT balance FROM account`); got != 3 {
		t.Errorf("balance %d, want 3", got)
	}

	refused := errors.New("refused")
	err := postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE account SET balance = 100`); err != nil {
			return err
		}
		return refused
	})
	if err != refused { // unchanged
		t.Errorf("error %v, want %v", err, refused)
	}
	if got := scan[int](t, pool, `SELECT balance FROM account`); got != 3 {
		t.Errorf("balance %d after a roll back, want 3", got)
	}
}

func TestInTxGivesUp(t *testing.T) {
	t.Parallel()
	pool := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	fail := func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'serialization_failure'; END $$`)
		return err
	}
	runs := 0
	err := postgres.InTx(ctx, pool, func(tx pgx.Tx) error { runs++; return fail(tx) })
	if !postgres.IsRetryable(err) || runs != 5 {
		t.Errorf("%d runs, %v; want 5 runs and a serialization failure", runs, err)
	}
	err = postgres.InTx(ctx, pool, func(tx pgx.Tx) error { err := fail(tx); cancel(); return err })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after a cancellation: %v", err)
	}
}

func TestViolations(t *testing.T) {
	t.Parallel()
	pool := setup(t)
	ctx := t.Context()
	if _, err := pool.Exec(ctx, `
CREATE TABLE parent (id int CONSTRAINT parent_pk PRIMARY KEY);
CREATE TABLE child (id int, parent int CONSTRAINT child_parent REFERENCES parent, n int CONSTRAINT child_n CHECK (n > 0));
CREATE UNIQUE INDEX child_id ON child (id);
INSERT INTO child VALUES (1, NULL, 1)`); err != nil {
		t.Fatal(err)
	}
	_, err := pool.Exec(ctx, `INSERT INTO child VALUES (1, NULL, 1)`)
	if name, ok := postgres.UniqueViolation(err); !ok || name != "child_id" {
		t.Errorf("unique: %q, %v", name, err)
	}
	if !postgres.IsUniqueViolation(err, "child_id") || !postgres.IsUniqueViolation(err, "") || postgres.IsUniqueViolation(err, "other") {
		t.Error("IsUniqueViolation is wrong about the name")
	}
	_, err = pool.Exec(ctx, `INSERT INTO child VALUES (2, 9, 1)`)
	if name, ok := postgres.ForeignKeyViolation(err); !ok || name != "child_parent" {
		t.Errorf("foreign key: %q, %v", name, err)
	}
	_, err = pool.Exec(ctx, `INSERT INTO child VALUES (2, NULL, 0)`)
	if name, ok := postgres.CheckViolation(err); !ok || name != "child_n" {
		t.Errorf("check: %q, %v", name, err)
	}
	if _, ok := postgres.CheckViolation(errors.New("other")); ok || postgres.Code(nil) != "" {
		t.Error("an error that is not the server's was classified")
	}
}
