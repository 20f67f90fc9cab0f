-- Work out of how many a bundle its components allow. What was sold of the bundle and is not booked on a component yet is
-- taken off it here, so that it makes no difference which of the two comes first.
--
-- KEYS[1]  prefix of the bundle's bucket; uses sku:<folded>, movements, dirty:<channel> (see link.lua)
-- ARGV     1 now ms, 2 number of writable channels, their names, then the bundle, then six for each component, all of one
--          moment: folded, as it is written, units in each bundle, revision, on hand ("": not counted),
--          bundle:booked:<bundle> ("": nothing).
-- Answer   the units by which the bundle's on hand has moved.

local prefix, channel, now = KEYS[1], '', tonumber(ARGV[1])
local writable = {}
for i = 1, tonumber(ARGV[2]) do writable[i] = ARGV[2 + i] end

-- include lib_dirty.lua
-- include lib_movement.lua

local bundle = ARGV[3 + #writable]
local key = prefix .. 'sku:' .. bundle
local stands = redis.call('HMGET', key, 'bundle:own', 'on_hand')
local own, on_hand = tonumber(stands[1] or nil) or 0, tonumber(stands[2] or nil)
local allowed, cause

for i = 4 + #writable, #ARGV, 6 do
  local component, shown, each, rev, there, booked = unpack(ARGV, i, i + 5)
  local field = 'bundle:part:' .. component
  local known = redis.call('HMGET', key, 'bundle:since:' .. component, field)
  if not known[1] then return 0 end  -- the recipe has changed
  local known_rev, known_there, known_booked = string.match(known[2] or '', '^(%d+) (%S+) (%-?%d+)$')
  if not known_rev or tonumber(rev) >= tonumber(known_rev) then
    local since_rev, since_own = string.match(known[1], '^(%d+) (%-?%d+)$')
    local booked_rev, booked_own = string.match(booked, '^(%d+) (%-?%d+)$')
    if not booked_rev or tonumber(booked_rev) < tonumber(since_rev) then booked_own = since_own end
    known_there, known_booked = there == '' and '-' or there, booked_own
    redis.call('HSET', key, field, rev .. ' ' .. known_there .. ' ' .. known_booked)
  end
  if known_there == '-' then return 0 end
  each = tonumber(each)
  local makes = math.floor((tonumber(known_there) + (own - tonumber(known_booked)) * each) / each)
  if not allowed or makes < allowed then
    allowed, cause = makes, string.format('%d %s in each, of %s', each, shown, known_there)
  end
end
if not on_hand then
  move(key, bundle, allowed, allowed, 'opened', cause)
elseif allowed ~= on_hand then
  move(key, bundle, allowed - on_hand, allowed, 'components changed', cause)
end
return allowed - (on_hand or 0)
