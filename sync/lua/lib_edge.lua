-- Rule 6: up to which moment the sales of a listing are accounted for, so that an audit can tell what a write
-- has swallowed. Only for channels that know orders. The including script has set `channel`, `now` and `prefix`.
--
-- The argument. A reading shows every sale made before (its begin - lag) and none made after its end. When one
-- reading changed the level at `base`, and a later one, begun after base + lag, finds the level the same, then
-- every sale up to `base` is in the level and nothing was sold between `base` and (that begin - lag). Any moment
-- T in that gap parts the sales exactly: before T counted, after T not. It is taken `margin` away from both ends,
-- because an order's time is another clock's and only as fine as a second.
-- Between two such moments T and T1 the channel truly sold S (its orders tell) and readings booked -D. Where no
-- write fell into the window they are equal; where one did, -S - D is what it swallowed, within two bounds: no more
-- than was sold beside a write, from (the begin of its guard reading - lag) until it had certainly landed; and the
-- other way no more than a lost answer made us assume. What lies beyond them somebody changed by hand: no order
-- tells of it, and it stays as it was read.
--
-- <channel>:base  when the last reading that changed or settled the level ended, ms
-- <channel>:edge  "T D clean phase W W1 A": T and D as above; clean 0 when a reading went up since T (somebody may
--                 have restocked, and some of it be taken for a sale); phase 0 no write since T, 1 a write and no
--                 valid reading after it, 2 a valid reading after it; W to W1 the time beside writes (0 0: none);
--                 A the units that lost answers made us assume
-- <channel>:due   "T D clean T1 W W1 A": a closed window that waits for its orders
-- audits:<channel>  zset folded -> due ms: listings written since T, to be looked at by the audit; one that is missing is
--                 put there again by the reading that shows it

local edge = {READING_MS = 40000}  -- longer than any single reading takes

function edge.get(key)
  local seen = redis.call('HMGET', key, channel .. ':edge', channel .. ':base')
  local base = tonumber(seen[2]) or 0
  local t, d, clean, phase, w, w1, a = string.match(seen[1] or '', '^(%d+) (%-?%d+) (%d) (%d) (%d+) (%d+) (%d+)$')
  if not t then return {t = base, d = 0, clean = 1, phase = 0, w = 0, w1 = 0, a = 0, base = base} end
  return {t = tonumber(t), d = tonumber(d), clean = tonumber(clean), phase = tonumber(phase), w = tonumber(w),
    w1 = tonumber(w1), a = tonumber(a), base = base}
end

-- Whether a reading that finds the level as it was has something to tell this account (its text, or nil).
function edge.listens(seen)
  return seen and not string.find(seen, '^%d+ %-?%d+ %d 0 ')
end

function edge.put(key, e)
  redis.call('HSET', key, channel .. ':base', e.base, channel .. ':edge',
    string.format('%.0f %.0f %d %d %.0f %.0f %.0f', e.t, e.d, e.clean, e.phase, e.w, e.w1, e.a))
end

-- Whether a closed window waits for its orders. The next one may join it, so it begins where that one ended.
function edge.waits(key)
  return redis.call('HEXISTS', key, channel .. ':due') == 1
end

function edge.add(e, units)
  e.d = e.d + units
  if units > 0 then e.clean = 0 end
end

-- A valid reading of a known listing: `units` were booked by it; `landed` is when the write whose fate it tells had
-- certainly landed (nil: it tells of none), `assumed` how many units it may have booked too many for that write;
-- `previous` is when the newest reading before it ended.
function edge.reading(key, folded, began, ended, previous, units, landed, assumed, lag, margin)
  local e = edge.get(key)
  local audits = prefix .. 'audits:' .. channel
  if e.phase == 0 and not landed then
    if units == 0 then return end
    local quiet = previous - edge.READING_MS - lag - margin  -- unchanged up to here at least
    if e.base + margin <= quiet and not edge.waits(key) then
      e.t, e.d, e.clean = quiet, 0, 1
    end
    edge.add(e, units)
    e.base = ended
    edge.put(key, e)
  elseif e.phase < 2 or landed or units ~= 0 then
    edge.add(e, units)
    e.base, e.phase, e.a = ended, 2, e.a + assumed
    if landed then e.w1 = math.max(e.w1, landed) end
    edge.put(key, e)
    redis.call('ZADD', audits, math.max(ended + lag + margin, e.w1) + margin, folded)
  elseif began >= math.max(e.base + lag + margin, e.w1) + margin then  -- the window closes; an earlier one that still waits is joined
    local t1 = math.floor((e.base + began - lag) / 2)
    local due = redis.call('HGET', key, channel .. ':due')
    local t, d, clean, w, w1, a = string.match(due or '', '^(%d+) (%-?%d+) (%d) %d+ (%d+) (%d+) (%d+)$')
    if t then
      e.t, e.d, e.clean, e.a = tonumber(t), e.d + tonumber(d), math.min(e.clean, tonumber(clean)), e.a + tonumber(a)
      if tonumber(w) > 0 then e.w = e.w > 0 and math.min(e.w, tonumber(w)) or tonumber(w) end
      e.w1 = math.max(e.w1, tonumber(w1))
    end
    redis.call('HSET', key, channel .. ':due',
      string.format('%.0f %.0f %d %.0f %.0f %.0f %.0f', e.t, e.d, e.clean, t1, e.w, e.w1, e.a))
    edge.put(key, {t = t1, d = 0, clean = 1, phase = 0, w = 0, w1 = 0, a = 0, base = e.base})
    redis.call('ZADD', audits, now, folded)
  end
end

-- A write is about to be sent, after a guard reading that began at `guard` found the level as it is now known.
function edge.write(key, folded, guard, lag, margin, look_at)
  local e = edge.get(key)
  if e.phase == 0 and e.base + margin <= guard - lag - margin and not edge.waits(key) then
    e.t, e.d, e.clean = guard - lag - margin, 0, 1
  end
  e.phase, e.w = 1, e.w > 0 and math.min(e.w, guard - lag) or guard - lag
  edge.put(key, e)
  redis.call('ZADD', prefix .. 'audits:' .. channel, look_at, folded)
end
