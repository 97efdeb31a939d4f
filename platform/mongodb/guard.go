package mongodb

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/description"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"github.com/techmart/techmart/platform/fault"
)

// guarded is the servers of an installation behind a guard: while none of them answers, an operation fails at
// once instead of waiting for one. The connections of the pool are the bulkhead.
type guarded struct {
	*topology.Topology
	guard *fault.Guard
}

// guardedDeployment makes the servers that the options name.
func guardedDeployment(opts *options.ClientOptions, g *fault.Guard) (driver.Deployment, error) {
	config, err := topology.NewConfig(opts, nil)
	if err != nil {
		return nil, err
	}
	t, err := topology.New(config)
	if err != nil {
		return nil, err
	}
	return &guarded{t, g}, nil
}

// SelectServer gives a server that can be asked.
func (d *guarded) SelectServer(ctx context.Context, s description.ServerSelector) (driver.Server, error) {
	if d.guard.Closed() {
		server, err := d.Topology.SelectServer(ctx, s)
		if err != nil {
			d.guard.Note(unselected(err))
			return nil, unselected(err)
		}
		return server, nil
	}
	if err := d.guard.Enter(); err != nil {
		return nil, err
	}
	server, err := d.Topology.SelectServer(ctx, s)
	if err = d.guard.Leave(unselected(err)); err != nil {
		return nil, err
	}
	return server, nil
}

// unselected marks that there was no server to ask.
func unselected(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return &fault.Error{Server: "mongodb", Err: err}
}

// lost marks the failure of a command whose connection broke.
func lost(err error) error {
	if mongo.IsNetworkError(err) || mongo.IsTimeout(err) {
		return &fault.Error{Server: "mongodb", Err: err}
	}
	return err
}
