-- Claim a tick, so that it counts once however many schedulers have sent it.
--
-- KEYS[1]  hash entry -> "slot id": the newest slot of each entry that was claimed, and the message that has claimed it
-- ARGV     1 entry, 2 slot (unix seconds), 3 id of the message, 4 now by the store's clock (unix seconds)
-- Answer   1 when this message has the tick, now or since it was delivered before; 0 when another has it or a later one.

-- A scheduler whose clock is ahead by more must not silence the others until its time has come.
local AHEAD_S = 60

local slot, id = string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '', '^(%d+) (.*)$')
if slot == ARGV[2] and id ~= ARGV[3] then return 0 end
if slot and tonumber(slot) > tonumber(ARGV[2]) and tonumber(slot) <= tonumber(ARGV[4]) + AHEAD_S then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
return 1
