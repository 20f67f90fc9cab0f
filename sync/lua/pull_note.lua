-- Note how far a full reading of a channel has come, unless another one has begun meanwhile.
--
-- KEYS[1]  is:pull:<channel>, a hash (fields: see sync/pull.py)
-- ARGV     1 when the reading began that this is about, ms; 2 number of fields to be set, then each with its value;
--          then the fields to be dropped; "wanted" stays where it was asked for since the reading began.
-- Answer   1 when it was noted, 0 when another reading is under way.

if redis.call('HGET', KEYS[1], 'began') ~= ARGV[1] then return 0 end
local last = 2 + 2 * tonumber(ARGV[2])
redis.call('HSET', KEYS[1], unpack(ARGV, 3, last))
for i = last + 1, #ARGV do
  local since = ARGV[i] == 'wanted' and tonumber(redis.call('HGET', KEYS[1], 'wanted') or 0) > tonumber(ARGV[1])
  if not since then redis.call('HDEL', KEYS[1], ARGV[i]) end
end
return 1
