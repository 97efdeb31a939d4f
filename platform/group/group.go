// Package group gathers calls that come at about the same time into batches, as databases commit many
// transactions with one write of their log (group commit).
//
// A call that is alone runs at once. While a batch is under way the next one gathers, so the batches grow with
// the load and vanish with it: there is nothing to tune for a quiet shop, and no call waits for company that may
// never come.
package group

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/techmart/techmart/platform/telemetry"
)

// ErrClosed is what calls get after [Group.Close].
var ErrClosed = errors.New("group: closed")

// Config is what a group needs. Name and Run must be given.
type Config[K, V any] struct {
	// Name is the label of the metrics.
	Name string
	// Run does the work of a batch and gives one result for each item, in their order, or an error that all
	// of them get. Its context has a deadline of its own, and none of the callers' values but what counts
	// the work: that of a batch counts as the work of its first caller. Batches may run at the same time.
	Run func(ctx context.Context, items []K) ([]Result[V], error)
	// Max bounds the items of a batch; 0 means 64.
	Max int
	// Lanes bounds the batches under way at a time; 0 means 1. A second one starts when a full batch waits,
	// or when one has waited for Patience.
	Lanes int
	// Patience is how long a batch that is not full waits for the one that is under way while there is
	// another lane; 0 means 25 ms.
	Patience time.Duration
	// Every is the least time between the starts of two batches. A call that comes later than that after
	// the last start runs at once all the same. 0 means no such wait.
	Every time.Duration
	// Timeout bounds a batch; 0 means 10 s.
	Timeout time.Duration
	// Metrics records the sizes of batches; nil records none.
	Metrics *telemetry.Metrics
}

// Result is what becomes of one item.
type Result[V any] struct {
	Value V
	Err   error
}

// Group runs calls in batches. All methods may be called from many goroutines.
type Group[K, V any] struct {
	c Config[K, V]

	mu      sync.Mutex
	waiting []*call[K, V]
	lanes   int       // under way
	started time.Time // when the last batch started
	timer   *time.Timer
	due     time.Time // when timer looks again; zero while it is not set
	closed  bool
	idle    chan struct{} // closed once closed, and nothing waits or is under way
}

// call is an item that waits for its result.
type call[K, V any] struct {
	ctx  context.Context
	item K
	done chan Result[V] // has room for the result, so that nobody needs to wait for it
}

// New makes a group.
func New[K, V any](c Config[K, V]) *Group[K, V] {
	if c.Max <= 0 {
		c.Max = 64
	}
	if c.Lanes <= 0 {
		c.Lanes = 1
	}
	if c.Patience <= 0 {
		c.Patience = 25 * time.Millisecond
	}
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	return &Group[K, V]{c: c, idle: make(chan struct{})}
}

// Do runs an item in a batch and gives its result. Where ctx ends first Do fails with its error: an item that
// still waits is then not run, and of one that is under way it is not known what becomes of it.
func (g *Group[K, V]) Do(ctx context.Context, item K) (V, error) {
	var none V
	if err := ctx.Err(); err != nil {
		return none, err
	}
	c := &call[K, V]{ctx: ctx, item: item, done: make(chan Result[V], 1)}
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return none, ErrClosed
	}
	g.waiting = append(g.waiting, c)
	g.dispatch(time.Now())
	g.mu.Unlock()
	select {
	case r := <-c.done:
		return r.Value, r.Err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// Close refuses further calls, and waits for those that were made until ctx ends. It may be called again.
func (g *Group[K, V]) Close(ctx context.Context) error {
	g.mu.Lock()
	if !g.closed {
		g.closed = true
		g.dispatch(time.Now())
		g.settle()
	}
	g.mu.Unlock()
	select {
	case <-g.idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("group: %s: %w", g.c.Name, ctx.Err())
	}
}

// dispatch starts what may start now, and arms the timer for what may start later. It needs the lock.
func (g *Group[K, V]) dispatch(now time.Time) {
	for g.lanes < g.c.Lanes && len(g.waiting) > 0 {
		if wait := g.hold(now); wait > 0 {
			g.arm(now, wait)
			return
		}
		g.lanes++
		g.started = now
		go g.run()
	}
}

// take gives the batch of a lane that has started. Calls that are ready to be made now, as those are that the batch
// before has answered, come along: they are let go first.
func (g *Group[K, V]) take() []*call[K, V] {
	runtime.Gosched()
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.waiting), g.c.Max)
	batch := g.waiting[:n:n]
	if g.waiting = g.waiting[n:]; len(g.waiting) == 0 {
		g.waiting = nil
	}
	return batch
}

// hold tells how long the next batch has to wait, if nothing changes. It needs the lock.
func (g *Group[K, V]) hold(now time.Time) time.Duration {
	since := now.Sub(g.started)
	switch {
	case len(g.waiting) >= g.c.Max || g.closed:
		return 0
	case g.lanes > 0:
		return max(g.c.Patience, g.c.Every) - since
	default:
		return g.c.Every - since
	}
}

// arm has the group look again after a while, or sooner. It needs the lock.
func (g *Group[K, V]) arm(now time.Time, wait time.Duration) {
	due := now.Add(wait)
	switch {
	case !g.due.IsZero() && !due.Before(g.due):
		return
	case g.timer == nil:
		g.timer = time.AfterFunc(wait, g.look)
	default:
		g.timer.Reset(wait)
	}
	g.due = due
}

func (g *Group[K, V]) look() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.due = time.Time{}
	g.dispatch(time.Now())
	g.settle()
}

// settle tells Close when nothing is left. It needs the lock.
func (g *Group[K, V]) settle() {
	if g.closed && g.lanes == 0 && len(g.waiting) == 0 {
		select {
		case <-g.idle:
		default:
			close(g.idle)
		}
	}
}

// run does a batch, and lets the next one go.
func (g *Group[K, V]) run() {
	batch := g.take()
	live := batch[:0]
	for _, c := range batch {
		if err := c.ctx.Err(); err != nil { // has left while it waited
			c.done <- Result[V]{Err: err}
			continue
		}
		live = append(live, c)
	}
	if len(live) > 0 {
		results, err := g.attempt(live)
		for i, c := range live {
			if err != nil {
				c.done <- Result[V]{Err: err}
			} else {
				c.done <- results[i]
			}
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lanes--
	g.dispatch(time.Now())
	g.settle()
}

// attempt calls Run. What panics in it is an error of the batch, and the process lives on.
func (g *Group[K, V]) attempt(batch []*call[K, V]) (results []Result[V], err error) {
	defer func() {
		if p := recover(); p != nil {
			results, err = nil, fmt.Errorf("group: %s: panic: %v\n%s", g.c.Name, p, debug.Stack())
		}
	}()
	g.c.Metrics.Batched(g.c.Name, len(batch))
	items := make([]K, len(batch))
	for i, c := range batch {
		items[i] = c.item
	}
	ctx, cancel := context.WithTimeout(telemetry.Adopt(context.Background(), batch[0].ctx), g.c.Timeout)
	defer cancel()
	results, err = g.c.Run(ctx, items)
	if err == nil && len(results) != len(items) {
		err = fmt.Errorf("group: %s: %d results for %d items", g.c.Name, len(results), len(items))
	}
	return results, err
}
