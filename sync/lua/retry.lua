-- Let parked listings be tried again, as a person asked (rule 11).
--
-- KEYS[1]  prefix of the bucket; uses sku:<folded>, dirty:<channel> (see merge.lua)
-- ARGV     1 channel, 2 now ms, then the folded SKUs.
-- Answer   how many were parked.

local prefix, channel, now = KEYS[1], ARGV[1], tonumber(ARGV[2])
local freed = 0

-- include lib_dirty.lua

for i = 3, #ARGV do
  local key = prefix .. 'sku:' .. ARGV[i]
  if string.sub(redis.call('HGET', key, channel .. ':hold') or '', 1, 6) == 'parked' then
    redis.call('HDEL', key, channel .. ':hold')
    dirty(key, ARGV[i], channel)
    freed = freed + 1
  end
end
return freed
