package redis

import (
	"context"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/techmart/techmart/platform/redis"
	"github.com/techmart/techmart/services/users"
)

// Limits is users.Limits over Redis, for all processes together: a hash for each key, gone when the
// count would start anew.
type Limits struct{ client *redis.Client }

var _ users.Limits = (*Limits)(nil)

// NewLimits makes limits on the client.
func NewLimits(client *redis.Client) *Limits { return &Limits{client: client} }

// take looks at all keys before it counts under any. The time is the caller's, in milliseconds; then
// for each key: free tries, first delay, longest delay, window.
var take = goredis.NewScript(`
local now = tonumber(ARGV[1])
local blocked, wait, tries = 0, 0, {}
for i = 1, #KEYS do
  local kept = redis.call('HMGET', KEYS[i], 'tries', 'retry', 'last')
  local n, retry = tonumber(kept[1] or 0), tonumber(kept[2] or 0)
  if now - tonumber(kept[3] or 0) >= tonumber(ARGV[4 * i + 1]) then n, retry = 0, 0 end
  if retry > now then
    if blocked == 0 then blocked = i end
    wait = math.max(wait, retry - now)
  end
  tries[i] = n
end
if blocked > 0 then return {blocked, wait} end
for i = 1, #KEYS do
  local n, retry = tries[i] + 1, 0
  local over = n - tonumber(ARGV[4 * i - 2])
  if over >= 0 then
    retry = now + math.min(tonumber(ARGV[4 * i - 1]) * 2 ^ math.min(over, 20), tonumber(ARGV[4 * i]))
  end
  redis.call('HSET', KEYS[i], 'tries', n, 'retry', string.format('%d', retry), 'last', ARGV[1])
  redis.call('PEXPIRE', KEYS[i], math.max(tonumber(ARGV[4 * i]), tonumber(ARGV[4 * i + 1])))
end
return {0, 0}`)

// give takes one try of each key back.
var give = goredis.NewScript(`
for i = 1, #KEYS do
  local n = tonumber(redis.call('HGET', KEYS[i], 'tries') or 0)
  if n > 1 then
    redis.call('HSET', KEYS[i], 'tries', n - 1, 'retry', 0)
  else
    redis.call('DEL', KEYS[i])
  end
end
return 0`)

func (l *Limits) names(keys []string) []string {
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = l.client.Key("users", "limit", key)
	}
	return names
}

// Take counts a try under every limit, unless one has to wait.
func (l *Limits) Take(ctx context.Context, now time.Time, limits ...users.Limit) (blocked int, wait time.Duration, err error) {
	keys, args := make([]string, len(limits)), make([]any, 1, 1+4*len(limits))
	args[0] = now.UnixMilli()
	for i, limit := range limits {
		keys[i] = limit.Key
		args = append(args, limit.Free, limit.Delay.Milliseconds(), limit.MaxDelay.Milliseconds(), limit.Window.Milliseconds())
	}
	answer, err := take.Run(ctx, l.client, l.names(keys), args...).Int64Slice()
	if err != nil || len(answer) != 2 {
		return -1, 0, fmt.Errorf("users: count a try: %w", err)
	}
	return int(answer[0]) - 1, time.Duration(answer[1]) * time.Millisecond, nil
}

// Give takes back one try of each key.
func (l *Limits) Give(ctx context.Context, keys ...string) error {
	if err := give.Run(ctx, l.client, l.names(keys)).Err(); err != nil {
		return fmt.Errorf("users: take tries back: %w", err)
	}
	return nil
}

// Forget starts the keys anew.
func (l *Limits) Forget(ctx context.Context, keys ...string) error {
	if err := l.client.Del(ctx, l.names(keys)...).Err(); err != nil {
		return fmt.Errorf("users: forget tries: %w", err)
	}
	return nil
}
