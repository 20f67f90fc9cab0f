-- Ask for leave to make one call, or for the time at which to ask again.
--
-- KEYS     see lib_budget.lua
-- ARGV     1 now ms, 2 token of the caller, the same while it sleeps, 3 its class (0 is the most urgent, 4 the least),
--          4 ms that it may still sleep, 5 a draw from 0 to 999, 6 thousandths of the quota to leave to others,
--          7 documented tokens a second ("": it is no bucket as far as is known), 8 documented burst
-- Answer   {"go", 0}; {"wait", ms}: its place is kept, ask again then; {"off", ms}: too long, its place is given up.

local now, token, class = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local may_sleep, draw, reserve = tonumber(ARGV[4]), tonumber(ARGV[5]) / 1000, tonumber(ARGV[6]) / 1000

-- include lib_budget.lua

-- The part of a quota that is kept from each class for those before it. In a window it melts as time goes by, and
-- nothing is kept in its last tenth.
local WINDOW_SHARES = {[0] = 0, 0.02, 0.05, 0.1, 0.2}
local BUCKET_SHARES = {[0] = 0, 0, 0.2, 0.2, 0.4}
local MELTED = 0.1
-- How long a caller waits for the one probe of an unknown quota before it sends another.
local PROBE_MS = 10000
-- What separates the classes in the order of sleepers; more than any time in ms.
local CLASS = 1e13
-- Grace for a sleeper to wake, and for a caller that was put off to come back.
local WAKE_MS, BACK_MS = 500, 5000
-- To be put off and to come back costs more than a call; so it is for this long at least.
local BACK_AFTER_MS = 1000

if q.kind == 'unknown' and ARGV[7] ~= '' then open_bucket(tonumber(ARGV[7]), tonumber(ARGV[8])) end
roll()
bury()
q.reserve = reserve
local in_flight = flight()

-- Whoever has waited unserved for a while counts as one class more urgent, again and again; and in the end a call
-- is kept for it, the longest waiting first, so that nobody starves.
local patience = 5000
if q.kind == 'window' then patience = q.window end
if q.kind == 'bucket' then patience = math.max(patience, 2000 / q.rate) end
local function waiting_since(of)
  local since, back = q['since:' .. of], q['back:' .. of]
  return since and now <= back and since or nil
end
local since = waiting_since(class)
local standing = since and math.max(0, class - math.floor(math.max(0, now - since) / patience)) or class
local kept = 0
for other = 0, 4 do
  local theirs = other ~= class and waiting_since(other)
  if theirs and now - theirs >= 5 * patience and theirs < (since or now) then kept = kept + 1 end
end
local came = redis.call('ZSCORE', KEYS[3], token)
local place = standing * CLASS + (came and came % CLASS or now)
local ahead = redis.call('ZCOUNT', KEYS[3], '-inf', '(' .. string.format('%.17g', place))

-- How soon an answer may come that tells of more room, and whoever is ahead has taken of it. The longer none has
-- come, the less it is asked for: callers may be dead.
local soon = math.max(10, math.ceil((q.took or 200) / 2)) * (1 + math.floor(ahead / 8))
local newest = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2]
soon = math.min(1000, math.max(soon, newest and math.floor((now - tonumber(newest)) / 2) or 0))

-- What other apps may have taken since we were last told, and will until our call arrives.
local function cushion()
  local others = math.max(q.others, q.seen)
  if others == 0 then return 0 end
  local began = q.ends - q.window
  local expected = others / q.window * (math.max(0, now - math.max(q.told_at or 0, began)) + 2 * (q.took or 200))
  return math.min(math.ceil(expected + 3 * math.sqrt(expected)), math.floor(q.limit / 4))
end

-- Each gives 0 for leave to go, or the ms until it is worth asking again.
local function by_window()
  local limit = q.limit - math.floor(q.limit * reserve)
  if q.known == 0 then limit = math.max(limit, 1) end  -- it may have been raised; one call finds out
  local free = limit - q.used - q.blind - in_flight - cushion() - kept - ahead
  if free < 1 then
    if in_flight > 0 and free + in_flight >= 1 then return math.min(soon, q.ends - now + 1) end
    return math.ceil(q.ends - now + draw * math.min(q.window / 20, 250) * (class + 1) / 5) + 1
  end
  -- while the window is new, nobody knows what others have taken of it: only a few go before the first answer
  if q.known == 0 and in_flight >= math.max(1, math.floor(limit / 8)) then return soon end
  local share, left = q.limit * WINDOW_SHARES[standing], (q.ends - now) / q.window
  if free - math.floor(share * math.max(0, left - MELTED) / (1 - MELTED)) >= 1 then return 0 end
  return math.ceil((left - MELTED - (1 - MELTED) * free / share) * q.window) + 1
end

local function by_bucket()
  refill()
  local rate = q.rate * (1 - reserve)
  local grain = q.tokens < q.burst and GRAIN_MS * q.rate / 1000 or 0
  local own = 1 + math.min(math.floor(q.burst * BUCKET_SHARES[standing]), q.burst - 1) + in_flight
  local missing = own + kept + ahead + grain - q.tokens
  if missing <= 0 then return 0 end
  local delay = math.ceil(missing / rate * 1000)
  return own > q.burst and math.max(delay, soon) or delay
end

local function by_nothing()
  if q.kind == 'free' then return 0 end
  local probes = redis.call('ZCOUNT', KEYS[2], now - PROBE_MS, '+inf')
  return probes == 0 and 0 or soon
end

local delay
if now < (q.pause or 0) then
  delay = q.pause - now + math.ceil(draw * 250 * (class + 1) / 5)
elseif q.kind == 'window' then
  delay = by_window()
elseif q.kind == 'bucket' then
  delay = by_bucket()
else
  delay = by_nothing()
end

redis.call('ZREM', KEYS[4], token)
if delay == 0 then
  redis.call('ZREM', KEYS[3], token)
  redis.call('ZADD', KEYS[2], now, token)
  q['since:' .. class], q['back:' .. class] = nil, nil
  save()
  return {'go', 0}
end
local answer = 'wait'
if delay > may_sleep then
  answer, delay = 'off', math.max(delay + math.ceil(draw * math.min(delay / 10, 3000)), BACK_AFTER_MS)
  redis.call('ZREM', KEYS[3], token)
else
  redis.call('ZADD', KEYS[3], string.format('%.17g', place), token)
  redis.call('ZADD', KEYS[4], now + delay + WAKE_MS, token)
end
q['since:' .. class] = since or now
q['back:' .. class] = now + delay + BACK_MS
save()
return {answer, delay}
