package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/platform/telemetry"
)

// Beginner starts transactions; *pgxpool.Pool and *pgx.Conn are Beginners.
type Beginner interface {
	BeginTx(ctx context.Context, opts pgx.TxOptions) (pgx.Tx, error)
}

const (
	txAttempts  = 5
	txFirstWait = 5 * time.Millisecond
)

// InTx runs fn in one read-committed transaction, which it commits when fn
// returns nil and rolls back otherwise. A serialization failure or deadlock
// runs fn again in a new transaction, five times at most, so fn must have no
// effect outside of tx. fn's error is returned unchanged.
func InTx(ctx context.Context, db Beginner, fn func(tx pgx.Tx) error) error {
	return InTxWith(ctx, db, pgx.TxOptions{}, fn)
}

// InTxWith is InTx with the isolation level and access mode of opts.
func InTxWith(ctx context.Context, db Beginner, opts pgx.TxOptions, fn func(tx pgx.Tx) error) error {
	return retry(ctx, db, func() error { return pgx.BeginTxFunc(ctx, db, opts, fn) })
}

// retry runs a transaction until it does not fail for another one's sake.
func retry(ctx context.Context, db Beginner, run func() error) error {
	wait := txFirstWait
	for attempt := 1; ; attempt++ {
		err := run()
		if err == nil || attempt == txAttempts || !IsRetryable(err) {
			return err
		}
		if pool, ok := db.(*pgxpool.Pool); ok {
			if t, ok := pool.Config().ConnConfig.Tracer.(*tracer); ok {
				t.metrics.Retried(string(telemetry.Postgres))
			}
		}
		timer := time.NewTimer(wait/2 + rand.N(wait))
		select {
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(ctx.Err(), err)
		case <-timer.C:
		}
		wait *= 2
	}
}

// IsRetryable tells whether err is a serialization failure or a deadlock: the
// transaction had no effect and may be run again as it was.
func IsRetryable(err error) bool {
	code := Code(err)
	return code == pgerrcode.SerializationFailure || code == pgerrcode.DeadlockDetected
}

// Code returns the five-character SQLSTATE of err, or "" where err did not
// come from the server.
func Code(err error) string {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgErr.Code
	}
	return ""
}

// UniqueViolation returns the name of the unique constraint or index that err
// says was violated. ok is false for any other error.
func UniqueViolation(err error) (constraint string, ok bool) {
	return violation(err, pgerrcode.UniqueViolation)
}

// IsUniqueViolation tells whether err violates the unique constraint or index
// of this name; an empty name stands for any.
func IsUniqueViolation(err error, constraint string) bool {
	name, ok := UniqueViolation(err)
	return ok && (constraint == "" || name == constraint)
}

// ForeignKeyViolation returns the name of the foreign key that err says was
// violated. ok is false for any other error.
func ForeignKeyViolation(err error) (constraint string, ok bool) {
	return violation(err, pgerrcode.ForeignKeyViolation)
}

// CheckViolation returns the name of the check that err says was violated. ok
// is false for any other error.
func CheckViolation(err error) (constraint string, ok bool) {
	return violation(err, pgerrcode.CheckViolation)
}

func violation(err error, code string) (string, bool) {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == code {
		return pgErr.ConstraintName, true
	}
	return "", false
}
