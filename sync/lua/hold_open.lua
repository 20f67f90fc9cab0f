-- Hold a run (rule 8), or refresh the hold that is open for the like of it, in one step: of two workers that judge the
-- same reading one opens it and the other refreshes it.
--
-- KEYS[1]  what the keys of holds begin with, "is:{holds}:". Below it, all in one hash slot:
--            last              the last number that was given
--            ids               zset number -> when it was opened
--            open              hash "<kind>|<channel>" -> number
--            <number>          hash, one held run (fields: see sync/guard/holds.py)
--            <number>:rows     the rows of a held file, see sync/guard/withheld.py
--            withheld:<channel> what the reading under way has withheld
-- ARGV     1 kind, 2 channel, 3 now ms, 4 "1" to move the withheld rows to the hold, instead of those of the like of it, "2"
--          beside them (else they are left alone: they belong to a reading that may go on beside this), then names and
--          values of the fields to be set.
-- Answer   its number, and "1" when it is new.

local kind, channel, now = ARGV[1], ARGV[2], ARGV[3]
local like = kind .. '|' .. channel
local number = redis.call('HGET', KEYS[1] .. 'open', like)
local fresh = not number
if fresh then
  number = tostring(redis.call('INCR', KEYS[1] .. 'last'))
  redis.call('HSET', KEYS[1] .. 'open', like, number)
  redis.call('ZADD', KEYS[1] .. 'ids', now, number)
  redis.call('HSET', KEYS[1] .. number, 'kind', kind, 'channel', channel, 'state', 'open', 'opened', now)
end
redis.call('HSET', KEYS[1] .. number, 'seen', now, unpack(ARGV, 5))
redis.call('HINCRBY', KEYS[1] .. number, 'times', 1)
local withheld, rows = KEYS[1] .. 'withheld:' .. channel, KEYS[1] .. number .. ':rows'
if ARGV[4] == '1' then redis.call('DEL', rows) end
if ARGV[4] ~= '0' then
  local last, pages = 0, redis.call('HGETALL', withheld)
  for _, page in ipairs(redis.call('HKEYS', rows)) do last = math.max(last, tonumber(page)) end
  for i = 1, #pages, 2 do redis.call('HSET', rows, last + tonumber(pages[i]), pages[i + 1]) end
  redis.call('DEL', withheld)
end
return {number, fresh and '1' or '0'}
