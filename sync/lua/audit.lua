-- Book what an audit has found out about one listing, if it still stands as it was looked at (rule 6).
--
-- KEYS[1]  prefix of the bucket; uses sku:<folded>, movements, dirty:<channel>, audits:<channel>
-- ARGV     1 channel, 2 now ms, 3 cause, 4 number of writable channels, their names, then four for each listing:
--            folded, "close" <channel>:due as it was seen, units sold in that window
--            folded, "quiet" <channel>:edge as it was seen, a moment up to which nothing was sold
--          (the second of the four is the word).
-- Answer   two for each listing: what happened, units.
--            moved    that many units had been missed, and are booked
--            clean    nothing was missed           quiet   nothing was sold since the write
--            unclear  somebody raised the level meanwhile, so what was missed cannot be told; nothing is booked
--            late     the listing has changed since

local prefix, channel, now, cause = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3]
local writable = {}
for i = 1, tonumber(ARGV[4]) do writable[i] = ARGV[4 + i] end
-- include lib_movement.lua
-- include lib_edge.lua

local function rest(key, folded)
  if edge.get(key).phase == 0 and redis.call('HEXISTS', key, channel .. ':due') == 0 then
    redis.call('ZREM', prefix .. 'audits:' .. channel, folded)
  end
end

local function close(key, folded, seen, sold)
  if redis.call('HGET', key, channel .. ':due') ~= seen then return 'late', 0 end
  local d, clean = string.match(seen, '^%d+ (%-?%d+) (%d)')
  local missed = -sold - tonumber(d)
  redis.call('HDEL', key, channel .. ':due')
  rest(key, folded)
  if missed == 0 then return 'clean', 0 end
  if clean ~= '1' then return 'unclear', missed end
  local why = missed < 0 and 'sold under a write' or 'not sold after all'
  move(key, folded, missed, redis.call('HGET', key, channel .. ':level'), why, cause)
  return 'moved', missed
end

local function quiet(key, folded, seen, until_ms)
  if redis.call('HGET', key, channel .. ':edge') ~= seen or redis.call('HEXISTS', key, channel .. ':write') == 1 then
    return 'late', 0
  end
  local e = edge.get(key)
  e.t, e.phase = math.max(e.t, until_ms), 0
  edge.put(key, e)
  rest(key, folded)
  return 'quiet', 0
end

local answer = {}
for i = 5 + #writable, #ARGV, 4 do
  local folded, word = ARGV[i], ARGV[i + 1]
  local act = word == 'close' and close or quiet
  local what, units = act(prefix .. 'sku:' .. folded, folded, ARGV[i + 2], tonumber(ARGV[i + 3]))
  answer[#answer + 1] = what
  answer[#answer + 1] = units
end
return answer
