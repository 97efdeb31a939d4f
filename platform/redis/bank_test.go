package redis_test

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/platform/redis"
)

// settle settles one order.
func settle(t *testing.T, b *redis.Bank, o redis.BankOrder) redis.BankBalance {
	t.Helper()
	balances, err := b.Settle(t.Context(), []redis.BankOrder{o})
	if err != nil {
		t.Fatal(err)
	}
	return balances[0]
}

// about compares a balance whose bucket was filled a little by the time that the test took.
func about(t *testing.T, what string, got redis.BankBalance, granted bool, lent, tokens float64) {
	t.Helper()
	if got.Granted != granted || got.Lent != lent || got.Tokens < tokens-0.01 || got.Tokens > tokens+30 {
		t.Errorf("%s: %+v; want granted %v, %v lent, %v in the bucket", what, got, granted, lent, tokens)
	}
}

func TestBank(t *testing.T) {
	t.Parallel()
	client := setup(t)
	one, two := redis.NewBank(client), redis.NewBank(client)
	order := func(unused, change, need, chunk float64) redis.BankOrder {
		return redis.BankOrder{Key: "ada", Capacity: 1000, Restore: 1, Unused: unused, Change: change, Need: need, Chunk: chunk}
	}
	about(t, "the first taker finds it full", settle(t, one, order(0, 0, 100, 40)), true, 40, 860)
	about(t, "another process shares it", settle(t, two, order(0, 0, 100, 40)), true, 40, 720)
	about(t, "a lease is given back with the next order", settle(t, one, order(30, 0, 0, 0)), true, 0, 750)
	about(t, "no more is given back than was lent", settle(t, two, order(500, 0, 0, 0)), true, 0, 790)
	about(t, "nothing lent, nothing to give back", settle(t, two, order(500, 0, 0, 0)), true, 0, 790)
	about(t, "what was not needed returns", settle(t, one, order(0, 110, 0, 0)), true, 0, 900)
	about(t, "what is full does not run over", settle(t, one, order(0, 500, 0, 0)), true, 0, 1000)
	about(t, "what is lent keeps its place", settle(t, two, order(0, 0, 0, 40)), true, 40, 960)
	about(t, "also when something returns", settle(t, one, order(0, 500, 0, 0)), true, 0, 960)
	about(t, "too much is refused, wholly", settle(t, one, order(0, 0, 999, 40)), false, 0, 960)
	about(t, "all of it can be taken", settle(t, one, order(0, 0, 960, 40)), true, 0, 0)
	about(t, "spent without asking", settle(t, one, order(0, -300, 0, 0)), true, 0, -300)
	about(t, "by the capacity at most", settle(t, one, order(0, -5000, 0, 0)), true, 0, -1000)
	about(t, "nothing is granted below nothing", settle(t, one, order(0, 0, 1, 40)), false, 0, -1000)
	about(t, "a lease is small where little is left", settle(t, one, redis.BankOrder{Key: "bob", Capacity: 100, Restore: 1, Need: 90, Chunk: 40}), true, 2, 8)

	fast := redis.BankOrder{Key: "eve", Capacity: 1000, Restore: 1_000_000_000, Chunk: 40}
	about(t, "a lease of one that fills at once", settle(t, one, fast), true, 40, 960)
	fast.Chunk = 0
	if got := settle(t, one, fast); got.Tokens != 960 {
		t.Errorf("what was lent has made room for more while it was: %+v", got)
	}

	key := client.Key("budget", "ada")
	ttl, err := client.PTTL(t.Context(), key).Result()
	if err != nil || ttl < 1900*time.Second || ttl > 2010*time.Second {
		t.Errorf("the bucket is kept for %v, %v: until it is full", ttl, err)
	}
	if balances, err := one.Settle(t.Context(), []redis.BankOrder{
		{Key: "c", Capacity: 10, Restore: 1, Need: 4}, {Key: "d", Capacity: 10, Restore: 1, Need: 11}, {Key: "e", Capacity: 10, Restore: 1, Need: 10},
	}); err != nil || !balances[0].Granted || balances[1].Granted || !balances[2].Granted {
		t.Errorf("several buckets: %+v, %v", balances, err)
	}
}

// A bucket fills with the server's time.
func TestBankRestores(t *testing.T) {
	t.Parallel()
	bank := redis.NewBank(setup(t))
	order := redis.BankOrder{Key: "ada", Capacity: 1000, Restore: 2000, Need: 1000}
	if !settle(t, bank, order).Granted {
		t.Fatal("it is not full at first")
	}
	emptied := time.Now()
	for !settle(t, bank, order).Granted {
		if time.Since(emptied) > 10*time.Second {
			t.Fatal("it does not fill")
		}
	}
	if took := time.Since(emptied); took < 490*time.Millisecond {
		t.Errorf("1000 came back within %v; 2000 a second are promised", took)
	}
}

// However many processes draw, borrow and return at once, what they spend is never more than the
// capacity and what came back meanwhile.
func TestBankIsExactUnderLoad(t *testing.T) {
	t.Parallel()
	url, prefix := stacktest.Redis(t)
	const capacity, restore, processes, workers = 5000, 1000, 6, 4
	var spent atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	for range processes {
		bank := redis.NewBank(open(t, url, prefix))
		var mu sync.Mutex // one order at a time, as the lease belongs to the process
		lease := 0.0
		for worker := range workers {
			all.Go(func() {
				for n := worker; ctx.Err() == nil; n++ {
					mu.Lock()
					o := redis.BankOrder{Key: "shared", Capacity: capacity, Restore: restore, Unused: math.Floor(lease / 2), Need: float64(n%37 + 1), Chunk: 200}
					mine := lease - o.Unused
					balances, err := bank.Settle(t.Context(), []redis.BankOrder{o})
					if err != nil {
						t.Error(err)
						mu.Unlock()
						return
					}
					spent.Add(int64(mine)) // the other half of the lease was used
					if balances[0].Granted {
						spent.Add(int64(o.Need))
					}
					lease = balances[0].Lent
					mu.Unlock()
				}
			})
		}
	}
	all.Wait()
	most := capacity + restore*time.Since(began).Seconds()
	if got := float64(spent.Load()); got > most {
		t.Errorf("%v were spent; at most %v were there", got, most)
	} else if got < 0.8*most {
		t.Errorf("only %v of %v could be spent", got, most)
	}
}

func TestBankFails(t *testing.T) {
	t.Parallel()
	client := setup(t)
	bank := redis.NewBank(client)
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := bank.Settle(t.Context(), []redis.BankOrder{{Key: "ada", Capacity: 10, Restore: 1, Need: 1}}); err == nil {
		t.Error("it answers without a server")
	}
}

// The server of a development machine without Redis speaks the script too.
func TestBankOnMiniredis(t *testing.T) {
	t.Parallel()
	bank := redis.NewBank(open(t, "redis://"+miniredis.RunT(t).Addr(), "test"))
	order := redis.BankOrder{Key: "ada", Capacity: 1000, Restore: 1, Need: 100, Chunk: 40}
	about(t, "the first order", settle(t, bank, order), true, 40, 860)
	order.Unused = 40
	about(t, "the second", settle(t, bank, order), true, 40, 760)
}
