package redis

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	goredis "github.com/redis/go-redis/v9"

	"github.com/techmart/techmart/platform/telemetry"
)

//go:embed bank.lua
var bankScript string

// LeaseLife is how long what a [Bank] lent may be spent. What was not given back until then is lost.
const LeaseLife = 3 * time.Second

// Bank keeps token buckets that all processes share. Each bucket holds at most its capacity and
// fills with time; a process takes what it needs, and a lease beside it that it may spend by itself.
// What is in a bucket and what is lent of it never exceed the capacity together, so that all
// processes spend no more in any span of time than the capacity and what was restored meanwhile.
// The time is the server's.
type Bank struct {
	client  *Client
	script  *goredis.Script
	process string
}

// BankOrder is what a process settles with one bucket.
type BankOrder struct {
	Key      string
	Capacity int
	Restore  int     // each second
	Unused   float64 // of the last lease; it ends with the order
	Change   float64 // given back (above 0) or spent without asking (below)
	Need     float64 // to be taken, wholly or not at all
	Chunk    float64 // to be lent beside, as far as there is plenty
}

// BankBalance is a bucket after an order.
type BankBalance struct {
	Granted bool    // what was needed was there
	Lent    float64 // may be spent within LeaseLife
	Tokens  float64 // what is in the bucket beside; below 0 where more was spent than was there
}

// NewBank makes a bank on the client, as one process of many.
func NewBank(client *Client) *Bank {
	return &Bank{client: client, script: goredis.NewScript(bankScript), process: uuid.NewString()[:8]}
}

// Settle settles orders for different buckets in one round trip.
func (b *Bank) Settle(ctx context.Context, orders []BankOrder) ([]BankBalance, error) {
	keys := make([]string, len(orders))
	args := make([]any, 0, 2+6*len(orders))
	args = append(args, b.process, LeaseLife.Microseconds())
	for i, o := range orders {
		keys[i] = b.client.Key("budget", o.Key)
		args = append(args, o.Capacity, o.Restore, o.Unused, o.Change, o.Need, o.Chunk)
	}
	reply, err := b.script.Run(telemetry.As(ctx, telemetry.Budget), b.client, keys, args...).StringSlice()
	if err != nil {
		return nil, fmt.Errorf("redis: settle %d budgets: %w", len(orders), err)
	}
	if len(reply) != 3*len(orders) {
		return nil, fmt.Errorf("redis: %d values for %d budgets", len(reply), len(orders))
	}
	balances := make([]BankBalance, len(orders))
	for i := range balances {
		lent, err := strconv.ParseFloat(reply[3*i+1], 64)
		if err != nil {
			return nil, fmt.Errorf("redis: a budget's lease: %w", err)
		}
		tokens, err := strconv.ParseFloat(reply[3*i+2], 64)
		if err != nil {
			return nil, fmt.Errorf("redis: a budget's tokens: %w", err)
		}
		balances[i] = BankBalance{Granted: reply[3*i] == "1", Lent: lent, Tokens: tokens}
	}
	return balances, nil
}
