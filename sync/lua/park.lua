-- Leave listings alone that a person has decided not to write, until their number changes or they are retried
-- (rule 8): parked like a refused row (rule 11), at the revision that was decided about.
--
-- KEYS[1]  prefix of the bucket; uses sku:<folded>, dirty:<channel>, notes:<channel> (see merge.lua)
-- ARGV     1 channel, 2 words, then two for each listing: folded, revision.
-- Answer   how many were parked; a listing that has moved, or has a write under way or a hold already, is not.

local prefix, channel = KEYS[1], ARGV[1]
local field, dirty, parked = channel .. ':', prefix .. 'dirty:' .. channel, 0

-- include lib_note.lua

for i = 3, #ARGV, 2 do
  local key = prefix .. 'sku:' .. ARGV[i]
  local seen = redis.call('HMGET', key, 'rev', field .. 'write', field .. 'hold', field .. 'level')
  local held = seen[3] and string.sub(seen[3], 1, 6) ~= 'parked'
  if seen[4] and (seen[1] or '0') == ARGV[i + 1] and not seen[2] and not held then
    note.rouse(key)
    redis.call('HSET', key, field .. 'hold', 'parked|' .. ARGV[i + 1] .. '|' .. ARGV[2])
    redis.call('ZREM', dirty, ARGV[i])
    parked = parked + 1
  end
end
return parked
