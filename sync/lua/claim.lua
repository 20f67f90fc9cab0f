-- Claim listings for a write: rules 1 and 2. From here until it is settled nothing else is written to them.
-- A listing with an open write is not dirty: whoever settles the write marks it again, unless it is right.
--
-- KEYS[1]  prefix of the bucket; uses sku:<folded>, dirty:<channel>, open:<channel>, notes:<channel> (see merge.lua)
-- ARGV     1 channel, 2 now ms, 3 lease ms, 4 token of the writer ("": only look, claim nothing),
--          5 "1" if the channel knows orders, 6 when the guard reading began, 7 settle ms, 8 margin ms,
--          then four for each listing: folded, revision that the target was worked out from, target, its ref
--          as it was known then ("": whichever).
-- Answer   two for each listing: what happened, and for "claimed" its confirmed level, else "".
--            claimed  go ahead          right   shows its target already; no longer dirty
--            wrong    it was only looked at
--            moved    the stock has changed since the target was worked out     busy    a write is under way
--            held     parked, quarantined or missing                            gone    no such listing

local prefix, channel = KEYS[1], ARGV[1]
local now, lease_ms, token = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local audited = ARGV[5] == '1'
local guard, settle_ms, margin_ms = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local DIRTY = prefix .. 'dirty:' .. channel

-- include lib_edge.lua
-- include lib_note.lua

local function claim(folded, rev, target, ref)
  local key = prefix .. 'sku:' .. folded
  local seen = redis.call('HMGET', key, 'rev', channel .. ':level', channel .. ':write', channel .. ':hold', channel .. ':ref')
  local level, hold = seen[2], seen[4]
  if not level then
    redis.call('ZREM', DIRTY, folded)
    return 'gone', ''
  end
  if (seen[1] or '0') ~= rev or (ref ~= '' and ref ~= seen[5]) then return 'moved', '' end
  if seen[3] then
    redis.call('ZREM', DIRTY, folded)
    return 'busy', ''
  end
  if hold and hold ~= '' then
    -- a parked row is tried again once its number has changed
    local parked_rev = string.match(hold, '^parked|(%d+)|')
    if not parked_rev or parked_rev == rev then
      redis.call('ZREM', DIRTY, folded)
      return 'held', ''
    end
    redis.call('HDEL', key, channel .. ':hold')
  end
  if level == target then
    redis.call('ZREM', DIRTY, folded)
    return 'right', ''
  end
  if token == '' then return 'wrong', '' end
  local due = now + lease_ms
  note.rouse(key)
  redis.call('HSET', key, channel .. ':write',
    table.concat({'sent', target, level, rev, token, now, 0, due}, ' '))
  redis.call('ZREM', DIRTY, folded)
  redis.call('ZADD', prefix .. 'open:' .. channel, due, folded)
  if audited then edge.write(key, folded, guard, settle_ms, margin_ms, due) end
  return 'claimed', level
end

local answer = {}
for i = 9, #ARGV, 4 do
  local what, level = claim(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3])
  answer[#answer + 1] = what
  answer[#answer + 1] = level
end
return answer
