-- Rule 4, for every script that moves stock: the movement, on hand, the revision and the marks of all listings
-- that may now be wrong, in one step. The including script has set `prefix`, `channel`, `now` and `writable`, and
-- has included lib_dirty.lua.
--
-- A bundle's movements concern its components, and a component's its bundles, whose records may be in other slots. So
-- the same step marks such a SKU in
--   kin  zset folded -> its revision, for sync/stock/bundles.py to work off
-- adds the units of a bundle to its `bundle:own`, and links the movement to the bundle's last one that was its own, and
-- not its components', by `own_prev` (`bundle:last` in its record).

-- Which of the SKUs at hand are bundles ('=') or components ('+'), by folded SKU.
local kin = {}

-- Read them from the arguments: how many, and each with its sign before it. Gives them and the place after them.
local function read_kin(place)
  local found, count = {}, tonumber(ARGV[place])
  for i = place + 1, place + count do found[string.sub(ARGV[i], 2)] = string.sub(ARGV[i], 1, 1) end
  return found, place + count + 1
end

local function dirty_here(key, folded)
  for _, name in ipairs(writable) do
    if name == channel then dirty(key, folded, name) end
  end
end

-- What a movement must know of the record: its counters, and the level of each listing that it may make wrong.
local STANDS = {'on_hand', 'rev', 'last'}
for _, name in ipairs(writable) do STANDS[#STANDS + 1] = name .. ':level' end

local NOTHING = {}

local function move(key, folded, units, level, why, cause)
  local stands = redis.call('HMGET', key, unpack(STANDS))
  local on_hand, rev = (tonumber(stands[1] or nil) or 0) + units, (tonumber(stands[2] or nil) or 0) + 1
  local is_bundle, more = kin[folded] == '=', NOTHING
  if is_bundle then more = {'own_prev', redis.call('HGET', key, 'bundle:last') or ''} end
  local id = redis.call('XADD', prefix .. 'movements', '*', 'sku', folded, 'channel', channel, 'units', units,
    'on_hand', on_hand, 'rev', rev, 'why', why, 'cause', cause, 'level', level, 'at', now, 'prev', stands[3] or '',
    unpack(more))
  redis.call('HSET', key, 'on_hand', on_hand, 'rev', rev, 'last', id)
  if (on_hand < 0) ~= (on_hand - units < 0) then  -- set of the SKUs that were sold more often than there were
    redis.call(on_hand < 0 and 'SADD' or 'SREM', prefix .. 'oversold', folded)
  end
  if kin[folded] then redis.call('ZADD', prefix .. 'kin', rev, folded) end
  if is_bundle then
    redis.call('HINCRBY', key, 'bundle:own', units)
    redis.call('HSET', key, 'bundle:last', id)
  end
  for place, name in ipairs(writable) do
    mark(folded, name, tonumber(stands[#STANDS - #writable + place] or nil), on_hand, units < 0)
  end
end

-- Book units on a SKU. One that the authority has not counted has no movements, for its count will have seen them; but
-- the components of a bundle may be counted though the bundle is not. Gives whether it has moved.
local function book(key, folded, units, level, why, cause)
  if redis.call('HEXISTS', key, 'on_hand') == 1 then
    move(key, folded, units, level, why, cause)
    return true
  end
  if kin[folded] == '=' then
    redis.call('ZADD', prefix .. 'kin', redis.call('HINCRBY', key, 'rev', 1), folded)
    redis.call('HINCRBY', key, 'bundle:own', units)
  end
  return false
end
