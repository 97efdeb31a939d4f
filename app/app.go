// Package app puts the program together: one constructor for the server, the worker, the commands
// and the end-to-end tests.
package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"golang.org/x/sync/errgroup"

	web "github.com/techmart/techmart/clients/web"
	"github.com/techmart/techmart/gateway"
	"github.com/techmart/techmart/migrations"
	"github.com/techmart/techmart/platform/mongodb"
	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/platform/rabbitmq"
	"github.com/techmart/techmart/platform/redis"
	"github.com/techmart/techmart/platform/telemetry"
	"github.com/techmart/techmart/services/clients"
)

// App is the program, put together and connected.
type App struct {
	Services Services

	config     Config
	log        *slog.Logger
	registry   *prometheus.Registry
	metrics    *telemetry.Metrics
	pools      map[string]*pgxpool.Pool // by URL: domains on one server share one
	mongo      *mongo.Database
	redis      *redis.Client
	hub        *redis.Hub
	broker     rabbitmq.Broker
	stores     stores
	directory  *clients.Directory
	schema     graphql.ExecutableSchema
	gateway    *gateway.Gateway
	webhooks   map[string]http.Handler // of payment providers, by name
	selections selections              // of outgoing webhooks
	shop       web.Handler             // the shop front; without a key it shows nothing
	closers    []func(context.Context) error
	away       func(error) // takes servers that are away at the start; nil where they are needed
}

// Options are what New takes beside the configuration; the zero value is right for production.
type Options struct {
	Log   io.Writer         // takes the log; nil means standard error
	Clock func() time.Time  // nil means time.Now
	Demo  []gateway.Account // accounts that the development pages show
	// Wait makes New wait for servers that are away, until its context ends, instead of failing.
	Wait bool
	// Degraded makes New go on without servers that are away. They are connected to when they are back.
	Degraded bool
	// Called is told of each finished call to a server, at once, from any goroutine; nil for none. A test
	// kills the process there.
	Called func(b telemetry.Backend, operation string)
}

// New checks the configuration, connects to every server and puts the program together. It changes
// nothing on the servers. The caller closes it.
func New(ctx context.Context, c Config, o Options) (_ *App, err error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	log, err := telemetry.NewLogger(cmp.Or[io.Writer](o.Log, os.Stderr), telemetry.LogConfig{Level: c.LogLevel, Format: c.LogFormat})
	if err != nil {
		return nil, err
	}
	a := &App{config: c, log: log, registry: telemetry.NewRegistry(), pools: make(map[string]*pgxpool.Pool)}
	a.metrics = telemetry.NewMetrics(a.registry)
	a.metrics.Called = o.Called
	defer func() {
		if err != nil {
			closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.ShutdownGrace)
			defer cancel()
			err = errors.Join(err, a.Close(closing))
		}
	}()
	if o.Degraded {
		a.away = func(err error) { log.WarnContext(ctx, "a server is away, starting without it", "error", err) }
	}
	if err := a.reach(ctx, o.Wait); err != nil {
		return nil, err
	}
	if err := a.build(o); err != nil {
		return nil, err
	}
	if a.gateway, err = a.newGateway(o); err != nil {
		return nil, err
	}
	a.closers = append(a.closers, func(ctx context.Context) error { a.gateway.Close(ctx); return nil })
	return a, nil
}

const applicationName = "techmart"

// connect opens every server.
func (a *App) connect(ctx context.Context) error {
	c := a.config
	for _, domain := range migrations.Domains {
		url := c.postgresURL(domain)
		if a.pools[url] != nil {
			continue
		}
		pool, err := postgres.Open(ctx, postgres.Config{URL: url, MaxConns: c.PostgresMaxConns, ApplicationName: applicationName, Metrics: a.metrics, Server: c.postgresName(domain), Away: a.away})
		if err != nil {
			return fmt.Errorf("connect to the PostgreSQL of %s: %w", domain, err)
		}
		a.pools[url] = pool
		a.closers = append(a.closers, func(context.Context) error { pool.Close(); return nil })
	}
	db, disconnect, err := mongodb.Open(ctx, mongodb.Config{URL: c.MongoURL, Database: c.MongoDatabase, ApplicationName: applicationName, Metrics: a.metrics, Away: a.away})
	if err != nil {
		return fmt.Errorf("connect to MongoDB: %w", err)
	}
	a.mongo = db
	a.closers = append(a.closers, disconnect)
	a.redis, err = redis.Open(ctx, redis.Config{URL: c.RedisURL, Prefix: c.RedisPrefix, ApplicationName: applicationName, Metrics: a.metrics, Log: a.log, Away: a.away})
	if err != nil {
		return fmt.Errorf("connect to Redis: %w", err)
	}
	a.hub = redis.NewHub(a.redis)
	a.closers = append(a.closers, func(context.Context) error { return errors.Join(a.hub.Close(), a.redis.Close()) })
	a.broker, err = rabbitmq.Open(ctx, c.RabbitURL, rabbitmq.Options{
		Namespace: c.RabbitNamespace, ConnectionName: applicationName, Grace: c.ShutdownGrace, Log: a.log, Metrics: a.metrics, Away: a.away,
	})
	if err != nil {
		return fmt.Errorf("connect to RabbitMQ: %w", err)
	}
	a.closers = append(a.closers, a.broker.Close)
	return nil
}

// pool gives the PostgreSQL pool of a domain.
func (a *App) pool(domain string) *pgxpool.Pool { return a.pools[a.config.postgresURL(domain)] }

// Handler answers every route of the edge, without a listener.
func (a *App) Handler() http.Handler { return a.gateway.Handler() }

// Graph gives the executable graph and what puts the loaders of a response into its context, without
// the edge: for measuring what the edge adds.
func (a *App) Graph() (graphql.ExecutableSchema, func(context.Context) context.Context) {
	return a.schema, a.loaders
}

// Log is the program's log.
func (a *App) Log() *slog.Logger { return a.log }

// Parts says what of the program runs.
type Parts struct {
	API    net.Listener // answers requests on it; nil for none
	Status net.Listener // answers /healthz, /readyz and /metrics alone on it; nil for none
	Worker bool         // does the work that is queued
}

// Run runs the parts until ctx ends, and then finishes what is under way. It fails when a part does.
func (a *App) Run(ctx context.Context, p Parts) error {
	group, ctx := errgroup.WithContext(ctx)
	if p.API != nil {
		group.Go(func() error { return a.gateway.Serve(ctx, p.API, a.config.ShutdownGrace) })
	}
	if p.Status != nil {
		group.Go(func() error { return a.gateway.ServeStatus(ctx, p.Status, a.config.ShutdownGrace) })
	}
	if p.Worker {
		group.Go(func() error { return a.work(ctx) })
	}
	a.keepAll(ctx, group, chore{"restore revocations", time.Minute, a.Services.Users.RestoreRevocations})
	return group.Wait()
}

// Close disconnects from every server, in the reverse order of connecting.
func (a *App) Close(ctx context.Context) error {
	var faults []error
	for _, closer := range slices.Backward(a.closers) {
		faults = append(faults, closer(ctx))
	}
	a.closers = nil
	return errors.Join(faults...)
}

// Listen opens the address of the API. A failure is one sentence that says what to do.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, listenFailure(address, err)
	}
	return l, nil
}
