package stacktest_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	goredis "github.com/redis/go-redis/v9"

	"github.com/techmart/techmart/devstack/stacktest"
)

func TestEachTestHasItsOwn(t *testing.T) {
	t.Parallel()
	if a, b := stacktest.MongoDB(t), stacktest.MongoDB(t); a == b {
		t.Errorf("MongoDB: twice %s", a)
	}
	_, a := stacktest.RabbitMQ(t)
	url, b := stacktest.RabbitMQ(t)
	if a == b || !strings.HasPrefix(url, "amqp://") {
		t.Errorf("RabbitMQ: %s twice, or %s is no server", a, url)
	}
}

func TestCleansUp(t *testing.T) {
	t.Parallel()
	var database, redisURL, prefix string
	t.Run("use", func(t *testing.T) {
		database = stacktest.Postgres(t)
		conn, err := pgx.Connect(t.Context(), database) // left open
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), `CREATE TABLE x ()`); err != nil {
			t.Fatal(err)
		}
		redisURL, prefix = stacktest.Redis(t)
		client := connectRedis(t, redisURL)
		if err := client.Set(t.Context(), prefix+":k", 1, 0).Err(); err != nil {
			t.Fatal(err)
		}
	})
	if _, err := pgx.Connect(t.Context(), database); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("the database is still there: %v", err)
	}
	if n, err := connectRedis(t, redisURL).Exists(t.Context(), prefix+":k").Result(); err != nil || n != 0 {
		t.Errorf("the key is still there: %d, %v", n, err)
	}
}

func connectRedis(t *testing.T, url string) *goredis.Client {
	t.Helper()
	opts, err := goredis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := goredis.NewClient(opts)
	t.Cleanup(func() { _ = client.Close() })
	return client
}
