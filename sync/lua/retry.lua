-- Let parked listings be tried again, as a person asked (rule 11).
--
-- KEYS[1]  prefix of the bucket; uses sku:<folded>, dirty:<channel> (see merge.lua)
-- ARGV     1 channel, 2 now ms, then the folded SKUs.
-- Answer   how many were parked.

local field, dirty, freed = ARGV[1] .. ':hold', KEYS[1] .. 'dirty:' .. ARGV[1], 0
for i = 3, #ARGV do
  local key = KEYS[1] .. 'sku:' .. ARGV[i]
  if string.sub(redis.call('HGET', key, field) or '', 1, 6) == 'parked' then
    redis.call('HDEL', key, field)
    redis.call('ZADD', dirty, 'NX', ARGV[2], ARGV[i])
    freed = freed + 1
  end
end
return freed
