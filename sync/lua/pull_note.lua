-- Note how far a full reading of a channel has come, unless another one has begun meanwhile.
--
-- KEYS[1]  is:pull:<channel>, a hash (fields: see sync/pull.py)
-- ARGV     1 when the reading began that this is about, ms; 2 number of fields to be set, then each with its value;
--          then the fields to be dropped.
-- Answer   1 when it was noted, 0 when another reading is under way.

if redis.call('HGET', KEYS[1], 'began') ~= ARGV[1] then return 0 end
local last = 2 + 2 * tonumber(ARGV[2])
redis.call('HSET', KEYS[1], unpack(ARGV, 3, last))
if #ARGV > last then redis.call('HDEL', KEYS[1], unpack(ARGV, last + 1)) end
return 1
