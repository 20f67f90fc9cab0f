-- End a turn, unless somebody has wished for another round since it was taken (a wish is never lost between
-- the holder's last look and this call).
--
-- KEYS[1], KEYS[2]  as in turn_take.lua
-- ARGV     1 token, 2 "1" to end it whatever was wished for
-- Answer   1 when the holder should go round again (it still has the turn), else 0.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] ~= '1' and redis.call('DEL', KEYS[2]) == 1 then return 1 end
redis.call('DEL', KEYS[1])
return 0
