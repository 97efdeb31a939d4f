// Package mongodb opens MongoDB databases: durable writes, bounded waits, UUIDs
// as BSON binary of subtype 4, and a count of every command. It knows no
// collection.
package mongodb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/xoptions"

	"github.com/techmart/techmart/platform/fault"
	"github.com/techmart/techmart/platform/telemetry"
)

// Config says which server and database to use and within which bounds. Only
// URL is needed, and Database where the URL names none.
type Config struct {
	// URL is mongodb://... or mongodb+srv://...; a Unix socket's path is
	// percent-encoded in the host's place.
	URL string
	// Database is used where the URL has no database path.
	Database string
	// ApplicationName is what the server's log and currentOp show.
	ApplicationName string
	// MaxPoolSize bounds the connections to each server; 0 means 50.
	MaxPoolSize uint64
	// ServerSelectionTimeout bounds the wait for a usable server; 0 means 3 s.
	ServerSelectionTimeout time.Duration
	// Timeout bounds an operation whose context has no deadline; 0 means 10 s.
	Timeout time.Duration
	// Metrics records every command; nil records only per-request counts.
	Metrics *telemetry.Metrics
	// Away is told of a server that cannot be reached yet, which then is no failure of Open; nil for it to be one.
	Away func(error)
}

// Open connects to MongoDB and checks that it answers. Writes return once a
// majority of the members has them in its journal. The second value
// disconnects, waiting for operations under way until its context ends.
func Open(ctx context.Context, c Config) (*mongo.Database, func(context.Context) error, error) {
	opts, name, err := clientOptions(c)
	if err != nil {
		return nil, nil, err
	}
	guard := fault.New(fault.Config{Server: string(telemetry.MongoDB), Metrics: c.Metrics})
	opts.SetMonitor(monitor(c.Metrics, guard))
	opts.SetPoolMonitor(&event.PoolMonitor{Event: func(e *event.PoolEvent) {
		// A server that takes a connection and says nothing is met here first. Calls that are answered
		// meanwhile tell it from one that is only busy.
		if e.Type == event.ConnectionCheckOutFailed && !errors.Is(e.Error, context.Canceled) {
			guard.Note(unselected(cmp.Or(e.Error, errNoConnection)))
		}
	}})
	deployment, err := guardedDeployment(opts, guard)
	if err == nil {
		err = xoptions.SetInternalClientOptions(opts, "deployment", deployment)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("mongodb: %w", err)
	}
	client, err := mongo.Connect(opts)
	if err != nil {
		return nil, nil, fmt.Errorf("mongodb: %w", err)
	}
	if err := client.Ping(ctx, readpref.Primary()); err != nil {
		if c.Away != nil && (fault.Lost(err) || mongo.IsNetworkError(err) || mongo.IsTimeout(err)) {
			c.Away(fmt.Errorf("mongodb: %w", err))
			return client.Database(name), client.Disconnect, nil
		}
		_ = client.Disconnect(context.WithoutCancel(ctx)) // the failed ping is what matters
		return nil, nil, fmt.Errorf("mongodb: %w", err)
	}
	return client.Database(name), client.Disconnect, nil
}

var errNoConnection = errors.New("mongodb: no connection was to be had")

// clientOptions returns the driver's options and the name of the database.
func clientOptions(c Config) (opts *options.ClientOptions, name string, err error) {
	if c.URL == "" {
		return nil, "", errors.New("mongodb: no URL given")
	}
	cs, err := connstring.ParseAndValidate(c.URL)
	if err != nil {
		return nil, "", fmt.Errorf("mongodb: %w", err)
	}
	name = cmp.Or(cs.Database, c.Database)
	if name == "" {
		return nil, "", errors.New("mongodb: neither the URL nor the configuration names a database")
	}
	journal := true
	opts = options.Client().
		ApplyURI(c.URL).
		SetRegistry(NewRegistry()).
		SetMaxPoolSize(cmp.Or(c.MaxPoolSize, 50)).
		SetConnectTimeout(5 * time.Second).
		SetServerSelectionTimeout(cmp.Or(c.ServerSelectionTimeout, 3*time.Second)).
		SetTimeout(cmp.Or(c.Timeout, 10*time.Second)).
		SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journal})
	if c.ApplicationName != "" {
		opts.SetAppName(c.ApplicationName)
	}
	return opts, name, nil
}

// monitor counts each command that the driver sends, so a find whose cursor
// needs a getMore counts two.
func monitor(m *telemetry.Metrics, g *fault.Guard) *event.CommandMonitor {
	return &event.CommandMonitor{
		Succeeded: func(ctx context.Context, e *event.CommandSucceededEvent) {
			m.Observe(ctx, telemetry.MongoDB, e.CommandName, e.Duration, nil)
			g.Note(nil)
		},
		Failed: func(ctx context.Context, e *event.CommandFailedEvent) {
			m.Observe(ctx, telemetry.MongoDB, e.CommandName, e.Duration, e.Failure)
			g.Note(lost(e.Failure))
		},
	}
}
