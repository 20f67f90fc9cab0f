-- Decide about a held run, once. What follows from it stands in "todo" until it has been carried out.
--
-- KEYS[1]  as in hold_open.lua; also uses
--            todo              set of numbers that were decided and are not carried out yet
--            allowed           hash "<reading or plan>|<channel>|<number>" -> what a person let pass, see sync/guard/holds.py
--            doubted           hash channel -> number of the discarded hold whose like is not told of again
--            contacted         hash channel -> when its first push was let through
-- ARGV     1 number, 2 "approved", "discarded" or "overtaken", 3 now ms, 4 who decided, 5 for how long it is kept
--          afterwards, ms, then names and values of fields of "allowed" to be set if this call decides.
-- Answer   the state before: "open" when this call has decided, "" when there is no such hold.

local key, verdict, now = KEYS[1] .. ARGV[1], ARGV[2], ARGV[3]
local state = redis.call('HGET', key, 'state')
if not state then return '' end
if state ~= 'open' then return state end
local kind, channel = redis.call('HGET', key, 'kind'), redis.call('HGET', key, 'channel')
redis.call('HSET', key, 'state', verdict, 'decided', now, 'by', ARGV[4])
redis.call('HDEL', KEYS[1] .. 'open', kind .. '|' .. channel)
redis.call('SADD', KEYS[1] .. 'todo', ARGV[1])
redis.call('PEXPIRE', key, ARGV[5])
if ARGV[6] then redis.call('HSET', KEYS[1] .. 'allowed', unpack(ARGV, 6)) end
if verdict == 'approved' and kind == 'first contact' then redis.call('HSETNX', KEYS[1] .. 'contacted', channel, now) end
if kind == 'reading' then
  redis.call('HDEL', KEYS[1] .. 'doubted', channel)
  if verdict == 'discarded' then redis.call('HSET', KEYS[1] .. 'doubted', channel, ARGV[1]) end
end
return 'open'
