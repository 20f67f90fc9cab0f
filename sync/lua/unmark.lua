-- Take back marks that a reading has answered; a hint that came after the reading began stays.
--
-- KEYS[1]  a marks zset (see merge.lua)
-- KEYS[2]  the heard zset beside it (see keep.lua)
-- ARGV     1 when the reading began, ms; then the refs that were asked for.
-- Answer   how many marks are gone, then two for each of them that an event has set: its ref, and when the first such
--          event came, ms.

local answer = {0}
for i = 2, #ARGV do
  local ref = ARGV[i]
  local due = redis.call('ZSCORE', KEYS[1], ref)
  if due and tonumber(due) <= tonumber(ARGV[1]) then
    answer[1] = answer[1] + redis.call('ZREM', KEYS[1], ref)
    local heard = redis.call('ZSCORE', KEYS[2], ref)
    if heard then
      redis.call('ZREM', KEYS[2], ref)
      answer[#answer + 1] = ref
      answer[#answer + 1] = tonumber(heard)
    end
  end
end
return answer
