-- Counts what was wrong with an address's requests; past the threshold it is blocked, each time longer, and that
-- is put down to be told. All in one step, so that two processes never block one address twice.
-- KEYS: points, block, offences, the set of blocks' ends, the list of facts. ARGV: points, milliseconds they count,
-- threshold, seconds of the first block, of the longest, factor, seconds offences are remembered, the address, why,
-- the block's id, how many facts are kept.
-- Answers the seconds it is blocked for; 0: not, or it was already.
if redis.call('EXISTS', KEYS[2]) == 1 then
  return 0
end
local points = redis.call('INCRBY', KEYS[1], ARGV[1])
if points == tonumber(ARGV[1]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
if points < tonumber(ARGV[3]) then
  return 0
end
local offence = redis.call('INCR', KEYS[3])
redis.call('EXPIRE', KEYS[3], ARGV[7])
local seconds = math.min(tonumber(ARGV[5]), tonumber(ARGV[4]) * tonumber(ARGV[6]) ^ (offence - 1))
seconds = math.max(1, math.floor(seconds))
local time = redis.call('TIME')
local now = tonumber(time[1])
-- Written by hand: cjson would round times to 14 digits, and read back an empty text as it pleases.
local block = string.format(
  '{"id":"%s","bucket":"%s","reason":"%s","offence":%d,"since":%d,"until":%d}',
  ARGV[10], ARGV[8], ARGV[9], offence, now, now + seconds)
redis.call('SET', KEYS[2], block, 'EX', seconds)
redis.call('DEL', KEYS[1])
redis.call('ZADD', KEYS[4], now + seconds, block)
redis.call('RPUSH', KEYS[5], block)
redis.call('LTRIM', KEYS[5], -tonumber(ARGV[11]), -1)
return seconds
