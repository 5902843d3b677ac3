-- GCRA (generic cell rate algorithm), revocation and blocks in one round trip, by Redis's own clock.
-- KEYS[1] the bucket, holding its theoretical arrival time in microseconds; further keys, any number, are marks
-- that forbid the request: of a revoked session, of a blocked address. ARGV[1] requests, ARGV[2] microseconds
-- they are spread over.
-- Answers {decision, remaining, microseconds until the bucket is full again, microseconds to wait}, where
-- decision is 1 allowed, 0 refused, -1 forbidden by the first mark, -2 by the second; then the wait is until the
-- mark goes. All of a burst may come at once.
if KEYS[2] and redis.call('EXISTS', unpack(KEYS, 2)) > 0 then
  for mark = 2, #KEYS do
    local left = redis.call('PTTL', KEYS[mark])
    if left ~= -2 then
      return { 1 - mark, 0, 0, left * 1000 }
    end
  end
end
local requests = tonumber(ARGV[1])
local period = tonumber(ARGV[2])
local interval = period / requests
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local arrival = tonumber(redis.call('GET', KEYS[1]) or now)
if arrival < now then
  arrival = now
end
local next_arrival = arrival + interval
local wait = next_arrival - period - now
if wait > 0.5 then
  return { 0, 0, math.ceil(arrival - now), math.ceil(wait) }
end
local full_after = next_arrival - now
redis.call('SET', KEYS[1], string.format('%.1f', next_arrival), 'PX', math.ceil(full_after / 1000))
return { 1, math.floor((period - full_after) / interval + 0.001), math.ceil(full_after), 0 }
