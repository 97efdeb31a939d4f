package group_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/techmart/techmart/platform/group"
	"github.com/techmart/techmart/platform/telemetry"
)

// recorder keeps the batches that ran. Each takes a while, and doubles its items; odd items fail.
type recorder struct {
	takes time.Duration

	mu      sync.Mutex
	batches [][]int
	under   int
	most    int // batches under way at a time
}

var errOdd = errors.New("odd")

func (r *recorder) run(ctx context.Context, items []int) ([]group.Result[int], error) {
	r.mu.Lock()
	r.batches = append(r.batches, append([]int(nil), items...))
	r.under++
	r.most = max(r.most, r.under)
	r.mu.Unlock()
	defer func() { r.mu.Lock(); r.under--; r.mu.Unlock() }()
	select {
	case <-time.After(r.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	results := make([]group.Result[int], len(items))
	for i, n := range items {
		results[i].Value = 2 * n
		if n%2 == 1 {
			results[i].Err = fmt.Errorf("%d: %w", n, errOdd)
		}
	}
	return results, nil
}

func (r *recorder) sizes() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]int, len(r.batches))
	for i, b := range r.batches {
		list[i] = len(b)
	}
	return fmt.Sprint(list)
}

// call starts n calls with the items 0 to n-1, and waits until all of them wait.
func call(g *group.Group[int, int], n int) *sync.WaitGroup {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			got, err := g.Do(context.Background(), i)
			if i%2 == 0 && (err != nil || got != 2*i) || i%2 == 1 && !errors.Is(err, errOdd) {
				panic(fmt.Sprint(i, ": ", got, err))
			}
		})
	}
	synctest.Wait()
	return &all
}

func TestBatchesGatherWhileOneIsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{takes: 10 * time.Millisecond}
		g := group.New(group.Config[int, int]{Name: "test", Max: 4, Run: r.run})
		began := time.Now()
		call(g, 1).Wait()
		if took := time.Since(began); took != r.takes {
			t.Errorf("a call that is alone took %v", took)
		}
		call(g, 10).Wait()
		// The first one after the break takes along who is ready by then.
		if n := len(r.batches); n > 5 || len(r.batches[0]) != 1 || len(r.batches[n-2]) != 4 || r.most != 1 {
			t.Errorf("batches of %s, at most %d at a time", r.sizes(), r.most)
		}
	})
}

func TestLanes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		calls, most int
		took        time.Duration
	}{
		"a full batch takes another lane":     {9, 3, 100 * time.Millisecond},
		"no more than the lanes":              {17, 3, 200 * time.Millisecond},
		"one that waits for too long as well": {2, 2, 105 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := &recorder{takes: 100 * time.Millisecond}
				g := group.New(group.Config[int, int]{Name: "test", Max: 4, Lanes: 3, Patience: 5 * time.Millisecond, Run: r.run})
				began := time.Now()
				first := call(g, 1)
				call(g, test.calls-1).Wait()
				first.Wait()
				if took := time.Since(began); took != test.took || r.most != test.most {
					t.Errorf("%v with %d at a time; want %v with %d; batches of %s", took, r.most, test.took, test.most, r.sizes())
				}
			})
		})
	}
}

func TestEvery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{takes: time.Millisecond}
		g := group.New(group.Config[int, int]{Name: "test", Every: 10 * time.Millisecond, Run: r.run})
		began := time.Now()
		call(g, 1).Wait()
		call(g, 5).Wait()
		if took := time.Since(began); took != 11*time.Millisecond || r.sizes() != "[1 5]" {
			t.Errorf("%v, batches of %s", took, r.sizes())
		}
		time.Sleep(10 * time.Millisecond)
		began = time.Now()
		call(g, 1).Wait()
		if took := time.Since(began); took != r.takes {
			t.Errorf("a call that comes later waited: %v", took)
		}
	})
}

// A batch that ends leaves the next one to wait for its turn only, not for the patience that another lane takes.
func TestEveryWithLanes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{takes: time.Millisecond}
		g := group.New(group.Config[int, int]{Name: "test", Lanes: 4, Patience: time.Second, Every: 10 * time.Millisecond, Run: r.run})
		began := time.Now()
		first := call(g, 1)
		call(g, 5).Wait()
		first.Wait()
		if took := time.Since(began); took != 11*time.Millisecond || r.sizes() != "[1 5]" {
			t.Errorf("%v, batches of %s", took, r.sizes())
		}
	})
}

func TestCallersLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{takes: 10 * time.Millisecond}
		g := group.New(group.Config[int, int]{Name: "test", Run: r.run})
		ctx, leave := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for _, item := range []int{100, 102} { // the first is under way, the second waits
			all.Go(func() {
				if _, err := g.Do(ctx, item); !errors.Is(err, context.Canceled) {
					t.Errorf("%d: %v", item, err)
				}
			})
			synctest.Wait()
		}
		stays := call(g, 1)
		leave()
		all.Wait()
		if left := r.sizes(); left != "[1]" {
			t.Errorf("batches of %s when they left", left)
		}
		stays.Wait()
		if got := fmt.Sprint(r.batches); got != "[[100] [0]]" {
			t.Errorf("batches %s", got)
		}
		if _, err := g.Do(ctx, 2); !errors.Is(err, context.Canceled) {
			t.Errorf("who has left gets %v", err)
		}
	})
}

func TestFaultsOfABatch(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		run  func(context.Context, []int) ([]group.Result[int], error)
		want string
	}{
		"an error": {func(context.Context, []int) ([]group.Result[int], error) { return nil, errOdd }, "odd"},
		"a panic":  {func(context.Context, []int) ([]group.Result[int], error) { panic("at the disco") }, "at the disco"},
		"too few":  {func(context.Context, []int) ([]group.Result[int], error) { return nil, nil }, "0 results"},
		"too slow": {func(ctx context.Context, _ []int) ([]group.Result[int], error) { <-ctx.Done(); return nil, ctx.Err() }, "deadline"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := group.New(group.Config[int, int]{Name: "test", Timeout: time.Second, Run: test.run})
				for range 2 { // the group lives on
					if _, err := g.Do(t.Context(), 1); err == nil || !strings.Contains(err.Error(), test.want) {
						t.Errorf("got %v", err)
					}
				}
				if err := g.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{takes: 10 * time.Millisecond}
		g := group.New(group.Config[int, int]{Name: "test", Every: time.Hour, Run: r.run})
		first := call(g, 1)
		rest := call(g, 5)
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := g.Close(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("closed early: %v", err)
		}
		if err := g.Close(t.Context()); err != nil {
			t.Error(err)
		}
		first.Wait()
		rest.Wait() // all were served
		if _, err := g.Do(t.Context(), 2); !errors.Is(err, group.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// A batch counts as the work of its first caller, and is told of by a metric.
func TestCounts(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	metrics := telemetry.NewMetrics(reg)
	type key struct{}
	g := group.New(group.Config[int, int]{Name: "test", Metrics: metrics, Run: func(ctx context.Context, items []int) ([]group.Result[int], error) {
		if ctx.Value(key{}) != nil {
			return nil, errors.New("a value of one caller reached the batch")
		}
		metrics.Observe(ctx, telemetry.MongoDB, "find", time.Millisecond, nil)
		return make([]group.Result[int], len(items)), nil
	}})
	ctx, calls := telemetry.WithCalls(context.WithValue(t.Context(), key{}, true))
	if _, err := g.Do(telemetry.WithPart(ctx, telemetry.PartSaga), 1); err != nil {
		t.Fatal(err)
	}
	if calls.Of(telemetry.MongoDB) != 1 {
		t.Errorf("%d calls counted", calls.Of(telemetry.MongoDB))
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			switch f.GetName() {
			case "batch_size":
				found += int(m.GetHistogram().GetSampleCount())
			case "work_total":
				for _, l := range m.GetLabel() {
					if l.GetValue() == telemetry.PartSaga {
						found += int(m.GetCounter().GetValue())
					}
				}
			}
		}
	}
	if found != 2 {
		t.Errorf("%d of 2 metrics tell of the batch", found)
	}
}

// Many callers at real speed: each gets its own result.
func TestManyCallers(t *testing.T) {
	t.Parallel()
	var batches atomic.Int64
	g := group.New(group.Config[int, int]{Name: "test", Max: 8, Lanes: 2, Run: func(_ context.Context, items []int) ([]group.Result[int], error) {
		batches.Add(1)
		results := make([]group.Result[int], len(items))
		for i, n := range items {
			results[i].Value = -n
		}
		return results, nil
	}})
	var all sync.WaitGroup
	for c := range 32 {
		all.Go(func() {
			for n := range 200 {
				item := c*1000 + n
				if got, err := g.Do(t.Context(), item); err != nil || got != -item {
					t.Errorf("%d: %d, %v", item, got, err)
				}
			}
		})
	}
	all.Wait()
	if n := batches.Load(); n == 0 || n > 32*200 {
		t.Errorf("%d batches", n)
	}
	if err := g.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
