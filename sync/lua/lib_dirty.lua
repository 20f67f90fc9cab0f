-- Marking a listing that may be wrong, so that the most urgent are found first (rule 10). The including script has
-- set `prefix` and `now`.
--
-- The score of a mark is its class, times more than any time in ms, and since when it waits: 0 nothing is left and
-- the channel shows some, 1 it shows more than there is, or on hand `fell` (a rule may keep some back, so the target
-- may have fallen though on hand still covers the level), 2 all others. A mark only ever becomes more urgent.

local CLASS = 1e13

local function mark(folded, name, level, on_hand, fell)
  if not level then return end
  local class = fell and 1 or 2
  if on_hand and level > 0 and on_hand < level then class = on_hand <= 0 and 0 or 1 end
  redis.call('ZADD', prefix .. 'dirty:' .. name, 'LT', string.format('%.17g', class * CLASS + now), folded)
end

local function dirty(key, folded, name, fell)
  local seen = redis.call('HMGET', key, name .. ':level', 'on_hand')
  mark(folded, name, tonumber(seen[1] or nil), tonumber(seen[2] or nil), fell)
end
