package dataloaders

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/techmart/techmart/services/errs"
)

// loadAll asks for keys side by side and gives the failures by key.
func loadAll(t *testing.T, n int, load func(key int) error) []error {
	t.Helper()
	failures := make([]error, n)
	start := make(chan struct{})
	var group sync.WaitGroup
	for key := range n {
		group.Go(func() {
			<-start
			failures[key] = load(key)
		})
	}
	close(start)
	group.Wait()
	return failures
}

// work uses the processor for a while, as resolvers do between two keys.
func work(d time.Duration) {
	for until := time.Now().Add(d); time.Now().Before(until); {
	}
}

// A level of a long list is one fetch, although its resolvers take longer than a loader's window.
func TestOneFetchForALevel(t *testing.T) {
	t.Parallel()
	var fetches, keys atomic.Int64
	l := newLoader(func(_ context.Context, list []int) (map[int]string, error) {
		fetches.Add(1)
		keys.Add(int64(len(list)))
		found := make(map[int]string)
		for _, k := range list {
			found[k] = "value"
		}
		return found, nil
	})
	for _, err := range loadAll(t, 100, func(key int) error {
		work(20 * time.Microsecond)
		_, err := Load(t.Context(), l, key/2) // each key twice
		return err
	}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if keys.Load() != 50 {
		t.Errorf("%d keys were fetched", keys.Load())
	}
	// On a busy machine a level may be cut in two; without gathering it is cut in ten.
	if fetches.Load() > 2 {
		t.Errorf("%d fetches", fetches.Load())
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	l := newLoader(func(_ context.Context, _ []int) (map[int]string, error) { return map[int]string{1: "one"}, nil })
	if v, err := Load(t.Context(), l, 1); v != "one" || err != nil {
		t.Errorf("%q %v", v, err)
	}
	if _, err := Load(t.Context(), l, 2); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("missing: %v", err)
	}
	if _, found, err := Find(t.Context(), l, 2); found || err != nil {
		t.Errorf("missing, optional: %v %v", found, err)
	}
	if v, found, err := Find(t.Context(), l, 1); v != "one" || !found || err != nil {
		t.Errorf("there, optional: %q %v %v", v, found, err)
	}
}

// A failure is the failure of every key of the fetch; so is a panic, whose process lives.
func TestFailures(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	failing := newLoader(func(context.Context, []int) (map[int]string, error) { return nil, broken })
	for _, err := range loadAll(t, 10, func(key int) error { _, err := Load(t.Context(), failing, key); return err }) {
		if !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	}
	if _, _, err := Find(t.Context(), failing, 11); !errors.Is(err, broken) {
		t.Errorf("optional: %v", err)
	}
	panicking := newLoader(func(context.Context, []int) (map[int]string, error) { panic("lost") })
	for _, err := range loadAll(t, 10, func(key int) error { _, err := Load(t.Context(), panicking, key); return err }) {
		if err == nil || errs.CodeOf(err) != "" {
			t.Errorf("got %v", err)
		}
	}
}

func TestBatchesAreBounded(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var sizes []int
	l := newLoader(func(_ context.Context, list []int) (map[int]int, error) {
		mu.Lock()
		defer mu.Unlock()
		sizes = append(sizes, len(list))
		found := make(map[int]int)
		for _, k := range list {
			found[k] = k
		}
		return found, nil
	})
	for _, err := range loadAll(t, 2*batchSize+10, func(key int) error { _, err := Load(t.Context(), l, key); return err }) {
		if err != nil {
			t.Fatal(err)
		}
	}
	sum := 0
	for _, n := range sizes {
		sum += n
	}
	if slices.Max(sizes) > batchSize || sum != 2*batchSize+10 {
		t.Errorf("batches of %v", sizes)
	}
}

func TestLoadersOfAResponse(t *testing.T) {
	t.Parallel()
	l := &Loaders{}
	if For(NewContext(t.Context(), l)) != l {
		t.Error("other loaders")
	}
	defer func() {
		if recover() == nil {
			t.Error("no loaders, and no panic")
		}
	}()
	For(t.Context())
}
