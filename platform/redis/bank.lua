-- Settles the orders of one process with its buckets; each key is one, a hash:
--   tokens  what is in the bucket; below 0 where more was spent than was there
--   time    when that was so, in microseconds of the server's clock
--   p:NAME  what is lent to a process, and until when: "400 1790000000000000"
-- ARGV: the process, the life of a lease in microseconds, and six values for each key:
-- capacity, restore rate each second, unused part of the last lease, change, need, chunk.
-- Answers for each key: 1 or 0 (what was needed was there), what is lent now, what is in the bucket.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local me, life = 'p:' .. ARGV[1], tonumber(ARGV[2])
local out = {}
for i, key in ipairs(KEYS) do
  local at = 6 * i - 4
  local capacity, restore = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local unused, change = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local need, chunk = tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6])

  local tokens, since = capacity, now
  local lent, ended, mine = 0, 0, 0 -- to others, of leases that are over, to this process
  local old = {}
  local fields = redis.call('HGETALL', key)
  for f = 1, #fields, 2 do
    local name, value = fields[f], fields[f + 1]
    if name == 'tokens' then
      tokens = tonumber(value)
    elseif name == 'time' then
      since = tonumber(value)
    else
      local amount, expiry = string.match(value, '^(%S+) (%S+)$')
      if tonumber(expiry) <= now then
        ended = ended + tonumber(amount)
        old[#old + 1] = name
      elseif name == me then
        mine = tonumber(amount)
      else
        lent = lent + tonumber(amount)
      end
    end
  end

  -- What was lent did not make room for more while it was.
  tokens = math.min(tokens + restore * math.max(0, now - since) / 1000000, capacity - lent - mine - ended)
  tokens = math.min(tokens + math.min(unused, mine) + change, capacity - lent)
  tokens = math.max(tokens, -capacity)
  local granted = 1
  if need > 0 and tokens < need then
    granted, need, chunk = 0, 0, 0
  end
  tokens = tokens - need
  local lease = math.max(0, math.floor(math.min(chunk, tokens / 4)))
  tokens = math.floor((tokens - lease) * 1000) / 1000 -- never more than there is

  if #old > 0 then
    redis.call('HDEL', key, unpack(old))
  end
  if lease > 0 then
    redis.call('HSET', key, me, string.format('%.0f %.0f', lease, now + life))
  else
    redis.call('HDEL', key, me)
  end
  redis.call('HSET', key, 'tokens', string.format('%.3f', tokens), 'time', string.format('%.0f', now))
  redis.call('PEXPIRE', key, math.ceil((capacity - tokens) * 1000 / restore) + math.ceil(life / 1000) + 1000)
  out[#out + 1] = tostring(granted)
  out[#out + 1] = tostring(lease)
  out[#out + 1] = string.format('%.3f', tokens)
end
return out
