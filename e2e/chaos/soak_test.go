package chaos

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
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
	Messages    int   // in the queues of RabbitMQ
	Jobs        int   // that are to be done
	Dead        int64 // rows
}

// String shows it.
func (u usage) String() string {
	return fmt.Sprintf("heap %.1f MB, %d goroutines, %d connections, %d events, %d messages and %d jobs wait, %d dead rows",
		float64(u.Heap)/1e6, u.Goroutines, u.Connections, u.Waiting, u.Messages, u.Jobs, u.Dead)
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
	for queue, n := range s.messages() {
		if !strings.HasSuffix(queue, ".dead") {
			u.Messages += n
		}
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
	s.mail.Forgetful = *soak > 0
	l := &load{s: s, staff: s.as(users.Admin), sends: *soak > 0}
	for i := range 20 {
		l.variants = append(l.variants, s.product(fmt.Sprintf("Fjord Camera %d", i), 1_000_000))
	}
	customers, lasts := 4, 5*time.Second
	if *soak > 0 {
		customers, lasts = l.keepPace(chance), *soak
	}
	stop := l.start(customers, chance)
	var first, last usage
	for i := range 10 {
		wait(t.Context(), lasts/10)
		if last = s.usage(); i == 1 {
			first = last
		}
		n, p95 := l.paces()
		t.Logf("%s: %.0f orders a minute, p95 of orderPlace %s; %s", lasts/10*time.Duration(i+1), float64(n)/(lasts/10).Minutes(), p95.Round(time.Millisecond), last)
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
	if last.Waiting > 2000 || last.Jobs > 2000 || last.Messages > 2000 {
		t.Errorf("the worker does not keep up: %s", last)
	}
	t.Log(l)
	s.rests(5 * time.Minute)
	s.audit(l.accepted, false)
}

// keepPace gives how many customers make the highest rate at which 95 % of orderPlace stay below -chaos.p95. A level that is too
// much is tried once more: something else may have been going on.
func (l *load) keepPace(chance *rand.Rand) (customers int) {
	customers = 1
	best, misses := 0, 0
	for n := 1; n <= 64 && misses < 2; {
		stop := l.start(n, chance)
		wait(l.s.t.Context(), 3*time.Second) // to warm up
		l.paces()
		wait(l.s.t.Context(), 10*time.Second)
		placed, p95 := l.paces()
		stop()
		l.s.t.Logf("%d customers: %d orders a minute, p95 of orderPlace %s", n, placed*6, p95.Round(time.Millisecond))
		if p95 > *pace {
			misses++
			continue
		}
		if misses = 0; placed > best {
			best, customers = placed, n
		}
		n = n*3/2 + 1
	}
	return customers
}
