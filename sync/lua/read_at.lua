-- When the newest reading of a listing ended.
--
-- KEYS[1]  prefix of the bucket; uses sku:<folded>, notes:<channel> (see lib_note.lua)
-- ARGV     1 channel, 2 the folded SKU
-- Answer   ms by the store's clock; nil where there is no such listing.

local prefix, channel = KEYS[1], ARGV[1]

-- include lib_note.lua

return note.time(redis.call('HGET', prefix .. 'sku:' .. ARGV[2], READ))
