package telemetry

import (
	"context"
	"sync/atomic"
)

// Backend names a system that the process calls over the network.
type Backend string

// The backends whose calls are counted.
const (
	Postgres Backend = "postgres"
	MongoDB  Backend = "mongodb"
	Redis    Backend = "redis"
	RabbitMQ Backend = "rabbitmq"
	// Budget is the part of Redis that keeps the clients' budgets. A process asks it from time to time,
	// whatever a request is about, so its calls are told apart.
	Budget Backend = "budget"
)

// Calls counts the round trips that one request made to each backend. A pgx
// batch, a Redis pipeline and a MongoDB command count as one each; a cursor
// that needs a second page counts a second command.
//
// All methods may be called on a nil *Calls and from many goroutines.
type Calls struct {
	Postgres, MongoDB, Redis, RabbitMQ, Budget atomic.Int64
}

// Add counts n calls to the backend.
func (c *Calls) Add(b Backend, n int64) {
	if counter := c.counter(b); counter != nil {
		counter.Add(n)
	}
}

// Of returns the number of calls made to the backend so far; 0 on nil.
func (c *Calls) Of(b Backend) int64 {
	if counter := c.counter(b); counter != nil {
		return counter.Load()
	}
	return 0
}

// Total returns the number of calls made to all backends so far; 0 on nil.
func (c *Calls) Total() int64 {
	return c.Of(Postgres) + c.Of(MongoDB) + c.Of(Redis) + c.Of(RabbitMQ) + c.Of(Budget)
}

func (c *Calls) counter(b Backend) *atomic.Int64 {
	if c == nil {
		return nil
	}
	switch b {
	case Postgres:
		return &c.Postgres
	case MongoDB:
		return &c.MongoDB
	case Redis:
		return &c.Redis
	case RabbitMQ:
		return &c.RabbitMQ
	case Budget:
		return &c.Budget
	}
	return nil
}

type callsKey struct{}

// WithCalls returns a context whose backend calls are counted, and the
// counter. The edge calls it once per request.
func WithCalls(ctx context.Context) (context.Context, *Calls) {
	c := new(Calls)
	return context.WithValue(ctx, callsKey{}, c), c
}

// CallsFrom returns the counter of ctx, or nil, which is safe to use, where
// nothing is being counted.
func CallsFrom(ctx context.Context) *Calls {
	c, _ := ctx.Value(callsKey{}).(*Calls)
	return c
}

type asKey struct{}

// As returns a context whose calls count as those of another backend than the one that is called.
func As(ctx context.Context, b Backend) context.Context { return context.WithValue(ctx, asKey{}, b) }

// counted gives the backend as which a call counts.
func counted(ctx context.Context, b Backend) Backend {
	if as, ok := ctx.Value(asKey{}).(Backend); ok {
		return as
	}
	return b
}

// The parts of the program whose work is counted apart. What belongs to none is that of a request.
const (
	PartRequests      = "requests"
	PartJobs          = "jobs"          // taking jobs in and giving them out
	PartSaga          = "saga"          // what drives orders
	PartOutbox        = "outbox"        // relaying events
	PartNotifications = "notifications" // taking events in, and sending
	PartWebhooks      = "webhooks"      // telling endpoints
	PartUpkeep        = "upkeep"        // what is done from time to time
)

type partKey struct{}

// WithPart returns a context whose work counts as that of a part of the program. part must come from a small
// fixed set, as it becomes a label.
func WithPart(ctx context.Context, part string) context.Context {
	return context.WithValue(ctx, partKey{}, part)
}

func part(ctx context.Context) string {
	if p, ok := ctx.Value(partKey{}).(string); ok {
		return p
	}
	return PartRequests
}

// Adopt returns ctx with what counts the work of from: its Calls, its Timeline, its backend and its part, and
// nothing else.
// What is done for many callers at once counts as the work of one of them.
func Adopt(ctx, from context.Context) context.Context {
	for _, key := range []any{callsKey{}, timelineKey{}, asKey{}, partKey{}} {
		if v := from.Value(key); v != nil {
			ctx = context.WithValue(ctx, key, v)
		}
	}
	return ctx
}
