// Package redis opens Redis clients with short timeouts, a key prefix and a
// count of every command, and fans one pub/sub connection out to the whole
// process. It knows no key.
package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/techmart/techmart/platform/fault"
	"github.com/techmart/techmart/platform/group"
	"github.com/techmart/techmart/platform/telemetry"
)

// Config says which server to use. Only URL is needed.
type Config struct {
	// URL is redis://user:password@host:port/db, rediss:// for TLS, or
	// unix:///path?db=0.
	URL string
	// Prefix starts every key and channel made by Client.Key, so that several
	// installations can share a server.
	Prefix string
	// ApplicationName is what CLIENT LIST shows.
	ApplicationName string
	// Metrics records every command; nil records only per-request counts.
	Metrics *telemetry.Metrics
	// Log takes what the library says by itself, of the whole process; nil for nowhere.
	Log *slog.Logger
	// Away is told of a server that cannot be reached yet, which then is no failure of Open; nil for it to be one.
	Away func(error)
}

// said gives the log of the latest client what the library, which has one logger for the whole process, would
// print to standard error.
type said struct{ log atomic.Pointer[slog.Logger] }

var librarySays said

// Printf logs.
func (s *said) Printf(ctx context.Context, format string, v ...any) {
	if log := s.log.Load(); log != nil {
		log.WarnContext(ctx, "redis: "+fmt.Sprintf(format, v...))
	}
}

// Client is a go-redis client and the prefix of its keys. A command that gets
// no answer within a second fails; nothing waits long for a cache.
type Client struct {
	*goredis.Client
	prefix  string
	log     *slog.Logger
	metrics *telemetry.Metrics
}

// Close disconnects.
func (c *Client) Close() error {
	librarySays.log.CompareAndSwap(c.log, nil)
	return c.Client.Close()
}

// Open connects to Redis and checks that it answers. The caller closes the
// client.
func Open(ctx context.Context, c Config) (*Client, error) {
	if c.URL == "" {
		return nil, errors.New("redis: no URL given")
	}
	opts, err := goredis.ParseURL(c.URL)
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	librarySays.log.Store(c.Log)
	goredis.SetLogger(&librarySays)
	opts.ClientName = c.ApplicationName
	opts.DialTimeout = 2 * time.Second
	opts.ReadTimeout = time.Second
	opts.WriteTimeout = time.Second
	opts.PoolTimeout = time.Second
	opts.MaxRetries = 1
	opts.DialerRetries = 1
	opts.ContextTimeoutEnabled = true
	opts.DisableIdentity = true
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	client := &Client{Client: goredis.NewClient(opts), prefix: c.Prefix, log: c.Log, metrics: c.Metrics}
	client.AddHook(hook{c.Metrics, fault.New(fault.Config{Server: string(telemetry.Redis), Limit: maxCommands, Metrics: c.Metrics})})
	if err := client.Ping(ctx).Err(); err != nil {
		if c.Away != nil && fault.Lost(err) {
			c.Away(fmt.Errorf("redis: %w", err))
			return client, nil
		}
		_ = client.Close() // the failed ping is what matters
		return nil, fmt.Errorf("redis: %w", err)
	}
	return client, nil
}

// Group makes a group of calls that share a round trip, of those of about the same time: run makes it, and gives a
// result for each. Name is the label of the metrics.
func Group[K, V any](c *Client, name string, run func(ctx context.Context, items []K) ([]group.Result[V], error)) *group.Group[K, V] {
	return group.New(group.Config[K, V]{Name: name, Run: run, Lanes: lanes, Patience: patience, Timeout: 5 * time.Second, Metrics: c.metrics})
}

const (
	lanes    = 4                    // round trips of a group at a time
	patience = 5 * time.Millisecond // for the answer to one, before there is another
)

// Key joins the client's prefix and parts with colons.
func (c *Client) Key(parts ...string) string {
	key := strings.Join(parts, ":")
	if c.prefix == "" {
		return key
	}
	return c.prefix + ":" + key
}

// hook counts and times commands; a pipeline or transaction is one.
// Commands that the guard refuses are not made.
type hook struct {
	metrics *telemetry.Metrics
	guard   *fault.Guard
}

// maxCommands bounds the commands at a time, with those that wait for a connection.
const maxCommands = 1024

func (h hook) DialHook(next goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		return next(ctx, network, addr)
	}
}

func (h hook) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		if isHandshake(cmd) {
			return next(ctx, cmd)
		}
		if err := h.guard.Enter(); err != nil {
			cmd.SetErr(err)
			return err
		}
		began := time.Now()
		err := h.guard.Leave(next(ctx, cmd))
		h.metrics.Observe(ctx, telemetry.Redis, "command", time.Since(began), failure(err))
		return err
	}
}

func (h hook) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		if len(cmds) > 0 && isHandshake(cmds[0]) {
			return next(ctx, cmds)
		}
		if err := h.guard.Enter(); err != nil {
			for _, cmd := range cmds {
				cmd.SetErr(err)
			}
			return err
		}
		began := time.Now()
		err := h.guard.Leave(next(ctx, cmds))
		h.metrics.Observe(ctx, telemetry.Redis, "pipeline", time.Since(began), failure(err))
		return err
	}
}

// isHandshake tells whether the client sent the command by itself, on a new
// connection: whichever request happened to open it did not ask for it.
func isHandshake(cmd goredis.Cmder) bool {
	switch cmd.Name() {
	case "hello", "auth", "select", "client", "readonly":
		return true
	}
	return false
}

// failure drops the error that only says a key does not exist.
func failure(err error) error {
	if errors.Is(err, goredis.Nil) {
		return nil
	}
	return err
}
