-- Book on a component what was sold of a bundle, exactly once: up to which revision of the bundle it is booked stands in
-- the component's record, in the same step. Run again, or late, it changes nothing.
--
-- KEYS[1]  prefix of the component's bucket; uses sku:<folded>, movements, dirty:<channel>, kin (see link.lua)
-- ARGV     1 now ms, 2 number of writable channels, their names, the number of kin and each (see lib_movement.lua),
--          then the component, the bundle, units of the component in each, revision and `own` of the bundle, the same when
--          the component came into its recipe, the cause where the movements of the bundle are not known; then six for
--          each movement of the bundle, oldest first: revision, units, channel, why, cause, level.
-- Answer   how many movements were booked.

local prefix, channel, now = KEYS[1], '', tonumber(ARGV[1])
local writable = {}
for i = 1, tonumber(ARGV[2]) do writable[i] = ARGV[2 + i] end

-- include lib_dirty.lua
-- include lib_movement.lua

local at
kin, at = read_kin(3 + #writable)
local component, bundle, each = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
local rev, own, since_rev, since_own = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6])
local key, field = prefix .. 'sku:' .. component, 'bundle:booked:' .. bundle

local booked_rev, booked_own = string.match(redis.call('HGET', key, field) or '', '^(%d+) (%-?%d+)$')
booked_rev, booked_own = tonumber(booked_rev), tonumber(booked_own)
if not booked_rev or booked_rev < since_rev then booked_rev, booked_own = since_rev, since_own end
if rev <= booked_rev then return 0 end

local rows, sum = {}, 0
for i = at + 8, #ARGV, 6 do
  if tonumber(ARGV[i]) > booked_rev then
    rows[#rows + 1] = {units = tonumber(ARGV[i + 1]), channel = ARGV[i + 2], why = ARGV[i + 3], cause = ARGV[i + 4], level = ARGV[i + 5]}
    sum = sum + tonumber(ARGV[i + 1])
  end
end
local missing, count = own - booked_own, 0
if sum ~= missing then
  rows = {{units = missing, channel = '', why = 'changed', cause = ARGV[at + 7], level = 0}}
end
if redis.call('HEXISTS', key, 'on_hand') == 1 then  -- else its first count will have seen them
  for _, row in ipairs(rows) do
    if row.units ~= 0 then
      channel = row.channel
      move(key, component, row.units * each, row.level, row.why, row.cause)
      count = count + 1
    end
  end
end
redis.call('HSET', key, field, string.format('%.0f %.0f', rev, own))
return count
