-- Renew a turn, if it is still ours. One that was ended or lost stays so.
--
-- KEYS[1]  as in turn_take.lua
-- ARGV     1 token, 2 lease ms
-- Answer   1 when it was renewed, else 0.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
