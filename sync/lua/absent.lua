-- After a full reading: note which listings it did not show (rule 7) and which twins are gone (rule 12).
-- Nothing is zeroed: a listing that is missing keeps its level and is written to no more.
--
-- KEYS[1]  prefix of the bucket; uses sku:<folded>, dirty:<channel>, listings:<channel>, notes:<channel> (see merge.lua)
-- ARGV     1 channel, 2 now ms, 3 when the full reading began, 4 "1" if what it did not show was looked for, then the
--          folded SKUs to look at.
-- Answer   two for each listing that changed: folded, and "missing", "adopted" (its twin took its place) or "alone" (its
--          twin is gone); and "gone" for what is to be looked for before it counts as missing, unchanged.

local prefix, channel = KEYS[1], ARGV[1]
local now, pull_began, certain = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1'
local answer = {}

-- include lib_dirty.lua
-- include lib_note.lua

for i = 5, #ARGV do
  local folded = ARGV[i]
  local key = prefix .. 'sku:' .. folded
  local seen = redis.call('HMGET', key, channel .. ':read', channel .. ':hold')
  local read_at, hold = note.time(seen[1]), seen[2] or ''
  local twin_at, twin = string.match(hold, '^quarantined|(%d+)|(.*)$')
  local what
  if read_at and twin_at then
    local here, there = read_at >= pull_began, tonumber(twin_at) >= pull_began
    if there and not here then
      -- the listing was replaced by another with the same SKU; its level is opened anew by the next reading
      redis.call('HDEL', key, channel .. ':hold', channel .. ':level', channel .. ':ref', channel .. ':read',
        channel .. ':write', channel .. ':wrote', channel .. ':doubts', channel .. ':base', channel .. ':edge', channel .. ':due')
      redis.call('ZREM', prefix .. 'audits:' .. channel, folded)
      redis.call('ZREM', prefix .. 'open:' .. channel, folded)
      redis.call('DECR', prefix .. 'listings:' .. channel)
      redis.call('ZADD', prefix .. 'marks:' .. channel, 'GT', now, twin)
      what = 'adopted'
    elseif here and not there then
      redis.call('HDEL', key, channel .. ':hold')
      dirty(key, folded, channel)
      what = 'alone'
    end
  elseif read_at and read_at < pull_began and string.sub(hold, 1, 7) ~= 'missing' then
    if certain then
      note.rouse(key)
      redis.call('HSET', key, channel .. ':hold', 'missing|' .. now .. '|')
    end
    what = certain and 'missing' or 'gone'
  end
  if what then
    answer[#answer + 1] = folded
    answer[#answer + 1] = what
  end
end
return answer
