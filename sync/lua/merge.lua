-- Merge one reading of one channel into the stock of record: rules 3, 4, 5, 7 and 12, each row in one step.
--
-- KEYS[1]  prefix of the bucket, "is:{7}:". Below it this script uses, all in one hash slot:
--            sku:<folded>      hash, the record of one SKU (fields: see sync/stock/records.py)
--            movements         stream, one entry for each change of on hand; `prev` links to the SKU's last one
--            dirty:<channel>   zset folded -> see lib_dirty.lua; listings whose target may differ from their level
--            marks:<channel>   zset ref -> due ms; listings to be read again
--            open:<channel>    zset folded -> due ms; writes that no reading has settled yet
--            listings:<channel> how many listings there are
--            audits:<channel>  zset folded -> due ms; see lib_edge.lua
--            renamed:<channel> hash ref -> the folded SKU that a renamed listing stays with (see rename.lua)
--            notes:<channel>  hash; see lib_note.lua
-- ARGV     1 channel, 2 now, 3 began, 4 ended (ms by the store's clock), 5 settle ms, 6 visible ms,
--          7 "1" if an accepted write is sure to be applied, 8 "1" if the channel opens the stock of record,
--          9 "1" if single listings of this channel can be read again, 10 "1" if it knows orders, 11 margin of
--          their times ms, 12 why, 13 cause, 14 what is withheld, for the guard to judge (rule 8): "nothing",
--          "zeros" (what would bring a level down to nothing), "moves" (what would move stock) or "changes" (and what
--          would open a listing or settle a write), 15 number of writable channels, their names, the number of
--          bundles and components among the rows, each with its sign (see lib_movement.lua), then the rows as one JSON
--          list, four for each: folded, shown, ref, units. (It is read in a fraction of the time of as many arguments.)
--          Last, where no SKU is among them twice, the name and the proof of their note (see lib_note.lua); else "", "".
-- Answer   for each row that was not plainly the same: its index (from 0), what happened, the units moved. Of a row
--          that is withheld nothing is changed: "fell", "rose", "new" or "settles", and the units it would move.
--          Of a listing that was renamed: "renamed" and the folded SKU under which it is to be merged instead.

local prefix, channel = KEYS[1], ARGV[1]
local now, began, ended = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local settle_ms, visible_ms = tonumber(ARGV[5]), tonumber(ARGV[6])
local applied_if_accepted, authority, readable = ARGV[7] == '1', ARGV[8] == '1', ARGV[9] == '1'
local audited, margin_ms = ARGV[10] == '1', tonumber(ARGV[11])
local why, cause = ARGV[12], ARGV[13]
local withholds, zeros_only, withholds_all = ARGV[14] ~= 'nothing', ARGV[14] == 'zeros', ARGV[14] == 'changes'
local writable = {}
for i = 1, tonumber(ARGV[15]) do writable[i] = ARGV[15 + i] end

local F = {}
for _, name in ipairs({'level', 'ref', 'read', 'write', 'wrote', 'hold', 'edge', 'base'}) do
  F[name] = channel .. ':' .. name
end
local MARKS, OPEN = prefix .. 'marks:' .. channel, prefix .. 'open:' .. channel
local RENAMED = prefix .. 'renamed:' .. channel
local any_renamed = redis.call('EXISTS', RENAMED) == 1

-- No reading has ended so long after now by one clock, whoever stood still: the clock was set back (the store has failed
-- over to another machine). What is read from then on is newer all the same.
local SET_BACK_MS = 300000

local function look_again(ref, due)
  if readable then redis.call('ZADD', MARKS, 'GT', due, ref) end
end

-- include lib_dirty.lua
-- include lib_movement.lua
-- include lib_edge.lua
-- include lib_note.lua

local place
kin, place = read_kin(16 + #writable)
local rows = cjson.decode(ARGV[place])
local name, proof = ARGV[place + 1], ARGV[place + 2]

-- Rule 5: the units that moved beside a write whose fate this reading tells, how we know, and how many units less
-- the other story would have taken.
local function story(phase, level, target, base)
  local if_applied, if_lost = level - target, level - base
  if phase == 'forgotten' then  -- see forget.lua
    return audited and 0 or math.min(0, if_lost), 'restored, less stock assumed', 0
  end
  if if_applied == 0 then return 0, 'confirmed', 0 end
  if phase == 'accepted' and applied_if_accepted then return if_applied, 'changed', 0 end
  if if_lost == 0 and if_applied > 0 then return 0, 'lost write', 0 end
  if if_applied < 0 and if_lost > 0 then return if_applied, 'changed after a write', 0 end
  return math.min(if_applied, if_lost), 'lost answer, less stock assumed', math.abs(if_applied - if_lost)
end

-- Whether a write may still be on its way: seen by this reading, it would have shown itself.
local function may_land(phase, level, target, ended_at)
  return not applied_if_accepted and (level ~= target or phase == 'forgotten') and began < ended_at + visible_ms
end

-- When the last confirmed write ended, and, if it was settled before its time was over, its target and until when it
-- may still land: sales alone may have brought the level to the target.
local function confirmed_write(wrote)
  local ended_at, target, until_ms = string.match(wrote or '', '^(%d+) ?(%-?%d*) ?(%d*)$')
  return tonumber(ended_at), tonumber(target), tonumber(until_ms)
end

-- Rule 5: of a rise that such a write may have made, landing over sales, the story with less stock: it has.
local function has_landed(level, confirmed, target, until_ms, read_at)
  return until_ms and level > confirmed and target > confirmed and read_at < until_ms
end

-- A write under way: its phase, target and base, and when it ended or will have.
local function under_way(write)
  local phase, target, base, ended_at, due = string.match(write, '^(%a+) (%-?%d+) (%-?%d+) %d+ %S+ %d+ (%d+) (%d+)$')
  if phase == 'sent' then ended_at = due end  -- its writer may be dead: in flight until the lease is over
  return phase, tonumber(target), tonumber(base), tonumber(ended_at)
end

-- Rule 8: the units that this row would move, were it believed; nil where it would be skipped (rule 3).
local function would_move(level, confirmed, read_at, write, wrote)
  if not write then
    local wrote_at, target, lands_until = confirmed_write(wrote)
    if wrote_at and began <= wrote_at + settle_ms then return nil end
    return level - (has_landed(level, confirmed, target, lands_until, read_at) and target or confirmed)
  end
  local phase, target, base, ended_at = under_way(write)
  if began <= ended_at + settle_ms then return nil end
  if may_land(phase, level, target, ended_at) then return nil end
  return (story(phase, level, target, base))
end

local answer = {}
local function tell(index, what, units)
  answer[#answer + 1] = index
  answer[#answer + 1] = what
  answer[#answer + 1] = units or 0
end

local opened = 0
local calm, calm_reads = {}, {}

local function merge(index, folded, shown, ref, level)
  local key = prefix .. 'sku:' .. folded
  local seen = redis.call('HMGET', key, F.level, F.ref, F.read, F.write, F.wrote, F.hold, F.edge, 'on_hand')
  local confirmed, known_ref, read_at = tonumber(seen[1]), seen[2], note.time(seen[3])
  local write, wrote, hold = seen[4], seen[5], seen[6]
  if read_at and read_at > now + SET_BACK_MS then read_at = 0 end  -- by a clock that was set back since
  local counts = authority and not seen[8] and kin[folded] ~= '='  -- of a bundle there is what its components allow

  -- nearly every row: nothing has changed and nothing is open, so that the reading is noted, and that is all
  local at_rest = not (write or wrote or hold or counts or edge.listens(seen[7]))
  if at_rest and level == confirmed and ref == known_ref and began >= read_at then
    if name == '' then return note.read({key}, {seen[3]}, ended) end
    calm[#calm + 1], calm_reads[#calm_reads + 1] = key, seen[3]
    return
  end

  local owner = not confirmed and any_renamed and redis.call('HGET', RENAMED, ref)
  if owner and owner ~= folded then return tell(index, 'renamed', owner) end
  if not confirmed and withholds_all then return tell(index, 'new') end
  if not confirmed then  -- rule 4: a first reading opens the listing and moves nothing
    local known = redis.call('HGET', key, 'sku')
    redis.call('HSET', key, F.level, level, F.ref, ref, F.read, ended, 'sku', known or shown)
    if audited then redis.call('HSET', key, F.base, ended) end
    if hold then redis.call('HDEL', key, F.hold) end
    opened = opened + 1
    if counts then
      move(key, folded, level, level, 'opened', cause)
      return tell(index, 'counted', level)
    end
    dirty_here(key, folded)
    return tell(index, 'opened')
  end

  if known_ref ~= ref then  -- rule 12: one SKU, two listings
    local known = string.sub(hold or '', 1, 11) == 'quarantined'
    note.rouse(key)
    redis.call('HSET', key, F.hold, 'quarantined|' .. ended .. '|' .. ref)
    return tell(index, known and 'twin' or 'quarantined')
  end

  if hold and string.sub(hold, 1, 11) == 'quarantined' then tell(index, 'held') end  -- is its twin still there?

  if began < read_at then  -- overlaps a newer reading: which of the two is the later truth, nobody can say
    if level ~= confirmed then
      look_again(ref, now)
      return tell(index, 'skipped')
    end
    return
  end
  if withholds and not (zeros_only and level > 0) then
    local units = would_move(level, confirmed, read_at, write, wrote)
    if units and (units < 0 and not (zeros_only and level - units <= 0) or units > 0 and not zeros_only) then
      return tell(index, units < 0 and 'fell' or 'rose', units)
    end
    if units and write and withholds_all then return tell(index, 'settles') end
  end
  note.leave(seen[3], 1)
  redis.call('HSET', key, F.read, ended)
  if hold and string.sub(hold, 1, 7) == 'missing' then
    redis.call('HDEL', key, F.hold)
    dirty_here(key, folded)
  end

  local wrote_at, wrote_target, lands_until = confirmed_write(wrote)
  local units, reason, assumed, landed, wrote_now = level - confirmed, why, 0, not lands_until and wrote_at or nil, nil
  if write then
    local phase, target, base, ended_at = under_way(write)
    if began <= ended_at + settle_ms then  -- rule 3
      redis.call('ZADD', OPEN, ended_at + settle_ms + 1, folded)
      return tell(index, 'skipped')
    end
    if may_land(phase, level, target, ended_at) then
      -- not seen yet: look again, at first soon, then more seldom. A write whose answer was lost may have been
      -- accepted; counted as lost too soon, it would be applied after a newer one.
      redis.call('ZADD', OPEN, now + math.max(settle_ms, math.min((now - ended_at), visible_ms) / 2, 200), folded)
      return tell(index, 'skipped')
    end
    units, reason, assumed = story(phase, level, target, base)
    -- sales alone may have brought the level to the target, and the write be still on its way
    landed = applied_if_accepted and ended or math.max(ended, ended_at + visible_ms)
    redis.call('HDEL', key, F.write)
    redis.call('ZREM', OPEN, folded)
    if level == target or phase == 'forgotten' then  -- of a forgotten one the time is over, and its target unknown
      redis.call('HDEL', key, channel .. ':doubts')
      wrote_now = landed > ended and string.format('%.0f %d %.0f', ended, target, landed) or ended
    end
    dirty_here(key, folded)
    tell(index, 'settled')
  elseif wrote_at and began <= wrote_at + settle_ms then  -- rule 3
    look_again(ref, wrote_at + settle_ms + 1)  -- even if they agree: a hint may have asked for this reading
    return tell(index, level == confirmed and 'agreed' or 'skipped')
  end
  if units > 0 and not write then
    -- a channel that lags shows a level again that an earlier reading has seen go down: no unit came back
    local changed_at = audited and tonumber(redis.call('HGET', key, F.base))
    if changed_at and began <= changed_at + settle_ms then
      look_again(ref, changed_at + settle_ms + 1)
      return tell(index, 'skipped')
    end
    if has_landed(level, confirmed, wrote_target, lands_until, read_at) then
      units, reason, assumed = level - wrote_target, 'landed late, less stock assumed', wrote_target - confirmed
      landed, wrote_now = ended, ended
      tell(index, 'landed')
    end
  end
  if wrote_now and not applied_if_accepted then
    -- it landed at some moment before this reading ended: another one may lag behind that moment
    redis.call('HSET', key, F.wrote, wrote_now)
  elseif wrote and not (lands_until and began <= lands_until) then
    redis.call('HDEL', key, F.wrote)
  end

  if audited then
    edge.reading(key, folded, began, ended, read_at, units, landed, assumed, settle_ms, margin_ms)
  end
  if level ~= confirmed then redis.call('HSET', key, F.level, level) end
  if counts then  -- it was no authority when it opened the listing, or this was a bundle
    move(key, folded, level, level, 'opened', cause)
    return tell(index, 'counted', level)
  end
  if units == 0 then return end
  if book(key, folded, units, level, reason, cause) then
    tell(index, 'moved', units)
  else
    tell(index, 'uncounted', units)
  end
end

for i = 1, #rows, 4 do
  merge((i - 1) / 4, rows[i], rows[i + 1], rows[i + 2], rows[i + 3])
end
if name ~= '' then note.read(calm, calm_reads, ended, 4 * #calm == #rows and name, proof) end
if opened > 0 then redis.call('INCRBY', prefix .. 'listings:' .. channel, opened) end
return answer
