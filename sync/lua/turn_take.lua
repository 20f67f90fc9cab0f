-- Take the turn at something that one process does at a time, or tell its holder to go round once more.
--
-- KEYS[1]  the turn: a string holding its holder's token, with a lease; KEYS[2]  the wish for another round
-- ARGV     1 token, 2 lease ms, 3 "1": the caller is at work already, so that a wish is for a round after this one
-- Answer   1 when the turn is ours (also when it was already: the lease is renewed), else 0.

local holder = redis.call('GET', KEYS[1])
if not holder or holder == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  if not holder and ARGV[3] ~= '1' then redis.call('DEL', KEYS[2]) end  -- the round to come is what was wished for
  return 1
end
redis.call('SET', KEYS[2], '1', 'PX', 10 * ARGV[2])  -- longer than the holder's round may take
return 0
