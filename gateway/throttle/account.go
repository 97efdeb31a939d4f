package throttle

import (
	"math"
	"sync"
	"time"
)

// account is the bucket of one client as this process knows it.
type account struct {
	key   string
	class Class

	mu      sync.Mutex // held while the bank is asked: one question for all that wait
	lease   float64    // may be spent here
	lent    float64    // what the bank gave as a lease
	drawn   time.Time  // when it did
	used    time.Time  // when the lease was last spent of
	change  float64    // what the bank is to be told: given back, or below 0 spent
	known   float64    // what was in the bucket
	knownAt time.Time
	refused time.Time // when the bank last refused
}

// balance is what is in the bucket beside the lease, as far as is known here.
func (a *account) balance(now time.Time) float64 {
	restored := math.Max(0, now.Sub(a.knownAt).Seconds()) * float64(a.class.Restore)
	most := float64(a.class.Capacity)
	return math.Max(-most, math.Min(most, a.known+restored)+a.change)
}

func (a *account) status(now time.Time) Status {
	n := a.balance(now) + a.lease
	return Status{Class: a.class, Available: int(math.Max(0, math.Min(float64(a.class.Capacity), n)))}
}

// order settles all that is open, and asks for more.
func (a *account) order(need, chunk float64) Order {
	return Order{Key: a.key, Class: a.class, Unused: a.lease, Change: a.change, Need: need, Chunk: chunk}
}

// settled takes the bank's answer over. now is when it was asked: a lease ends here before it does
// there.
func (a *account) settled(now time.Time, balance Balance) {
	a.lease, a.lent, a.drawn = balance.Lent, balance.Lent, now
	a.known, a.knownAt, a.change = balance.Tokens, now, 0
}

// local makes a bucket of this process out of what is known: the lease returns into it.
func (a *account) local(now time.Time) {
	a.known = math.Min(float64(a.class.Capacity), a.balance(now)+a.lease)
	a.knownAt, a.lease, a.lent, a.change = now, 0, 0, 0
}
