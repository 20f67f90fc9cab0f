-- Book what an audit has found out about one listing, if it still stands as it was looked at (rule 6).
--
-- KEYS[1]  prefix of the bucket; uses sku:<folded>, movements, dirty:<channel>, audits:<channel>
-- ARGV     1 channel, 2 now ms, 3 cause, 4 number of writable channels, their names, the number of bundles and
--          components among the listings, each with its sign (see lib_movement.lua), then six for each listing:
--            folded, "close", <channel>:due as it was seen, units sold in that window, those of them beside a write,
--              the orders that these were sold by, in words
--            folded, "quiet", <channel>:edge as it was seen, a moment up to which nothing was sold, 0, ""
--            folded, "gone", <channel>:edge as it was seen, 0, 0, ""
-- Answer   two for each listing: what happened, units.
--            moved    that many units had been missed, and are booked
--            clean    nothing was missed           quiet   nothing was sold since the write
--            unclear  the same, but somebody raised the level meanwhile, so that it may have been less
--            late     the listing has changed since    uncounted  nobody has counted the SKU, so nothing can be missed
--            gone     it is missing: its orders wait for a reading that shows it again, which has them looked at

local prefix, channel, now, cause = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3]
local writable = {}
for i = 1, tonumber(ARGV[4]) do writable[i] = ARGV[4 + i] end
-- include lib_dirty.lua
-- include lib_movement.lua
-- include lib_edge.lua

local first
kin, first = read_kin(5 + #writable)

local function rest(key, folded)
  if edge.get(key).phase == 0 and redis.call('HEXISTS', key, channel .. ':due') == 0 then
    redis.call('ZREM', prefix .. 'audits:' .. channel, folded)
  end
end

local function close(key, folded, seen, sold, beside, orders)
  if redis.call('HGET', key, channel .. ':due') ~= seen then return 'late', 0 end
  local d, clean, assumed = string.match(seen, '^%d+ (%-?%d+) (%d) %d+ %d+ %d+ (%d+)$')
  local missed = math.min(math.max(-sold - tonumber(d), -beside), tonumber(assumed))
  if beside == 0 then missed = tonumber(assumed) end  -- nothing was sold there, so all that was assumed is refuted
  redis.call('HDEL', key, channel .. ':due')
  rest(key, folded)
  if missed == 0 then return 'clean', 0 end
  local why = missed > 0 and 'not sold after all' or clean == '1' and 'sold under a write'
    or 'sold under a write, less stock assumed'
  local by = orders ~= '' and missed < 0 and orders .. ', ' .. cause or cause
  if not book(key, folded, missed, redis.call('HGET', key, channel .. ':level'), why, by) then return 'uncounted', 0 end
  return missed < 0 and clean ~= '1' and 'unclear' or 'moved', missed
end

local function quiet(key, folded, seen, until_ms)
  if redis.call('HGET', key, channel .. ':edge') ~= seen or redis.call('HEXISTS', key, channel .. ':write') == 1 then
    return 'late', 0
  end
  local e = edge.get(key)
  if e.phase > 0 then  -- nothing was sold and nothing booked: a new window begins
    e = {t = math.max(e.t, until_ms), d = 0, clean = 1, phase = 0, w = 0, w1 = 0, a = 0, base = e.base}
    edge.put(key, e)
  end
  rest(key, folded)
  return 'quiet', 0
end

local function gone(key, folded, seen)
  local stands = redis.call('HMGET', key, channel .. ':edge', channel .. ':due', channel .. ':hold')
  if stands[1] ~= seen or stands[2] or string.sub(stands[3] or '', 1, 7) ~= 'missing' then return 'late', 0 end
  redis.call('ZREM', prefix .. 'audits:' .. channel, folded)
  return 'gone', 0
end

local acts = {close = close, quiet = quiet, gone = gone}
local answer = {}
for i = first, #ARGV, 6 do
  local folded = ARGV[i]
  local what, units = acts[ARGV[i + 1]](prefix .. 'sku:' .. folded, folded, ARGV[i + 2], tonumber(ARGV[i + 3]),
    tonumber(ARGV[i + 4]), ARGV[i + 5])
  answer[#answer + 1] = what
  answer[#answer + 1] = units
end
return answer
