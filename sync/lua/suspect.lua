-- Have listings looked at again whose targets may have changed though their stock has not: the rules did.
-- A write that is under way may carry the target by the old rules, and a row may be parked at its revision; both are
-- told by a new revision, as they would be by a movement.
--
-- KEYS[1]  prefix of the bucket; uses sku:<folded>, dirty:<channel> (see merge.lua)
-- ARGV     1 channel, 2 now ms, then the folded SKUs.
-- Answer   how many of them are listed there.

local prefix, channel, now = KEYS[1], ARGV[1], tonumber(ARGV[2])
local found = 0

-- include lib_dirty.lua

for i = 3, #ARGV do
  local key = prefix .. 'sku:' .. ARGV[i]
  local seen = redis.call('HMGET', key, channel .. ':level', channel .. ':write', channel .. ':hold')
  if seen[1] then
    if seen[2] or seen[3] then redis.call('HINCRBY', key, 'rev', 1) end
    dirty(key, ARGV[i], channel, true)
    found = found + 1
  end
end
return found
