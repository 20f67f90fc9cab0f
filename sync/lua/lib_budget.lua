-- One quota as the store knows it. The including script has set `now` (ms) from its arguments.
--
-- KEYS[1]  hash, what is known of the quota; all times are ms by the store's clock:
--            kind       "unknown", "window" (so many calls in a stretch of time), "bucket" (tokens that come back)
--                       or "free" (its answers tell of no quota)
--            clock      the latest time at which anybody came
--            pause      nobody calls before this; strikes, strike_at: refusals in a row, and the last of them
--            told_at    when an answer last told anything; took: how long an answer takes, smoothed
--            since:<c>, back:<c>   since when class c has been waiting unserved; until when it is expected back
--          of a window:
--            limit, window         calls in it, and its length
--            low, ends             its true end lies between these two
--            known                 1 once an answer of this very window has come
--            used                  the most calls by anyone that an answer told of; answered: those of ours in it
--            blind, blind_at       calls of ours whose answers told nothing; carry: those that may count in the next
--            seen, others          calls by other apps: in this window, and in recent ones
--          of a bucket:
--            rate, burst           tokens a second, tokens when full; reserve: the part of the rate left to others
--            tokens, at            how many there were, and when
-- KEYS[2]  zset token -> ms when granted; calls in flight
-- KEYS[3]  zset token -> class and ms when it came; callers that sleep, in the order in which they are served
-- KEYS[4]  zset token -> ms; when such a caller counts as dead
--
-- Why it never allows too much. A window: an answer tells how many calls by anyone were counted at one moment. All
-- calls of ours that are answered by now are among the highest such count, so that what may still come is at most
-- what is in flight. A bucket: a call is taken out when its answer has come, which is later than the channel took
-- it, and a full bucket that is emptied later never holds more. Both hold whatever the delays are.

-- A request is counted when it arrives; one that was sent longer ago than this has arrived, or never will.
local LAPSE_MS = 15000
-- What is known of a quota that nobody has used for this long is forgotten.
local KEEP_MS = 86400000
-- No header, however garbled, stops a channel for longer.
local LONGEST_PAUSE_MS = 3600000
-- Rounding in what channels tell, and in our own clock.
local GRAIN_MS = 2
-- A caller that comes from so long ago has not stood still between two commands: the clock was set back (the store has
-- failed over to another machine). All times are then moved with it, or nobody would call until it has caught up.
local SET_BACK_MS = 300000
local TIMES = {'pause', 'strike_at', 'told_at', 'low', 'ends', 'blind_at', 'at'}
for class = 0, 4 do
  TIMES[#TIMES + 1] = 'since:' .. class
  TIMES[#TIMES + 1] = 'back:' .. class
end

local q = {kind = 'unknown'}
do
  local flat = redis.call('HGETALL', KEYS[1])
  for i = 1, #flat, 2 do q[flat[i]] = tonumber(flat[i + 1]) or flat[i + 1] end
  local leap = (q.clock or now) - now
  if leap > SET_BACK_MS then
    for _, name in ipairs(TIMES) do q[name] = q[name] and q[name] - leap end
    for i = 2, 4 do
      for _, token in ipairs(redis.call('ZRANGE', KEYS[i], 0, -1)) do redis.call('ZINCRBY', KEYS[i], -leap, token) end
    end
    q.clock = now
  end
  q.clock = math.max(q.clock or now, now)
end

local function save()
  local flat = {}
  for name, value in pairs(q) do
    flat[#flat + 1] = name
    flat[#flat + 1] = type(value) == 'number' and string.format('%.17g', value) or value
  end
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], unpack(flat))
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, KEEP_MS) end
end

local function flight() return redis.call('ZCARD', KEYS[2]) end

local function refill()
  local gained = math.max(0, now - q.at) * q.rate * (1 - (q.reserve or 0)) / 1000
  q.tokens, q.at = math.min(q.burst, q.tokens + gained), math.max(now, q.at)
end

-- A call has been made, and its answer tells nothing of the quota.
local function spent_blindly()
  if q.kind == 'window' then
    q.blind, q.blind_at = q.blind + 1, now
  elseif q.kind == 'bucket' then
    refill()
    q.tokens = math.max(0, q.tokens - 1)
  end
end

-- Callers may die: calls that lapsed have been made, and sleepers that did not wake are gone.
local function bury()
  for _, token in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - LAPSE_MS)) do
    redis.call('ZREM', KEYS[2], token)
    spent_blindly()
  end
  for _, token in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now)) do
    redis.call('ZREM', KEYS[3], token)
    redis.call('ZREM', KEYS[4], token)
  end
end

local function next_window()
  q.others = math.max(q.seen, math.floor(q.others * 0.7))
  q.seen, q.used, q.answered, q.known = 0, 0, 0, 0
  q.blind, q.carry = q.carry, 0
end

-- The window ends by the clock, should no answer tell of it first.
local function roll()
  if q.kind ~= 'window' or now < q.ends then return end
  if q.known == 0 and q.blind > 0 and now < q.blind_at + q.window then
    -- this window was only foretold, and no answer since has said when it truly ends
    q.ends = q.blind_at + q.window
    return
  end
  local passed = math.floor((now - q.ends) / q.window) + 1
  for _ = 1, math.min(passed, 2) do next_window() end
  q.ends, q.low = q.ends + passed * q.window, q.low + passed * q.window
end

local function open_window(limit, window)
  q.kind, q.limit, q.window = 'window', limit, window
  q.used, q.answered, q.known, q.blind, q.blind_at, q.carry, q.seen, q.others = 0, 0, 0, 0, 0, 0, 0, 0
  q.low, q.ends = now, now
end

local function open_bucket(rate, burst)
  -- how full it is nobody says: one that fills within seconds is taken for empty but for the call that finds out,
  -- a slow one for half full
  q.kind, q.rate, q.burst, q.at = 'bucket', rate, burst, now
  q.tokens = rate >= 1 and 1 or math.max(1, burst / 2)
end
