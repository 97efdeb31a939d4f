// Package throttle keeps budgets of cost: a bucket for each client that every operation takes from
// and that fills with time, shared by all processes through a [Bank].
//
// A process does not ask the bank each time: beside what it needs it draws a small lease and spends
// it by itself. A lease that rests goes back within a second. What is in a bucket and what is lent
// of it never exceed the capacity together, so that all processes spend no more in any span of time
// than the capacity and what was restored meanwhile.
//
// Without its bank a process keeps buckets of its own, bounded in number: requests are served, the
// limits then hold for each process, and metrics raise an alarm.
package throttle

import (
	"container/list"
	"context"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	chunkPart   = 25                     // a lease is this part of the capacity at most
	leaseUse    = time.Second            // a lease is renewed after this; the bank lets it live longer
	flushEvery  = 500 * time.Millisecond // what rested so long goes back
	bankTimeout = 500 * time.Millisecond // for an answer of the bank
	bankPause   = time.Second            // before a bank that failed is asked again
	quiet       = 250 * time.Millisecond // a refusal is repeated without asking
	maxOrders   = 128                    // in one round trip
)

// defaultAccounts bounds the buckets that a process remembers.
const defaultAccounts = 20_000

// Bank keeps the buckets for all processes.
type Bank interface {
	// Settle settles orders for different buckets. It fails as a whole.
	Settle(ctx context.Context, orders []Order) ([]Balance, error)
}

// Order is what a process settles with one bucket.
type Order struct {
	Key    string
	Class  Class
	Unused float64 // of the last lease; it ends with the order
	Change float64 // given back (above 0) or spent without asking (below)
	Need   float64 // to be taken, wholly or not at all
	Chunk  float64 // to be lent beside, as far as there is plenty
}

// Balance is a bucket after an order.
type Balance struct {
	Granted bool    // what was needed was there
	Lent    float64 // may be spent for 2 seconds at least
	Tokens  float64 // what is in the bucket beside
}

// Status is a bucket as its client may know it.
type Status struct {
	Class     Class
	Available int
}

// Reset is how long it takes until the bucket is full again.
func (s Status) Reset() time.Duration {
	if s.Available >= s.Class.Capacity {
		return 0
	}
	return s.Class.wait(float64(s.Class.Capacity - s.Available))
}

// Config says what [Budgets] stand on.
type Config struct {
	Bank     Bank // nil keeps the buckets in this process only
	Log      *slog.Logger
	Registry prometheus.Registerer
	Clock    func() time.Time // nil means time.Now
	Accounts int              // buckets that are remembered in the process; 0 means 20,000
}

// Budgets are the buckets of all clients. They may be used by many goroutines.
type Budgets struct {
	bank    Bank
	log     *slog.Logger
	clock   func() time.Time
	most    int
	metrics *metrics

	mu       sync.Mutex // never held while another lock is waited for
	accounts map[string]*list.Element
	recent   *list.List // of *account, the one used last first
	dirty    map[*account]bool
	timer    *time.Timer // runs while there are dirty ones
	closed   bool
	failing  bool // the bank
	askAfter time.Time
}

// New makes budgets.
func New(c Config) *Budgets {
	b := &Budgets{
		bank: c.Bank, log: c.Log, clock: c.Clock, most: c.Accounts, metrics: newMetrics(c.Registry),
		accounts: make(map[string]*list.Element), recent: list.New(), dirty: make(map[*account]bool),
	}
	if b.log == nil {
		b.log = slog.Default()
	}
	if b.clock == nil {
		b.clock = time.Now
	}
	if b.most <= 0 {
		b.most = defaultAccounts
	}
	return b
}

// Take takes cost from the bucket of a client. Where there is not as much nothing is taken, and
// retryAfter says when there could be.
func (b *Budgets) Take(ctx context.Context, key string, class Class, cost int) (s Status, retryAfter time.Duration, ok bool) {
	a := b.account(key, class)
	a.mu.Lock()
	defer a.mu.Unlock()
	now, need := b.clock(), float64(cost)
	retryAfter, ok = b.take(ctx, a, now, need)
	b.metrics.took(class, cost, ok)
	return a.status(now), retryAfter, ok
}

