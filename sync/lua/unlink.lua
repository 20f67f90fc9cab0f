-- What was a bundle is none any longer: how many there are of it was worked out and never counted, so it is not known
-- until the authority counts it. What was sold of it has been booked on its components before (sync/stock/bundles.py).
--
-- KEYS[1]  prefix of the bucket; uses sku:<folded>, movements, dirty:<channel>, bundles (see link.lua),
--          notes:<channel> (see lib_note.lua)
-- ARGV     1 now ms, 2 number of writable channels, their names, then the former bundles, folded.

local prefix, channel, now = KEYS[1], '', tonumber(ARGV[1])
local writable = {}
for i = 1, tonumber(ARGV[2]) do writable[i] = ARGV[2 + i] end

-- include lib_dirty.lua
-- include lib_movement.lua
-- include lib_note.lua

for i = 3 + #writable, #ARGV do
  local bundle = ARGV[i]
  local key = prefix .. 'sku:' .. bundle
  local on_hand = tonumber(redis.call('HGET', key, 'on_hand'))
  if on_hand then
    move(key, bundle, -on_hand, 0, 'no bundle any longer', 'the settings')
    note.spoil(key)
    redis.call('HDEL', key, 'on_hand')
  end
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if string.find(field, '^bundle:since:') or string.find(field, '^bundle:part:') then redis.call('HDEL', key, field) end
  end
  redis.call('HDEL', key, 'bundle:recipe')
  redis.call('SREM', prefix .. 'bundles', bundle)
end
