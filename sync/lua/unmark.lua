-- Take back marks that a reading has answered; a hint that came after the reading began stays.
--
-- KEYS[1]  a marks zset (see merge.lua)
-- ARGV     1 when the reading began, ms; then the refs that were asked for.
-- Answer   how many marks are gone.

local gone = 0
for i = 2, #ARGV do
  local due = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if due and tonumber(due) <= tonumber(ARGV[1]) then gone = gone + redis.call('ZREM', KEYS[1], ARGV[i]) end
end
return gone
