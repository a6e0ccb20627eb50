-- Arguments: most deliveries, milliseconds until they are due again. Answers their rows.
local rows = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', 'lucity:outbound:due', '-inf', text(NOW), 'LIMIT', 0, arg(1))) do
  local key = 'lucity:outbound:message:' .. id
  redis.call('HINCRBY', key, 'attempts', 1)
  redis.call('ZADD', 'lucity:outbound:due', text(NOW + tonumber(arg(2))), id)
  table.insert(rows, redis.call('HGETALL', key))
end
return rows
