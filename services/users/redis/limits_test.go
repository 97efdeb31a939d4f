package redis_test

import (
	"testing"
	"time"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/platform/redis"
	"github.com/techmart/techmart/services/users"
	usersredis "github.com/techmart/techmart/services/users/redis"
	"github.com/techmart/techmart/services/users/storetest"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	address, prefix := stacktest.Redis(t)
	client, err := redis.Open(ctx, redis.Config{URL: address, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	storetest.RunLimits(t, usersredis.NewLimits(client))

	l, now := usersredis.NewLimits(client), time.Now()
	wide := users.Limit{Key: "ttl", Free: 3, Delay: time.Second, MaxDelay: time.Hour, Window: 2 * time.Hour}
	if _, _, err := l.Take(ctx, now, wide); err != nil {
		t.Fatal(err)
	}
	keys, err := client.Keys(ctx, prefix+"*ttl").Result()
	if err != nil || len(keys) != 1 {
		t.Fatalf("keys %v, %v", keys, err)
	}
	if left, err := client.TTL(ctx, keys[0]).Result(); err != nil || left <= time.Hour || left > 2*time.Hour {
		t.Errorf("the wide one ends in %v, %v", left, err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Take(ctx, now, wide); err == nil {
		t.Error("Take answers without a connection")
	}
	if l.Give(ctx, "ttl") == nil || l.Forget(ctx, "ttl") == nil {
		t.Error("Give or Forget succeeds without a connection")
	}
}
