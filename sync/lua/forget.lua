-- The stock of record was set back to an earlier state: whatever was read and written since is forgotten. Every
-- listing that may have been written gets an open write that nobody remembers, so that the next certain reading
-- opens its level anew and the orders since then tell what was sold (rule 6).
--
-- KEYS[1]  prefix of the bucket; uses sku:<folded>, open:<channel>, dirty:<channel>, audits:<channel>,
--          notes:<channel> (see merge.lua)
-- ARGV     1 channel, 2 now ms, 3 until when a request sent before now may still arrive, ms, 4 settle ms, 5 "1" if
--          the channel knows orders, 6 margin of their times ms, then the folded SKUs.
-- Answer   how many listings there are.

local prefix, channel = KEYS[1], ARGV[1]
local now, until_ms, settle_ms = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local audited, margin_ms = ARGV[5] == '1', tonumber(ARGV[6])
local OPEN, DIRTY = prefix .. 'open:' .. channel, prefix .. 'dirty:' .. channel

-- include lib_edge.lua
-- include lib_note.lua

local found = 0
for i = 7, #ARGV do
  local folded = ARGV[i]
  local key = prefix .. 'sku:' .. folded
  local seen = redis.call('HMGET', key, channel .. ':level', 'rev')
  local level = seen[1]
  if level then
    found = found + 1
    local read_at = note.rouse(key)
    redis.call('HSET', key, channel .. ':write',
      table.concat({'forgotten', level, level, seen[2] or '0', '-', now, until_ms, until_ms}, ' '))
    redis.call('ZREM', DIRTY, folded)
    redis.call('ZADD', OPEN, until_ms + settle_ms + 1, folded)
    -- what is known was true when the newest reading began, or later
    if audited then edge.write(key, folded, read_at - edge.READING_MS, settle_ms, margin_ms, until_ms) end
  end
end
return found
