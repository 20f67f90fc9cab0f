-- How many SKUs stand on a few channels, in as few words as possible: for a first look at very many of them.
--
-- KEYS[1]  prefix of the bucket; uses sku:<folded> (see merge.lua)
-- ARGV     1 number of channels, their names, then the folded SKUs.
-- Answer   for each SKU: on hand, then for each channel its level and its open write; "" where there is none.

local fields, count = {'on_hand'}, tonumber(ARGV[1])
for i = 2, count + 1 do
  fields[#fields + 1] = ARGV[i] .. ':level'
  fields[#fields + 1] = ARGV[i] .. ':write'
end

local answer = {}
for i = count + 2, #ARGV do
  local found = redis.call('HMGET', KEYS[1] .. 'sku:' .. ARGV[i], unpack(fields))
  for place = 1, #fields do answer[#answer + 1] = found[place] or '' end
end
return answer
