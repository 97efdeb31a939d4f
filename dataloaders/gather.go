package dataloaders

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"
)

// How a wave of look-ups is told to be complete. The executor runs the resolvers of a level as
// goroutines, which end up waiting for loaders. Whoever gathers steps back until no other goroutine
// of the process could run: then all that was to be asked has been asked. A fixed wait would be too
// short for a long list on a busy machine, which then costs a call for every few items, and too
// long for everything else. Where others always wait for a processor it is enough that nothing new
// was asked for a number of pauses: each ends in the same queue as they wait in, and is longer there.
const (
	steps     = 32                     // steps back at once; after these with a pause between
	pause     = 100 * time.Microsecond // leaves the processor to others
	quiet     = 20                     // pauses without anything new, where others wait
	gatherFor = 500 * time.Millisecond // at most
)

// A wave is what all loaders of a response have been asked, counted.
type wave struct{ asked atomic.Int64 }

// stepping counts the goroutines of the process that are stepping back: they could always run.
var stepping atomic.Int64

// settle returns once all has been asked that can be asked without an answer.
func (w *wave) settle() {
	goroutines := []metrics.Sample{{Name: "/sched/goroutines/runnable:goroutines"}, {Name: "/sched/goroutines/running:goroutines"}}
	stepping.Add(1)
	defer stepping.Add(-1)
	begin := time.Now()
	last, idle, silent := int64(-1), 0, 0
	for step := 0; idle < 2 && silent < quiet && time.Since(begin) < gatherFor; step++ {
		if step < steps {
			runtime.Gosched()
		} else {
			stepping.Add(-1)
			time.Sleep(pause)
			stepping.Add(1)
		}
		metrics.Read(goroutines)
		runnable, running := goroutines[0].Value.Uint64(), goroutines[1].Value.Uint64()
		switch asked := w.asked.Load(); {
		case asked != last:
			last, idle, silent = asked, 0, 0
		case runnable+running <= uint64(stepping.Load()):
			idle++
		default:
			idle = 0
			if runnable > 0 && step >= steps {
				silent++
			}
		}
	}
}

// waveOf gives the wave of the response; a loader that is used outside of one has its own.
func waveOf(ctx context.Context) *wave {
	if l, ok := ctx.Value(contextKey{}).(*Loaders); ok {
		return &l.wave
	}
	return new(wave)
}

// A gatherer joins the batches of one loader that come in while a wave settles into one fetch.
type gatherer[K comparable, V any] struct {
	fetch func(ctx context.Context, keys []K) (map[K]V, error)
	mu    sync.Mutex
	open  *gathering[K, V] // takes more keys; nil for none
}

// gathering is one fetch to be.
type gathering[K comparable, V any] struct {
	keys  []K
	done  chan struct{} // closed once found and err are there
	found map[K]V
	err   error
}

// errInterrupted is what the others of a gathering get when its fetch panics.
var errInterrupted = errors.New("dataloaders: the fetch was interrupted")

// load gives what is found of the keys, and maybe more. The first of a gathering fetches for all.
func (g *gatherer[K, V]) load(ctx context.Context, keys []K) (map[K]V, error) {
	w := waveOf(ctx)
	w.asked.Add(int64(len(keys)))
	g.mu.Lock()
	if b := g.open; b != nil {
		b.keys = append(b.keys, keys...)
		g.mu.Unlock()
		<-b.done
		return b.found, b.err
	}
	b := &gathering[K, V]{keys: keys, done: make(chan struct{}), err: errInterrupted}
	g.open = b
	g.mu.Unlock()
	defer close(b.done)
	w.settle()
	g.mu.Lock()
	g.open = nil
	g.mu.Unlock()
	b.found, b.err = g.inParts(ctx, b.keys)
	return b.found, b.err
}

// inParts fetches at most batchSize keys at once.
func (g *gatherer[K, V]) inParts(ctx context.Context, keys []K) (map[K]V, error) {
	if len(keys) <= batchSize {
		return g.fetch(ctx, keys)
	}
	all := make(map[K]V, len(keys))
	for len(keys) > 0 {
		n := min(len(keys), batchSize)
		part, err := g.fetch(ctx, keys[:n])
		if err != nil {
			return nil, err
		}
		maps.Copy(all, part)
		keys = keys[n:]
	}
	return all, nil
}
