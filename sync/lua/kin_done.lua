-- Take back marks of bundles and components that were worked off; what moved meanwhile stays marked.
--
-- KEYS[1]  the kin zset of a bucket (see lib_movement.lua)
-- ARGV     two for each mark: folded, its revision as it was seen.
-- Answer   how many marks are gone.

local gone = 0
for i = 1, #ARGV, 2 do
  local score = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if score and tonumber(score) == tonumber(ARGV[i + 1]) then gone = gone + redis.call('ZREM', KEYS[1], ARGV[i]) end
end
return gone
