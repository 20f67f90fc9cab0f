-- Let a listing that has another SKU at its channel now stay with the record that it has had (ids first, SKU second).
-- In the same step it is taken from the record of the new SKU, if a reading opened it there. Opening moved nothing, and
-- what no authority has counted is never written, so nothing is lost.
--
-- KEYS[1]  prefix of the new SKU's bucket; uses sku:<folded>, dirty:<channel>, open:<channel>, audits:<channel>,
--          listings:<channel>, notes:<channel> (see merge.lua) and
--            renamed:<channel>  hash, ref -> folded SKU of the record that it stays with
-- ARGV     1 channel, then three for each listing: the new SKU, folded; its ref; the old SKU, folded.
-- Answer   one for each: "kept"; "counted" if the authority counts the new SKU, which then has the listing; or "twin" if
--          the new SKU has another listing there.

local prefix, channel = KEYS[1], ARGV[1]
local answer = {}

-- include lib_note.lua

for i = 2, #ARGV, 3 do
  local folded, ref, old = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local key = prefix .. 'sku:' .. folded
  local seen = redis.call('HMGET', key, 'on_hand', channel .. ':ref')
  if seen[1] then
    answer[#answer + 1] = 'counted'
  elseif seen[2] and seen[2] ~= ref then
    answer[#answer + 1] = 'twin'
  else
    if seen[2] then
      note.rouse(key)
      for _, field in ipairs(redis.call('HKEYS', key)) do
        if string.sub(field, 1, #channel + 1) == channel .. ':' then redis.call('HDEL', key, field) end
      end
      for _, list in ipairs({'dirty:', 'open:', 'audits:'}) do redis.call('ZREM', prefix .. list .. channel, folded) end
      redis.call('DECR', prefix .. 'listings:' .. channel)
      if redis.call('HLEN', key) == 1 then redis.call('DEL', key) end  -- only how it is written
    end
    redis.call('HSET', prefix .. 'renamed:' .. channel, ref, old)
    answer[#answer + 1] = 'kept'
  end
end
return answer
