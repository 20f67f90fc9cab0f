-- Note from when on a component belongs to a bundle: what is sold of the bundle from here on is taken from it.
--
-- KEYS[1]  prefix of the bundle's bucket; uses sku:<folded>, kin (see lib_movement.lua) and bundles, a set of all that are
--          noted. Of the bundle's record:
--            bundle:own               units that all channels have moved of the bundle since it is one
--            bundle:last              the id of the last of these movements
--            bundle:recipe            the recipe as it was last noted
--            bundle:since:<component> "revision own" of the bundle when the component came into its recipe
--            bundle:part:<component>  "revision on-hand booked": the component as it was last told of: its revision, its
--                                     units on hand ("-": not counted), and up to which `own` the bundle is booked on it
--          Of the component's record: bundle:booked:<bundle>, "revision own" of the bundle up to which it is booked.
-- ARGV     1 the bundle, folded, 2 as it is written, 3 its recipe, then its components, folded.
-- Answer   1 if the recipe is another than before.

local key, bundle, recipe = KEYS[1] .. 'sku:' .. ARGV[1], ARGV[1], ARGV[3]
local stands = redis.call('HMGET', key, 'rev', 'bundle:own', 'bundle:recipe')
redis.call('SADD', KEYS[1] .. 'bundles', bundle)
if stands[3] == recipe then return 0 end

local listed = {}
for i = 4, #ARGV do
  listed[ARGV[i]] = true
  redis.call('HSETNX', key, 'bundle:since:' .. ARGV[i], (stands[1] or '0') .. ' ' .. (stands[2] or '0'))
end
for _, field in ipairs(redis.call('HKEYS', key)) do
  local component = string.match(field, '^bundle:since:(.*)$')
  if component and not listed[component] then redis.call('HDEL', key, field, 'bundle:part:' .. component) end
end
redis.call('HSETNX', key, 'sku', ARGV[2])
redis.call('HSET', key, 'bundle:recipe', recipe)
redis.call('ZADD', KEYS[1] .. 'kin', redis.call('HINCRBY', key, 'rev', 1), bundle)
return 1
