-- How much waits in one bucket, counted in one step: what passes from one list to another is never in neither.
--
-- KEYS[1]  prefix of the bucket; uses dirty:<channel>, marks:<channel>, open:<channel>, audits:<channel>
-- ARGV     1 channel, 2 now ms
-- Answer   dirty, marks, open, audits, and of marks and open those that are due.

local function key(kind) return KEYS[1] .. kind .. ':' .. ARGV[1] end
local function due(kind) return redis.call('ZCOUNT', key(kind), '-inf', ARGV[2]) end

local answer = {}
for place, kind in ipairs({'dirty', 'marks', 'open', 'audits'}) do answer[place] = redis.call('ZCARD', key(kind)) end
answer[5] = due('marks') + due('open')
return answer
