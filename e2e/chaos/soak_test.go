package chaos

import (
	"cmp"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/techmart/techmart/services/users"
)

// usage is what a shop uses while it is under load.
type usage struct {
	Heap        uint64 // bytes, after a collection
	Goroutines  int
	Connections int   // to PostgreSQL
	Waiting     int   // events in all outboxes
	Jobs        int   // that are to be done
	Dead        int64 // rows
}

// String shows it.
func (u usage) String() string {
	return fmt.Sprintf("heap %.1f MB, %d goroutines, %d connections, %d events and %d jobs wait, %d dead rows",
		float64(u.Heap)/1e6, u.Goroutines, u.Connections, u.Waiting, u.Jobs, u.Dead)
}

// usage measures now.
func (s *shop) usage() usage {
	s.t.Helper()
	var u usage
	if err := s.pool.QueryRow(s.t.Context(), `SELECT
		(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()),
		(SELECT count(*) FROM users.outbox) + (SELECT count(*) FROM orders.outbox) + (SELECT count(*) FROM payments.outbox) + (SELECT count(*) FROM notifications.outbox),
		(SELECT count(*) FROM orders.river_job WHERE state IN ('available', 'retryable', 'running')),
		(SELECT coalesce(sum(n_dead_tup), 0)::bigint FROM pg_stat_user_tables)`).Scan(&u.Connections, &u.Waiting, &u.Jobs, &u.Dead); err != nil {
		s.t.Fatal(err)
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u.Heap, u.Goroutines = m.HeapAlloc, runtime.NumGoroutine()
	return u
}

// Under steady load nothing that the program uses grows. It runs for some seconds, or as long as -chaos.soak says,
// in the process of the test: run it alone then. Only a long one tells of slow growth, so that a short one allows for warming up.
func TestSoak(t *testing.T) {
	t.Parallel()
	chance := random(t)
	direct := fresh(t)
	s := open(t, direct, direct, true)
	l := &load{s: s, variants: []string{s.product("Fjord Camera", 1_000_000)}, staff: s.as(users.Admin)}
	stop := l.start(4, chance)
	lasts := cmp.Or(*soak, 5*time.Second)
	wait(t.Context(), lasts/5)
	first := s.usage()
	t.Logf("after %s: %s", lasts/5, first)
	last := first
	for range 4 {
		wait(t.Context(), lasts/5)
		last = s.usage()
		t.Logf("now: %s; %d orders", last, l.count())
	}
	stop()
	if *soak > 0 {
		if last.Heap > first.Heap*3/2+20e6 {
			t.Errorf("the heap grew from %d to %d bytes", first.Heap, last.Heap)
		}
		if last.Goroutines > first.Goroutines+50 {
			t.Errorf("goroutines grew from %d to %d", first.Goroutines, last.Goroutines)
		}
		if last.Connections > first.Connections+5 {
			t.Errorf("connections grew from %d to %d", first.Connections, last.Connections)
		}
		if last.Dead > 3*first.Dead+100_000 {
			t.Errorf("dead rows grew from %d to %d", first.Dead, last.Dead)
		}
	}
	if last.Waiting > 2000 || last.Jobs > 2000 {
		t.Errorf("the worker does not keep up: %s", last)
	}
	t.Log(l)
	s.rests(2 * time.Minute)
	s.audit(l.accepted, false)
}
