package redis_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/platform/redis"
	usersredis "github.com/techmart/techmart/services/users/redis"
)

func TestRevocations(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	address, prefix := stacktest.Redis(t)
	client, err := redis.Open(ctx, redis.Config{URL: address, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	r := usersredis.New(client)
	check := func(what string, id uuid.UUID, want bool) {
		t.Helper()
		if got, err := r.Revoked(ctx, id); err != nil || got != want {
			t.Errorf("%s: revoked %v, %v, want %v", what, got, err, want)
		}
	}
	one, two, past, never := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	until := time.Now().Add(time.Hour)
	for range 2 {
		if err := r.Revoke(ctx, until, one, two); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Revoke(ctx, time.Now().Add(-time.Minute), past); err != nil {
		t.Fatal(err)
	}
	if err := r.Revoke(ctx, until); err != nil {
		t.Errorf("none to revoke: %v", err)
	}
	check("one", one, true)
	check("two", two, true)
	check("one whose tokens have ended", past, false)
	check("another", never, false)

	var all sync.WaitGroup
	for range 100 { // at the same time, by few commands
		all.Go(func() { check("one", one, true) })
		all.Go(func() { check("another", never, false) })
	}
	all.Wait()

	keys, err := client.Keys(ctx, prefix+"*").Result()
	if err != nil || len(keys) != 2 {
		t.Fatalf("keys %v, %v", keys, err)
	}
	for _, key := range keys {
		if left, err := client.TTL(ctx, key).Result(); err != nil || left <= 0 || left > time.Hour {
			t.Errorf("%s ends in %v, %v", key, left, err)
		}
	}

	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Revoked(ctx, one); err == nil {
		t.Error("Revoked answers without a connection")
	}
	if err := r.Revoke(ctx, until, never); err == nil {
		t.Error("Revoke succeeds without a connection")
	}
}
