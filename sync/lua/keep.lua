-- Keep one webhook event: remember it, and have the listings that it names read again (rules 9 and 14), in one step.
--
-- KEYS[1]  string "<when it was last kept, ms> <the sender's id of the message>": what is known of this event
-- KEYS[2]  marks:<channel> of the bucket (see merge.lua)
-- KEYS[3]  quiet:<channel> of the bucket: zset ref -> ms; a reading says nothing of the listing before then (rule 3)
-- KEYS[4]  heard:<channel> of the bucket: zset ref -> ms; the first event that no reading has answered (sync/telemetry/latency.py)
-- ARGV     1 now ms, 2 for how long to remember it, ms, 3 from when on there can be no other event of this name, ms,
--          4 id of the message ("": none), 5 "1": only say whether it is known; then the refs to be marked.
-- Answer   -1 when it is known, else when the first of its marks is due, ms (now, where there are none).
--
-- Two like changes within one second have the same name. Once a mark was set after that second, a reading begun after
-- it shows them both; until then only the same message is known to be a repetition.

local now = tonumber(ARGV[1])
local kept, message = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (.*)$')
if kept and (tonumber(kept) >= tonumber(ARGV[3]) or (message ~= '' and message == ARGV[4])) then return -1 end
if ARGV[5] == '1' then return now end

local first
for i = 6, #ARGV do
  local quiet = tonumber(redis.call('ZSCORE', KEYS[3], ARGV[i]) or 0)
  local due = math.max(now, quiet)
  redis.call('ZADD', KEYS[2], 'GT', due, ARGV[i])
  redis.call('ZADD', KEYS[4], 'NX', now, ARGV[i])
  first = math.min(first or due, due)
end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[4], 'PX', ARGV[2])
return first or now
