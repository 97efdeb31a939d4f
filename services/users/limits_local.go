package users

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// localLimits counts the tries of one process, under a bounded number of keys: the one not tried for
// longest makes room.
type localLimits struct {
	mu   sync.Mutex
	keys *simplelru.LRU[string, localCount]
}

type localCount struct {
	tries int
	retry time.Time // no try before this
	last  time.Time
}

// NewLocalLimits gives Limits of this process alone, under so many keys at most.
func NewLocalLimits(keys int) Limits {
	cache, err := simplelru.NewLRU[string, localCount](keys, nil)
	if err != nil {
		panic(err) // the size is a positive constant
	}
	return &localLimits{keys: cache}
}

// Take implements Limits.
func (l *localLimits) Take(_ context.Context, now time.Time, limits ...Limit) (blocked int, wait time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	blocked = -1
	counts := make([]localCount, len(limits))
	for i, limit := range limits {
		c, _ := l.keys.Get(limit.Key)
		if now.Sub(c.last) >= limit.Window {
			c = localCount{}
		}
		if left := c.retry.Sub(now); left > 0 {
			if blocked < 0 {
				blocked = i
			}
			wait = max(wait, left)
		}
		counts[i] = c
	}
	if blocked >= 0 {
		return blocked, wait, nil
	}
	for i, limit := range limits {
		n := counts[i].tries + 1
		c := localCount{tries: n, last: now}
		if delay := limit.Wait(n); delay > 0 {
			c.retry = now.Add(delay)
		}
		l.keys.Add(limit.Key, c)
	}
	return -1, 0, nil
}

// Give implements Limits.
func (l *localLimits) Give(_ context.Context, keys ...string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range keys {
		if c, ok := l.keys.Peek(key); ok {
			l.keys.Add(key, localCount{tries: max(c.tries-1, 0), last: c.last})
		}
	}
	return nil
}

// Forget implements Limits.
func (l *localLimits) Forget(_ context.Context, keys ...string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range keys {
		l.keys.Remove(key)
	}
	return nil
}
