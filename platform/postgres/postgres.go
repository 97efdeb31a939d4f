// Package postgres opens PostgreSQL connection pools, migrates schemas, runs
// transactions with retries and classifies the server's errors. It knows no
// table.
package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	pgxuuid "github.com/vgarvardt/pgx-google-uuid/v5"

	"github.com/techmart/techmart/platform/fault"
	"github.com/techmart/techmart/platform/telemetry"
)

// Config says which server to use and within which bounds. Only URL is needed.
type Config struct {
	// URL is postgres://user:password@host:port/database?options, or the
	// key=value form.
	URL string
	// MaxConns bounds the pool; 0 takes pool_max_conns of the URL, else 10.
	MaxConns int32
	// ApplicationName is what pg_stat_activity shows.
	ApplicationName string
	// StatementTimeout ends a statement on the server; 0 means 10 s, a
	// negative value none. Migrations are not bound by it.
	StatementTimeout time.Duration
	// Metrics records every round trip; nil records only per-request counts.
	Metrics *telemetry.Metrics
	// Server names the server in metrics and errors, where there are several; "" means postgres.
	Server string
	// Away is told of a server that cannot be reached yet, which then is no failure of Open; nil for it to be one.
	Away func(error)
}

const (
	defaultMaxConns         = 10
	defaultStatementTimeout = 10 * time.Second
	connectTimeout          = 5 * time.Second
	idleInTransaction       = 60 * time.Second
)

// Open connects to PostgreSQL and checks that it answers. The pool encodes and
// scans uuid.UUID, *uuid.UUID and []uuid.UUID as the server's uuid and uuid[].
// The caller closes the pool.
func Open(ctx context.Context, c Config) (*pgxpool.Pool, error) {
	pc, err := poolConfig(c)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		if c.Away != nil && fault.Lost(err) {
			c.Away(fmt.Errorf("postgres: %w", err))
			return pool, nil
		}
		pool.Close()
		return nil, fmt.Errorf("postgres: %w", err)
	}
	return pool, nil
}

func poolConfig(c Config) (*pgxpool.Config, error) {
	if c.URL == "" {
		return nil, errors.New("postgres: no URL given")
	}
	pc, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err) // pgx leaves the password out of it
	}
	switch {
	case c.MaxConns > 0:
		pc.MaxConns = c.MaxConns
	case !urlSetsMaxConns(c.URL):
		pc.MaxConns = defaultMaxConns
	}
	pc.MaxConnLifetime = time.Hour
	pc.MaxConnLifetimeJitter = 10 * time.Minute
	pc.MaxConnIdleTime = 10 * time.Minute
	pc.HealthCheckPeriod = 30 * time.Second

	cc := pc.ConnConfig
	cc.ConnectTimeout = connectTimeout
	if c.ApplicationName != "" {
		cc.RuntimeParams["application_name"] = c.ApplicationName
	}
	timeout := c.StatementTimeout
	if timeout == 0 {
		timeout = defaultStatementTimeout
	}
	if _, set := cc.RuntimeParams["statement_timeout"]; !set && timeout > 0 {
		cc.RuntimeParams["statement_timeout"] = milliseconds(timeout)
	}
	if _, set := cc.RuntimeParams["idle_in_transaction_session_timeout"]; !set {
		cc.RuntimeParams["idle_in_transaction_session_timeout"] = milliseconds(idleInTransaction)
	}
	cc.RuntimeParams["timezone"] = "UTC"
	var answer time.Duration
	if cc.RuntimeParams["statement_timeout"] == milliseconds(timeout) && timeout > 0 {
		answer = timeout + answerMargin
	}
	configure(pc, cmp.Or(c.Server, string(telemetry.Postgres)), c.Metrics, answer)
	pc.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		pgxuuid.Register(conn.TypeMap())
		return nil
	}
	return pc, nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// urlSetsMaxConns tells whether the URL itself names a pool size: pgxpool's
// parser fills in its own default, which cannot be told from a chosen one.
func urlSetsMaxConns(url string) bool {
	pc, err := pgx.ParseConfig(url)
	if err != nil {
		return false
	}
	_, set := pc.RuntimeParams["pool_max_conns"]
	return set
}
