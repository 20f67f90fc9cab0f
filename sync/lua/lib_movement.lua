-- Rule 4, for every script that moves stock: the movement, on hand, the revision and the marks of all listings
-- that may now be wrong, in one step. The including script has set `prefix`, `channel`, `now` and `writable`, and
-- has included lib_dirty.lua.

local function dirty_here(key, folded)
  for _, name in ipairs(writable) do
    if name == channel then dirty(key, folded, name) end
  end
end

local function move(key, folded, units, level, why, cause)
  local on_hand = redis.call('HINCRBY', key, 'on_hand', units)
  local rev = redis.call('HINCRBY', key, 'rev', 1)
  local last = redis.call('HGET', key, 'last') or ''
  local id = redis.call('XADD', prefix .. 'movements', '*', 'sku', folded, 'channel', channel, 'units', units,
    'on_hand', on_hand, 'rev', rev, 'why', why, 'cause', cause, 'level', level, 'at', now, 'prev', last)
  redis.call('HSET', key, 'last', id)
  for _, name in ipairs(writable) do dirty(key, folded, name) end
end
