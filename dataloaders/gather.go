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

// The look-ups of a response go in waves: a wave departs when all has been asked that can be asked
// without an answer, and the next one waits until it has landed. So the number of calls follows from
// the query and its data alone, not from how long each call takes.
//
// That nothing more will be asked is told by stepping back until no other goroutine of the process
// could run: the executor runs resolvers as goroutines, which end up waiting for loaders. A fixed
// wait would be too short for a long list on a busy machine, which then costs a call for every few
// items, and too long for everything else. Where others always wait for a processor it is enough that
// nothing new was asked for a number of pauses: each ends in the same queue as they wait in, and is
// longer there.
const (
	steps     = 32                     // steps back at once; after these with a pause between
	pause     = 100 * time.Microsecond // leaves the processor to others
	quiet     = 20                     // pauses without anything new, where others wait
	gatherFor = 500 * time.Millisecond // at most, for a landing and for the wave
)

// waves are those of one response.
type waves struct {
	asked  atomic.Int64 // keys, of all loaders
	mu     sync.Mutex
	next   *departure    // of the wave that gathers; nil for none
	flying int           // fetches that have departed and not landed
	landed chan struct{} // closed when none flies any more; nil when none does
}

// departure is when the fetches of a wave begin.
type departure struct {
	fetches int
	gone    chan struct{}
}

// depart returns when the wave of a fetch departs; land has to follow. The first fetch of a wave
// watches for all of them.
func (w *waves) depart() {
	w.mu.Lock()
	d, first := w.next, w.next == nil
	if first {
		d = &departure{gone: make(chan struct{})}
		w.next = d
	}
	d.fetches++
	landed := w.landed
	w.mu.Unlock()
	if !first {
		<-d.gone
		return
	}
	if landed != nil {
		select {
		case <-landed:
		case <-time.After(gatherFor):
		}
	}
	w.settle()
	w.mu.Lock()
	w.next = nil
	w.flying += d.fetches
	if w.landed == nil {
		w.landed = make(chan struct{})
	}
	w.mu.Unlock()
	close(d.gone)
}

// land ends a fetch.
func (w *waves) land() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.flying--; w.flying == 0 {
		close(w.landed)
		w.landed = nil
	}
}

// stepping counts the goroutines of the process that are stepping back: they could always run.
var stepping atomic.Int64

// settle returns once nothing more is asked.
func (w *waves) settle() {
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

// wavesOf gives the waves of the response; a loader that is used outside of one has its own.
func wavesOf(ctx context.Context) *waves {
	if l, ok := ctx.Value(contextKey{}).(*Loaders); ok {
		return &l.waves
	}
	return new(waves)
}

// A gatherer joins the batches of one loader that come in before a wave departs into one fetch.
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
	w := wavesOf(ctx)
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
	w.depart()
	defer w.land()
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
