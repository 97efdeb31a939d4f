package storetest

import (
	"testing"
	"time"

	"github.com/techmart/techmart/services/users"
)

// RunLimits runs the suite that every users.Limits passes. They hold no counts.
func RunLimits(t *testing.T, l users.Limits) {
	t.Helper()
	ctx, now := t.Context(), epoch
	narrow := users.Limit{Key: "narrow", Free: 2, Delay: 3 * time.Second, MaxDelay: 10 * time.Second, Window: time.Minute}
	wide := users.Limit{Key: "wide", Free: 3, Delay: 20 * time.Second, MaxDelay: time.Hour, Window: 2 * time.Hour}
	check := func(what string, blocked int, wait time.Duration, limits ...users.Limit) {
		t.Helper()
		b, w, err := l.Take(ctx, now, limits...)
		if err != nil || b != blocked || w != wait {
			t.Errorf("%s: %d, %v, %v; want %d, %v", what, b, w, err, blocked, wait)
		}
	}
	check("first", -1, 0, wide, narrow)
	check("second", -1, 0, wide, narrow)
	check("third, of the narrow one", 1, 3*time.Second, wide, narrow)
	check("third, of the wide one", -1, 0, wide) // the one before was not counted
	check("both wait", 0, 20*time.Second, wide, narrow)
	now = now.Add(3 * time.Second)
	check("a while later", -1, 0, narrow)
	check("the next delay is twice as long", 0, 6*time.Second, narrow)
	now = now.Add(6 * time.Second)
	check("later", -1, 0, narrow)
	check("and no longer than the longest", 0, 10*time.Second, narrow)
	now = now.Add(time.Minute)
	check("anew", -1, 0, narrow)
	check("anew", -1, 0, narrow)
	check("anew, third", 0, 3*time.Second, narrow)
	if err := l.Give(ctx, "narrow", "unknown"); err != nil {
		t.Fatal(err)
	}
	check("one was taken back", -1, 0, narrow)
	check("and no more", 0, 3*time.Second, narrow)
	if err := l.Forget(ctx, "narrow"); err != nil {
		t.Fatal(err)
	}
	check("forgotten", -1, 0, narrow)
	if err := l.Give(ctx, "narrow"); err != nil {
		t.Fatal(err)
	}
}
