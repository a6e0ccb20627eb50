-- Arguments: most deliveries, milliseconds until they are due again, how many of one endpoint may be under way, and how
-- many of each are: its name, its number. Answers their rows.
local LOOKED_AT, PASSED = 500, 1000
local due = 'lucity:outbound:due'
local most, each = tonumber(arg(1)), tonumber(arg(3))
local room, rows, passed = {}, {}, {}
for place = 4, #ARGV - 5, 2 do room[arg(place)] = each - tonumber(arg(place + 1)) end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', text(NOW), 'LIMIT', 0, LOOKED_AT)) do
  if #rows == most then return rows end
  local key = 'lucity:outbound:message:' .. id
  local endpoint = redis.call('HGET', key, 'endpoint')
  local left = room[endpoint] or each
  if left > 0 then
    room[endpoint] = left - 1
    redis.call('HINCRBY', key, 'attempts', 1)
    redis.call('ZADD', due, text(NOW + tonumber(arg(2))), id)
    table.insert(rows, redis.call('HGETALL', key))
  else
    table.insert(passed, id)
  end
end
-- So many wait for their endpoints that others were not reached: these come first the next time.
if #rows + #passed == LOOKED_AT then
  for _, id in ipairs(passed) do redis.call('ZADD', due, text(NOW + PASSED), id) end
end
return rows
