// Package stacktest gives tests their own part of real servers: a fresh
// database, key prefix or namespace each, gone when the test ends, so that tests
// run in parallel on one set of servers.
//
// The servers are those that TECHMART_TEST_POSTGRES_URL and its three siblings
// name, else those of the shared test stack (`go run ./devstack/cmd/teststack
// up`), else a stack that the test binary starts and takes down with itself.
// There are no stand-ins: a missing server fails the test.
package stacktest

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"
	goredis "github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/techmart/techmart/devstack"
)

const (
	startTimeout   = 3 * time.Minute // with downloads
	cleanupTimeout = 30 * time.Second
	// queueIdleExpiry is when RabbitMQ deletes a test's queues.
	queueIdleExpiry = "2m"
)

// servers finds the servers, once per test binary. A stack that is started here
// ends with the process: its servers watch for that.
var servers = sync.OnceValues(func() (devstack.URLs, error) {
	urls, complete := devstack.FromTestEnv()
	if complete {
		return urls, nil
	}
	dir, err := devstack.TestDir()
	if err != nil {
		return urls, err
	}
	if urls, ok, err := devstack.Shared(dir); ok || err != nil {
		return urls, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	stack, err := devstack.StartForTest(ctx, dir, func(line string) { os.Stderr.WriteString("teststack: " + line + "\n") })
	if err != nil {
		return urls, err
	}
	return stack.URLs(), nil
})

// Private starts servers of the test's own, which it may kill. Their data is durable, and gone with the test.
func Private(t testing.TB) *devstack.Stack {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	base, err := devstack.TestDir()
	if err != nil {
		t.Fatalf("stacktest: %v", err)
	}
	dir := filepath.Join(base, fresh())
	cleanup(t, func(context.Context) error {
		elsewhere, err := os.ReadFile(filepath.Join(dir, "location"))
		if err == nil {
			err = os.RemoveAll(strings.TrimSpace(string(elsewhere)))
		} else if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return errors.Join(err, os.RemoveAll(dir))
	})
	stack, err := devstack.Start(ctx, devstack.Options{Dir: dir, RequireReal: true})
	if err != nil {
		t.Fatalf("stacktest: %v", err)
	}
	cleanup(t, stack.Close)
	return stack
}

func find(t testing.TB) devstack.URLs {
	t.Helper()
	urls, err := servers()
	if err != nil {
		t.Fatalf("no servers for tests: %v", err)
	}
	return urls
}

// cleanup runs fn at the end of the test, with a context that is alive then.
func cleanup(t testing.TB, fn func(ctx context.Context) error) {
	t.Helper()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
		defer cancel()
		if err := fn(ctx); err != nil {
			t.Errorf("stacktest: cleaning up: %v", err)
		}
	})
}

// fresh returns a name that no other test has, in lower case.
func fresh() string { return "t" + strings.ToLower(rand.Text()[:16]) }

// Postgres returns the URL of a fresh, empty database. Connections that are
// still open at the end of the test are cut.
func Postgres(t testing.TB) string {
	t.Helper()
	base := find(t).Postgres
	name := fresh()
	execute := func(ctx context.Context, sql string) error {
		conn, err := pgx.Connect(ctx, base)
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, sql)
		return err
	}
	if err := execute(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatalf("stacktest: %v", err)
	}
	cleanup(t, func(ctx context.Context) error { return execute(ctx, "DROP DATABASE "+name+" WITH (FORCE)") })
	u, err := url.Parse(base)
	if err != nil {
		t.Fatalf("stacktest: %v", err)
	}
	u.Path = "/" + name
	return u.String()
}

// MongoDB returns a URL whose path is a fresh, empty database.
func MongoDB(t testing.TB) string {
	t.Helper()
	name := fresh()
	address := devstack.MongoDatabaseURL(find(t).MongoDB, name)
	cleanup(t, func(ctx context.Context) error {
		client, err := mongo.Connect(options.Client().ApplyURI(address))
		if err != nil {
			return err
		}
		defer client.Disconnect(ctx)
		return client.Database(name).Drop(ctx)
	})
	return address
}

// Redis returns the URL of the server and a prefix that no other test has. Keys
// that start with the prefix are deleted at the end; a test must not use others.
func Redis(t testing.TB) (address, prefix string) {
	t.Helper()
	address, prefix = find(t).Redis, fresh()
	opts, err := goredis.ParseURL(address)
	if err != nil {
		t.Fatalf("stacktest: %v", err)
	}
	cleanup(t, func(ctx context.Context) error {
		client := goredis.NewClient(opts)
		defer client.Close()
		keys := client.Scan(ctx, 0, prefix+"*", 1000).Iterator()
		for keys.Next(ctx) {
			if err := client.Del(ctx, keys.Val()).Err(); err != nil {
				return err
			}
		}
		return keys.Err()
	})
	return address, prefix
}

// RabbitMQ returns the URL of the server and a namespace that no other test
// has. The server deletes the test's queues some minutes after their last use.
func RabbitMQ(t testing.TB) (address, namespace string) {
	t.Helper()
	base := find(t).RabbitMQ
	namespace = fresh()
	cleanup(t, func(context.Context) error {
		conn, err := amqp.Dial(base)
		if err != nil {
			return err
		}
		defer conn.Close()
		ch, err := conn.Channel()
		if err != nil {
			return err
		}
		return ch.ExchangeDelete(namespace+".events", false, false)
	})
	u, err := url.Parse(base)
	if err != nil {
		t.Fatalf("stacktest: %v", err)
	}
	q := u.Query()
	q.Set("queue_idle_expiry", queueIdleExpiry)
	u.RawQuery = q.Encode()
	return u.String(), namespace
}