func (b *Budgets) take(ctx context.Context, a *account, now time.Time, need float64) (time.Duration, bool) {
	if a.lease >= need && now.Sub(a.drawn) < leaseUse {
		a.lease -= need
		a.used = now
		return 0, true
	}
	if now.Sub(a.refused) < quiet && a.balance(now) < need {
		return a.class.wait(need - a.balance(now)), false
	}
	if b.mayAsk(now) {
		balances, err := b.settle(ctx, []Order{a.order(need, a.class.chunk())})
		if err == nil {
			a.settled(now, balances[0])
			if a.lease > 0 {
				b.soil(a)
			}
			if !balances[0].Granted {
				a.refused = now
				return a.class.wait(need - balances[0].Tokens), false
			}
			a.used = now
			return 0, true
		}
	}
	a.local(now)
	if a.known < need {
		return a.class.wait(need - a.known), false
	}
	a.known -= need
	return 0, true
}

// Give gives n back to the bucket of a client: what was taken for it and not needed.
func (b *Budgets) Give(key string, class Class, n int) Status {
	a := b.account(key, class)
	a.mu.Lock()
	defer a.mu.Unlock()
	now := b.clock()
	if n > 0 {
		// What came out of the lease may return into it; the bank counts it as lent still.
		rest := float64(n)
		if now.Sub(a.drawn) < leaseUse {
			into := math.Min(rest, a.lent-a.lease)
			a.lease, rest = a.lease+into, rest-into
		}
		a.change += rest
		b.changed(a, now)
		b.metrics.returned.WithLabelValues(class.Name).Add(float64(n))
	}
	return a.status(now)
}

// Charge takes n even where it is not there: what has happened already. The bucket may fall below
// nothing, by its capacity at most.
func (b *Budgets) Charge(key string, class Class, n int) Status {
	a := b.account(key, class)
	a.mu.Lock()
	defer a.mu.Unlock()
	now := b.clock()
	if n > 0 {
		rest := float64(n)
		if now.Sub(a.drawn) < leaseUse {
			from := math.Min(rest, a.lease)
			a.lease, rest = a.lease-from, rest-from
			a.used = now
		}
		a.change -= rest
		b.changed(a, now)
		b.metrics.took(class, n, true)
	}
	return a.status(now)
}

// Exhausted tells whether nothing at all is left for a client, as far as this process knows, and
// when there will be.
func (b *Budgets) Exhausted(key string, class Class) (s Status, retryAfter time.Duration, empty bool) {
	a := b.account(key, class)
	a.mu.Lock()
	defer a.mu.Unlock()
	now := b.clock()
	left := a.balance(now) + a.lease
	if left > 0 {
		return a.status(now), 0, false
	}
	b.metrics.took(class, 0, false)
	return a.status(now), class.wait(1 - left), true
}

// changed sees to it that the bank hears of a change, or makes it at once where there is none.
func (b *Budgets) changed(a *account, now time.Time) {
	if b.bank == nil {
		a.local(now)
	} else if a.change != 0 {
		b.soil(a)
	}
}

// Close gives everything back that is lent. Nothing is drawn afterwards.
func (b *Budgets) Close(ctx context.Context) {
	b.mu.Lock()
	b.closed = true
	if b.timer != nil {
		b.timer.Stop()
	}
	b.mu.Unlock()
	b.flush(ctx, true)
}

// account gives the bucket of a client; a new one is full until the bank says something else. The
// one that was not used for the longest time makes room.
func (b *Budgets) account(key string, class Class) *account {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e, ok := b.accounts[key]; ok {
		b.recent.MoveToFront(e)
		return e.Value.(*account)
	}
	if b.recent.Len() >= b.most {
		oldest := b.recent.Back()
		delete(b.accounts, oldest.Value.(*account).key)
		b.recent.Remove(oldest)
	}
	a := &account{key: key, class: class, known: float64(class.Capacity), knownAt: b.clock()}
	b.accounts[key] = b.recent.PushFront(a)
	return a
}

// mayAsk tells whether the bank is asked; of one that failed only from time to time, by one request.
func (b *Budgets) mayAsk(now time.Time) bool {
	if b.bank == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.failing && now.Before(b.askAfter) {
		return false
	}
	b.askAfter = now.Add(bankPause)
	return true
}

// settle asks the bank, and notes whether it answers. A client that leaves does not end it: what was
// taken must be known.
func (b *Budgets) settle(ctx context.Context, orders []Order) ([]Balance, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bankTimeout)
	defer cancel()
	balances, err := b.bank.Settle(ctx, orders)
	b.mu.Lock()
	was := b.failing
	b.failing = err != nil
	b.mu.Unlock()
	switch {
	case err != nil:
		b.metrics.failures.Inc()
		b.metrics.out.Set(1)
		if !was {
			b.log.ErrorContext(ctx, "budgets are kept in this process: their bank does not answer", "error", err)
		}
	case was:
		b.metrics.out.Set(0)
		b.log.WarnContext(ctx, "budgets are shared again")
	}
	return balances, err
}
