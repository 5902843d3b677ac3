-- GCRA (generic cell rate algorithm), revocation and blocks in one round trip, by Redis's own clock.
-- KEYS begin with the buckets, one for each two of ARGV (requests, and the microseconds they are spread over), each
-- holding its theoretical arrival time in microseconds; further keys, any number, are marks that forbid the request:
-- of a revoked session, of a blocked address. It is allowed where all buckets have room, and then counts in each.
-- Answers {decision, microseconds to wait, then of each bucket: remaining, microseconds until it is full again}, where
-- decision is 1 allowed, 0 refused, -1 forbidden by the first mark, -2 by the second; then the wait is until the
-- mark goes. All of a burst may come at once.
local buckets = #ARGV / 2
if KEYS[buckets + 1] and redis.call('EXISTS', unpack(KEYS, buckets + 1)) > 0 then
  for mark = buckets + 1, #KEYS do
    local left = redis.call('PTTL', KEYS[mark])
    if left ~= -2 then
      return { buckets - mark, left * 1000 }
    end
  end
end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local longest = 0
local arrivals = {}
for at = 1, buckets do
  local period = ARGV[2 * at]
  local arrival = tonumber(redis.call('GET', KEYS[at]) or now)
  if arrival < now then
    arrival = now
  end
  local wait = arrival + period / ARGV[2 * at - 1] - period - now
  if wait > 0.5 and wait > longest then
    longest = wait
  end
  arrivals[at] = arrival
end
local answer = { longest == 0 and 1 or 0, math.ceil(longest) }
for at = 1, buckets do
  local period = ARGV[2 * at]
  local interval = period / ARGV[2 * at - 1]
  local arrival = arrivals[at]
  if longest == 0 then
    arrival = arrival + interval
    redis.call('SET', KEYS[at], string.format('%.1f', arrival), 'PX', math.ceil((arrival - now) / 1000))
  end
  answer[2 * at + 1] = math.floor((period - arrival + now) / interval + 0.001)
  answer[2 * at + 2] = math.ceil(arrival - now)
end
return answer
