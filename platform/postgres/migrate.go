package postgres

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// lockTries bounds how long Migrate waits, a second per try, for another
// process that is migrating the same schema.
const lockTries = 300

// Migrate creates the schema where it is missing and applies the numbered goose
// migrations at the root of fsys that it has not had yet, in order, each in a
// transaction of its own. Versions are kept in <schema>.goose_db_version.
//
// Many processes may call it at once: one migrates, the others wait for it.
// Statements are not bound by the pool's statement timeout. Migrations name
// their tables with the schema: no search path is set for them.
func Migrate(ctx context.Context, pool *pgxpool.Pool, fsys fs.FS, schema string) (err error) {
	id := lockID(schema)
	if err := createSchema(ctx, pool, schema, id); err != nil {
		return fmt.Errorf("postgres: migrate %s: %w", schema, err)
	}
	cc := pool.Config().ConnConfig.Copy()
	cc.RuntimeParams["statement_timeout"] = "0"
	cc.Tracer = nil // it would bound them, too
	cc.RuntimeParams["idle_in_transaction_session_timeout"] = "0"
	db := stdlib.OpenDB(*cc)
	defer func() { err = errors.Join(err, db.Close()) }()

	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(id), lock.WithLockTimeout(1, lockTries))
	if err != nil {
		return fmt.Errorf("postgres: migrate %s: %w", schema, err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, fsys,
		goose.WithTableName(schema+".goose_db_version"),
		goose.WithSessionLocker(locker),
		goose.WithDisableGlobalRegistry(true),
	)
	if err != nil {
		return fmt.Errorf("postgres: migrate %s: %w", schema, err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("postgres: migrate %s: %w", schema, err)
	}
	return nil
}

// createSchema holds a lock while it creates, as two concurrent CREATE SCHEMA
// IF NOT EXISTS may both find it missing, and one of them then fails.
func createSchema(ctx context.Context, pool *pgxpool.Pool, schema string, id int64) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		// one less, so that it is not the lock that goose holds for minutes
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, id-1); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS `+pgx.Identifier{schema}.Sanitize())
		return err
	})
}

func lockID(schema string) int64 {
	h := fnv.New32a()
	h.Write([]byte("migrate " + schema))
	return int64(h.Sum32()) << 8
}
