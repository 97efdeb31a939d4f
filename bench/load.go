package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A result is what one run of one scenario at one concurrency gave.
type result struct {
	name        string
	concurrency int
	requests    int
	took        time.Duration
	p50, p95    time.Duration
	p99         time.Duration
	bytes       int64 // of all answers
	failed      int
	firstError  error
}

func (r result) perSecond() float64 { return float64(r.requests) / r.took.Seconds() }

// run calls do from several goroutines at once until the time is over or the count is reached.
// do gets the number of its worker and of its call, and gives the bytes of the answer.
func run(ctx context.Context, name string, concurrency int, d time.Duration, most int, do func(ctx context.Context, worker, call int) (int, error)) result {
	ctx, cancel := context.WithTimeout(ctx, d+30*time.Second)
	defer cancel()
	r := result{name: name, concurrency: concurrency}
	var (
		mu    sync.Mutex
		took  []time.Duration
		calls atomic.Int64
		wg    sync.WaitGroup
	)
	start := time.Now()
	for w := range concurrency {
		wg.Go(func() {
			var mine []time.Duration
			var size int64
			var failed int
			var first error
			for time.Since(start) < d {
				n := calls.Add(1)
				if n > int64(most) {
					break
				}
				begin := time.Now()
				got, err := do(ctx, w, int(n))
				if err != nil {
					failed++
					if first == nil {
						first = err
					}
					if ctx.Err() != nil {
						break
					}
					continue
				}
				mine = append(mine, time.Since(begin))
				size += int64(got)
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
			r.bytes += size
			r.failed += failed
			if r.firstError == nil {
				r.firstError = first
			}
		})
	}
	wg.Wait()
	r.took = time.Since(start)
	r.requests = len(took)
	slices.Sort(took)
	r.p50, r.p95, r.p99 = percentile(took, 50), percentile(took, 95), percentile(took, 99)
	return r
}

// percentile gives the value below which p percent of the sorted values lie (nearest rank).
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := (len(sorted)*p + 99) / 100
	return sorted[max(rank, 1)-1]
}

func (r result) String() string {
	return fmt.Sprintf("%-28s %4d %9.0f/s %9s %9s %9s %8d", r.name, r.concurrency, r.perSecond(), short(r.p50), short(r.p95), short(r.p99), r.requests)
}

func short(d time.Duration) string { return fmt.Sprintf("%.1fms", float64(d.Microseconds())/1000) }
