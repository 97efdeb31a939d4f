package throttle

import (
	"context"
	"time"
)

// soil notes that the bank is to hear of an account.
func (b *Budgets) soil(a *account) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dirty[a] = true
	b.schedule()
}

// schedule lets the next flush come; b.mu is held.
func (b *Budgets) schedule() {
	if b.timer == nil && !b.closed && len(b.dirty) > 0 {
		b.timer = time.AfterFunc(flushEvery, func() {
			b.flush(context.Background(), false)
			b.mu.Lock()
			defer b.mu.Unlock()
			b.timer = nil
			b.schedule()
		})
	}
}

// flush tells the bank what it does not know yet, returns leases that rest, and renews those in use
// before they end, so that no request has to wait for it. The last one returns all.
func (b *Budgets) flush(ctx context.Context, last bool) {
	b.mu.Lock()
	work := make([]*account, 0, len(b.dirty))
	for a := range b.dirty {
		work = append(work, a)
	}
	b.mu.Unlock()
	for len(work) > 0 {
		n := min(len(work), maxOrders)
		b.flushSome(ctx, work[:n], last)
		work = work[n:]
	}
}

func (b *Budgets) flushSome(ctx context.Context, work []*account, last bool) {
	now := b.clock()
	var open []*account // locked ones with something to settle
	var orders []Order
	for _, a := range work {
		if last {
			a.mu.Lock()
		} else if !a.mu.TryLock() { // it is settling by itself
			continue
		}
		busy := !last && now.Sub(a.used) < flushEvery
		switch {
		case a.lease == 0 && a.change == 0:
			b.cleaned(a)
			a.mu.Unlock()
		case a.change == 0 && busy && now.Sub(a.drawn) < leaseUse/2:
			a.mu.Unlock()
		default:
			chunk := 0.0
			if busy {
				chunk = a.class.chunk()
			}
			open, orders = append(open, a), append(orders, a.order(0, chunk))
		}
	}
	asked := len(orders) > 0 && (last || b.mayAsk(now))
	var balances []Balance
	var err error
	if asked {
		balances, err = b.settle(ctx, orders)
	}
	for i, a := range open {
		if asked && err == nil {
			a.settled(now, balances[i])
		} else {
			a.local(now)
		}
		if a.lease == 0 {
			b.cleaned(a)
		}
		a.mu.Unlock()
	}
}

// cleaned notes that the bank knows all of an account, whose lock is held.
func (b *Budgets) cleaned(a *account) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.dirty, a)
}
