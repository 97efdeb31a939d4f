package dataloaders

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"
)

// A loader's own window is fixed: it opens with the first key, and a level of a long list does not
// fit into a short one. So what comes out of it is gathered here until no more arrives.
const (
	quiet   = 250 * time.Microsecond // without a new key, a level is complete
	maxWait = 5 * time.Millisecond   // for a level that goes on and on
)

// gatherer makes one fetch of batches that follow each other closely.
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
	g.mu.Lock()
	if b := g.open; b != nil && len(b.keys)+len(keys) <= batchSize {
		b.keys = append(b.keys, keys...)
		g.mu.Unlock()
		<-b.done
		return b.found, b.err
	}
	b := &gathering[K, V]{keys: keys, done: make(chan struct{}), err: errInterrupted}
	g.open = b
	g.mu.Unlock()
	defer close(b.done)
	all := g.complete(b)
	b.found, b.err = g.fetch(ctx, all)
	return b.found, b.err
}

// complete waits until no more keys arrive, and gives all of them.
func (g *gatherer[K, V]) complete(b *gathering[K, V]) []K {
	deadline := time.Now().Add(maxWait)
	for seen := 0; ; {
		g.mu.Lock()
		if len(b.keys) == seen || time.Now().After(deadline) {
			if g.open == b {
				g.open = nil
			}
			g.mu.Unlock()
			return b.keys
		}
		seen = len(b.keys)
		g.mu.Unlock()
		time.Sleep(quiet)
		runtime.Gosched() // who is ready to ask goes first
	}
}
