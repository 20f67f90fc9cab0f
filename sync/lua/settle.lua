-- Settle claimed writes by what their writer learnt: rules 2 and 5.
--
-- KEYS[1]  prefix of the bucket; uses sku:<folded>, dirty:<channel>, open:<channel> (see merge.lua)
-- ARGV     1 channel, 2 now ms (the write ended before it), 3 settle ms, 4 token of the writer,
--          then three for each listing: folded, result, and for "refused" the channel's words, else "".
--            confirmed  the channel shows it          accepted  taken, not shown yet
--            unknown    the answer was lost           refused   never applied as it stands: parked
--            deferred   certainly not applied: dirty again
-- Answer   one for each listing: "done", or "late" when the claim is no longer this writer's (its lease ran out
--          and a reading has told the write's fate since).

local prefix, channel = KEYS[1], ARGV[1]
local now, settle_ms, token = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local OPEN = prefix .. 'open:' .. channel

-- include lib_dirty.lua

local function settle(folded, result, words)
  local key = prefix .. 'sku:' .. folded
  local write = redis.call('HGET', key, channel .. ':write')
  if not write then return 'late' end
  local phase, target, base, rev, owner, began, _, due =
    string.match(write, '^(%a+) (%-?%d+) (%-?%d+) (%d+) (%S+) (%d+) (%d+) (%d+)$')
  if phase ~= 'sent' or owner ~= token then return 'late' end
  if result == 'accepted' or result == 'unknown' then
    redis.call('HSET', key, channel .. ':write',
      table.concat({result, target, base, rev, token, began, now, due}, ' '))
    redis.call('ZADD', OPEN, now + settle_ms, folded)
    if result == 'unknown' then redis.call('HINCRBY', key, channel .. ':doubts', 1) end
    return 'done'
  end
  redis.call('HDEL', key, channel .. ':write')
  redis.call('ZREM', OPEN, folded)
  -- a hold that came during the write (a twin was found, the listing is missing) outweighs what it says of parking
  local parked = string.sub(redis.call('HGET', key, channel .. ':hold') or 'parked', 1, 6) == 'parked'
  if result == 'confirmed' then
    redis.call('HSET', key, channel .. ':level', target, channel .. ':wrote', now)
    redis.call('HDEL', key, channel .. ':doubts')
    if parked then redis.call('HDEL', key, channel .. ':hold') end
  elseif result == 'refused' then
    redis.call('HDEL', key, channel .. ':doubts')
    if parked then redis.call('HSET', key, channel .. ':hold', 'parked|' .. rev .. '|' .. words) end
  end
  if result == 'deferred' or redis.call('HGET', key, 'rev') ~= rev then
    dirty(key, folded, channel)
  end
  return 'done'
end

local answer = {}
for i = 5, #ARGV, 3 do answer[#answer + 1] = settle(ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
return answer
