-- Note how far a reading of a channel has come. For a full one, unless another one has begun meanwhile.
--
-- KEYS[1]  is:pull:<channel>, a hash (fields: see sync/readings.py)
-- ARGV     1 when the reading began that this is about, ms; 2 "1" for the full one under way, "0" for any other;
--          3 number of fields to be set, then each with its value; then the fields to be dropped. Of these, what was
--          wished for ("wanted", "asked", "unsure") stays where that was since the reading began.
-- Answer   1 when it was noted, 0 when another reading is under way.

if ARGV[2] == '1' and redis.call('HGET', KEYS[1], 'began') ~= ARGV[1] then return 0 end
local last = 3 + 2 * tonumber(ARGV[3])
redis.call('HSET', KEYS[1], unpack(ARGV, 4, last))
local wishes = {wanted = true, asked = true, unsure = true}
for i = last + 1, #ARGV do
  local since = wishes[ARGV[i]] and tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or 0) > tonumber(ARGV[1])
  if not since then redis.call('HDEL', KEYS[1], ARGV[i]) end
end
return 1
