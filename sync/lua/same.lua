-- Merge a run of rows that reads as it did, if its note says so: all of its listings were read again, and no more.
--
-- KEYS[1]  prefix of the bucket; uses notes:<channel> (see lib_note.lua)
-- ARGV     1 channel, 2 began, 3 ended (ms by the store's clock), 4 name of the note, 5 its proof
-- Answer   1 if that was all; 0 if the rows are to be merged one by one (merge.lua).

local notes = KEYS[1] .. 'notes:' .. ARGV[1]
local ended, rows, proof = string.match(redis.call('HGET', notes, ARGV[4]) or '', '^(%d+) (%d+) (%x+)$')
if proof ~= ARGV[5] or tonumber(ARGV[2]) < tonumber(ended) then return 0 end
redis.call('HSET', notes, ARGV[4], table.concat({ARGV[3], rows, proof}, ' '))
return 1
