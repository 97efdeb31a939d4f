package users_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/techmart/techmart/services/users"
	"github.com/techmart/techmart/services/users/storetest"
)

func TestLocalLimits(t *testing.T) {
	t.Parallel()
	storetest.RunLimits(t, users.NewLocalLimits(10))

	// They are bounded: the key not tried for longest makes room.
	l, now := users.NewLocalLimits(10), time.Now()
	limit := func(key string) users.Limit {
		return users.Limit{Key: key, Free: 1, Delay: time.Minute, MaxDelay: time.Minute, Window: time.Hour}
	}
	for _, key := range []string{"first", "second"} {
		if _, _, err := l.Take(t.Context(), now, limit(key)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 9 {
		if _, _, err := l.Take(t.Context(), now, limit(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		key  string
		want int
	}{{"second", 0}, {"first", -1}} {
		if blocked, _, err := l.Take(t.Context(), now, limit(c.key)); err != nil || blocked != c.want {
			t.Errorf("%s: %d, %v, want %d", c.key, blocked, err, c.want)
		}
	}
}
