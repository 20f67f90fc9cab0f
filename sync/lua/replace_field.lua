-- Replace a field of a hash, if it still is what it was when it was looked at.
--
-- KEYS[1]  the hash
-- ARGV     1 the field, 2 its value as it was seen, 3 its new value.
-- Answer   1 if it was replaced, 0 if it has changed since.

if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
