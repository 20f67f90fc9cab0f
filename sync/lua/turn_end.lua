-- End a turn, unless somebody has wished for another round since it was taken (a wish is never lost between
-- the holder's last look and this call, nor when the holder was slower than its lease and nobody else came).
--
-- KEYS[1], KEYS[2]  as in turn_take.lua
-- ARGV     1 token, 2 lease ms, 3 "1" to end it whatever was wished for
-- Answer   1 when the holder should go round again (it still has the turn, its lease renewed), else 0.

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
if ARGV[3] ~= '1' and redis.call('DEL', KEYS[2]) == 1 then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1
end
redis.call('DEL', KEYS[1])
return 0
