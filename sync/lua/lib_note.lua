-- A note of a run of rows that reads as it did. The rows of one page that fall into one bucket are known again by one
-- look at their note, instead of one at each of their records. The including script has set `prefix` and `channel`.
--
-- notes:<channel>  hash, name -> "ended rows proof" while it is intact, "ended rows" once it is broken
--                  ended: when the newest reading of its listings ended, ms; rows: how many listings point to it, which
--                  have "@name" in <channel>:read instead of a time; name and proof: a digest of all that decides
--                  whether these rows are plainly the same (sync/stock/notes.py)
--
-- The invariant: a listing that points to a note is at rest (merge.lua, `at_rest`), and all listings of an intact note
-- are so at the very level and ref that its digest was made of. So whoever takes a listing out of rest has it leave its
-- note first. That breaks the note: it is not known again, but tells the others' time until the last of them has left.
--
-- Hence a reading that makes the digest of an intact note, and began no earlier than that ended, would find every one
-- of its rows the same, and note for each that it was read. To note it once is as much.

local NOTES, READ = prefix .. 'notes:' .. channel, channel .. ':read'
local note = {}
local times = {}  -- by name: no note's time changes before a script's last step

local function name_of(read)
  return read and string.match(read, '^@(.*)$')
end

-- When the newest reading of a listing ended: `read` is its field.
function note.time(read)
  local name = name_of(read)
  if not name then return tonumber(read) end
  times[name] = times[name] or tonumber(string.match(redis.call('HGET', NOTES, name), '^%d+'))
  return times[name]
end

-- So many listings whose field is `read` leave their note, if they have one; the caller sets the field anew.
function note.leave(read, count)
  local name = name_of(read)
  if not name then return end
  local ended, rows = string.match(redis.call('HGET', NOTES, name), '^(%d+) (%d+)')
  if tonumber(rows) == count then
    redis.call('HDEL', NOTES, name)
  else
    redis.call('HSET', NOTES, name, ended .. ' ' .. rows - count)
  end
end

-- A listing is about to be taken out of rest. Gives when its newest reading ended.
function note.rouse(key)
  local read = redis.call('HGET', key, READ)
  local ended = note.time(read)
  if name_of(read) then
    note.leave(read, 1)
    redis.call('HSET', key, READ, ended)
  end
  return ended
end

-- The on hand of a record is about to be dropped, which decides whether the authority's row is counted: on no channel is
-- its run known again.
function note.spoil(key)
  for _, field in ipairs(redis.call('HKEYS', key)) do
    local name_of_channel = string.match(field, '^(.*):read$')
    local name = name_of_channel and name_of(redis.call('HGET', key, field))
    if name then
      local notes = prefix .. 'notes:' .. name_of_channel
      redis.call('HSET', notes, name, string.match(redis.call('HGET', notes, name), '^%d+ %d+'))
    end
  end
end

-- The last step: these listings, all at rest, were read again until `ended`; `reads` are their fields. With a name they
-- are a whole run.
function note.read(keys, reads, ended, name, proof)
  local leaving, field = {}, ended
  for _, read in ipairs(reads) do leaving[read] = (leaving[read] or 0) + 1 end
  for read, count in pairs(leaving) do note.leave(read, count) end
  if name and redis.call('HEXISTS', NOTES, name) == 0 then  -- else another run has this name and another proof
    redis.call('HSET', NOTES, name, string.format('%.0f %d %s', ended, #keys, proof))
    field = '@' .. name
  end
  for _, key in ipairs(keys) do redis.call('HSET', key, READ, field) end
end
