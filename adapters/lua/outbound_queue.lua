-- Arguments: position in the event log, deliveries kept of an endpoint; then id, endpoint, type and body of each message.
local kept = tonumber(arg(2))
for place = 3, #ARGV - 5, 4 do
  local id, endpoint = arg(place), arg(place + 1)
  local key, list = 'lucity:outbound:message:' .. id, 'lucity:outbound:of:' .. endpoint
  if redis.call('EXISTS', key) == 0 then
    redis.call('HSET', key, 'id', id, 'endpoint', endpoint, 'type', arg(place + 2), 'body', arg(place + 3),
      'state', 'PENDING', 'attempts', 0, 'created_at', text(NOW), 'next_at', text(NOW))
    redis.call('ZADD', list, redis.call('INCR', 'lucity:outbound:number'), id)
    redis.call('ZADD', 'lucity:outbound:due', text(NOW), id)
    for _, old in ipairs(redis.call('ZRANGE', list, 0, -kept - 1)) do
      redis.call('DEL', 'lucity:outbound:message:' .. old)
      redis.call('ZREM', list, old)
      redis.call('ZREM', 'lucity:outbound:due', old)
    end
  end
end
redis.call('SET', 'lucity:outbound:position', arg(1))
return 1
