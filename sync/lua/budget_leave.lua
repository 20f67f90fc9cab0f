-- Say what the answer to a call told of the quota.
--
-- KEYS     see lib_budget.lua
-- ARGV     1 now ms (after the answer came), 2 token of the caller, 3 a draw from 0 to 999, 4 documented burst,
--          then what was told, each "" where it was not: 5 calls left, 6 limit, 7 ms until the window ends,
--          8 length of a window ms, 9 tokens a second, 10 for a refusal (429): the pause it asks for, ms, 0: unnamed
-- Answer   how long nobody will call, ms.

local now, token, draw = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]) / 1000
local left, limit, reset, window = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local rate, throttled = tonumber(ARGV[9]), tonumber(ARGV[10])

-- include lib_budget.lua

-- After this many answers that told nothing there is no quota to be learnt.
local MUTE = 3
-- The length of a window where nobody says.
local WINDOW_MS = 30000
-- A window that is said to be longer is none: some gateways give a date.
local LONGEST_WINDOW_MS = 86400000
-- The first pause after a refusal that names none, and the longest.
local BASE_MS, CAP_MS = 1000, 60000

local granted = tonumber(redis.call('ZSCORE', KEYS[2], token) or nil)
redis.call('ZREM', KEYS[2], token)
roll()
bury()
if reset and reset > LONGEST_WINDOW_MS then reset = nil end
if window and (window <= 0 or window > LONGEST_WINDOW_MS) then window = nil end
if rate and not (rate > 0 and rate < math.huge) then rate = nil end
if granted then
  local took = math.max(0, now - granted)
  q.took = q.took and q.took * 0.8 + took * 0.2 or took
end

local function in_this_window(used)
  if used >= q.used or limit < q.limit then q.limit = limit end
  q.used = math.max(q.used, used)
  if reset and q.known == 0 then
    q.low, q.ends = granted + reset, now + reset + GRAIN_MS
  elseif reset then
    q.low, q.ends = math.max(q.low, granted + reset), math.min(q.ends, now + reset + GRAIN_MS)
  end
  q.low = math.min(q.low, q.ends)
  q.known, q.answered, q.told_at = 1, q.answered + 1, now
  if granted > q.blind_at then q.blind = 0 end
  q.seen = math.max(q.seen, q.used - q.answered - q.blind - flight())
end

-- Its true end, as far as this answer tells, lies between `granted + reset` and `now + reset`.
local function learn_window()
  -- where no limit is told, what the first answer of each window leaves is the best guess
  limit = limit or math.max(q.known == 1 and q.limit or 0, left + 1)
  left = left or limit
  window = math.max(window or q.window or WINDOW_MS, reset or 0)
  local used = math.max(0, limit - left)
  if q.kind ~= 'window' then
    open_window(limit, window)
    q.ends = now + window
    return in_this_window(used)
  end
  q.window = window
  local began = q.ends - q.window
  if reset and granted < began and granted + reset <= began + 2 * GRAIN_MS then
    return spent_blindly()  -- of the window before, or nobody can tell
  end
  if reset and q.known == 1 then
    if granted + reset > q.ends + 2 * GRAIN_MS then  -- the next one has begun before we thought it would
      next_window()
      q.limit = limit
    elseif now + reset >= q.low + q.window then  -- of this one or the next: it counts in both
      q.carry = q.carry + 1
      reset = nil
    end
  end
  in_this_window(used)
end

if rate then
  if q.kind ~= 'bucket' then open_bucket(rate, math.max(1, tonumber(ARGV[4]) or 1)) end
  refill()
  if granted then q.tokens = math.max(0, q.tokens - 1) end
  -- too much has been counted, nobody knows for how long: calls in flight may have been granted on it as well
  if rate < q.rate then q.tokens = 0 end
  q.rate, q.told_at = rate, now
elseif granted and (left or limit) and q.kind ~= 'bucket' then
  learn_window()
elseif granted then
  spent_blindly()
  if q.kind == 'unknown' and not throttled then
    q.mute = (q.mute or 0) + 1
    if q.mute >= MUTE then q.kind = 'free' end
  end
end

if throttled then
  -- refusals of calls that were under way at the same time are one
  if (granted or now) >= (q.strike_at or 0) then q.strikes, q.strike_at = (q.strikes or 0) + 1, now end
  local pause = math.min(throttled, LONGEST_PAUSE_MS)
  if throttled == 0 or q.strikes > 1 then
    pause = pause + 100 + math.floor(draw * math.min(CAP_MS, BASE_MS * 2 ^ (q.strikes - 1)))
  end
  q.pause = math.max(q.pause or 0, now + pause)
  if q.kind == 'bucket' then q.tokens, q.at = 0, math.max(now, q.at) end
elseif granted and granted >= (q.strike_at or 0) and (q.told_at == now or q.kind == 'free') then
  q.strikes = 0
end
save()
return math.max(0, (q.pause or 0) - now)
