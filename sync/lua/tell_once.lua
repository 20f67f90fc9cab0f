-- Note that people are told of something, while it lasts.
--
-- KEYS[1]  hash of what they are told of; uses its field "told"
-- Answer   1 when it is now that they are to be told; 0 when they have been, or when it is over.

if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
return redis.call('HSETNX', KEYS[1], 'told', '1')
