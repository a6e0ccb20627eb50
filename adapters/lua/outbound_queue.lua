-- Arguments: position in the event log, deliveries kept of an endpoint; then of each message id, endpoint, type, body,
-- and milliseconds after which the same id is due anew (-1: it is queued once).
local kept = tonumber(arg(2))
for place = 3, #ARGV - 5, 5 do
  local id, endpoint = arg(place), arg(place + 1)
  local key, list = 'lucity:outbound:message:' .. id, 'lucity:outbound:of:' .. endpoint
  local renewed = tonumber(arg(place + 4))
  local due = text(NOW + math.max(renewed, 0))
  local state = redis.call('HGET', key, 'state')
  if state and renewed >= 0 then
    redis.call('HSET', key, 'type', arg(place + 2), 'body', arg(place + 3))
    redis.call('HINCRBY', key, 'version', 1)
    redis.call('ZADD', list, redis.call('INCR', 'lucity:outbound:number'), id)
    if state ~= 'PENDING' then
      redis.call('HSET', key, 'state', 'PENDING', 'attempts', 0, 'next_at', due, 'finished_at', '')
      redis.call('ZADD', 'lucity:outbound:due', due, id)
    end
  elseif not state then
    redis.call('HSET', key, 'id', id, 'endpoint', endpoint, 'type', arg(place + 2), 'body', arg(place + 3),
      'state', 'PENDING', 'attempts', 0, 'version', 1, 'created_at', text(NOW), 'next_at', due)
    redis.call('ZADD', list, redis.call('INCR', 'lucity:outbound:number'), id)
    redis.call('ZADD', 'lucity:outbound:due', due, id)
    for _, old in ipairs(redis.call('ZRANGE', list, 0, -kept - 1)) do
      redis.call('DEL', 'lucity:outbound:message:' .. old)
      redis.call('ZREM', list, old)
      redis.call('ZREM', 'lucity:outbound:due', old)
    end
  end
end
redis.call('SET', 'lucity:outbound:position', arg(1))
return 1
